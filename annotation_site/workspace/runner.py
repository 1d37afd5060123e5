"""Doing the workspace's jobs. Runs in worker processes only; loads the engine's pipeline."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from django.conf import settings

from annotation_site.exports.writing import sha256
from annotation_site.jobs.models import Job, JobKind
from annotation_site.jobs.runner import settings_of
from annotation_site.jobs.running import carry_out
from annotation_site.jobs.watching import JobWatcher
from annotation_site.projects.models import Image, Project
from annotation_site.workspace.arrays import SlicedImages
from annotation_site.workspace.building import open_workspace, written
from annotation_site.workspace.marking import mark_rows, marks_of, scores_of
from annotation_site.workspace.mending import flagged, noise_path
from annotation_site.workspace.models import SplitChoice, Workspace
from annotation_site.workspace.payload import run_id
from annotation_site.workspace.pictures import keep_picture, wanted_pictures
from annotation_site.workspace.versions import Version, version_of
from engine.artifacts.codecs import to_json
from engine.artifacts.provenance import provenance
from engine.artifacts.recipe import canonical_json
from engine.artifacts.store import ArtifactStore, full_disk_explained
from engine.attention.extraction import Extraction
from engine.data.csv_text import guarded
from engine.data.manifest import ImageManifest, Split
from engine.errors import InvalidInput
from engine.inversion.inverting import Inversion, InversionConfig, slice_targets
from engine.pipeline.inversions import inversions
from engine.pipeline.mending import Arm, MendingOrder, mend
from engine.pipeline.noise_files import NoiseOrder, write_noise_file
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


# ---- noise and retraining ------------------------------------------------------------------------------


def _noise(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Write masks and noisy pictures of the images in spurious slices."""
    workspace = workspace_of(job)
    version, run_ = version_of(workspace), run_of(job.project, watcher)
    found = flagged(workspace, version)
    rows = found.marked if job.params["choice"] == "marked" else found.low
    watcher.stage_started("writing masks and noisy pictures", cached=False)
    order = NoiseOrder(rows=rows, about=_about(workspace, version, rows))
    path = noise_path(job)
    n_pictures = write_noise_file(run_, order, path, watcher.progress)
    return {
        "workspace": workspace.public_id,
        "run": run_id(workspace),
        "choice": job.params["choice"],
        "revision": workspace.revision,
        "pictures": n_pictures,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "sigma": order.sigma,
    }


def _about(workspace: Workspace, version: Version, rows: np.ndarray) -> dict[str, list[str]]:
    """Say of each row which image it is, in which slice, and what is said of that."""
    marks, names = mark_rows(workspace), version.images.class_names
    scores = scores_of(workspace, version, marks_of(marks)).scores
    places = np.searchsorted(version.images.rows, rows)
    ids = dict(
        Image.objects.filter(dataset__project=workspace.project, row__in=rows.tolist()).values_list(
            "row", "image_id"
        )
    )
    index = version.index[places].tolist()
    slices = [version.slices.slices[at] for at in index]
    kinds = [marks[one.number].kind if one.number in marks else "" for one in slices]
    return {
        "image_id": [guarded(ids.get(row, "")) for row in rows.tolist()],
        "label": [guarded(names[label]) for label in version.images.labels[places].tolist()],
        "slice": [str(one.number) for one in slices],
        "slice_name": [guarded(one.name) for one in slices],
        "mark": kinds,
        "slice_score": [f"{scores[at]:.4f}" for at in index],
    }


def _mend(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Retrain with what was marked and flagged, and judge beside the baseline."""
    workspace = workspace_of(job)
    version, run_ = version_of(workspace), run_of(job.project, watcher)
    split = Split(str(job.params["split"]))
    found = flagged(workspace, version)
    manifest = run_.load("manifest")
    train = manifest.rows_of(Split.TRAIN)
    arms = [Arm(name="baseline")]
    if workspace.split in {SplitChoice.TRAINING, SplitChoice.ALL} and found.n_marks:
        arms += [
            Arm(name="annotation", noisy=np.intersect1d(found.marked, train)),
            Arm(name="propagation", noisy=np.intersect1d(found.low, train)),
        ]
    mended = {row: label for row, label in found.labels.items() if row in set(train.tolist())}
    wrong = np.intersect1d(found.wrong, train)
    if mended or len(wrong):
        gone = np.union1d(wrong, np.array(sorted(mended), dtype=np.int64)).astype(np.int64)
        arms.append(Arm(name="without wrong labels", left_out=gone))
    if mended:
        arms.append(Arm(name="corrected labels", labels=mended, left_out=wrong))
    judged = manifest.rows_of(split)
    has_slices = np.isin(judged, version.images.rows).all() and found.n_marks
    order = MendingOrder(
        arms=tuple(arms),
        split=split,
        spurious=np.isin(judged, found.low) if has_slices else None,
    )
    report = mend(run_, order)
    return {
        **report,
        "workspace": workspace.public_id,
        "run": run_id(workspace),
        "revision": workspace.revision,
        "marks": found.n_marks,
        "marked_slices": list(found.marked_slices),
        "low_slices": list(found.low_slices),
        "versions": provenance(),
    }


WORK: Mapping[JobKind, Callable[[Job, JobWatcher], dict[str, Any]]] = {
    JobKind.SLICE: _slice,
    JobKind.INVERT: _invert,
    JobKind.NOISE: _noise,
    JobKind.MEND: _mend,
}
