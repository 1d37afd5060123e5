"""Intervals that know that pictures of one object stand or fall together.

A set of 1,200 pictures of 27 animals holds far less than 1,200 independent facts, so the objects
are drawn again, not the pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from engine.errors import InvalidInput
from engine.labeling.intervals import Interval

_MANY_OBJECTS = 10_000
"""From here on objects that are alike are drawn together."""
_ENTRIES_AT_ONCE = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectIntervals:
    """Percentile intervals of accuracies over redrawn objects.

    Attributes:
        average: Of the plain average.
        worst_group: Of the lowest group accuracy in each draw; None without any group.
        groups: Of each group; None for a group with no rows.
        n_objects: How many different objects there are.
        level: The share of draws inside each interval, in (0, 1).
    """

    average: Interval
    worst_group: Interval | None
    groups: tuple[Interval | None, ...]
    n_objects: int
    level: float


def number_objects(object_ids: Sequence[str | None]) -> Int64[np.ndarray, " n"]:
    """Number the objects of a manifest's rows, for bootstraps and folds.

    Args:
        object_ids: The object of each row; a row without one is an object of its own.

    Returns:
        Equal numbers for equal objects, in the order of first sight.
    """
    numbers: dict[str | int, int] = {}
    keys = (row if name is None else name for row, name in enumerate(object_ids))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def bootstrap_over_objects(
    correct: Bool[np.ndarray, " m"],
    groups: Int[np.ndarray, " m"],
    objects: Int[np.ndarray, " m"],
    *,
    n_groups: int,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> ObjectIntervals:
    """Draw whole objects with replacement and see how far the accuracies move.

    A draw that leaves a group empty says nothing about that group and is left out of its interval.

    Args:
        correct: Whether each row was classified rightly.
        groups: The group of each row in [0, n_groups), -1 for none.
        objects: The object of each row, any integers.
        n_groups: How many groups there are.
        rng: Where the draws come from.
        draws: How often the objects are drawn again.
        level: The share of draws inside an interval, in (0, 1).

    Returns:
        The intervals.

    Raises:
        InvalidInput: There are no rows, or `level` or `draws` is out of range.
    """
    _check(len(correct), draws, level)
    names, of_row = np.unique(objects, return_inverse=True)
    n_objects = len(names)
    sizes = np.zeros((n_objects, n_groups + 1))
    hits = np.zeros((n_objects, n_groups + 1))
    column = np.where(groups < 0, n_groups, groups)
    np.add.at(sizes, (of_row, column), 1.0)
    np.add.at(hits, (of_row, column), correct.astype(float))
    drawn_sizes, drawn_hits = _drawn(sizes, hits, draws, rng)
    averages = drawn_hits.sum(axis=1) / drawn_sizes.sum(axis=1)
    with np.errstate(invalid="ignore"):
        accuracies = drawn_hits[:, :n_groups] / drawn_sizes[:, :n_groups]
    some = ~np.isnan(accuracies)
    worst = np.where(some, accuracies, np.inf).min(axis=1, initial=np.inf)
    known = np.isfinite(worst)
    return ObjectIntervals(
        average=_percentiles(averages, level),
        worst_group=_percentiles(worst[known], level) if known.any() else None,
        groups=tuple(
            _percentiles(accuracies[some[:, g], g], level) if some[:, g].any() else None
            for g in range(n_groups)
        ),
        n_objects=n_objects,
        level=level,
    )


def _drawn(
    sizes: Float64[np.ndarray, "o g"],
    hits: Float64[np.ndarray, "o g"],
    draws: int,
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "b g"], Float64[np.ndarray, "b g"]]:
    """Draw all objects anew and sum their rows and their right answers in every group.

    Of many objects most are alike (one picture, right, of the same group), and only how many are
    drawn of each kind matters: that is drawn then, which costs the same for any number of objects.
    """
    n_objects, n_columns = sizes.shape
    both = np.concatenate([sizes, hits], axis=1)
    counts = np.ones(n_objects, dtype=np.int64)
    if n_objects > _MANY_OBJECTS:
        both, counts = np.unique(both, axis=0, return_counts=True)
    out = np.empty((draws, 2 * n_columns))
    at_once = max(1, _ENTRIES_AT_ONCE // len(counts))
    for start in range(0, draws, at_once):
        part = out[start : start + at_once]
        part[:] = rng.multinomial(n_objects, counts / n_objects, size=len(part)) @ both
    return out[:, :n_columns], out[:, n_columns:]


def _percentiles(values: Float64[np.ndarray, " b"], level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check(n_rows: int, draws: int, level: float) -> None:
    if n_rows == 0:
        raise InvalidInput("a bootstrap over 0 rows has nothing to draw; evaluate some rows")
    if not 0 < level < 1:
        raise InvalidInput(f"level must lie strictly between 0 and 1, got {level}")
    if draws < 1:
        raise InvalidInput(f"draws must be at least 1, got {draws}")
