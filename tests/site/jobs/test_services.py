"""Guarded changes of a job's state, and what becomes of jobs whose worker is lost."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from annotation_site.annotation.models import RoundState
from annotation_site.jobs import services
from annotation_site.jobs.models import Job, JobKind, JobState, Worker
from annotation_site.web.refusals import Refused
from tests.site import factories


@pytest.fixture(autouse=True)
def _worker(monkeypatch):
    monkeypatch.setitem(services._identity, "worker", "worker-1")


@pytest.fixture
def job(project, mira):
    return services.enqueue(project=project, kind=JobKind.REGISTER, created_by=mira)


@pytest.fixture
def running(job):
    services.begin(job_id=job.pk)
    job.refresh_from_db()
    return job


def states():
    return list(Job.objects.order_by("pk").values_list("state", flat=True))


def lost(job, by=timedelta(seconds=61)):
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - by)


@pytest.mark.django_db(transaction=True)
def test_a_job_enters_the_queue_when_the_transaction_commits(job):
    task = DBTaskResult.objects.get()

    assert task.args_kwargs == {"args": [job.pk], "kwargs": {}}
    assert task.task_path == "annotation_site.jobs.tasks.run_job"


def test_a_second_one_of_its_kind_is_refused_by_name(project, job):
    with pytest.raises(Refused, match=str(job.public_id)):
        services.enqueue(project=project, kind=JobKind.REGISTER)

    assert Job.objects.count() == 1


def test_other_kinds_and_other_rounds_are_not_in_the_way(project, job, ready_round):
    services.enqueue(project=project, kind=JobKind.PREPARE, round=ready_round)
    other = factories.make_round(project, first_row=0)
    services.enqueue(project=project, kind=JobKind.PREPARE, round=other)

    with pytest.raises(Refused, match="round 1"):
        services.enqueue(project=project, kind=JobKind.PREPARE, round=ready_round)

    assert Job.objects.count() == 3


def test_when_one_has_ended_another_may_follow(project, running):
    services.finish(job_id=running.pk)

    services.enqueue(project=project, kind=JobKind.REGISTER)

    assert states() == ["done", "queued"]


def test_a_job_is_begun_once(job):
    assert services.begin(job_id=job.pk) is not None
    assert services.begin(job_id=job.pk) is None


def test_a_queued_job_is_cancelled_at_once_and_never_begun(job):
    services.cancel(job)

    assert states() == ["cancelled"]
    assert services.begin(job_id=job.pk) is None


def test_a_running_job_is_asked_to_stop(running):
    services.cancel(running)

    assert states() == ["running"]
    assert not services.report(job_id=running.pk, done=1, total=2)
    assert not services.begin_stage(job_id=running.pk, stage="next")
    assert services.stop(job_id=running.pk)
    assert states() == ["cancelled"]


def test_an_ended_job_cannot_be_cancelled(running):
    services.finish(job_id=running.pk)

    with pytest.raises(Refused, match="done"):
        services.cancel(running)


def test_progress_is_written_while_nobody_minds(running):
    assert services.begin_stage(job_id=running.pk, stage="Reading", total=10)
    assert services.report(job_id=running.pk, done=4, total=10)

    running.refresh_from_db()
    assert (running.stage, running.done, running.total) == ("Reading", 4, 10)
    assert [line.text for line in running.lines.all()] == ["Reading"]


def test_another_worker_cannot_end_it(running, monkeypatch):
    monkeypatch.setitem(services._identity, "worker", "worker-2")

    assert not services.finish(job_id=running.pk)
    assert not services.fail(job_id=running.pk, error="x")
    assert not services.report(job_id=running.pk, done=1, total=1)
    assert states() == ["running"]


def test_a_failed_job_keeps_why_and_can_be_tried_again(running):
    services.fail(job_id=running.pk, error="row 3 is broken", trace="Traceback …")

    running.refresh_from_db()
    assert running.error == "row 3 is broken"

    services.retry(running)
    running.refresh_from_db()
    assert (running.state, running.error, running.attempts) == ("queued", "", 0)


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE])
def test_only_what_ended_badly_can_be_tried_again(job, state):
    Job.objects.update(state=state)

    with pytest.raises(Refused, match=r"Only a failed or cancelled"):
        services.retry(job)

    assert states() == [state]


def test_trying_again_is_refused_beside_an_active_one(project, running):
    services.fail(job_id=running.pk, error="x")
    services.enqueue(project=project, kind=JobKind.REGISTER)

    with pytest.raises(Refused, match="already queued"):
        services.retry(running)

    assert states() == ["failed", "queued"]


# ---- giving way -----------------------------------------------------------------------------------


def test_who_gives_way_is_queued_anew_behind_the_others(running):
    services.begin_stage(job_id=running.pk, stage="half", total=2)

    assert services.give_way(job_id=running.pk)

    running.refresh_from_db()
    assert (running.state, running.worker, running.stage, running.attempts) == ("queued", "", "", 0)
    assert "Other work waited" in running.lines.last().text
    assert not services.report(job_id=running.pk, done=1, total=2)
    assert services.begin(job_id=running.pk) is not None


def test_who_was_asked_to_stop_or_lost_the_job_does_not_give_way(running, monkeypatch):
    services.cancel(running)
    assert not services.give_way(job_id=running.pk)

    Job.objects.update(cancel_requested=False)
    monkeypatch.setitem(services._identity, "worker", "worker-2")
    assert not services.give_way(job_id=running.pk)
    assert states() == ["running"]


def test_others_wait_when_no_worker_took_them(project, running, ready_round):
    now = timezone.now()
    assert not services.others_wait(job_id=running.pk, now=now + timedelta(hours=1))
    services.enqueue(project=project, kind=JobKind.PREPARE, round=ready_round)

    assert not services.others_wait(job_id=running.pk, now=now + timedelta(seconds=3))
    assert services.others_wait(job_id=running.pk, now=now + timedelta(seconds=9))


def test_one_of_its_own_kind_does_not_wait_for_it(project, running, rob):
    other = factories.make_project(rob)
    services.enqueue(project=other, kind=JobKind.REGISTER)

    assert not services.others_wait(job_id=running.pk, now=timezone.now() + timedelta(hours=1))


# ---- lost workers ---------------------------------------------------------------------------------


def test_a_silent_job_is_taken_up_again(running):
    lost(running)

    assert services.requeue_stale(timezone.now()) == [running]

    running.refresh_from_db()
    assert (running.state, running.attempts, running.worker) == ("queued", 1, "")


def test_a_job_heard_of_lately_is_left_alone(running):
    lost(running, by=timedelta(seconds=30))

    assert services.requeue_stale(timezone.now()) == []
    assert states() == ["running"]


def test_after_three_lost_workers_a_job_fails(job):
    for _ in range(3):
        assert services.begin(job_id=job.pk) is not None
        lost(job)
        services.requeue_stale(timezone.now())

    job.refresh_from_db()
    assert (job.state, job.attempts) == ("failed", 3)
    assert "3 times" in job.error
    assert services.requeue_stale(timezone.now() + timedelta(hours=1)) == []


def test_a_lost_job_that_was_asked_to_stop_stops(running):
    services.cancel(running)
    lost(running)

    services.requeue_stale(timezone.now())

    assert states() == ["cancelled"]


def test_the_worker_that_was_slow_finds_its_job_gone(running):
    lost(running)
    services.requeue_stale(timezone.now())

    assert not services.report(job_id=running.pk, done=1, total=2)
    assert not services.finish(job_id=running.pk)
    assert states() == ["queued"]


def test_two_rescuers_take_a_job_up_once(running):
    lost(running)
    stale = Job.objects.get(pk=running.pk)
    now = timezone.now()

    assert services._take_up(stale, now)
    assert not services._take_up(stale, now)

    running.refresh_from_db()
    assert running.attempts == 1


@pytest.mark.django_db(transaction=True)
def test_a_task_lost_between_queue_and_job_is_sent_again(job):
    DBTaskResult.objects.update(status="RUNNING", worker_ids=["dead"])
    Job.objects.update(queued_at=timezone.now() - timedelta(minutes=2))

    assert services.requeue_stale(timezone.now()) == [job]

    assert DBTaskResult.objects.filter(status="READY").count() == 1
    assert services.requeue_stale(timezone.now()) == []


@pytest.mark.django_db(transaction=True)
def test_a_long_queue_is_no_loss(job):
    Job.objects.update(queued_at=timezone.now() - timedelta(hours=2))

    assert services.requeue_stale(timezone.now()) == []


def test_workers_seen_lately_count(db):
    now = timezone.now()
    Worker.objects.create(name="a", seen_at=now - timedelta(seconds=5))
    Worker.objects.create(name="b", seen_at=now - timedelta(seconds=30))

    assert services.live_workers(now) == 1


# ---- rounds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "during", "after"),
    [
        (JobKind.PREPARE, RoundState.PREPARING, RoundState.DRAFT),
        (JobKind.CLOSE, RoundState.CLOSING, RoundState.OPEN),
    ],
)
@pytest.mark.parametrize("ending", ["cancelled", "failed", "stopped", "lost"])
def test_a_round_falls_back_however_its_job_ends_badly(project, kind, during, after, ending):
    round_ = factories.make_round(project, state=during)
    job = services.enqueue(project=project, kind=kind, round=round_)
    if ending == "cancelled":
        services.cancel(job)
    else:
        services.begin(job_id=job.pk)
        if ending == "failed":
            services.fail(job_id=job.pk, error="x")
        elif ending == "stopped":
            services.stop(job_id=job.pk)
        else:
            Job.objects.update(attempts=2)
            lost(job)
            services.requeue_stale(timezone.now())

    round_.refresh_from_db()
    assert round_.state == after


def test_trying_again_takes_the_round_forward_again(project):
    round_ = factories.make_round(project, state=RoundState.PREPARING)
    job = services.enqueue(project=project, kind=JobKind.PREPARE, round=round_)
    services.cancel(job)

    services.retry(job)

    round_.refresh_from_db()
    assert round_.state == RoundState.PREPARING


def test_trying_again_is_refused_when_the_round_has_moved_on(project):
    round_ = factories.make_round(project, state=RoundState.PREPARING)
    job = services.enqueue(project=project, kind=JobKind.PREPARE, round=round_)
    services.cancel(job)
    round_.state = RoundState.OPEN
    round_.save(update_fields=["state"])

    with pytest.raises(Refused, match="cannot be tried again"):
        services.retry(job)

    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
