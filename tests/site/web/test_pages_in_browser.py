"""Pages in Chromium: light, dark and narrow, nothing for axe to find, no host but ours, no error."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation_site.annotation.models import RoundState
from annotation_site.exports.models import Export
from annotation_site.jobs.models import Job, JobKind, JobState
from annotation_site.live import reliance, twins
from annotation_site.live import services as live
from annotation_site.panels import services as panels
from annotation_site.panels.panels import Panel
from annotation_site.projects.audit import record
from annotation_site.projects.models import Act
from tests.browser.looking import look
from tests.site import factories, results
from tests.site.annotation.conftest import chromium
from tests.site.api.conftest import program_of
from tests.site.live.conftest import keep_space
from tests.site.panels.conftest import ANA, STUDY, submission_of
from tests.site.quality import crowds
from tests.site.rehearsal.test_page import foretold

__all__ = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

Open = Callable[..., Any]


@pytest.fixture
def opened(chromium, live_server) -> Iterator[Open]:
    """Open a page as somebody, or as nobody; at the end nothing may have gone wrong on any."""
    troubles: list[str] = []
    contexts = []

    def note(line):
        if "Content Security" in line.text or line.type == "error":
            troubles.append(line.text)

    def asked(request):
        if not request.url.startswith(("data:", "blob:", live_server.url)):
            troubles.append(request.url)

    def open_page(user=None):
        context = chromium.new_context()
        context.set_default_timeout(300_000)  # busy machines are slow machines
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", note)
        page.on("request", asked)

        def go(name, *args, query=""):
            page.goto(live_server.url + reverse(name, args=args) + query)
            return page

        return go

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def study(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    made = panels.set_up(round=round_, panel=Panel.PROLIFIC, created_by=project.created_by)
    return panels.change(study=made, values={"external_id": STUDY, "minutes": 3, "reward": 60})


def test_people_of_a_panel_see_where_they_are(opened, study):
    go = opened()
    query = f"?PROLIFIC_PID={ANA}&STUDY_ID={STUDY}&SESSION_ID={submission_of(ANA)}"
    page = go("panels:arrive", study.token, query=query)
    look(page, "panel-welcome")
    page.click("text=I do not want to take part")
    page.wait_for_selector("[data-code]")
    look(page, "panel-end")
    look(go("panels:arrive", study.token), "panel-no-entry")


def test_the_leads_pages_of_recruiting(opened, study, project, mira):
    visitor = Client()
    query = {"PROLIFIC_PID": ANA, "STUDY_ID": STUDY, "SESSION_ID": submission_of(ANA)}
    visitor.get(reverse("panels:arrive", args=[study.token]), query)
    visitor.post(reverse("panels:start", args=[study.token]), {"consent": "on"})
    panels.save_account(project=project, token="t", secret="s", saved_by=mira)
    invites = panels.set_up(round=study.round, panel=Panel.INVITE, created_by=mira)
    panels.make_invites(study=invites, count=2, days=7)
    go = opened(mira)
    for name, number in (
        ("recruiting", study.round.public_id),
        ("study", study.public_id),
        ("study", invites.public_id),
        ("submissions", study.public_id),
        ("account", project.public_id),
    ):
        panel = "-invites" if number == invites.public_id else ""
        look(go(f"panels:{name}", number), f"panel-{name}{panel}")


def test_pages_of_exports_and_of_the_interface(opened, project, mira, settings):
    result = results.make_result(project)
    go = opened(mira)
    look(go("exports:list", result.round.public_id), "exports-empty")
    export = Export.objects.create(
        round=result.round, created_by=mira, snapshot_at=timezone.now(), finished_at=timezone.now()
    )
    result.files.update(export=export, result=None, n_rows=1)
    look(go("exports:list", result.round.public_id), "exports")
    program_of(mira)
    look(go("api:tokens"), "api-tokens")
    look(go("api:docs"), "api-docs")


def test_pages_of_the_audit(opened, open_round, mira):
    project = open_round.project
    go = opened(mira)
    look(go("projects:audit", project.public_id), "audit-empty")
    with transaction.atomic():
        for number in range(51):
            record(
                project=project,
                by=mira if number % 3 else None,
                act=Act.LEFT_OUT,
                subject=f"ledger of round {number}",
                content={"people": number, "reason": "always yes", "sha256": "f" * 64},
            )
    page = go("projects:audit", project.public_id)
    look(page, "audit")
    page.get_by_role("link", name="Older").click()
    page.get_by_role("link", name="Newest").wait_for()
    look(page, "audit-older")


def test_pages_of_live_scores_and_gold(opened, project, mira):
    round_, _ = crowds.small_crowd(project)
    keep_space(round_)
    live.take_snapshot(round=round_)
    ready = factories.make_round(project, n_tasks=3, first_row=10)
    twins.make(round=ready, n_in_sitting=1)
    go = opened(mira)
    look(go("live:page", round_.public_id), "live")
    look(go("live:annotators", round_.public_id), "live-annotators-empty")
    reliance.weigh(round=round_)
    look(go("live:annotators", round_.public_id), "live-annotators")
    look(go("live:gold", ready.public_id), "gold")


def test_a_rehearsals_page_in_every_state(opened, ready_round, mira, rob):
    number = ready_round.public_id
    go = opened(mira)
    look(go("rehearsal:page", number), "rehearsal-empty")
    job = Job.objects.create(
        project=ready_round.project, round=ready_round, kind=JobKind.REHEARSE,
        state=JobState.RUNNING, stage="Letting the simulated crowd come", done=3, total=8,
        started_at=timezone.now(), stage_started_at=timezone.now(), heartbeat_at=timezone.now(),
    )  # fmt: skip
    running = go("rehearsal:page", number)
    look(running, "rehearsal-running")
    running.goto("about:blank")  # it would load itself anew when the job ends
    Job.objects.filter(pk=job.pk).update(state=JobState.FAILED, error="There is no room left.")
    look(go("rehearsal:page", number), "rehearsal-failed")
    Job.objects.filter(pk=job.pk).update(
        state=JobState.DONE, finished_at=timezone.now(), result=foretold()
    )
    page = go("rehearsal:page", number)
    assert page.locator("main svg.chart").count() == 3
    page.locator("details summary").click()
    look(page, "rehearsal")
    look(opened(rob)("rehearsal:page", number), "rehearsal-reviewer")
