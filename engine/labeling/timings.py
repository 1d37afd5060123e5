"""How long answers took: means over what, fences of the usual, and what one's own times tell.

Times are skewed to the right, so whatever is judged is judged by the logarithm: fences are
Tukey's on log seconds, drift is a slope of log seconds, and the link between time and difficulty
is one of ranks. numpy and scipy.special only, so a web page may use it.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit

from engine.errors import InvalidInput
from engine.labeling.intervals import Interval
from engine.labeling.ratings import Ratings

_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mean with the standard deviation over what it is taken of.

    Attributes:
        mean: None where there is nothing.
        deviation: Standard deviation (n - 1); None below two.
        n: How many things.
    """

    mean: float | None
    deviation: float | None
    n: int


def spread(values: Float[np.ndarray, " v"]) -> Spread:
    """Give mean and standard deviation of the known values; NaN is not known."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Spread(mean=None, deviation=None, n=0)
    deviation = float(known.std(ddof=1)) if len(known) > 1 else None
    return Spread(mean=float(known.mean()), deviation=deviation, n=len(known))


def group_means(
    values: Float[np.ndarray, " r"], groups: Int[np.ndarray, " r"], n_groups: int
) -> Float[np.ndarray, " g"]:
    """Average the known values of each group; NaN for a group without any.

    Args:
        values: NaN where not known.
        groups: The group of each value, in [0, n_groups).
        n_groups: How many groups there are.
    """
    known = ~np.isnan(values)
    n = np.bincount(groups[known], minlength=n_groups)
    total = np.bincount(groups[known], values[known], n_groups)
    means: np.ndarray = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return means


def group_medians(
    values: Float[np.ndarray, " r"], groups: Int[np.ndarray, " r"], n_groups: int
) -> Float[np.ndarray, " g"]:
    """Give the median of the known values of each group; NaN for a group without any."""
    known = ~np.isnan(values)
    kept, of = values[known], groups[known]
    order = np.lexsort((kept, of))
    ordered = kept[order]
    n = np.bincount(of, minlength=n_groups)
    first = np.cumsum(n) - n
    medians = np.full(n_groups, np.nan)
    some = n > 0
    low = ordered[first[some] + (n[some] - 1) // 2]
    high = ordered[first[some] + n[some] // 2]
    medians[some] = (low + high) / 2
    return medians


def log_fences(seconds: Float[np.ndarray, " r"], width: float = 3.0) -> Interval | None:
    """Give Tukey's fences on log seconds: quartiles -+ width times their distance.

    Args:
        seconds: Positive where known; NaN and 0 are left out.
        width: How many times the distance of the quartiles, above 0; 3 is Tukey's "far out".

    Returns:
        The fences in seconds; None below four known times.

    Raises:
        InvalidInput: The width is not above 0.
    """
    if not width > 0:
        raise InvalidInput(f"the width of fences must be above 0, got {width}")
    known = seconds[np.isfinite(seconds) & (seconds > 0)]
    if len(known) < 4:
        return None
    low, high = np.quantile(np.log(known), [0.25, 0.75])
    reach = width * (high - low)
    return float(np.exp(low - reach)), float(np.exp(high + reach))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trends:
    """One figure for each annotator, with its 95 % interval; NaN where it is undefined.

    Attributes:
        value: A slope, or a rank correlation.
        low: Lower end of the interval.
        high: Upper end.
        n: Answers that it rests on.
    """

    value: Float[np.ndarray, " a"]
    low: Float[np.ndarray, " a"]
    high: Float[np.ndarray, " a"]
    n: Int[np.ndarray, " a"]


def drifts(
    positions: Float[np.ndarray, " r"],
    log_seconds: Float[np.ndarray, " r"],
    raters: Int[np.ndarray, " r"],
    n_raters: int,
) -> Trends:
    """Fit each annotator's log time by a line over the place in the sitting (least squares).

    Args:
        positions: Place of each answer in its sitting.
        log_seconds: NaN where not known.
        raters: Who answered, in [0, n_raters).
        n_raters: How many annotators there are.

    Returns:
        Slopes of log time per place with t intervals: -0.01 is one hundredth faster with every
        task. Undefined below three known times, or where all stand at one place.
    """
    known = ~np.isnan(log_seconds)
    of, x, y = raters[known], positions[known].astype(np.float64), log_seconds[known]
    n = np.bincount(of, minlength=n_raters)
    many = np.maximum(n, 1)
    x = x - (np.bincount(of, x, n_raters) / many)[of]
    y = y - (np.bincount(of, y, n_raters) / many)[of]
    xx = np.bincount(of, x * x, n_raters)
    defined = (n >= 3) & (xx > 0)
    slope = np.bincount(of, x * y, n_raters) / np.where(defined, xx, 1.0)
    rest = np.bincount(of, np.square(y - slope[of] * x), n_raters)
    freedom = np.maximum(n - 2, 1)
    error = np.sqrt(rest / freedom / np.where(defined, xx, 1.0))
    half = stdtrit(freedom, 0.975) * error
    return Trends(
        value=np.where(defined, slope, np.nan),
        low=np.where(defined, slope - half, np.nan),
        high=np.where(defined, slope + half, np.nan),
        n=n.astype(np.int64),
    )


def difficulty_links(
    log_seconds: Float[np.ndarray, " r"],
    difficulty: Float[np.ndarray, " r"],
    raters: Int[np.ndarray, " r"],
    n_raters: int,
) -> Trends:
    """Correlate each annotator's times with the items' difficulty, by ranks (Spearman).

    Who looks takes longer over what others disagree on; who clicks through does not.

    Args:
        log_seconds: NaN where not known.
        difficulty: Of the answered item; NaN where nobody else answered it.
        raters: Who answered, in [0, n_raters).
        n_raters: How many annotators there are.

    Returns:
        Rank correlations with Fisher intervals, their error after Bonett and Wright (2000).
        Undefined below four answers, or where all times or all difficulties are the same.
    """
    known = ~(np.isnan(log_seconds) | np.isnan(difficulty))
    of = raters[known]
    n = np.bincount(of, minlength=n_raters)
    many = np.maximum(n, 1)
    x = _ranks_within(difficulty[known], of)
    y = _ranks_within(log_seconds[known], of)
    x = x - (np.bincount(of, x, n_raters) / many)[of]
    y = y - (np.bincount(of, y, n_raters) / many)[of]
    scale = np.sqrt(np.bincount(of, x * x, n_raters) * np.bincount(of, y * y, n_raters))
    defined = (n >= 4) & (scale > 1e-9)
    rho = np.bincount(of, x * y, n_raters) / np.where(defined, scale, 1.0)
    rho = np.clip(rho, -1.0, 1.0)
    inner = np.clip(rho, -1.0 + 1e-12, 1.0 - 1e-12)
    half = _Z95 * np.sqrt((1.0 + np.square(inner) / 2.0) / np.maximum(n - 3, 1))
    return Trends(
        value=np.where(defined, rho, np.nan),
        low=np.where(defined, np.tanh(np.arctanh(inner) - half), np.nan),
        high=np.where(defined, np.tanh(np.arctanh(inner) + half), np.nan),
        n=n.astype(np.int64),
    )


def _ranks_within(
    values: Float[np.ndarray, " r"], groups: Int[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    """Rank values inside their group; equal values share the mean of their ranks."""
    order = np.lexsort((values, groups))
    sorted_values, sorted_groups = values[order], groups[order]
    starts = np.ones(len(values), dtype=bool)
    starts[1:] = (sorted_values[1:] != sorted_values[:-1]) | (
        sorted_groups[1:] != sorted_groups[:-1]
    )
    tie = np.cumsum(starts) - 1
    place = np.arange(len(values), dtype=np.float64)
    shared = np.bincount(tie, place) / np.bincount(tie) if len(values) else place
    ranks = np.empty(len(values))
    ranks[order] = shared[tie]
    return ranks


def others_entropy(ratings: Ratings) -> Float[np.ndarray, " r"]:
    """Give for each answer how much the others disagree on the same item.

    Returns:
        The entropy in bits of the others' answers; NaN where nobody else answered.
    """
    others = ratings.counts()[ratings.items]
    others[np.arange(len(ratings)), ratings.categories] -= 1.0
    entropy = entropy_of(others)
    entropy[others.sum(axis=1) < 0.5] = math.nan
    return entropy


def entropy_of(weights: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """Give the entropy in bits of each row's shares; 0 for a row of zeros."""
    total = weights.sum(axis=1, keepdims=True)
    shares = weights / np.where(total > 0, total, 1.0)
    logs = np.log2(np.where(shares > 0, shares, 1.0))
    entropy: np.ndarray = -(shares * logs).sum(axis=1) + 0.0
    return entropy
