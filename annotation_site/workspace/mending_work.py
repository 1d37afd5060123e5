"""The jobs that write noisy pictures of spurious slices, and retrain with them."""

from typing import Any

import numpy as np

from annotation_site.exports.writing import sha256
from annotation_site.jobs.models import Job
from annotation_site.jobs.watching import JobWatcher
from annotation_site.projects.models import Image
from annotation_site.workspace.job_inputs import run_of, workspace_of
from annotation_site.workspace.marking import mark_rows, marks_of, scores_of
from annotation_site.workspace.mending import flagged, noise_path
from annotation_site.workspace.models import SplitChoice, Workspace
from annotation_site.workspace.payload import run_id
from annotation_site.workspace.versions import Version, version_of
from engine.artifacts.provenance import provenance
from engine.data.csv_text import guarded
from engine.data.manifest import Split
from engine.pipeline.mending import Arm, MendingOrder, mend
from engine.pipeline.noise_files import NoiseOrder, write_noise_file


def write_noise(job: Job, watcher: JobWatcher) -> dict[str, Any]:
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


def retrain(job: Job, watcher: JobWatcher) -> dict[str, Any]:
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
