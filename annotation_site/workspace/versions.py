"""A version of the slices and all that follows from it alone: shapes, figures, the marking map.

What follows is kept in files named by a digest of the partition, so that a slice set that comes
back by undoing has its shapes at once, and names do not matter.
"""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from annotation_site.quality.memory import Memory
from annotation_site.workspace.arrays import SlicedImages, opened
from annotation_site.workspace.models import Event, EventKind, EventState, Workspace
from annotation_site.workspace.outlines import Outlines, outlines_of
from engine.slicing.confusion import ConfusionView, confusion_view
from engine.slicing.marking_map import MarkingMap, PropagationConfig, marking_map
from engine.slicing.metrics import SliceMoments, slice_moments
from engine.slicing.slice_set import (
    Change,
    ChangeKind,
    SliceSet,
    apply,
    change_from_json,
    change_to_json,
    first_set,
    unchanged,
)

FOLDER = "workspaces/versions"
LAYOUT = 1
"""Raise it when what a version's file holds becomes something else."""
MOST_VERSIONS = 6
MOST_CELLS = 20_000_000
"""Slices times classes squared, up to which each slice has a confusion matrix."""
TYPICAL = 6
_versions = Memory(MOST_VERSIONS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """What is known of each slice without marks, in the order of the set's slices.

    Attributes:
        accuracy: Share classified rightly.
        confidence: Mean probability of the predicted class.
        coherence: Attribution consistency in full space.
        errors: Images classified wrongly.
        predicted: The class that nearly all its images are taken for; -1 for a mixed slice.
        typical: Indices of its images nearest its mean in full space; -1 where it has fewer.
        keys: Digest of each slice's images.
    """

    accuracy: np.ndarray
    confidence: np.ndarray
    coherence: np.ndarray
    errors: np.ndarray
    predicted: np.ndarray
    typical: np.ndarray
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Version:
    """The slices as they are after some changes.

    Attributes:
        images: What was found.
        slices: The set.
        key: Digest of the partition.
        figures: Of each slice.
        moments: From which a merged slice's coherence follows.
        outlines: Shapes for both layouts.
        marking: What spreading marks needs.
    """

    images: SlicedImages
    slices: SliceSet
    key: str
    figures: Figures
    moments: SliceMoments
    outlines: Outlines
    marking: MarkingMap

    @cached_property
    def confusion(self) -> ConfusionView | None:
        """Give the confusion matrix slice by slice; None where that would be too much."""
        n_classes = len(self.images.class_names)
        if len(self.slices) * n_classes**2 > MOST_CELLS:
            return None
        return confusion_view(
            self.slices,
            self.images.labels.astype(np.int64),
            self.images.predicted.astype(np.int64),
            n_classes,
            panels=24,
        )

    @cached_property
    def index(self) -> np.ndarray:
        """Give each image's slice as a place in the set's slices."""
        return self.slices.index()


def version_of(workspace: Workspace) -> Version:
    """Give the slices as they are now, from memory where this process knows them.

    Args:
        workspace: As just read, or locked.

    Raises:
        FileNotFoundError: What was found is gone.
    """
    key = (str(settings.MEDIA_ROOT), workspace.pk, workspace.set_version)
    return _versions.recall(key, lambda: _replayed(workspace))


def remember(workspace: Workspace, version: Version) -> None:
    """Keep a version that was just made, so that the next request need not replay."""
    key = (str(settings.MEDIA_ROOT), workspace.pk, workspace.set_version)
    _versions.recall(key, lambda: version)


def _replayed(workspace: Workspace) -> Version:
    images = opened(workspace.arrays_key)
    found = first_set(images.rows, images.assignment.astype(np.int64))
    for event in changes_in_force(workspace):
        found = done(found, change_of(event), event.first_number)
    return complete(images, found)


def changes_in_force(workspace: Workspace) -> Iterable[Event]:
    """Give the changes of slices that lead to the present set, oldest first."""
    return workspace.events.filter(
        kind__in=[EventKind.CHANGE, EventKind.REDO], state=EventState.IN_FORCE
    ).exclude(change={})


def done(slices: SliceSet, change: Change, first_number: int) -> SliceSet:
    """Do a change, its new slices being numbered from a number that was never used before.

    A rename makes none, so it leaves the numbers to what comes after it.
    """
    if change.kind is ChangeKind.RENAME:
        return apply(slices, change)
    return apply(replace(slices, next_number=max(first_number, slices.next_number)), change)


def packed(change: Change) -> tuple[dict[str, Any], bytes]:
    """Give a change as it is stored: a JSON value, and its images apart."""
    value = change_to_json(change)
    members = np.array(value.pop("members"), dtype="<i4")
    return value, zlib.compress(members.tobytes()) if len(members) else b""


def change_of(event: Event) -> Change:
    """Give a stored change."""
    raw = bytes(event.members)
    members = np.frombuffer(zlib.decompress(raw), dtype="<i4").tolist() if raw else []
    return change_from_json({**event.change, "members": members})


# ---- what follows from a partition ---------------------------------------------------------------


def complete(images: SlicedImages, slices: SliceSet, before: Version | None = None) -> Version:
    """Give a set with all that follows from it, read from its file or made and written.

    Args:
        images: What was found.
        slices: The set.
        before: A version whose unchanged slices need not be worked out again.
    """
    key = _digest(images, slices)
    path = Path(settings.MEDIA_ROOT) / FOLDER / f"{key}.npz"
    if path.is_file():
        figures, moments, outlines, marking = _read(path, slices)
    else:
        moments = _moments(images, slices, before)
        figures = _figures(images, slices, moments, before)
        outlines = outlines_of(slices, images.coordinates)
        marking = marking_map(
            slices,
            images.coordinates,
            images.predicted.astype(np.int64),
            before=(before.slices, before.marking) if before else None,
        )
        _write(path, figures, moments, outlines, marking)
    return Version(
        images=images,
        slices=slices,
        key=key,
        figures=figures,
        moments=moments,
        outlines=outlines,
        marking=marking,
    )


def _digest(images: SlicedImages, slices: SliceSet) -> str:
    hasher = hashlib.sha256(f"{LAYOUT} {images.facts['key']}\n".encode())
    hasher.update(slices.assignment.astype("<i4").tobytes())
    return hasher.hexdigest()


def _moments(images: SlicedImages, slices: SliceSet, before: Version | None) -> SliceMoments:
    """Sum vectors, of those slices alone that `before` does not have as they are."""
    if before is None:
        return slice_moments(slices, images.vectors)
    there, here = unchanged(before.slices, slices)
    fresh = np.ones(len(slices), dtype=bool)
    fresh[here] = False
    sums = np.zeros((len(slices), images.vectors.shape[1]))
    directions = np.zeros_like(sums)
    sums[here] = before.moments.sums[there]
    directions[here] = before.moments.directions[there]
    changed = np.flatnonzero(fresh[slices.index()])
    if len(changed):
        part = first_set(
            slices.rows[changed],
            np.unique(slices.assignment[changed], return_inverse=True)[1].astype(np.int64),
        )
        summed = slice_moments(part, images.vectors[changed])
        sums[fresh], directions[fresh] = summed.sums, summed.directions
    return SliceMoments(
        numbers=slices.numbers, sums=sums, directions=directions, sizes=slices.sizes()
    )


def _figures(
    images: SlicedImages, slices: SliceSet, moments: SliceMoments, before: Version | None
) -> Figures:
    index, sizes, k = slices.index(), slices.sizes(), len(slices)
    is_wrong = images.predicted != images.labels
    errors = np.bincount(index, is_wrong, k)
    typical = np.full((k, TYPICAL), -1, dtype=np.int32)
    predicted = np.full(k, -1, dtype=np.int32)
    keys = [""] * k
    if before is not None:
        there, here = unchanged(before.slices, slices)
        typical[here] = before.figures.typical[there]
        predicted[here] = before.figures.predicted[there]
        for place, at in zip(there.tolist(), here.tolist(), strict=True):
            keys[at] = before.figures.keys[place]
    for at, members in enumerate(slices.parts):
        if keys[at]:
            continue
        nearest = members[np.argsort(-similarity(images, members, moments.sums[at]))][:TYPICAL]
        typical[at, : len(nearest)] = nearest
        counts = np.bincount(images.predicted[members])
        if counts.max() >= 0.95 * len(members):
            predicted[at] = counts.argmax()
        keys[at] = members_key(images, members)
    return Figures(
        accuracy=1.0 - errors / sizes,
        confidence=np.bincount(index, images.confidence.astype(np.float64), k) / sizes,
        coherence=moments.coherence(),
        errors=errors.astype(np.int64),
        predicted=predicted,
        typical=typical,
        keys=tuple(keys),
    )


def similarity(images: SlicedImages, members: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Give the cosine of some images' vectors with a slice's mean."""
    vectors = np.asarray(images.vectors[members], dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1) * max(float(np.linalg.norm(middle)), 1e-30)
    found: np.ndarray = (vectors @ middle.astype(np.float32)) / np.maximum(lengths, 1e-30)
    return found


def members_key(images: SlicedImages, members: np.ndarray) -> str:
    """Name some images of a map, by their rows and what was found of them."""
    hasher = hashlib.sha256(str(images.facts["vectors"]).encode())
    hasher.update(images.rows[members].astype("<i8").tobytes())
    return hasher.hexdigest()[:24]


# ---- the file -----------------------------------------------------------------------------------------


def _write(
    path: Path,
    figures: Figures,
    moments: SliceMoments,
    outlines: Outlines,
    marking: MarkingMap,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"figures_{name}": getattr(figures, name) for name in _FIGURES}
    arrays |= {f"marking_{name}": getattr(marking, name) for name in _MARKING}
    arrays |= {"sums": moments.sums, "directions": moments.directions}
    words = json.dumps({"outlines": outlines.as_json(), "keys": figures.keys})
    arrays["words"] = np.frombuffer(words.encode(), dtype=np.uint8)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path, slices: SliceSet) -> tuple[Figures, SliceMoments, Outlines, MarkingMap]:
    with np.load(path, allow_pickle=False) as file:
        arrays: Mapping[str, Any] = {name: file[name] for name in file.files}
    words = json.loads(arrays["words"].tobytes())
    figures = Figures(
        keys=tuple(words["keys"]), **{name: arrays[f"figures_{name}"] for name in _FIGURES}
    )
    moments = SliceMoments(
        numbers=slices.numbers,
        sums=arrays["sums"],
        directions=arrays["directions"],
        sizes=slices.sizes(),
    )
    kept = {name: arrays[f"marking_{name}"] for name in _MARKING}
    marking = MarkingMap(**{**kept, "scale": float(kept["scale"])}, config=PropagationConfig())
    return figures, moments, Outlines.from_json(words["outlines"]), marking


_FIGURES = ("accuracy", "confidence", "coherence", "errors", "predicted", "typical")
_MARKING = (
    "centres", "owner", "classes", "weights", "covariance", "sizes", "origin", "scale",
)  # fmt: skip


def forget() -> None:
    """Forget versions; tests need it."""
    _versions.clear()
