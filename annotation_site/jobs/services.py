"""The verbs of jobs. Every change of state is one guarded UPDATE, so that two of them cannot both win.

A job that picks a round's images or closes it holds the round in `preparing` or `closing`. However
such a job ends badly (cancelled, failed, worker lost for good), the round falls back here, in the
same transaction; trying the job again takes the round forward again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from annotation_site.accounts.models import User
from annotation_site.annotation import rounds
from annotation_site.annotation.errors import AnnotationError
from annotation_site.annotation.models import Round, RoundState
from annotation_site.jobs.models import ACTIVE, Job, JobKind, JobLine, JobState, Worker
from annotation_site.projects.models import Project
from annotation_site.web.refusals import Refused

WORKER_SILENCE = timedelta(seconds=20)
"""A worker not seen for so long does not count as running."""
JOB_SILENCE = timedelta(seconds=60)
"""A running job not heard of for so long has lost its worker."""
QUEUE_PATIENCE = timedelta(seconds=5)
"""A job that waits for so long found no free worker."""
MOST_ATTEMPTS = 3
RUN_JOB = "annotation_site.jobs.tasks.run_job"
"""The task, by name: it calls back into this module."""
_identity = {"worker": ""}


def work_as(name: str) -> None:
    """Tell this process under which worker's name it begins jobs."""
    _identity["worker"] = name


# ---- asking for work ------------------------------------------------------------------------


def enqueue(
    *,
    project: Project,
    kind: JobKind | str,
    round: Round | None = None,  # noqa: A002  # the field's name
    params: Mapping[str, Any] | None = None,
    created_by: User | None = None,
) -> Job:
    """Put a job in the queue.

    Args:
        project: whose job it is.
        kind: what to do.
        round: the round it is about, if any.
        params: whatever the kind's function needs, as JSON.
        created_by: who asked, None for a command.

    Returns:
        The queued job; its task enters the queue when the transaction commits.

    Raises:
        Refused: a job of this kind is already active for the same round (or project).
    """
    try:
        with transaction.atomic():
            job = Job.objects.create(
                project=project,
                round=round,
                kind=kind,
                params=dict(params or {}),
                created_by=created_by,
            )
            _send(job.pk)
    except IntegrityError as error:
        raise _already_active(project, JobKind(kind), round) from error
    return job


def active_job(
    *,
    project: Project,
    kind: JobKind | str | None = None,
    round: Round | None = None,  # noqa: A002  # the field's name
) -> Job | None:
    """Give the newest queued or running job of a project, of one kind or round if asked."""
    jobs = project.jobs.filter(state__in=ACTIVE)
    if kind is not None:
        jobs = jobs.filter(kind=kind)
    if round is not None:
        jobs = jobs.filter(round=round)
    return jobs.order_by("-created_at").first()


def cancel(job: Job, *, by: User | None = None) -> Job:
    """Take a queued job out of the queue, or ask a running one to stop at its next step.

    Args:
        job: which one.
        by: who wants it; the audit tells it where a round opens again at once.

    Raises:
        Refused: the job has already ended.
    """
    waiting = Job.objects.filter(pk=job.pk, state=JobState.QUEUED)
    running = Job.objects.filter(pk=job.pk, state=JobState.RUNNING)
    with transaction.atomic():
        if waiting.update(
            state=JobState.CANCELLED, cancel_requested=True, finished_at=timezone.now()
        ):
            add_line(job_id=job.pk, text="Cancelled before it began.")
            _fall_back(job, by)
        elif running.update(cancel_requested=True):
            add_line(job_id=job.pk, text="Asked to stop.")
        else:
            job.refresh_from_db()
            raise Refused(f"This job has already ended: it is {job.get_state_display().lower()}.")
    job.refresh_from_db()
    return job


def retry(job: Job, *, by: User | None = None) -> Job:
    """Queue a failed or cancelled job again; work it finished before is not done twice.

    Args:
        job: which one.
        by: who wants it; the audit tells it where votes are frozen again.

    Raises:
        Refused: the job is active or done, or another one of its kind is active.
    """
    ended = Job.objects.filter(pk=job.pk, state__in=[JobState.FAILED, JobState.CANCELLED])
    try:
        with transaction.atomic():
            if not ended.update(
                state=JobState.QUEUED,
                stage="",
                done=0,
                total=0,
                error="",
                traceback="",
                cancel_requested=False,
                attempts=0,
                worker="",
                heartbeat_at=None,
                queued_at=timezone.now(),
                started_at=None,
                stage_started_at=None,
                finished_at=None,
            ):
                job.refresh_from_db()
                raise Refused(
                    f"Only a failed or cancelled job can be tried again; "
                    f"this one is {job.get_state_display().lower()}."
                )
            _take_round_forward(job, by)
            add_line(job_id=job.pk, text="Queued again.")
            _send(job.pk)
    except AnnotationError as error:
        raise Refused(f"This job cannot be tried again: {error}.") from error
    except IntegrityError as error:
        raise _already_active(job.project, JobKind(job.kind), job.round) from error
    job.refresh_from_db()
    return job


