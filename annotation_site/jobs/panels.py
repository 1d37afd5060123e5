"""What a job's panel shows: how far it is, how fast, how long still, and whether anybody works."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from annotation_site.jobs import services
from annotation_site.jobs.models import ACTIVE, Job, JobLine, JobState

MOST_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPanel:
    """A job as the page shows it.

    Attributes:
        job: the job.
        lines: the end of its log, oldest first.
        n_earlier_lines: how many lines are left out.
        rate: things a second in this stage; None until it can be told.
        remaining: of this stage; None until it can be told.
        elapsed: since it began, or from beginning to end.
        no_worker: it waits, and nobody is there to do it.
        is_active: queued or running.
        attempt: which attempt this is, from 1.
    """

    job: Job
    lines: list[JobLine]
    n_earlier_lines: int
    rate: float | None
    remaining: timedelta | None
    elapsed: timedelta | None
    no_worker: bool
    is_active: bool
    attempt: int

    @property
    def can_retry(self) -> bool:
        """Whether it ended badly."""
        return self.job.state in {JobState.FAILED, JobState.CANCELLED}

    @property
    def most_attempts(self) -> int:
        """How often a job is taken up by itself."""
        return services.MOST_ATTEMPTS


def panel_of(job: Job, now: datetime) -> JobPanel:
    """Put together what a job's panel shows."""
    lines = list(job.lines.order_by("-pk")[: MOST_LINES + 1])
    n_earlier = max(0, job.lines.count() - MOST_LINES) if len(lines) > MOST_LINES else 0
    rate = _rate(job, now)
    is_active = job.state in ACTIVE
    return JobPanel(
        job=job,
        lines=lines[:MOST_LINES][::-1],
        n_earlier_lines=n_earlier,
        rate=rate,
        remaining=timedelta(seconds=(job.total - job.done) / rate) if rate else None,
        elapsed=(job.finished_at or now) - job.started_at if job.started_at else None,
        no_worker=is_active and services.live_workers(now) == 0,
        is_active=is_active,
        attempt=min(job.attempts + 1, services.MOST_ATTEMPTS),
    )


def _rate(job: Job, now: datetime) -> float | None:
    if job.state != JobState.RUNNING or job.done <= job.kept or job.stage_started_at is None:
        return None
    passed = (now - job.stage_started_at).total_seconds()
    return (job.done - job.kept) / passed if passed > 0 else None
