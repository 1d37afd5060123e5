"""Doing the workspace's jobs. Runs in worker processes only; loads the engine's pipeline."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from django.conf import settings

from annotation_site.jobs.models import Job, JobKind
from annotation_site.jobs.runner import settings_of
from annotation_site.jobs.running import carry_out
from annotation_site.jobs.watching import JobWatcher
from annotation_site.projects.models import Project
from annotation_site.workspace.arrays import SlicedImages
from annotation_site.workspace.building import open_workspace, written
from annotation_site.workspace.models import SplitChoice, Workspace
from annotation_site.workspace.pictures import keep_picture, wanted_pictures
from annotation_site.workspace.versions import version_of
from engine.artifacts.codecs import to_json
from engine.artifacts.provenance import provenance
from engine.artifacts.recipe import canonical_json
from engine.artifacts.store import ArtifactStore, full_disk_explained
from engine.attention.extraction import Extraction
from engine.data.manifest import ImageManifest
from engine.errors import InvalidInput
from engine.inversion.inverting import Inversion, InversionConfig, slice_targets
from engine.pipeline.inversions import inversions
from engine.pipeline.run import Run
from engine.pipeline.slicing import Sliced, SlicingOrder, slice_images
from engine.slicing.finding import FindingConfig

ARRAYS = 1
"""Raise it when `SlicedImages` becomes something else."""


def run(job_id: int) -> None:
    """Do a job, and write how it ended.

    Args:
        job_id: Primary key of the `Job`.
    """
    carry_out(job_id, _work)


def _work(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    with full_disk_explained(settings.VAR):
        return WORK[JobKind(job.kind)](job, watcher)


def run_of(project: Project, watcher: JobWatcher) -> Run:
    """Give a project's run of the pipeline."""
    return Run(settings_of(project), ArtifactStore(settings.ARTIFACTS), watcher=watcher)


# ---- slices --------------------------------------------------------------------------------------


def _slice(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Lay a split out, cut it into slices, and open a workspace on them."""
    run_ = run_of(job.project, watcher)
    order = SlicingOrder(
        split=str(job.params.get("split", SplitChoice.VALIDATION)),
        finding=FindingConfig(
            threshold=float(job.params.get("threshold", 0.8)),
            n_slices=int(job.params.get("n_slices", 0)),
        ),
    )
    sliced = slice_images(run_, order)
    watcher.stage_started("laying out shapes and figures", cached=False)
    key = hashlib.sha256(
        canonical_json({"version": ARRAYS, "inputs": sliced.keys}).encode()
    ).hexdigest()
    manifest, extraction = run_.load("manifest"), run_.load("extraction")
    images = written(
        _images(sliced, manifest, extraction, order, key), key, vectors_file=sliced.vectors_file
    )
    workspace = open_workspace(
        project=job.project,
        split=order.split,
        images=images,
        key=key,
        classifier_key=run_.ensure("classifier").key,
        options={
            "plot": to_json(order.plot),
            "finding": to_json(order.finding),
            "seed": run_.config.seed,
            "precision": run_.config.extraction.precision,
            "artifacts": sliced.keys,
            "versions": provenance(),
        },
        created_by=job.created_by,
    )
    return {
        "workspace": workspace.public_id,
        "images": len(images),
        "slices": len(sliced.found.slices),
        "reason": sliced.found.reason,
        "seconds": run_.seconds,
    }


def _images(
    sliced: Sliced, manifest: ImageManifest, extraction: Extraction, order: SlicingOrder, key: str
) -> SlicedImages:
    rows = np.asarray(sliced.vectors.rows)
    logits = np.asarray(extraction.logits)[rows].astype(np.float64)
    labels = manifest.labels[rows]
    each = np.arange(len(rows))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    others = logits.copy()
    others[each, labels] = -np.inf
    found = sliced.found
    return SlicedImages(
        rows=rows.astype(np.int64),
        coordinates=np.asarray(sliced.coordinates, dtype=np.float32),
        labels=labels.astype(np.int32),
        predicted=logits.argmax(axis=1).astype(np.int32),
        confidence=shares.max(axis=1).astype(np.float32),
        own=shares[each, labels].astype(np.float32),
        margin=(logits[each, labels] - others.max(axis=1)).astype(np.float32),
        is_dead=np.asarray(extraction.dead_predicted)[rows],
        assignment=found.slices.assignment.astype(np.int32),
        vectors=np.asarray(sliced.vectors.vectors),
        facts={
            "key": key,
            "vectors": sliced.keys["predicted_vectors"],
            "classes": list(manifest.class_names),
            "threshold": order.finding.threshold,
            "reason": found.reason,
            "curve": [
                {"k": step.n_slices, "lowest": round(step.least, 4), "mean": round(step.mean, 4)}
                for step in found.curve
            ],
        },
    )


def workspace_of(job: Job) -> Workspace:
    """Give the workspace that a job is about."""
    return Workspace.objects.select_related("project__dataset", "project__reference_model").get(
        project=job.project, public_id=str(job.params["workspace"])
    )


# ---- pictures --------------------------------------------------------------------------------------


def _invert(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Find pictures of slices, a few at a time, so that each is there as soon as it is found."""
    workspace = workspace_of(job)
    version, run_ = version_of(workspace), run_of(job.project, watcher)
    classifier = run_.load("classifier")
    if run_.ensure("classifier").key != workspace.classifier_key:
        raise InvalidInput(
            "the slices belong to another classifier than the project's; build them again"
        )
    numbers = wanted_pictures(workspace, version, job.params.get("slices") or ())
    config = InversionConfig()
    reasons: Counter[str] = Counter()
    for start in range(0, len(numbers), config.batch_size):
        part = numbers[start : start + config.batch_size]
        watcher.stage_started(
            f"finding pictures {start + 1} to {start + len(part)} of {len(numbers)}", cached=False
        )
        targets = slice_targets(
            run_.load("manifest"),
            classifier,
            [version.slices.members(number) for number in part],
            version.images.vectors,
            np.asarray(run_.load("extraction").maps_predicted)[version.images.rows],
            version.images.rows,
            seed=run_.config.seed,
        )
        found = inversions(
            run_.store,
            classifier,
            workspace.classifier_key,
            targets,
            config,
            device=run_.config.device,
            on_progress=watcher.progress,
        )
        for number, picture in zip(part, found, strict=True):
            keep_picture(workspace, version, number, picture.picture, _facts(picture))
            reasons[picture.reason] += 1
    return {"pictures": len(numbers), "reasons": dict(reasons)}


def _facts(picture: Inversion) -> dict[str, Any]:
    losses = np.asarray(picture.losses)
    return {
        "reason": picture.reason,
        "steps": len(losses),
        "losses": [round(float(loss), 6) for loss in losses[:: max(1, len(losses) // 64)]],
        "last": round(float(losses[-1]), 6),
    }


WORK: Mapping[JobKind, Callable[[Job, JobWatcher], dict[str, Any]]] = {
    JobKind.SLICE: _slice,
    JobKind.INVERT: _invert,
}
