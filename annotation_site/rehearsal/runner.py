"""Doing a rehearsal's job. Runs in worker processes; needs nothing of the engine's pipeline."""

from typing import Any

from django.core.management import CommandError

from annotation_site.jobs.models import Job
from annotation_site.jobs.running import carry_out
from annotation_site.jobs.watching import JobWatcher
from annotation_site.rehearsal.apart import Standing, play_apart
from annotation_site.web.refusals import Refused

DATABASE = "sqlite"
"""It needs no server; the crowd is one writer's work."""


def run(job_id: int) -> None:
    """Do a job, and write how it ended.

    Args:
        job_id: Primary key of the `Job`.
    """
    carry_out(job_id, _work)


def _work(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    watcher.stage_started("Setting up a site of its own", cached=False)
    is_playing = False

    def watch(standing: Standing | None) -> None:
        nonlocal is_playing
        if standing is None:
            watcher.progress(0, 0)
            return
        if not is_playing:
            watcher.stage_started("Letting the simulated crowd come", cached=False)
            is_playing = True
        watcher.progress(standing.came, standing.people)

    try:
        return play_apart(job.params, database=DATABASE, watch=watch)
    except CommandError as error:
        raise Refused(str(error)) from error
