"""One annotator from Prolific in Chromium: arrives, works, gets the code and goes back; and no violations."""

import pytest
from django.urls import reverse

from annotation_site.annotation.models import RoundState, Sitting
from annotation_site.panels import services
from annotation_site.panels.models import Visit
from annotation_site.panels.outcomes import codes_of
from annotation_site.panels.panels import Panel
from tests.site import factories
from tests.site.annotation.conftest import chromium
from tests.site.panels.conftest import ANA, STUDY, submission_of

__all__ = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

READY = "[data-task][data-state=ready]"


@pytest.fixture
def small_study(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    made = services.set_up(round=round_, panel=Panel.PROLIFIC, created_by=project.created_by)
    return services.change(
        study=made, values={"external_id": STUDY, "minutes": 3, "reward": 60, "least_width": 360}
    )


@pytest.fixture
def page(chromium, live_server):
    """A narrow page that notes every foreign host, every error and every violation."""
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.troubles, page.foreign = [], []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("console", lambda line: line.type == "error" and page.troubles.append(line.text))

    def keep_here(route, request):
        if request.url.startswith(live_server.url):
            route.continue_()
        else:
            page.foreign.append(request.url)
            route.fulfill(body="<title>Prolific</title>", content_type="text/html")

    context.route("**/*", keep_here)
    yield page
    assert page.troubles == []
    context.close()


def check(page):
    """Find no fault with axe in the page as it is."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def link(live_server, study):
    return (
        f"{live_server.url}{reverse('panels:arrive', args=[study.token])}"
        f"?PROLIFIC_PID={ANA}&STUDY_ID={STUDY}&SESSION_ID={submission_of(ANA)}"
    )


def test_an_annotator_from_prolific_arrives_works_and_goes_back(page, live_server, small_study):
    code = codes_of(small_study)["COMPLETED"]
    page.goto(link(live_server, small_study))
    assert ANA not in page.url
    assert not Sitting.objects.exists()
    check(page)
    page.check("input[name=consent]")
    page.click("text=Start practice")
    for _ in range(3):
        page.wait_for_selector("[data-practice][data-state=ready]")
        page.keyboard.press("y")
        page.wait_for_selector("[data-next]")
        page.click("[data-next]")
    page.click("button:has-text('Start')")
    for _ in range(3):
        page.wait_for_selector(READY)
        page.wait_for_timeout(400)
        assert code not in page.content()
        page.keyboard.press("y")
    page.wait_for_url("**/done/")

    assert page.text_content("[data-code]") == code
    assert "You are taken there in 12 seconds." in page.inner_text("main")
    check(page)
    assert page.foreign == []
    page.click("text=Stay on this page")
    assert not page.is_visible("[data-countdown]")
    page.click("text=Back to Prolific with this code")
    page.wait_for_url("https://app.prolific.com/**")
    assert page.foreign == [f"https://app.prolific.com/submissions/complete?cc={code}"]
    sitting = Sitting.objects.get()
    assert Visit.objects.get().sitting == sitting
    assert sitting.state == "completed"
    assert sitting.environment == {"width": 390, "height": 800}


def test_after_a_moment_one_is_taken_back_without_a_click(page, live_server, small_study):
    page.clock.install()
    page.goto(link(live_server, small_study))
    page.check("input[name=consent]")
    page.click("text=Start practice")
    page.wait_for_url("**/practice/")
    from django.utils import timezone

    Sitting.objects.update(state="completed", completed_at=timezone.now())
    page.goto(live_server.url + reverse("annotation:done", args=[Sitting.objects.get().public_id]))

    page.clock.run_for(11_000)
    assert page.foreign == []
    page.clock.run_for(2_000)
    page.wait_for_url("https://app.prolific.com/**")


def test_a_screen_too_narrow_is_told_until_it_is_wide_enough(page, live_server, small_study):
    page.set_viewport_size({"width": 340, "height": 700})
    page.goto(link(live_server, small_study))
    assert page.is_visible("[data-too-narrow]")
    assert page.is_disabled("[data-start]")
    check(page)

    page.set_viewport_size({"width": 400, "height": 700})

    page.wait_for_selector("[data-too-narrow]", state="hidden")
    assert page.is_enabled("[data-start]")


def test_the_code_comes_without_scripts(chromium, live_server, small_study):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(link(live_server, small_study))

    page.click("text=I do not want to take part")

    code = codes_of(small_study)["NO_CONSENT"]
    assert page.text_content("[data-code]") == code
    assert page.get_attribute("[data-back]", "href").endswith(f"?cc={code}")
    context.close()
