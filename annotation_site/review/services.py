"""The verbs of results: publish one, try a checkpoint on pictures, publish what came of it.

The publishing ones are called by the worker, by name; see `jobs.runner`.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects import data_root
from annotation_site.review.models import RoundResult, Trial
from annotation_site.web.refusals import Refused

PUBLISH_FILES = "annotation_site.exports.services.publish_files"
"""By name: downloads lie beside this app, not below it."""


def publish_result(
    *,
    round: Round,  # noqa: A002  # the field's name
    job: Job,
    scores: np.ndarray,
    kept: np.ndarray,
    cell: np.ndarray,
    report: Mapping[str, Any],
    artifacts: Mapping[str, str],
    folder: Path,
) -> RoundResult:
    """Write what a round brought; an earlier attempt's result is replaced.

    Args:
        round: the round that is closing.
        job: the job that closes it.
        scores: float per row of the data set, NaN where there is none.
        kept: true where the screening kept the row.
        cell: feature group per row, -1 where the row was not drawn.
        report: what the result page shows.
        artifacts: stage -> key.
        folder: below the media root, with the files to offer.
    """
    with transaction.atomic():
        result, _ = RoundResult.objects.update_or_create(
            round=round,
            defaults={
                "job": job,
                "scores": np.asarray(scores, dtype="<f4").tobytes(),
                "kept": np.asarray(kept, dtype=np.uint8).tobytes(),
                "cell": np.asarray(cell, dtype="<i2").tobytes(),
                "report": dict(report),
                "artifacts": dict(artifacts),
            },
        )
        import_string(PUBLISH_FILES)(result=result, folder=folder)
    return result


def try_model(*, result: RoundResult, route: str, folder: str, asked_by: User) -> Trial:
    """Queue a trial of one route's classifier, beside the reference model, on a folder.

    Args:
        result: whose classifier.
        route: one of the report's routes.
        folder: relative to the data root, with pictures directly in it.
        asked_by: the lead.

    Raises:
        Refused: no such route or folder, no pictures in it, or a trial is running.
    """
    if route not in result.report["after"]:
        raise Refused(f"There is no checkpoint of {route!r} in this result.")
    data_root.pictures_in(folder)
    project = result.round.project
    with transaction.atomic():
        trial = Trial.objects.create(project=project, result=result, route=route, folder=folder)
        trial.job = jobs.enqueue(
            project=project,
            kind=JobKind.TRY,
            round=result.round,
            params={
                "trial": trial.pk,
                "route": route,
                "folder": folder,
                "ledger": result.report.get("ledger"),
            },
            created_by=asked_by,
        )
        trial.save(update_fields=["job"])
    return trial


def publish_trial(*, job: Job, pictures: Sequence[Mapping[str, Any]], n_found: int) -> None:
    """Write what came of a trial: the pictures as files, the predictions as the trial's row.

    Args:
        job: the trial's job.
        pictures: predictions and grids, each with its `picture`, a WebP file in base64.
        n_found: pictures in the folder, of which the first were tried.
    """
    trial = Trial.objects.get(job=job)
    folder = Path("trials") / str(trial.pk)
    (Path(settings.MEDIA_ROOT) / folder).mkdir(parents=True, exist_ok=True)
    shown = []
    for index, picture in enumerate(pictures):
        file = folder / f"{index}.webp"
        (Path(settings.MEDIA_ROOT) / file).write_bytes(base64.b64decode(picture["picture"]))
        rest = {key: value for key, value in picture.items() if key != "picture"}
        shown.append({**rest, "file": file.as_posix()})
    if n_found > len(shown):
        jobs.add_line(job_id=job.pk, text=f"Tried the first {len(shown)} of {n_found} pictures.")
    trial.pictures = shown
    trial.save(update_fields=["pictures"])
