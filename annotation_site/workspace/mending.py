"""What follows from marks: which training images get noise, which labels are mended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings

from annotation_site.jobs.models import Job
from annotation_site.projects.models import Image
from annotation_site.workspace.acts import image_kinds
from annotation_site.workspace.marking import mark_rows, marks_of, scores_of
from annotation_site.workspace.models import LabelFlag, Workspace
from annotation_site.workspace.versions import Version, version_of
from engine.slicing.propagation import spurious_slices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flagged:
    """What marks and flags say of images.

    Attributes:
        marked: Rows in slices that a person marked spurious, rising; a mark of the image itself
            goes before its slice's.
        low: Rows in slices that are spurious once marks have spread, rising, likewise.
        marked_slices: Their numbers.
        low_slices: Their numbers.
        n_marks: Marks in all, of slices and of images.
        labels: Row to right label, for rows whose label a person called wrong and could mend.
        wrong: Rows whose label a person called wrong without knowing the right one, rising.
    """

    marked: np.ndarray
    low: np.ndarray
    marked_slices: tuple[int, ...]
    low_slices: tuple[int, ...]
    n_marks: int
    labels: dict[int, int]
    wrong: np.ndarray


def flagged(workspace: Workspace, version: Version) -> Flagged:
    """Gather what marks and flags say.

    Args:
        workspace: Whose.
        version: Its slices.
    """
    rows = mark_rows(workspace)
    marks = marks_of(rows)
    marked = tuple(number for number, row in rows.items() if row.kind == "spurious")
    low = spurious_slices(version.slices, scores_of(workspace, version, marks))
    own = image_kinds(workspace)
    labels: dict[int, int] = {}
    wrong: list[int] = []
    flags = LabelFlag.objects.filter(project=workspace.project, label_is_wrong=True)
    for row, should_be in flags.values_list("image__row", "should_be"):
        if should_be is None:
            wrong.append(row)
        else:
            labels[row] = should_be
    return Flagged(
        marked=_with_own(rows_in(version, marked), version, own),
        low=_with_own(rows_in(version, low), version, own),
        marked_slices=marked,
        low_slices=low,
        n_marks=len(marks) + len(own),
        labels=labels,
        wrong=np.array(sorted(wrong), dtype=np.int64),
    )


def rows_in(version: Version, numbers: tuple[int, ...]) -> np.ndarray:
    """Give the rows of the images in some slices, rising."""
    inside = np.isin(version.slices.assignment, np.array(numbers, dtype=np.int64))
    found: np.ndarray = np.sort(version.images.rows[inside])
    return found


def _with_own(rows: np.ndarray, version: Version, own: Mapping[int, str]) -> np.ndarray:
    """Add images that were themselves marked spurious, and leave out those marked core."""

    def marked(kind: str) -> np.ndarray:
        indices = np.array([n for n, said in own.items() if said == kind], dtype=np.int64)
        found: np.ndarray = version.images.rows[indices]
        return found

    found: np.ndarray = np.setdiff1d(np.union1d(rows, marked("spurious")), marked("core"))
    return found


def training_rows(workspace: Workspace, rows: np.ndarray) -> np.ndarray:
    """Keep the rows that the classifier is trained on."""
    images = Image.objects.filter(dataset__project_id=workspace.project_id, split="train")
    found: np.ndarray = np.intersect1d(
        rows, np.array(list(images.values_list("row", flat=True)), dtype=np.int64)
    )
    return found


def counts(workspace: Workspace) -> dict[str, int]:
    """Say on a page what a retraining would do with the marks of now."""
    found = flagged(workspace, version_of(workspace))
    flags_training = LabelFlag.objects.filter(
        project=workspace.project, label_is_wrong=True, image__split="train"
    )
    has_training = workspace.split in {"train", "all"}
    return {
        "marks": found.n_marks,
        "marked_slices": len(found.marked_slices),
        "low_slices": len(found.low_slices),
        "marked": len(found.marked),
        "low": len(found.low),
        "marked_training": len(training_rows(workspace, found.marked)) if has_training else 0,
        "low_training": len(training_rows(workspace, found.low)) if has_training else 0,
        "labels": len(found.labels),
        "wrong": len(found.wrong),
        "labels_training": flags_training.filter(should_be__isnull=False).count(),
        "wrong_training": flags_training.filter(should_be__isnull=True).count(),
    }


def noise_path(job: Job) -> Path:
    """Give the place of the ZIP that a job wrote."""
    return Path(settings.MEDIA_ROOT) / "workspaces" / "noise" / f"{job.public_id}.zip"
