"""Slices against the confusion matrix: which true class was taken for which, and where. numpy alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.slice_set import SliceSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a confusion matrix.

    Attributes:
        truth: The true class.
        predicted: The class it was taken for.
        count: Images.
    """

    truth: int
    predicted: int
    count: int

    @property
    def is_error(self) -> bool:
        """Tell whether the cell holds errors."""
        return self.truth != self.predicted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConfusionView:
    """A confusion matrix, slice by slice.

    Attributes:
        matrix: Images by true and predicted class.
        by_slice: The same inside each slice, in the order of the set's slices.
        shown: The cells that get a panel of their own, as drawn: for two classes all four, for
            more the most frequent confusions first.
        others: Errors outside the shown cells.
    """

    matrix: Int[np.ndarray, "c c"]
    by_slice: Int[np.ndarray, "k c c"]
    shown: tuple[Cell, ...]
    others: int


def confusion_view(
    slices: SliceSet,
    truths: Int[np.ndarray, " m"],
    predicted: Int[np.ndarray, " m"],
    n_classes: int,
    *,
    panels: int = 9,
) -> ConfusionView:
    """Split slices by true and predicted class.

    Args:
        slices: The set.
        truths: True classes of its images, from 0.
        predicted: Predicted classes.
        n_classes: How many classes there are, at least 2.
        panels: Most cells to show, at least 1.

    Returns:
        The view. Confusions that never happened have no panel.

    Raises:
        MisalignedRows: The arrays are not of the set's images.
        InvalidInput: A class is out of range, or there is no panel.
    """
    if not len(truths) == len(predicted) == len(slices.rows):
        raise MisalignedRows(
            f"{len(truths)} truths and {len(predicted)} predictions for {len(slices.rows)} images"
        )
    both = np.concatenate([truths, predicted])
    if n_classes < 2 or panels < 1 or ((both < 0) | (both >= n_classes)).any():
        raise InvalidInput(
            f"a confusion matrix needs classes in [0, {n_classes}) and at least one panel, got "
            f"{both.min(initial=0)} to {both.max(initial=0)} and {panels} panels"
        )
    key = (slices.index() * n_classes + truths) * n_classes + predicted
    counted = np.bincount(key, minlength=len(slices) * n_classes**2)
    by_slice = counted.reshape(len(slices), n_classes, n_classes)
    matrix = by_slice.sum(axis=0)
    shown = _all_four(matrix) if n_classes == 2 else top_confusions(matrix, panels)
    errors = int(matrix.sum() - np.trace(matrix))
    return ConfusionView(
        matrix=matrix,
        by_slice=by_slice,
        shown=shown,
        others=errors - sum(cell.count for cell in shown if cell.is_error),
    )


def _all_four(matrix: Int[np.ndarray, "c c"]) -> tuple[Cell, ...]:
    return tuple(
        Cell(truth=truth, predicted=predicted, count=int(matrix[truth, predicted]))
        for truth in (0, 1)
        for predicted in (0, 1)
    )


def top_confusions(matrix: Int[np.ndarray, "c c"], wanted: int) -> tuple[Cell, ...]:
    """Give the most frequent errors.

    Args:
        matrix: Images by true and predicted class.
        wanted: How many.

    Returns:
        Cells off the diagonal with at least one image, most first; equals by class.
    """
    cells = [
        Cell(truth=truth, predicted=predicted, count=int(matrix[truth, predicted]))
        for truth, predicted in np.argwhere(matrix).tolist()
        if truth != predicted
    ]
    return tuple(sorted(cells, key=lambda cell: (-cell.count, cell.truth, cell.predicted))[:wanted])


def cell_members(
    slices: SliceSet,
    number: int,
    truths: Int[np.ndarray, " m"],
    predicted: Int[np.ndarray, " m"],
    cell: Cell,
) -> Int[np.ndarray, " s"]:
    """Give the images of a slice inside one cell, as positions in the set's rows.

    Raises:
        InvalidInput: There is no such slice.
    """
    members = slices.members(number)
    inside = (truths[members] == cell.truth) & (predicted[members] == cell.predicted)
    chosen: np.ndarray = members[inside]
    return chosen
