"""Doing an export's job. Runs in worker processes; needs nothing of the engine's pipeline."""

from typing import Any

from django.conf import settings

from annotation_site.exports import making, services
from annotation_site.exports.models import Export
from annotation_site.jobs.models import Job
from annotation_site.jobs.running import carry_out
from annotation_site.jobs.watching import JobWatcher
from annotation_site.web.disks import full_disk_explained


def run(job_id: int) -> None:
    """Do a job, and write how it ended.

    Args:
        job_id: Primary key of the `Job`.
    """
    carry_out(job_id, _work)


def _work(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    export = Export.objects.get(job=job)
    with full_disk_explained(settings.MEDIA_ROOT):
        made = making.make(export.round_id, export.public_id, watcher)
    services.publish(export=export, made=made)
    return {
        "files": len(made.files),
        "bytes": sum(file.n_bytes for file in made.files),
        "rows": {file.kind: file.n_rows for file in made.files if file.n_rows is not None},
    }
