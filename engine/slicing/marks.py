"""What people say of slices: marks, kept apart from what is made of them. numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

from engine.attention.presets import check_range
from engine.errors import InvalidInput
from engine.slicing.slice_set import SliceSet


class MarkKind(StrEnum):
    """What somebody says of a slice. Clearing a mark is having none."""

    CORE = "core"
    SPURIOUS = "spurious"
    MIXED = "mixed"
    WRONG_LABELS = "wrong_labels"


_SAYS = {MarkKind.CORE: 1.0, MarkKind.SPURIOUS: 0.0, MarkKind.MIXED: 0.5}
"""The attention score that a mark states; wrong labels say nothing about attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One slice's mark.

    Attributes:
        kind: What it says.
        score: An attention score given by hand in place of the kind's own, in [0, 1]; None: the
            kind's.
    """

    kind: MarkKind
    score: float | None = None

    def __post_init__(self) -> None:
        if self.score is not None:
            check_range("mark.score", self.score, low=0, high=1)

    @property
    def says(self) -> float | None:
        """Give the attention score that the mark states, None where it states none."""
        return _SAYS.get(self.kind) if self.score is None else self.score


Marks = Mapping[int, Mark]
"""Slice number to its mark; slices without one are not named."""


def check_marks(slices: SliceSet, marks: Marks) -> None:
    """Refuse marks on slices that a set does not have.

    Raises:
        InvalidInput: A marked slice is not in the set; `carried` brings marks to a new version.
    """
    strange = sorted(set(marks) - set(slices.numbers))
    if strange:
        raise InvalidInput(
            f"slice {strange[0]} is marked, but version {slices.version} has no such slice; carry "
            "the marks over to this version first"
        )


def carried(before: SliceSet, marks: Marks, after: SliceSet) -> dict[int, Mark]:
    """Bring marks to another version of a set.

    A slice keeps or inherits a mark where all its images were marked alike: both halves of a
    marked slice, and what was merged of equally marked ones. Nobody has looked at other new
    slices as such, so they have none.

    Args:
        before: The version that was marked.
        marks: Its marks.
        after: Another version of the same images.

    Returns:
        Marks of `after`.

    Raises:
        InvalidInput: The marks are not of `before`, or the versions are not of the same images.
    """
    check_marks(before, marks)
    if not np.array_equal(before.rows, after.rows):
        raise InvalidInput("marks can only be carried between versions of the same images")
    out: dict[int, Mark] = {}
    for number in after.numbers:
        old = np.unique(before.assignment[after.members(number)]).tolist()
        found = {marks.get(one) for one in old}
        if len(found) == 1 and (mark := found.pop()) is not None:
            out[number] = mark
    return out


def stated(slices: SliceSet, marks: Marks) -> tuple[Int[np.ndarray, " q"], Float[np.ndarray, " q"]]:
    """Give the slices whose mark states a score, as places in `slices`, and the scores.

    Args:
        slices: The set.
        marks: Its marks.

    Returns:
        Places, rising, and scores in [0, 1].

    Raises:
        InvalidInput: The marks are not of this set.
    """
    check_marks(slices, marks)
    said = [
        (at, mark.says)
        for at, number in enumerate(slices.numbers)
        if (mark := marks.get(number)) is not None and mark.says is not None
    ]
    places = np.array([at for at, _ in said], dtype=np.int64)
    return places, np.array([score for _, score in said], dtype=np.float64)
