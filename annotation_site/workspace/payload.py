"""What the page reads: the whole of a version, its state of now, and columns of all images."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.urls import reverse

from annotation_site.accounts.models import User
from annotation_site.quality.memory import Memory
from annotation_site.workspace import pictures
from annotation_site.workspace.acts import image_kinds, to_redo, to_undo
from annotation_site.workspace.marking import (
    image_scores_of,
    mark_as_json,
    mark_rows,
    marks_of,
    proposed_by,
    scores_of,
)
from annotation_site.workspace.models import IMAGE_MARK_KINDS, Event, SliceMark, Workspace
from annotation_site.workspace.outlines import ASPECT, central_bounds
from annotation_site.workspace.versions import Version, version_of
from engine.slicing.confusion import Cell, top_confusions
from engine.slicing.slice_set import SliceSet

LOG = 20
MOST_CONFUSIONS = 24
FEW_CLASSES = 12
MOVED = 0.02
"""A score that an act moved by so much is named as changed."""
_fixed = Memory(6)


def payload(workspace: Workspace, user: User) -> dict[str, Any]:
    """Give all that the page shows at first, but for the images.

    Args:
        workspace: with its project.
        user: who looks: what can be undone is a person's own.
    """
    version = version_of(workspace)
    rows = mark_rows(workspace)
    scores = scores_of(workspace, version, marks_of(rows))
    fixed = _fixed.recall(
        (version.key, workspace.pk, workspace.set_version), lambda: _fixed_part(workspace, version)
    )
    found = pictures.found(workspace, version)
    slices = [
        {
            **one,
            "score": round(float(scores.scores[at]), 4),
            "doubt": round(float(scores.doubt[at]), 4),
            "mark": mark_as_json(rows.get(one["number"])),
            "picture": found.get(one["number"]),
        }
        for at, one in enumerate(fixed["slices"])
    ]
    return {
        **fixed,
        "slices": slices,
        **_now(workspace, version, rows, user),
        "urls": urls_of(workspace),
        "columns": columns_layout(workspace, len(version.images)),
    }


def state(workspace: Workspace, user: User, before: np.ndarray | None = None) -> dict[str, Any]:
    """Give what acts change: marks, scores, what to look at next, the log.

    Args:
        workspace: as it is now.
        user: who looks.
        before: slices' scores before the act that was just done, to name those that moved.
    """
    version = version_of(workspace)
    rows = mark_rows(workspace)
    scores = scores_of(workspace, version, marks_of(rows))
    numbers = version.slices.numbers
    moved: list[int] = []
    if before is not None and len(before) == len(numbers):
        far = np.abs(scores.scores - before) >= MOVED
        moved = [number for number, is_far in zip(numbers, far, strict=True) if is_far]
    return {
        "marks": {number: mark_as_json(row) for number, row in rows.items()},
        "scores": {
            number: [round(float(score), 4), round(float(doubt), 4)]
            for number, score, doubt in zip(numbers, scores.scores, scores.doubt, strict=True)
        },
        "changed": moved,
        **_now(workspace, version, rows, user),
    }


def slice_scores_now(workspace: Workspace) -> np.ndarray:
    """Give the slices' scores as the last act left them."""
    version = version_of(workspace)
    return scores_of(workspace, version, marks_of(mark_rows(workspace))).scores


def _now(
    workspace: Workspace, version: Version, rows: Mapping[int, SliceMark], user: User
) -> dict[str, Any]:
    undoing, redoing = to_undo(workspace, user), to_redo(workspace, user)
    log = workspace.events.select_related("by").defer("members").order_by("-revision")[:LOG]
    return {
        "revision": workspace.revision,
        "set_version": workspace.set_version,
        "image_marks": _by_kind(workspace),
        "proposed": list(proposed_by(workspace, version, marks_of(rows))),
        "can_undo": undoing is not None,
        "can_redo": redoing is not None,
        "undo_words": undoing.words if undoing else "",
        "redo_words": redoing.words if redoing else "",
        "log": [_log_line(event) for event in log],
    }


def _by_kind(workspace: Workspace) -> dict[str, list[int]]:
    """Give the indices of the images that were marked one by one, by what was said of them."""
    found: dict[str, list[int]] = {kind: [] for kind in IMAGE_MARK_KINDS}
    for number, kind in sorted(image_kinds(workspace).items()):
        found[kind].append(number)
    return found


def _log_line(event: Event) -> dict[str, Any]:
    return {
        "revision": event.revision,
        "at": event.at.isoformat(timespec="seconds"),
        "by": event.by.username if event.by else "",
        "words": event.words,
        "kind": event.kind,
        "in_force": event.state == "in_force",
    }


# ---- what does not change with marks -----------------------------------------------------------------


def _fixed_part(workspace: Workspace, version: Version) -> dict[str, Any]:
    images, outlines = version.images, version.outlines
    facts = images.facts
    return {
        "workspace": workspace.public_id,
        "run": run_id(workspace),
        "split": workspace.split,
        "n": len(images),
        "classes": images.class_names,
        "bounds": outlines.bounds,
        "fit": central_bounds(images.coordinates),
        "even_aspect": ASPECT,
        "curve": facts["curve"],
        "threshold": facts["threshold"],
        "stop_reason": facts["reason"],
        "slices": _slices(version),
        **_confusions(version),
    }


def run_id(workspace: Workspace) -> str:
    """Name the run that a figure or a file rests on: what was found and which slices."""
    return f"{workspace.arrays_key[:12]}.{workspace.public_id}.{workspace.set_version}"


