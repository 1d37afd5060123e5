"""The job that lays a split out, cuts it into slices and opens a workspace on them."""

import hashlib
from typing import Any

import numpy as np

from annotation_site.jobs.models import Job
from annotation_site.jobs.watching import JobWatcher
from annotation_site.workspace.arrays import SlicedImages
from annotation_site.workspace.building import open_workspace, written
from annotation_site.workspace.job_inputs import run_of
from annotation_site.workspace.models import SplitChoice
from engine.artifacts.codecs import to_json
from engine.artifacts.provenance import provenance
from engine.artifacts.recipe import canonical_json
from engine.attention.extraction import Extraction
from engine.attention.plotting import laid_out_by
from engine.data.manifest import ImageManifest
from engine.pipeline.slicing import Sliced, SlicingOrder, slice_images
from engine.slicing.finding import FindingConfig

ARRAYS = 1
"""Raise it when `SlicedImages` becomes something else."""


def cut_slices(job: Job, watcher: JobWatcher) -> dict[str, Any]:
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
        _images(sliced, manifest, extraction, order, key, run_.config.extraction.method),
        key,
        vectors_file=sliced.vectors_file,
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
    sliced: Sliced,
    manifest: ImageManifest,
    extraction: Extraction,
    order: SlicingOrder,
    key: str,
    method: str,
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
            "attribution": method,
            "laid_out_by": laid_out_by(len(rows), order.plot),
            "threshold": order.finding.threshold,
            "reason": found.reason,
            "curve": [
                {"k": step.n_slices, "lowest": round(step.least, 4), "mean": round(step.mean, 4)}
                for step in found.curve
            ],
        },
    )
