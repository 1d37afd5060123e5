"""The job that finds pictures of slices, of their images in a cell of the matrix, or inside hulls."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from annotation_site.jobs.models import Job
from annotation_site.jobs.watching import JobWatcher
from annotation_site.workspace.hull_figure import hull_keys, outlines_by_slice
from annotation_site.workspace.job_inputs import run_of, workspace_of
from annotation_site.workspace.pictures import (
    CellName,
    groups_of,
    keep_picture,
    keys_of,
    wanted_pictures,
)
from annotation_site.workspace.versions import Version, version_of
from engine.errors import InvalidInput
from engine.inversion.inverting import (
    Inversion,
    InversionConfig,
    InversionTarget,
    slice_targets,
)
from engine.pipeline.inversions import inversions
from engine.pipeline.run import Run


def find_pictures(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Find pictures, a few at a time, so that each is there as soon as it is found.

    Many take long, so between two parts other work goes first.
    """
    workspace = workspace_of(job)
    version, run = version_of(workspace), run_of(job.project, watcher)
    if run.ensure("classifier").key != workspace.classifier_key:
        raise InvalidInput(
            "the slices belong to another classifier than the project's; build them again"
        )
    cell, in_hulls = cell_of(job), bool(job.params.get("hulls"))
    keys = hull_keys(version) if in_hulls else keys_of(version, cell)
    numbers = wanted_pictures(workspace, version, job.params.get("slices") or (), keys)
    groups = groups_of(version, cell)
    config = InversionConfig()
    reasons: Counter[str] = Counter()
    for start in range(0, len(numbers), config.batch_size):
        if start:
            watcher.give_way()
        part = numbers[start : start + config.batch_size]
        watcher.stage_started(
            f"finding pictures {start + 1} to {start + len(part)} of {len(numbers)}", cached=False
        )
        targets = _targets(run, version, [groups[number] for number in part])
        if in_hulls:
            targets = _inside(targets, version, part)
        found = inversions(
            run.store,
            run.load("classifier"),
            workspace.classifier_key,
            targets,
            config,
            device=run.config.device,
            on_progress=watcher.progress,
        )
        for number, picture in zip(part, found, strict=True):
            keep_picture(workspace, keys[number], picture.picture, _facts(picture))
            reasons[picture.reason] += 1
    return {"pictures": len(numbers), "reasons": dict(reasons)}


def cell_of(job: Job) -> CellName | None:
    """Give the cell that a job is about; None: whole slices."""
    given = job.params.get("cell")
    return None if given is None else (int(given[0]), int(given[1]))


def _targets(run: Run, version: Version, groups: list[np.ndarray]) -> tuple[InversionTarget, ...]:
    return slice_targets(
        run.load("manifest"),
        run.load("classifier"),
        groups,
        version.images.vectors,
        np.asarray(run.load("extraction").maps_predicted)[version.images.rows],
        version.images.rows,
        seed=run.config.seed,
    )


def _inside(
    targets: tuple[InversionTarget, ...], version: Version, numbers: list[int]
) -> tuple[InversionTarget, ...]:
    """Let pixels change inside the slices' hulls alone; each hull fills a picture of its own."""
    outlines = outlines_by_slice(version)
    return tuple(
        replace(target, mask=outlines[number].mask(target.start.shape[-1]))
        for number, target in zip(numbers, targets, strict=True)
    )


def _facts(picture: Inversion) -> dict[str, Any]:
    losses = np.asarray(picture.losses)
    return {
        "reason": picture.reason,
        "steps": len(losses),
        "losses": [round(float(loss), 6) for loss in losses[:: max(1, len(losses) // 64)]],
        "last": round(float(losses[-1]), 6),
    }