def _slices(version: Version) -> list[dict[str, Any]]:
    figures, outlines, slices = version.figures, version.outlines, version.slices
    sizes = slices.sizes()
    trues = _true_counts(version)
    return [
        {
            "number": one.number,
            "name": one.name,
            "predicted": None if figures.predicted[at] < 0 else int(figures.predicted[at]),
            "size": int(sizes[at]),
            "errors": int(figures.errors[at]),
            "accuracy": round(float(figures.accuracy[at]), 4),
            "confidence": round(float(figures.confidence[at]), 4),
            "coherence": round(float(figures.coherence[at]), 4),
            "true": None if trues is None else trues[at],
            "middle": outlines.middles[at],
            "shape": outlines.shapes[at],
            "tile": outlines.tiles[at],
            "typical": [int(index) for index in figures.typical[at] if index >= 0],
            "members_key": figures.keys[at],
        }
        for at, one in enumerate(slices.slices)
    ]


def _true_counts(version: Version) -> list[list[int]] | None:
    n_classes = len(version.images.class_names)
    if n_classes > FEW_CLASSES:
        return None
    key = version.index * n_classes + version.images.labels
    counts = np.bincount(key, minlength=len(version.slices) * n_classes)
    found: list[list[int]] = counts.reshape(-1, n_classes).tolist()
    return found


def _confusions(version: Version) -> dict[str, Any]:
    view, n_classes = version.confusion, len(version.images.class_names)
    if view is None:
        key = version.images.labels.astype(np.int64) * n_classes + version.images.predicted
        matrix = np.bincount(key, minlength=n_classes**2).reshape(n_classes, n_classes)
        by_slice = None
    else:
        matrix, by_slice = view.matrix, view.by_slice
    found: dict[str, Any] = {
        "confusions": [
            _cell(one, by_slice, version.slices) for one in top_confusions(matrix, MOST_CONFUSIONS)
        ]
    }
    if n_classes <= FEW_CLASSES:
        found["matrix"] = matrix.tolist()
    if view is not None and n_classes == 2:
        found["cells"] = [_cell(one, by_slice, version.slices) for one in view.shown]
    return found


def _cell(cell: Cell, by_slice: np.ndarray | None, slices: SliceSet) -> dict[str, Any]:
    inside = [] if by_slice is None else by_slice[:, cell.truth, cell.predicted].tolist()
    return {
        "true": cell.truth,
        "predicted": cell.predicted,
        "n": cell.count,
        "slices": [
            [number, count] for number, count in zip(slices.numbers, inside, strict=False) if count
        ],
    }


# ---- columns of images ----------------------------------------------------------------------------------

_COLUMNS = (
    ("x", "float32", "<f4"),
    ("y", "float32", "<f4"),
    ("slice", "uint16", "<u2"),
    ("label", "uint16", "<u2"),
    ("predicted", "uint16", "<u2"),
    ("confidence", "uint8", "u1"),
)


def columns_layout(workspace: Workspace, n_images: int) -> dict[str, Any]:
    """Say where the columns are and how they lie one behind the other."""
    layout, offset = [], 0
    for name, kind, code in _COLUMNS:
        length = n_images * np.dtype(code).itemsize
        layout.append({"name": name, "type": kind, "offset": offset, "length": n_images})
        offset += -(-length // 4) * 4
    return {"url": columns_url(workspace), "layout": layout, "bytes": offset}


def columns_url(workspace: Workspace) -> str:
    """Give the address of the columns, another one for each version of the slices."""
    url = reverse("workspace:columns", args=[workspace.project.public_id, workspace.public_id])
    return f"{url}?v={workspace.set_version}"


def columns(version: Version) -> bytes:
    """Give the columns: little-endian, each from a multiple of four bytes on."""
    images = version.images
    values: dict[str, np.ndarray] = {
        "x": images.coordinates[:, 0],
        "y": images.coordinates[:, 1],
        "slice": version.index,
        "label": images.labels,
        "predicted": images.predicted,
        "confidence": np.rint(images.confidence * 255),
    }
    parts = []
    for name, _kind, code in _COLUMNS:
        raw = np.ascontiguousarray(values[name].astype(code)).tobytes()
        parts.append(raw + bytes(-len(raw) % 4))
    return b"".join(parts)


def image_score_bytes(workspace: Workspace) -> bytes:
    """Give every image's score as one byte."""
    version = version_of(workspace)
    scores = image_scores_of(workspace, version, marks_of(mark_rows(workspace)))
    raw: bytes = np.rint(scores * 255).astype(np.uint8).tobytes()
    return raw


# ---- addresses ----------------------------------------------------------------------------------------------


def urls_of(workspace: Workspace) -> dict[str, str]:
    """Give all addresses that the page needs."""
    names = [workspace.project.public_id, workspace.public_id]

    def at(name: str, *more: object) -> str:
        return reverse(f"workspace:{name}", args=[*names, *more])

    verbs = ("marks", "image_marks", "undo", "redo", "changes", "state", "scores", "images_at", "flag",
             "suspects", "pictures", "jobs", "mending", "saved_views")  # fmt: skip
    return {
        **{name: at(name) for name in verbs},
        "images": at("images", 0),
        "export": at("export", "slices", "csv"),
        "payload": at("payload"),
    }


def as_text(value: Mapping[str, Any]) -> str:
    """Write JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


def forget() -> None:
    """Forget what was written of versions; tests need it."""
    _fixed.clear()
