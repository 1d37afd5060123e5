"""An annotator's whole way in Chromium: by keys alone, on a narrow phone, without scripts, over a
line that fails, in every state without a finding of axe and without a foreign host."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation_site.annotation import services
from annotation_site.annotation.models import Arm, Assignment, Response, Round, RoundState, Sitting
from tests.site import factories
from tests.site.annotation.conftest import at_the_first_task

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

READY = "[data-task][data-state=ready]"
PRACTICE = "[data-practice][data-state=ready]"
N_TASKS = 4
LARGEST_SCRIPTS = 50 * 1024
LEAST_TARGET = 24
PATIENCE_MS = 90_000


@pytest.fixture
def round_(project):
    return factories.make_round(
        project, state=RoundState.OPEN, n_tasks=N_TASKS, redundancy=9, n_practice=1
    )


@pytest.fixture
def visitor(chromium, live_server):
    """Open pages that log what they ask for; nothing may go to another host or break a policy."""
    contexts, asked, troubles = [], [], []

    def note(line):
        if "Content Security" in line.text:
            troubles.append(line.text)

    def open_page(**options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request))
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", note)
        page.origin = live_server.url
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
    own = urlsplit(live_server.url).netloc
    foreign = {url for url in asked if not url.startswith(("data:", "blob:"))}
    assert {urlsplit(url).netloc for url in foreign} <= {own}


def link(page, round_):
    return page.origin + reverse("annotation:consent", args=[round_.link_token])


def begin(page, round_):
    """Stand before the first task."""
    return at_the_first_task(page, page.origin, round_)


def walk_in(page, round_):
    """Consent and practise; stop at the first task."""
    page.goto(link(page, round_))
    page.check("input[name=consent]")
    page.click("text=Start practice")
    page.wait_for_selector(PRACTICE)
    page.keyboard.press("y")
    page.click("[data-next]")
    page.click("button:has-text('Start')")
    page.wait_for_selector(READY)
    return page


def answer(page, key, count=1):
    for _ in range(count):
        page.wait_for_selector(READY)
        page.wait_for_timeout(400)
        page.keyboard.press(key)


def stored(round_, at_least):
    """Wait for answers to arrive; give how many there are."""
    from time import monotonic, sleep

    until = monotonic() + 20
    while Response.objects.of_round(round_).count() < at_least and monotonic() < until:
        sleep(0.1)
    return Response.objects.of_round(round_).count()


def tab_to(page, selector):
    """Reach an element as somebody without a mouse does."""
    for _ in range(40):
        if page.evaluate("wanted => document.activeElement?.matches(wanted) ?? false", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {selector}")


def test_everything_can_be_done_by_keyboard_alone(visitor, round_):
    page = visitor()
    page.goto(link(page, round_))
    tab_to(page, "input[name=consent]")
    page.keyboard.press("Space")
    tab_to(page, ".consent-form button")
    page.keyboard.press("Enter")
    page.wait_for_selector(PRACTICE)
    tab_to(page, "button[value=yes]")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-next]")
    page.wait_for_selector(PRACTICE)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('right')")
    tab_to(page, "form[action*=finish] button")
    page.keyboard.press("Enter")

    page.wait_for_selector(READY)
    tab_to(page, "[data-answer=no]")  # by focus, as where single keys are switched off
    page.wait_for_timeout(400)
    page.keyboard.press("Enter")
    page.get_by_text(f"2 of {N_TASKS}", exact=True).wait_for()
    page.wait_for_selector(READY)
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    answer(page, "y", N_TASKS - 1)
    page.wait_for_url("**/done/")

    assert sorted(vote.answer for vote in services.votes_of(round_)) == ["no", "yes", "yes", "yes"]
    assert {each.input_kind for each in Response.objects.all()} == {"key"}


def test_a_phone_of_320_pixels_is_enough(visitor, round_):
    page = visitor(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    page.goto(link(page, round_))
    assert_fits(page)
    page.tap("input[name=consent]")
    page.tap("text=Start practice")
    page.wait_for_selector(PRACTICE)
    assert_fits(page)
    page.tap("button[value=yes]")
    page.wait_for_selector("[data-next]")
    assert_fits(page)
    page.tap("[data-next]")
    page.wait_for_selector("h1:has-text('right')")
    assert_fits(page)
    page.tap("form[action*=finish] button")
    for number in range(N_TASKS):
        page.get_by_text(f"{number + 1} of {N_TASKS}", exact=True).wait_for()
        page.wait_for_selector(READY)
        if number == 0:
            assert_fits(page)
            for name in ("yes", "no"):
                box = page.locator(f"[data-answer={name}]").bounding_box()
                assert box["width"] >= 2 * LEAST_TARGET
                assert box["height"] >= 2 * LEAST_TARGET
                assert box["y"] + box["height"] <= 568  # without scrolling
        page.wait_for_timeout(400)
        page.tap("[data-answer=yes]")
    page.wait_for_url("**/done/")
    assert_fits(page)

    assert {each.input_kind for each in Response.objects.all()} == {"touch"}


def assert_fits(page):
    """Nothing is wider than the page, and every control is large enough for a finger."""
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    small = page.evaluate(
        """least => [...document.querySelectorAll("button, input[type=checkbox], summary")]
          .filter((each) => each.checkVisibility() && !each.closest("dialog:not([open])"))
          .map((each) => [each.outerHTML.slice(0, 80), (each.closest("label") ?? each).getBoundingClientRect()])
          .filter(([, box]) => box.width < least || box.height < least)
          .map(([name]) => name)""",
        LEAST_TARGET,
    )
    assert small == []


def test_without_scripts_the_server_composes_the_picture(visitor, round_):
    page = visitor(java_script_enabled=False)
    page.goto(link(page, round_))
    page.check("input[name=consent]")
    page.click("text=Start practice")
    page.click("button[value=yes]")
    page.click("[data-next]")
    page.click("button:has-text('Start')")
    for number in range(N_TASKS):
        page.get_by_text(f"{number + 1} of {N_TASKS}", exact=True).wait_for()
        picture = page.locator("noscript img, .stage img:visible").first.get_attribute("src")
        reply = page.request.get(page.origin + picture)
        assert reply.headers["content-type"] == "image/webp"
        assert "/task/" in picture
        page.click("button[name=answer][value=yes]:visible")
    page.wait_for_url("**/done/")

    given = Response.objects.all()
    assert len(given) == N_TASKS
    assert {(each.quality, each.input_kind) for each in given} == {("C", "form")}


def test_without_scripts_one_may_take_back_and_stop(visitor, round_):
    page = visitor(java_script_enabled=False)
    page.goto(link(page, round_))
    page.check("input[name=consent]")
    page.click("text=Start practice")
    page.click("button[value=yes]")
    page.click("[data-next]")
    page.click("button:has-text('Start')")
    page.click("button[name=answer][value=yes]:visible")
    page.get_by_text(f"2 of {N_TASKS}", exact=True).wait_for()
    page.click("noscript form[action*=undo] button")
    page.get_by_text(f"1 of {N_TASKS}", exact=True).wait_for()
    page.click("button[name=answer][value=no]:visible")
    page.click("noscript form[action*=withdraw] button")

    page.get_by_text("You have stopped.").wait_for()
    assert [vote.answer for vote in services.votes_of(round_)] == ["no"]
    assert Sitting.objects.get().state == "withdrawn"


def test_an_answer_whose_acknowledgement_was_lost_is_sent_again_and_stored_once(visitor, round_):
    page = begin(visitor(), round_)
    tries = []

    def swallow(route):
        tries.append(route.request.post_data_json["client_uuid"])
        if len(tries) == 1:
            route.fetch()  # the server has it; the browser never hears
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/answer/", swallow)
    answer(page, "y")
    page.wait_for_selector("[data-chip]:visible")
    page.wait_for_selector("[data-chip]", state="hidden")

    assert len(tries) == 2
    assert len(set(tries)) == 1
    assert Response.objects.count() == 1


def test_a_whole_sitting_over_a_line_that_comes_and_goes(visitor, round_):
    page = begin(visitor(), round_)
    page.wait_for_timeout(600)  # the next pictures come ahead
    page.context.set_offline(True)
    answer(page, "y", N_TASKS)
    page.get_by_text(f"Answers waiting to be sent: {N_TASKS}").wait_for()
    assert Response.objects.count() == 0
    page.context.set_offline(False)
    page.wait_for_url("**/done/")

    sent = [each for each in page.asked if each.url.endswith("/answer/") and each.method == "POST"]
    ids = [each.post_data_json["client_uuid"] for each in sent if "/practice/" not in each.url]
    assert len(set(ids)) == N_TASKS
    assert Response.objects.count() == N_TASKS
    assert len(services.votes_of(round_)) == N_TASKS


def test_back_and_reload_lose_and_repeat_nothing(visitor, round_):
    page = walk_in(visitor(), round_)
    answer(page, "y", 2)
    assert stored(round_, 2) == 2
    page.wait_for_selector(READY)

    page.go_back()
    page.get_by_text(f"3 of {N_TASKS}", exact=True).wait_for()
    page.wait_for_selector(READY)
    page.reload()
    page.get_by_text(f"3 of {N_TASKS}", exact=True).wait_for()
    answer(page, "n", 2)
    page.wait_for_url("**/done/")
    page.go_back()
    page.wait_for_url("**/done/")

    assert Response.objects.count() == N_TASKS
    assert {each.quality for each in Response.objects.filter(answer="no")} <= {"A", "B"}
    reloaded = Response.objects.order_by("pk")[2]
    assert reloaded.exposures > 1
    assert reloaded.quality == "B"


def test_double_clicks_are_one_click(visitor, round_):
    page = visitor()
    page.goto(link(page, round_))
    page.check("input[name=consent]")
    page.dblclick("text=Start practice")
    page.wait_for_selector(PRACTICE)
    page.keyboard.press("y")
    page.click("[data-next]")
    page.dblclick("button:has-text('Start')")
    page.wait_for_selector(READY)
    page.wait_for_timeout(400)
    page.dblclick("[data-answer=yes]")
    page.get_by_text(f"2 of {N_TASKS}", exact=True).wait_for()
    page.wait_for_timeout(600)

    assert Sitting.objects.count() == 1
    assert stored(round_, 1) == 1
    assert Assignment.objects.count() == N_TASKS


def test_two_tabs_finish_one_sitting(visitor, round_):
    page = begin(visitor(), round_)
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(READY)
    answer(page, "y")
    assert stored(round_, 1) == 1
    answer(other, "n")
    other.click("text=Continue here")
    other.get_by_text(f"2 of {N_TASKS}", exact=True).wait_for()
    answer(other, "y", N_TASKS - 1)
    other.wait_for_url("**/done/")

    assert len(services.votes_of(round_)) == N_TASKS
    assert Response.objects.filter(elsewhere=True).count() == 1
    # What somebody says last of a picture is their answer, in whichever tab; the first one is kept.
    assert [vote.answer for vote in services.votes_of(round_)].count("no") == 1
    assert Response.objects.count() == N_TASKS + 1


def test_the_annotator_loads_little_script(visitor, round_):
    page = visitor()
    sizes = {}

    def note(response):
        if response.request.resource_type == "script" or response.url.endswith(".js"):
            sizes[response.url] = len(response.body())

    page.on("response", note)
    walk_in(page, round_)
    page.wait_for_timeout(500)

    assert any(url.endswith("/task.js") for url in sizes)
    inline = page.evaluate(
        "[...document.scripts].filter((each) => !each.src).map((each) => each.text).join('').length"
    )
    assert sum(sizes.values()) + inline < LARGEST_SCRIPTS, sizes


@pytest.fixture
def no_findings():
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def look(page, name):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(200)  # the colours change gradually
            found = axe.run(page).response["violations"]
            assert [(name, scheme, each["id"]) for each in found] == []

    return look


def test_axe_finds_nothing_on_the_way_in(visitor, round_, no_findings):
    page = visitor()
    page.goto(link(page, round_))
    no_findings(page, "consent")
    page.evaluate("document.querySelector('[name=consent]').required = false")
    page.click("text=Start practice")
    page.wait_for_selector("[role=alert]")
    no_findings(page, "consent not ticked")
    page.check("input[name=consent]")
    page.click("text=Start practice")
    page.wait_for_selector(PRACTICE)
    no_findings(page, "practice")
    page.keyboard.press("n")
    page.wait_for_selector(".feedback")
    page.wait_for_selector(PRACTICE)
    no_findings(page, "feedback: look again")
    page.click("[data-next]")
    no_findings(page, "practice done")
    page.click("text=Repeat practice")
    page.wait_for_selector(PRACTICE)
    page.keyboard.press("y")
    page.wait_for_selector(".feedback")
    no_findings(page, "feedback: right")

    other = visitor()
    other.goto(link(other, round_))
    other.click("text=I do not want to take part")
    no_findings(other, "declined")


def test_axe_finds_nothing_at_work(visitor, round_, no_findings):
    page = begin(visitor(), round_)
    no_findings(page, "task")
    page.goto(page.url + "?plain")
    no_findings(page, "task without scripts")
    page.goto(page.url.partition("?")[0])
    page.wait_for_selector(READY)
    page.keyboard.press("?")
    no_findings(page, "help")
    page.keyboard.press("Escape")
    page.click("[data-pause]")
    no_findings(page, "pause")
    page.click("[data-continue]")
    page.wait_for_timeout(600)
    page.context.set_offline(True)
    answer(page, "y")
    page.wait_for_selector("[data-chip]:visible")
    no_findings(page, "offline")
    page.context.set_offline(False)
    page.wait_for_selector("[data-chip]", state="hidden")

    other = page.context.new_page()
    other.goto(page.url)
    answer(other, "y")
    stored(round_, 2)
    page.bring_to_front()
    answer(page, "y")
    page.get_by_text("Continue here").wait_for()
    no_findings(page, "another tab")


def test_axe_finds_nothing_at_every_end(visitor, round_, no_findings):
    Round.objects.filter(pk=round_.pk).update(
        end_questions=["demographics", "sus", "comment"], content_warning="Some show insects."
    )
    page = begin(visitor(), round_)
    sitting = Sitting.objects.get()
    Sitting.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    services.release_expired(round=round_)
    page.goto(page.url)
    no_findings(page, "expired")
    page.click("text=Continue with what is left")
    page.wait_for_selector(READY)
    answer(page, "y", N_TASKS)
    page.wait_for_selector("form[action*=questions]")
    no_findings(page, "questions")
    page.click("form[action*=questions] button[type=submit]")
    page.wait_for_url("**/done/")
    no_findings(page, "done")
    Sitting.objects.update(state="withdrawn")
    page.reload()
    no_findings(page, "stopped")
    Sitting.objects.update(state="screened_out")
    page.reload()
    no_findings(page, "screened out")

    stranger = visitor()
    stranger.goto(f"{page.origin}/s/{sitting.public_id}/")
    assert "404" in stranger.content() or stranger.locator("h1").count() == 1
    no_findings(stranger, "not found")
    services.admit(round=round_, admitting=False)
    stranger.goto(link(stranger, round_))
    no_findings(stranger, "full")
    services.admit(round=round_, admitting=True)
    Round.objects.filter(pk=round_.pk).update(state=RoundState.CLOSED)
    stranger.goto(link(stranger, round_))
    no_findings(stranger, "closed")


def test_axe_finds_nothing_where_somebody_is_not_let_in(visitor, project, round_, no_findings):
    Round.objects.filter(pk=round_.pk).update(study="one study")
    page = begin(visitor(), round_)
    sister = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    Round.objects.filter(pk=sister.pk).update(
        study="one study", arm=Arm.SPURIOUSNESS, choices=["land", "water"]
    )

    page.goto(link(page, sister))

    assert page.locator("input[name=consent]").count() == 0
    no_findings(page, "not admitted")
