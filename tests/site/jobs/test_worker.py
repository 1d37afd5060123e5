"""The worker command: its heart, its name, and the net under the runner."""

import sys
from datetime import timedelta
from types import ModuleType

import pytest
from django.core.management import call_command
from django.utils import timezone

from annotation_site.jobs import services, tasks, workers
from annotation_site.jobs.models import Job, JobKind, JobState, Worker


@pytest.fixture(autouse=True)
def _identity(monkeypatch):
    monkeypatch.setitem(services._identity, "worker", "")


@pytest.fixture
def runner(monkeypatch):
    """Put another runner under the name that the task knows."""
    module = ModuleType("made_runner")
    monkeypatch.setitem(sys.modules, "made_runner", module)
    monkeypatch.setattr(tasks, "RUNNER", "made_runner")
    return module


def test_names_never_come_twice():
    assert workers.name_worker() != workers.name_worker()
    assert len(workers.name_worker()) <= 64


def test_a_beat_keeps_worker_and_jobs_alive(project):
    job = services.enqueue(project=project, kind=JobKind.REGISTER)
    services.work_as("w")
    services.begin(job_id=job.pk)
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))

    workers.beat("w")
    workers.beat("w")

    assert Worker.objects.get().name == "w"
    job.refresh_from_db()
    assert job.heartbeat_at is not None
    assert timezone.now() - job.heartbeat_at < timedelta(seconds=10)


def test_workers_of_yesterday_are_forgotten(db):
    Worker.objects.create(name="old", seen_at=timezone.now() - timedelta(days=2))

    workers.beat("new")

    assert list(Worker.objects.values_list("name", flat=True)) == ["new"]


@pytest.mark.django_db(transaction=True)
def test_the_worker_does_a_job_and_takes_its_row_away(project, runner):
    seen = []

    def run(job_id):
        job = services.begin(job_id=job_id)
        assert job is not None
        seen.append((job.worker, Worker.objects.get().name))
        services.finish(job_id=job_id, result={"n": 1})

    runner.run = run
    job = services.enqueue(project=project, kind=JobKind.REGISTER)

    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)

    job.refresh_from_db()
    assert (job.state, job.result) == (JobState.DONE, {"n": 1})
    assert seen[0][0] == seen[0][1]
    assert not Worker.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_runner_that_breaks_leaves_no_job_running(project, runner):
    def run(job_id):
        services.begin(job_id=job_id)
        raise RuntimeError("canary")

    runner.run = run
    job = services.enqueue(project=project, kind=JobKind.REGISTER)

    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)

    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "canary" not in job.error
    assert "canary" in job.traceback


@pytest.mark.django_db(transaction=True)
def test_a_runner_that_cannot_be_loaded_fails_the_job(project, monkeypatch):
    monkeypatch.setattr(tasks, "RUNNER", "no_such_module_anywhere")
    job = services.enqueue(project=project, kind=JobKind.REGISTER)

    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)

    job.refresh_from_db()
    assert job.state == JobState.FAILED
