"""What the marks of now say: a score for every slice at once, for every image when asked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from django.conf import settings

from annotation_site.quality.memory import Memory
from annotation_site.workspace.acts import image_kinds
from annotation_site.workspace.models import SliceMark, Workspace
from annotation_site.workspace.versions import Version
from engine.slicing.image_marks import ImageMarks, image_marks
from engine.slicing.marks import Mark, MarkKind
from engine.slicing.propagation import SliceScores, image_scores, next_slices, slice_scores

PROPOSED = 8
"""How many slices to look at next are named; each costs the square of the number of slices."""
_scores = Memory(16)
_images = Memory(2)


def marks_of(rows: Mapping[int, SliceMark]) -> dict[int, Mark]:
    """Give marks as the engine reads them."""
    return {number: Mark(kind=MarkKind(row.kind), score=row.score) for number, row in rows.items()}


def mark_rows(workspace: Workspace) -> dict[int, SliceMark]:
    """Read the marks of now, with who set them."""
    rows = workspace.marks.select_related("by").order_by("number")
    return {row.number: row for row in rows}


def scores_of(workspace: Workspace, version: Version, marks: Mapping[int, Mark]) -> SliceScores:
    """Spread marks to all slices, or recall it.

    Args:
        workspace: Read in the same transaction as the marks.
        version: Its slices.
        marks: Its marks.
    """
    return _scores.recall(
        _key(workspace),
        lambda: slice_scores(
            version.slices, marks, version.marking, image_looks(workspace, version)
        ),
    )


def image_looks(workspace: Workspace, version: Version) -> ImageMarks:
    """Give what was said of single images as spreading reads it, or recall it."""
    images = version.images
    return _scores.recall(
        (*_key(workspace), "images"),
        lambda: image_marks(
            {n: Mark(kind=MarkKind(kind)) for n, kind in image_kinds(workspace).items()},
            version.marking,
            images.coordinates,
            images.predicted.astype(np.int64),
        ),
    )


def proposed_by(
    workspace: Workspace, version: Version, marks: Mapping[int, Mark]
) -> tuple[int, ...]:
    """Say which slices to look at next, the most useful first."""
    return _scores.recall(
        (*_key(workspace), "proposed"),
        lambda: next_slices(
            version.slices,
            marks,
            version.marking,
            image_looks(workspace, version),
            wanted=PROPOSED,
        ),
    )


def image_scores_of(
    workspace: Workspace, version: Version, marks: Mapping[int, Mark]
) -> np.ndarray:
    """Spread marks to all images, or recall it."""
    return _images.recall(
        _key(workspace),
        lambda: image_scores(
            version.slices,
            marks,
            version.marking,
            version.images.coordinates,
            version.images.predicted.astype(np.int64),
            image_looks(workspace, version),
        ),
    )


def _key(workspace: Workspace) -> tuple[str, int, int]:
    return (str(settings.MEDIA_ROOT), workspace.pk, workspace.revision)


def mark_as_json(row: SliceMark | None) -> dict[str, Any] | None:
    """Give a mark as the page reads it."""
    if row is None:
        return None
    return {
        "kind": row.kind,
        "score": row.score,
        "note": row.note,
        "by": row.by.username if row.by else "",
        "at": row.at.isoformat(timespec="seconds"),
    }


def forget() -> None:
    """Forget scores; tests need it."""
    _scores.clear()
    _images.clear()
