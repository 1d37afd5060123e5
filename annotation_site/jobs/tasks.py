"""What the queue calls. It knows the runners by name only, so that a web process never loads them."""

import importlib
import traceback

from django_tasks import task

from annotation_site.jobs import services
from annotation_site.jobs.models import Job, JobKind

RUNNER = "annotation_site.jobs.runner"
WORKSPACE_RUNNER = "annotation_site.workspace.runner"
OTHER_RUNNERS = {
    JobKind.EXPORT: "annotation_site.exports.runner",
    JobKind.REHEARSE: "annotation_site.rehearsal.runner",
    **dict.fromkeys((JobKind.SLICE, JobKind.INVERT, JobKind.NOISE, JobKind.MEND), WORKSPACE_RUNNER),
}
"""By name, for they lie above this app. Exports and rehearsals need no pipeline: a worker that does
only such jobs never loads torch."""


@task()
def run_job(job_id: int) -> None:
    """Do a job in a worker process.

    Args:
        job_id: primary key of the `Job`.
    """
    try:
        runner = importlib.import_module(_runner_of(job_id))
    except Exception:
        services.begin(job_id=job_id)
        _give_up(job_id)
        raise
    try:
        runner.run(job_id)
    except Exception:
        # The runner tells expected failures itself; this is the last net, so that no job
        # stays "running" after its function has ended.
        _give_up(job_id)
        raise


def _runner_of(job_id: int) -> str:
    kind = Job.objects.filter(pk=job_id).values_list("kind", flat=True).first()
    return OTHER_RUNNERS.get(JobKind(kind), RUNNER) if kind else RUNNER


def _give_up(job_id: int) -> None:
    services.fail(
        job_id=job_id,
        error="This job failed for a reason that Gazecheck did not foresee.",
        trace=traceback.format_exc(),
    )
