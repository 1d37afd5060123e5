"""Doing the workspace's jobs. Runs in worker processes only; loads the engine's pipeline."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings

from annotation_site.jobs.models import Job, JobKind
from annotation_site.jobs.running import carry_out
from annotation_site.jobs.watching import JobWatcher
from annotation_site.workspace.mending_work import retrain, write_noise
from annotation_site.workspace.picture_work import find_pictures
from annotation_site.workspace.slicing_work import cut_slices
from engine.artifacts.store import full_disk_explained

WORK: Mapping[JobKind, Callable[[Job, JobWatcher], dict[str, Any]]] = {
    JobKind.SLICE: cut_slices,
    JobKind.INVERT: find_pictures,
    JobKind.NOISE: write_noise,
    JobKind.MEND: retrain,
}


def run(job_id: int) -> None:
    """Do a job, and write how it ended.

    Args:
        job_id: Primary key of the `Job`.
    """
    carry_out(job_id, _work)


def _work(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    with full_disk_explained(settings.VAR):
        return WORK[JobKind(job.kind)](job, watcher)
