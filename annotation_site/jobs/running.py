"""Carrying a job out and writing how it ended. Loads nothing of the engine's pipeline."""

import traceback
from collections.abc import Callable
from typing import Any

from annotation_site.annotation.errors import RoundNotReady
from annotation_site.jobs import services
from annotation_site.jobs.models import Job
from annotation_site.jobs.watching import GaveWay, JobWatcher
from annotation_site.web.refusals import Refused
from engine.errors import Cancelled, EngineError


def carry_out(job_id: int, work: Callable[[Job, JobWatcher], dict[str, Any]]) -> None:
    """Do a job, and write how it ended; a job that another worker has is left alone.

    Args:
        job_id: Primary key of the `Job`.
        work: Does it and gives the job's result.
    """
    job = services.begin(job_id=job_id)
    if job is None:
        return
    try:
        result = work(job, JobWatcher(job.pk))
    except Cancelled:
        services.stop(job_id=job.pk)
    except GaveWay:
        if not services.give_way(job_id=job.pk):
            services.stop(job_id=job.pk)
    except (EngineError, Refused, RoundNotReady) as error:
        services.fail(job_id=job.pk, error=str(error), trace=traceback.format_exc())
    except Exception as error:  # noqa: BLE001  # the last place where it can be told to the lead
        services.fail(
            job_id=job.pk,
            error=f"This job failed for a reason that Gazecheck did not foresee ({type(error).__name__}).",
            trace=traceback.format_exc(),
        )
    else:
        services.finish(job_id=job.pk, result=result)
