"""Scores that people stated of single images, as looks at the function that spreading expects."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from engine.errors import InvalidInput
from engine.slicing.marking_map import MarkingMap, classes_for
from engine.slicing.marks import Marks

MOST_LOOKS = 600
"""Marked images up to which each is a look of its own; the cost grows with their cube."""
_WHOLE_MAP = 64.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageMarks:
    """What people stated of single images, as looks at the function where they lie.

    Attributes:
        members: Indices of the images.
        scores: The attention score stated of each, in [0, 1].
        places: Of the looks, scaled as the marking map is.
        classes: Of the looks; all 0 where classes are together.
        values: The score that each look saw.
        counts: Images that each look stands for: 1, unless there are very many.
    """

    members: Int[np.ndarray, " m"]
    scores: Float[np.ndarray, " m"]
    places: Float[np.ndarray, "p 2"]
    classes: Int[np.ndarray, " p"]
    values: Float[np.ndarray, " p"]
    counts: Int[np.ndarray, " p"]


NO_IMAGE_MARKS = ImageMarks(
    members=np.empty(0, dtype=np.int64),
    scores=np.empty(0),
    places=np.empty((0, 2)),
    classes=np.empty(0, dtype=np.int64),
    values=np.empty(0),
    counts=np.empty(0, dtype=np.int64),
)


def image_marks(
    said: Marks,
    prepared: MarkingMap,
    coordinates: Float[np.ndarray, "m 2"],
    predicted: Int[np.ndarray, " m"],
) -> ImageMarks:
    """Prepare what people stated of single images.

    Args:
        said: Index of an image to its mark; one that states no score is left out.
        prepared: From `marking_map`.
        coordinates: Those that it was prepared with.
        predicted: Those that it was prepared with.

    Returns:
        A look for each image. Of more than `MOST_LOOKS` images those that lie close together, of
        one class and with one score, are seen at once in their middle, with the error of their
        mean.

    Raises:
        InvalidInput: There is no such image.
    """
    told = sorted((index, mark.says) for index, mark in said.items() if mark.says is not None)
    if not told:
        return NO_IMAGE_MARKS
    strange = [index for index, _ in told if not 0 <= index < len(coordinates)]
    if strange:
        raise InvalidInput(f"image {strange[0]} is marked, but the map has {len(coordinates)}")
    members = np.array([index for index, _ in told], dtype=np.int64)
    scores = np.array([score for _, score in told], dtype=np.float64)
    points = (coordinates[members].astype(np.float64) - prepared.origin) / prepared.scale
    classes = classes_for(predicted, prepared.config)[members]
    group = _gathered(points, classes, scores, prepared.config.length)
    counts = np.bincount(group)
    first = np.unique(group, return_index=True)[1]
    middles = [np.bincount(group, points[:, axis]) / counts for axis in (0, 1)]
    return ImageMarks(
        members=members,
        scores=scores,
        places=np.stack(middles, axis=1),
        classes=classes[first],
        values=scores[first],
        counts=counts,
    )


def _gathered(
    points: Float[np.ndarray, "m 2"],
    classes: Int[np.ndarray, " m"],
    scores: Float[np.ndarray, " m"],
    length: float,
) -> Int[np.ndarray, " m"]:
    """Give the look that each image belongs to: its own, or that of a cell where there are many."""
    group, side = np.arange(len(points)), length / 8
    while int(group.max()) >= MOST_LOOKS and side < _WHOLE_MAP:
        cells = np.column_stack([np.floor(points / side), classes, scores])
        group = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
        side *= 2
    return group
