"""Two ways of asking about the same images, compared: time and consistency (SLIM, table 6).

What is resampled is named beside each figure: times over annotators (they are what another study
would change), the difference of consistency over images. numpy and scipy only.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.special import stdtrit

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.intervals import Interval

DRAWS = 2000
_AT_ONCE = 100
_NO_SPREAD = 1e-12
"""A standard error of log times below this is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A figure with its interval, or why there is none.

    Attributes:
        value: None where it is undefined.
        interval: None where it is undefined.
        method: How the interval was made, in words.
        n: Things that it rests on.
        reason: Why there is no figure or no interval; empty where there are both.
    """

    value: float | None
    interval: Interval | None
    method: str
    n: int = 0
    reason: str = ""


def mean_time(
    seconds: Float[np.ndarray, " r"],
    items: Int[np.ndarray, " r"],
    raters: Int[np.ndarray, " r"],
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Compared:
    """Average the items' mean times; the interval draws annotators with replacement (bootstrap).

    Args:
        seconds: Of each answer, known.
        items: What it is of.
        raters: Who gave it.
        rng: Draws the annotators.
        draws: How often, at least 1.
        level: Confidence, in (0, 1).

    Returns:
        The mean over items, with the percentiles of the draws; an item that no drawn annotator
        answered is left out of that draw.
    """
    method = f"bootstrap over annotators, {draws} draws, percentiles"
    if len(seconds) == 0:
        return Compared(value=None, interval=None, method=method, reason="no time is known")
    item_names, item = np.unique(items, return_inverse=True)
    rater_names, rater = np.unique(raters, return_inverse=True)
    shape = (len(item_names), len(rater_names))
    sums = coo_array((seconds, (item, rater)), shape=shape).tocsr()
    counts = coo_array((np.ones(len(seconds)), (item, rater)), shape=shape).tocsr()
    ones = np.ones(shape[1])
    value = float(np.mean((sums @ ones) / (counts @ ones)))
    if shape[1] < 3:
        return Compared(
            value=value,
            interval=None,
            method=method,
            n=shape[0],
            reason="an interval over annotators needs at least three of them",
        )
    found = []
    for start in range(0, draws, _AT_ONCE):
        width = min(_AT_ONCE, draws - start)
        weights = rng.multinomial(shape[1], ones / shape[1], size=width).T.astype(np.float64)
        drawn, of = sums @ weights, counts @ weights
        asked = of > 0
        means = np.where(asked, drawn / np.where(asked, of, 1.0), 0.0)
        found.append(means.sum(axis=0) / asked.sum(axis=0))
    return Compared(
        value=value, interval=_percentiles(np.concatenate(found), level), method=method, n=shape[0]
    )


def time_ratio(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"], *, level: float = 0.95
) -> Compared:
    """Compare two arms' times by the ratio of geometric means over items (Welch on log time).

    Args:
        first: Mean time of each item in the first arm, positive.
        second: The same in the second arm.
        level: Confidence, in (0, 1).

    Returns:
        First over second: .8 says that the first takes a fifth less.

    References:
        B. L. Welch, "The generalization of Student's problem when several different population
        variances are involved", Biometrika 34, 1947.
    """
    method = "Welch on log mean time per image"
    if (first <= 0).any() or (second <= 0).any():
        raise InvalidInput("times to compare must be above 0")
    if len(first) < 2 or len(second) < 2:
        reason = "a difference needs two images in each arm"
        return Compared(value=None, interval=None, method=method, reason=reason)
    a, b = np.log(first), np.log(second)
    parts = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    difference, error = float(a.mean() - b.mean()), math.sqrt(sum(parts))
    n = len(a) + len(b)
    if error < _NO_SPREAD:
        reason = "all images took the same time, so the spread is not known"
        value = math.exp(difference)
        return Compared(value=value, interval=None, method=method, n=n, reason=reason)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    return Compared(
        value=math.exp(difference),
        interval=(math.exp(difference - half), math.exp(difference + half)),
        method=method,
        n=n,
    )


def share_difference(
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " m"],
    rng: np.random.Generator,
    *,
    paired: bool,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Compared:
    """Subtract two arms' mean shares; the interval draws images with replacement (bootstrap).

    Args:
        first: Share of each image in the first arm.
        second: In the second arm; of the same images in the same order where paired.
        rng: Draws the images.
        paired: Whether the arms asked about the same images.
        draws: How often, at least 1.
        level: Confidence, in (0, 1).

    Returns:
        First minus second.
    """
    how = "paired bootstrap over images" if paired else "bootstrap over each arm's images"
    method = f"{how}, {draws} draws, percentiles"
    if paired and len(first) != len(second):
        raise MisalignedRows(f"{len(first)} shares cannot be paired with {len(second)}")
    if len(first) < 2 or len(second) < 2:
        reason = "a difference needs two images in each arm"
        return Compared(value=None, interval=None, method=method, reason=reason)
    value = float(first.mean() - second.mean())
    if paired:
        means = _drawn_means(first - second, rng, draws)
        n = len(first)
    else:
        means = _drawn_means(first, rng, draws) - _drawn_means(second, rng, draws)
        n = len(first) + len(second)
    return Compared(value=value, interval=_percentiles(means, level), method=method, n=n)


def _drawn_means(
    values: Float[np.ndarray, " n"], rng: np.random.Generator, draws: int
) -> Float[np.ndarray, " d"]:
    n = len(values)
    found = [
        values[rng.integers(n, size=(min(_AT_ONCE, draws - start), n))].mean(axis=1)
        for start in range(0, draws, _AT_ONCE)
    ]
    return np.concatenate(found)


def _percentiles(values: Float[np.ndarray, " d"], level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
