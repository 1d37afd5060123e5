"""The task page in Chromium: keys, painting, undo, a lost line, another tab, and no violations."""

from collections import Counter

import pytest

from annotation_site.annotation import services
from annotation_site.annotation.models import Response, RoundState
from tests.site import factories
from tests.site.annotation.conftest import at_the_first_task

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

READY = "[data-task][data-state=ready]"


@pytest.fixture
def round_(project):
    return factories.make_round(project, state=RoundState.OPEN, n_tasks=8)


@pytest.fixture
def page(chromium, live_server, round_):
    """A page on the first task."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "console", lambda line: "Content Security" in line.text and page.troubles.append(line.text)
    )
    at_the_first_task(page, live_server.url, round_)
    yield page
    assert page.troubles == []
    context.close()


def answer(page, key, count=1):
    for _ in range(count):
        page.wait_for_selector(READY)
        page.wait_for_timeout(400)
        page.keyboard.press(key)


def number(page):
    return page.text_content("[data-count]").split()[0]


def test_a_whole_sitting_by_keys(page, round_):
    answer(page, "n", 3)
    answer(page, "ArrowRight", 5)
    page.wait_for_url("**/done/")

    assert "8 answers" in page.content()
    assert Counter(vote.answer for vote in services.votes_of(round_)) == {"no": 3, "yes": 5}
    assert {response.input_kind for response in Response.objects.all()} == {"key"}
    assert {response.quality for response in Response.objects.all()} <= {"A", "B"}
    assert not Response.objects.filter(shown_to_answer_ms__isnull=True).exists()
    assert not Response.objects.filter(shown_to_answer_ms__lt=350).exists()


def test_the_heat_is_drawn_and_space_shows_the_photo_alone(page):
    has_paint = """() => {
        const canvas = document.querySelector("[data-heat]");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return !canvas.hidden && data.some((value) => value > 0);
    }"""
    assert page.evaluate(has_paint)

    page.keyboard.down("Space")
    assert not page.is_visible("[data-heat]")
    page.keyboard.up("Space")
    assert page.is_visible("[data-heat]")
    answer(page, "y")
    page.wait_for_selector(READY)
    page.wait_for_timeout(500)

    assert Response.objects.get().overlay_seen["peeks"] == 1


def test_undo_walks_back_on_the_page_and_past_a_reload(page, round_):
    answer(page, "y", 3)
    page.wait_for_selector(READY)
    page.keyboard.press("z")
    page.wait_for_selector(READY)
    assert number(page) == "3"
    assert "You said Yes" in page.inner_text("[data-previous]")
    page.wait_for_timeout(500)

    page.reload()
    page.wait_for_selector(READY)
    page.keyboard.press("z")
    page.get_by_text("2 of 8", exact=True).wait_for()
    answer(page, "n", 2)
    page.wait_for_timeout(800)

    assert [vote.answer for vote in services.votes_of(round_)].count("no") == 2
    assert Response.objects.count() == 5


def test_a_lost_line_loses_nothing(page, round_):
    page.wait_for_timeout(600)
    page.context.set_offline(True)
    answer(page, "y", 3)
    page.wait_for_selector("[data-chip]:visible")
    assert page.inner_text("[data-chip]") == "Answers waiting to be sent: 3"
    assert Response.objects.count() == 0

    page.context.set_offline(False)
    page.wait_for_selector("[data-chip]", state="hidden")

    assert len(services.votes_of(round_)) == 3
    answer(page, "n", 5)
    page.wait_for_url("**/done/")


def test_answers_kept_by_the_browser_are_sent_at_the_next_visit(page, round_):
    page.wait_for_timeout(600)
    page.context.set_offline(True)
    answer(page, "y", 2)
    page.wait_for_selector("[data-chip]:visible")
    url = page.url
    page.goto("about:blank")
    page.context.set_offline(False)

    page.goto(url)
    page.get_by_text("3 of 8", exact=True).wait_for()

    assert len(services.votes_of(round_)) == 2


def test_the_older_of_two_tabs_is_told(page, round_):
    other = page.context.new_page()
    other.goto(page.url)
    answer(other, "y", 2)
    other.wait_for_timeout(500)

    page.bring_to_front()
    page.keyboard.press("n")
    page.click("text=Continue here")
    page.wait_for_selector(READY)

    assert number(page) == "3"
    assert Response.objects.filter(elsewhere=True).count() == 1
    assert len(services.votes_of(round_)) == 2


def test_pausing_is_hidden_time(page):
    page.click("[data-pause]")
    page.wait_for_timeout(700)
    page.click("[data-continue]")
    answer(page, "y")
    page.wait_for_timeout(600)

    response = Response.objects.get(hidden_ms__gte=600)
    assert response.quality == "B"


def test_single_keys_can_be_switched_off(page):
    page.keyboard.press("?")
    page.uncheck("[data-keys-switch]")
    page.click("[data-close]")

    page.keyboard.press("y")
    page.wait_for_timeout(400)
    assert number(page) == "1"
    page.click("[data-answer=yes]")
    page.get_by_text("2 of 8", exact=True).wait_for()


def test_nothing_can_be_answered_before_it_is_painted(chromium, page):
    late = page.context.new_page()
    late.route("**/task.js", lambda route: route.abort())
    late.goto(page.url, wait_until="commit")
    late.wait_for_selector("[data-answer=yes]")

    assert late.is_disabled("[data-answer=yes]")
    late.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    for prepare in (lambda: None, lambda: page.keyboard.press("?")):
        prepare()
        page.wait_for_timeout(250)
        violations = axe.run(page).response["violations"]
        assert [violation["id"] for violation in violations] == []