# ---- doing work: called by the runner ---------------------------------------------------------


def begin(*, job_id: int) -> Job | None:
    """Take a queued job for this process, or give None if another one has it or it was cancelled."""
    now = timezone.now()
    if not Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(
        state=JobState.RUNNING,
        worker=_identity["worker"],
        heartbeat_at=now,
        started_at=now,
        stage_started_at=now,
    ):
        return None
    return Job.objects.select_related("project", "round").get(pk=job_id)


def begin_stage(*, job_id: int, stage: str, total: int = 0) -> bool:
    """Say which stage a running job has reached, and log it; True means: go on (see `report`)."""
    now = timezone.now()
    goes_on = _mine(job_id).update(
        stage=stage, done=0, kept=0, total=total, stage_started_at=now, heartbeat_at=now
    )
    if goes_on:
        add_line(job_id=job_id, text=stage)
    return bool(goes_on) and not _cancel_requested(job_id)


def report(*, job_id: int, done: int, total: int, is_first: bool = False) -> bool:
    """Say how far the stage is.

    Args:
        job_id: The job's primary key.
        done: Steps done, also by an attempt before.
        total: Steps in all.
        is_first: Of this stage. What it finds done does not count as speed, which is measured
            from here on.

    Returns:
        True: go on. False: somebody cancelled the job, or it was given to another worker.
    """
    now = timezone.now()
    begins = {"kept": done, "stage_started_at": now} if is_first else {}
    goes_on = _mine(job_id).filter(cancel_requested=False)
    return bool(goes_on.update(done=done, total=total, heartbeat_at=now, **begins))


def finish(*, job_id: int, result: Mapping[str, Any] | None = None) -> bool:
    """End a running job well; False if it is no longer this process's."""
    return bool(
        _mine(job_id).update(
            state=JobState.DONE,
            result=dict(result or {}),
            finished_at=timezone.now(),
            heartbeat_at=timezone.now(),
        )
    )


def fail(*, job_id: int, error: str, trace: str = "") -> bool:
    """End a running job badly.

    Args:
        job_id: primary key.
        error: one or two sentences for the lead: thing, value, way out.
        trace: for the operator.

    Returns:
        False if the job is no longer this process's.
    """
    with transaction.atomic():
        failed = _mine(job_id).update(
            state=JobState.FAILED, error=error, traceback=trace, finished_at=timezone.now()
        )
        if failed:
            add_line(job_id=job_id, text=f"Failed: {error}")
            _fall_back(Job.objects.select_related("round").get(pk=job_id))
    return bool(failed)


def stop(*, job_id: int) -> bool:
    """End a running job because somebody cancelled it; False if it is no longer this process's."""
    with transaction.atomic():
        stopped = _mine(job_id).update(state=JobState.CANCELLED, finished_at=timezone.now())
        if stopped:
            add_line(job_id=job_id, text="Stopped.")
            _fall_back(Job.objects.select_related("round").get(pk=job_id))
    return bool(stopped)


def others_wait(*, job_id: int, now: datetime | None = None) -> bool:
    """Say whether a job of another kind waits because no worker is free."""
    since = (now or timezone.now()) - QUEUE_PATIENCE
    kind = Job.objects.filter(pk=job_id).values("kind")
    waiting = Job.objects.filter(state=JobState.QUEUED, queued_at__lt=since)
    return waiting.exclude(kind__in=kind).exists()


def give_way(*, job_id: int) -> bool:
    """Put a running job back at the end of the queue, as itself asked for: others wait.

    Returns:
        False: it is no longer this process's, or somebody asked it to stop.
    """
    now = timezone.now()
    with transaction.atomic():
        gave = (
            _mine(job_id)
            .filter(cancel_requested=False)
            .update(
                state=JobState.QUEUED,
                stage="",
                done=0,
                total=0,
                worker="",
                heartbeat_at=None,
                queued_at=now,
                started_at=None,
                stage_started_at=None,
            )
        )
        if gave:
            add_line(job_id=job_id, text="Other work waited: it goes first, this goes on after it.")
            _send(job_id)
    return bool(gave)


def add_line(*, job_id: int, text: str) -> None:
    """Add a line to a job's log."""
    JobLine.objects.create(job_id=job_id, text=text)


# ---- keeping workers honest -------------------------------------------------------------------


def beat_jobs(*, worker: str, now: datetime) -> int:
    """Say that a worker's running jobs live; give their number."""
    return Job.objects.filter(worker=worker, state=JobState.RUNNING).update(heartbeat_at=now)


