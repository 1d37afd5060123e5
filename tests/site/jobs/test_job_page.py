"""A job's page: where it is, how fast, how long still, and its buttons."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation_site.jobs import services
from annotation_site.jobs.models import Job, JobKind, JobState, Worker
from annotation_site.jobs.panels import panel_of
from annotation_site.jobs.watching import JobWatcher


@pytest.fixture
def job(project, mira):
    return services.enqueue(project=project, kind=JobKind.REGISTER, created_by=mira)


@pytest.fixture
def page(job):
    return reverse("jobs:detail", args=[job.public_id])


@pytest.fixture
def worker(db):
    return Worker.objects.create(name="w", seen_at=timezone.now())


def run(**fields):
    now = timezone.now()
    defaults = {
        "state": JobState.RUNNING,
        "started_at": now - timedelta(seconds=30),
        "stage_started_at": now - timedelta(seconds=10),
        "stage": "Reading",
        "heartbeat_at": now,
    }
    Job.objects.update(**(defaults | fields))


def test_without_a_worker_the_page_says_how_to_start_one(page, mira_browser):
    words = mira_browser.get(page).content.decode()

    assert "No worker is running" in words
    assert "python manage.py db_worker" in words


def test_with_a_worker_it_does_not(page, mira_browser, worker):
    words = mira_browser.get(page).content.decode()

    assert "No worker is running" not in words
    assert "Waiting in the queue" in words


def test_a_worker_long_silent_does_not_count(page, mira_browser, worker):
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=1))

    assert "No worker is running" in mira_browser.get(page).content.decode()


def test_count_rate_and_time_left_are_told(page, mira_browser, worker):
    run(done=100, total=400)

    words = mira_browser.get(page).content.decode()

    assert "100 of 400" in words
    assert "a second" in words
    assert "left in this stage" in words


def test_rate_and_time_left_are_those_of_the_stage(job):
    run(done=100, total=400)
    job.refresh_from_db()

    panel = panel_of(job, job.stage_started_at + timedelta(seconds=10))

    assert panel.rate == 10
    assert panel.remaining == timedelta(seconds=30)


def test_what_an_attempt_before_did_is_no_speed(job):
    run(done=300, total=400)
    Job.objects.filter(pk=job.pk).update(kept=200)
    job.refresh_from_db()

    panel = panel_of(job, job.stage_started_at + timedelta(seconds=10))

    assert panel.rate == 10
    assert panel.remaining == timedelta(seconds=10)


def test_the_first_report_of_a_stage_says_what_was_kept(job):
    run()
    watcher = JobWatcher(job.pk)
    watcher.stage_started("extraction", cached=False)

    watcher.progress(200, 400)
    watcher.progress(400, 400)

    job.refresh_from_db()
    assert (job.kept, job.done) == (200, 400)
    watcher.stage_started("space", cached=False)
    job.refresh_from_db()
    assert (job.kept, job.done) == (0, 0)


def test_the_panel_polls_while_active_and_then_reloads_the_page(job, mira_browser, worker):
    address = reverse("jobs:panel", args=[job.public_id])

    assert "hx-trigger" in mira_browser.get(address).content.decode()
    run(state=JobState.DONE, finished_at=timezone.now())
    reply = mira_browser.get(address)
    assert reply["HX-Refresh"] == "true"
    assert "hx-trigger" not in reply.content.decode()


def test_a_failure_shows_its_reason_and_not_its_traceback(page, mira_browser, worker):
    run(state=JobState.FAILED, error="row 3: no such file", traceback="canary")

    words = mira_browser.get(page).content.decode()

    assert "row 3: no such file" in words
    assert "canary" not in words
    assert "Retry" in words


def test_a_later_attempt_is_told(page, mira_browser, worker):
    run(attempts=1)

    assert "attempt 2 of 3" in mira_browser.get(page).content.decode()


def test_the_log_is_shown_to_its_end(job, page, mira_browser, worker):
    for line in range(205):
        services.add_line(job_id=job.pk, text=f"line {line}")

    words = mira_browser.get(page).content.decode()

    assert "line 204" in words
    assert "line 4<" not in words
    assert "5 earlier lines" in words


def test_cancel_and_retry_by_their_buttons(job, page, mira_browser):
    mira_browser.post(reverse("jobs:cancel", args=[job.public_id]))
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED

    mira_browser.post(reverse("jobs:retry", args=[job.public_id]))
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_a_verb_that_comes_too_late_is_told(job, mira_browser):
    run(state=JobState.DONE)

    reply = mira_browser.post(reverse("jobs:cancel", args=[job.public_id]), follow=True)

    assert "already ended" in reply.content.decode()


def test_nothing_is_told_of_speed_before_anything_is_done(job):
    run(done=0, total=10)
    job.refresh_from_db()

    panel = panel_of(job, timezone.now())

    assert panel.rate is None
    assert panel.remaining is None
