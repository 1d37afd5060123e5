"""Images of a slice in an order that tells something, and of the whole map that look mislabelled."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.urls import reverse

from annotation_site.projects.models import Image
from annotation_site.web.refusals import Refused
from annotation_site.workspace.marking import image_scores_of, mark_rows, marks_of
from annotation_site.workspace.models import LabelFlag, Workspace
from annotation_site.workspace.versions import Version, similarity, version_of
from engine.slicing.confusion import Cell, cell_members

ORDERS = ("errors", "typical", "border", "random")
PAGE = 24
MOST_AT_ONCE = 60
MOST_SUSPECTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page of images.

    Attributes:
        images: Entries as the page reads them.
        page: Which page, from 1.
        pages: How many there are, at least 1.
        total: Images in all.
    """

    images: list[dict[str, Any]]
    page: int
    pages: int
    total: int

    def as_json(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {
            "images": self.images, "page": self.page, "pages": self.pages, "total": self.total,
        }  # fmt: skip


def slice_look(
    workspace: Workspace, number: int, *, order: str, page: int, cell: tuple[int, int] | None = None
) -> Look:
    """Give a page of a slice's images.

    Args:
        workspace: Whose.
        number: Of the slice.
        order: `errors` (wrong ones alone, the surest first), `typical` (nearest the slice's mean
            in full space first), `border` (nearest another slice on the map first) or `random`.
        page: From 1; beyond the last one it is the last.
        cell: True and predicted class, to keep the images of one cell of the confusion matrix.

    Raises:
        Refused: There is no such order.
        InvalidInput: There is no such slice.
    """
    if order not in ORDERS:
        raise Refused(f"“{order}” is no order of images. Orders are {', '.join(ORDERS)}.")
    version = version_of(workspace)
    if cell is None:
        members = version.slices.members(number)
    else:
        members = cell_members(
            version.slices,
            number,
            version.images.labels,
            version.images.predicted,
            Cell(truth=cell[0], predicted=cell[1], count=0),
        )
    return _paged(workspace, version, _ordered(version, number, members, order), page)


def _ordered(version: Version, number: int, members: np.ndarray, order: str) -> np.ndarray:
    images = version.images
    place = version.slices.numbers.index(number)
    by: np.ndarray
    if order == "errors":
        members = members[images.predicted[members] != images.labels[members]]
        by = -images.confidence[members]
    elif order == "typical":
        by = -similarity(images, members, version.moments.sums[place])
    elif order == "border":
        by = _to_others(version, place, members)
    else:
        by = np.random.default_rng([number, len(members)]).permutation(len(members))
    found: np.ndarray = members[np.argsort(by, kind="stable")]
    return found


def _to_others(version: Version, place: int, members: np.ndarray) -> np.ndarray:
    """Give how much nearer images are to their own slice's middle than to another's, on the map."""
    points = version.images.coordinates.astype(np.float64)
    index, k = version.index, len(version.slices)
    sizes = version.slices.sizes()
    middles = np.stack([np.bincount(index, points[:, axis], k) / sizes for axis in (0, 1)], axis=1)
    own = np.linalg.norm(points[members] - middles[place], axis=1)
    others = np.delete(middles, place, axis=0)
    away = np.full(len(members), np.inf)
    for other in others:
        np.minimum(away, np.linalg.norm(points[members] - other, axis=1), out=away)
    room: np.ndarray = away - own
    return room


def images_at(workspace: Workspace, indices: Sequence[int]) -> list[dict[str, Any]]:
    """Give images by their index.

    Raises:
        Refused: There are too many, or one is not there.
    """
    version = version_of(workspace)
    n = len(version.images)
    if len(indices) > MOST_AT_ONCE or any(not 0 <= index < n for index in indices):
        raise Refused(
            f"At most {MOST_AT_ONCE} images are given at once, of those from 0 to {n - 1}."
        )
    return _entries(workspace, version, np.array(indices, dtype=np.int64))


def suspects(workspace: Workspace, page: int) -> Look:
    """Give images whose label the model doubts most, those in slices marked so before all others.

    The ranking is 1 - probability of the image's own label; equal ones by the margin to the
    greatest other class. Of images that the model was trained on it finds fewer, for it may have
    learnt their labels by heart.
    """
    version = version_of(workspace)
    images, rows = version.images, mark_rows(workspace)
    marked = [number for number, row in rows.items() if row.kind == "wrong_labels"]
    in_marked = np.isin(version.slices.assignment, marked)
    doubted = np.flatnonzero((images.predicted != images.labels) | in_marked)
    order = np.lexsort((images.margin[doubted], images.own[doubted], ~in_marked[doubted]))
    chosen = doubted[order][:MOST_SUSPECTS]
    found = _paged(workspace, version, chosen, page)
    for entry in found.images:
        at = entry["index"]
        entry["suspicion"] = round(1.0 - float(images.own[at]), 4)
        entry["margin"] = round(float(images.margin[at]), 4)
        entry["reason"] = (
            "in a slice marked for wrong labels" if in_marked[at] else "the model says otherwise"
        )
    return found


def _paged(workspace: Workspace, version: Version, chosen: np.ndarray, page: int) -> Look:
    pages = max(1, -(-len(chosen) // PAGE))
    at = min(max(1, page), pages)
    part = chosen[(at - 1) * PAGE : at * PAGE]
    return Look(images=_entries(workspace, version, part), page=at, pages=pages, total=len(chosen))


def _entries(workspace: Workspace, version: Version, indices: np.ndarray) -> list[dict[str, Any]]:
    rows = version.images.rows[indices].tolist()
    stored = Image.objects.filter(dataset__project_id=workspace.project_id, row__in=rows)
    by_row = {image.row: image for image in stored.only(*_NEEDED)}
    flags = {
        flag.image_id: flag
        for flag in LabelFlag.objects.filter(
            project_id=workspace.project_id, image__in=[image.pk for image in by_row.values()]
        )
    }
    scores = image_scores_of(workspace, version, marks_of(mark_rows(workspace)))
    numbers = version.slices.assignment
    own = {
        mark.number: {"kind": mark.kind, "by": mark.by.username if mark.by else ""}
        for mark in workspace.image_marks.filter(number__in=indices.tolist()).select_related("by")
    }
    return [
        {
            **_entry(index, by_row[row], version, float(scores[index]), int(numbers[index]), flags),
            "mark": own.get(index),
        }
        for index, row in zip(indices.tolist(), rows, strict=True)
        if row in by_row
    ]


_NEEDED = ("public_id", "row", "image_id", "grid_side", "grid_predicted", "dataset_id")


def _entry(
    index: int,
    image: Image,
    version: Version,
    score: float,
    number: int,
    flags: Mapping[int, LabelFlag],
) -> dict[str, Any]:
    images, flag = version.images, flags.get(image.pk)
    names = images.class_names
    return {
        "index": index,
        "id": image.public_id,
        "name": image.image_id,
        "label": int(images.labels[index]),
        "label_name": names[images.labels[index]],
        "predicted": int(images.predicted[index]),
        "predicted_name": names[images.predicted[index]],
        "is_right": bool(images.labels[index] == images.predicted[index]),
        "confidence": round(float(images.confidence[index]), 4),
        "score": round(score, 4),
        "slice": number,
        "thumb": reverse("projects:thumb", args=[image.public_id]),
        "full": reverse("projects:picture", args=[image.public_id]),
        "heat": {
            "grid": base64.b64encode(bytes(image.grid_predicted)).decode(),
            "side": image.grid_side,
            "dead": bool(images.is_dead[index]),
        },
        "flagged": None
        if flag is None
        else {"label_is_wrong": flag.label_is_wrong, "should_be": flag.should_be},
    }