def live_workers(now: datetime | None = None) -> int:
    """Count the workers seen a moment ago."""
    since = (now or timezone.now()) - WORKER_SILENCE
    return Worker.objects.filter(seen_at__gte=since).count()


def requeue_stale(now: datetime) -> list[Job]:
    """Take up again what dead workers left, at most three attempts a job.

    A running job not heard of for a minute goes back to the queue; after its third attempt it
    fails. A queued job whose task was lost (its worker died between taking the task and beginning
    the job) is sent again. A job that was asked to stop is stopped.

    Args:
        now: the time to judge by.

    Returns:
        The jobs that were changed or sent again.
    """
    silent = Job.objects.filter(state=JobState.RUNNING, heartbeat_at__lt=now - JOB_SILENCE)
    changed = [job for job in silent.select_related("round") if _take_up(job, now)]
    for job in Job.objects.filter(state=JobState.QUEUED, queued_at__lt=now - JOB_SILENCE):
        if not _is_waiting(job, now):
            _send(job.pk)
            changed.append(job)
    return changed


def _take_up(job: Job, now: datetime) -> bool:
    lost = Job.objects.filter(
        pk=job.pk,
        state=JobState.RUNNING,
        worker=job.worker,
        attempts=job.attempts,
        heartbeat_at__lt=now - JOB_SILENCE,
    )
    with transaction.atomic():
        if job.cancel_requested:
            changed = lost.update(state=JobState.CANCELLED, finished_at=now)
            text = "Its worker was lost; stopped as asked."
        elif job.attempts + 1 >= MOST_ATTEMPTS:
            text = (
                f"Its worker was lost {MOST_ATTEMPTS} times, so it is not tried again by itself. "
                "Look at the worker's output, often memory ran out, then press Retry."
            )
            changed = lost.update(
                state=JobState.FAILED, attempts=F("attempts") + 1, error=text, finished_at=now
            )
        else:
            changed = lost.update(
                state=JobState.QUEUED, attempts=F("attempts") + 1, worker="", queued_at=now
            )
            text = (
                f"Its worker was lost; queued again, attempt {job.attempts + 2} of {MOST_ATTEMPTS}."
            )
            if changed:
                _send(job.pk)
        if changed:
            add_line(job_id=job.pk, text=text)
            if job.cancel_requested or job.attempts + 1 >= MOST_ATTEMPTS:
                _fall_back(job)
    return bool(changed)


def _fall_back(job: Job, by: User | None = None) -> None:
    """Give the round of a job that ended badly back to the lead."""
    state = _round_state(job)
    if job.round and job.kind == JobKind.PREPARE and state == RoundState.PREPARING:
        rounds.abort_preparing(round=job.round)
    elif job.round and job.kind == JobKind.CLOSE and state == RoundState.CLOSING:
        rounds.abort_closing(round=job.round, by=by)


def _take_round_forward(job: Job, by: User | None) -> None:
    state = _round_state(job)
    if job.round and job.kind == JobKind.PREPARE and state != RoundState.PREPARING:
        rounds.begin_preparing(round=job.round, budget=job.round.budget)
    elif job.round and job.kind == JobKind.CLOSE and state != RoundState.CLOSING:
        rounds.begin_closing(round=job.round, by=by)


def _round_state(job: Job) -> str | None:
    if job.round_id is None:
        return None
    return Round.objects.filter(pk=job.round_id).values_list("state", flat=True).first()


def _is_waiting(job: Job, now: datetime) -> bool:
    """Say whether a task for the job waits in the queue or has just been taken by a live worker."""
    tasks = DBTaskResult.objects.filter(args_kwargs={"args": [job.pk], "kwargs": {}})
    if tasks.filter(status="READY").exists():
        return True
    live = set(
        Worker.objects.filter(seen_at__gte=now - WORKER_SILENCE).values_list("name", flat=True)
    )
    return any(live & set(task.worker_ids) for task in tasks.filter(status="RUNNING"))


def _mine(job_id: int) -> Any:
    return Job.objects.filter(pk=job_id, state=JobState.RUNNING, worker=_identity["worker"])


def _cancel_requested(job_id: int) -> bool:
    return Job.objects.filter(pk=job_id, cancel_requested=True).exists()


def _already_active(project: Project, kind: JobKind, about_round: Round | None) -> Refused:
    running = active_job(project=project, kind=kind, round=about_round)
    about = f"round {about_round.number}" if about_round else f"project “{project.name}”"
    state = running.get_state_display().lower() if running else "active"
    number = f" ({running.public_id})" if running else ""
    return Refused(
        f"The job “{kind.label}” is already {state} for {about}{number}. "
        "Wait for it or cancel it first."
    )


def _send(job_id: int) -> None:
    run_job = import_string(RUN_JOB)
    transaction.on_commit(lambda: run_job.enqueue(job_id))
