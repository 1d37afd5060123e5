"""Intervals of all figures of agreement over annotators, in one pass over the answers.

`agreement.interval_over_raters` recounts every item for every annotator it leaves out. Every
figure of agreement is made of sums over items, and leaving one annotator out changes only what
he answered: so one pass over the answers gives each figure without each annotator, exactly. Two
hundred thousand answers of five thousand annotators take a fraction of a second. numpy only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from engine.labeling.agreement import (
    FEW_RATERS,
    CrowdInterval,
    Measure,
    Statistic,
    gwet_ac1,
    krippendorff_alpha,
    modal_share,
    percent_agreement,
)
from engine.labeling.ratings import Ratings


def mean_modal_share(counts: Float[np.ndarray, "n k"]) -> Statistic:
    """Give the mean share of the most frequent answer as a statistic of counts."""
    found = modal_share(counts)
    return Statistic(value=found.mean, reason=found.reason, n_items=found.n_items)


MEASURES: Mapping[str, Measure] = {
    "percent": percent_agreement,
    "alpha": krippendorff_alpha,
    "ac1": gwet_ac1,
    "modal_share": mean_modal_share,
}
"""What intervals are given of; any of these may be asked of counts alone as well."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """Sums over the items with two answers or more; one row for each annotator left out.

    Attributes:
        items: How many such items there are.
        answers: Their answers.
        differing: Pairs that differ, weighed as Krippendorff does.
        agreeing: Shares of pairs that agree.
        modal: Shares of the most frequent answer.
        by_category: Answers of each category.
        prevalence: Shares of each category.
    """

    items: Float[np.ndarray, " a"]
    answers: Float[np.ndarray, " a"]
    differing: Float[np.ndarray, " a"]
    agreeing: Float[np.ndarray, " a"]
    modal: Float[np.ndarray, " a"]
    by_category: Float[np.ndarray, "a k"]
    prevalence: Float[np.ndarray, "a k"]


def intervals_over_raters(ratings: Ratings, *, level: float = 0.95) -> dict[str, CrowdInterval]:
    """Leave out one annotator at a time, and give every figure's interval that follows (jackknife).

    Args:
        ratings: The answers.
        level: Confidence, in (0, 1).

    Returns:
        For each of `MEASURES` what `agreement.interval_over_raters` gives, up to rounding.
    """
    wholes = {name: measure(ratings.counts()) for name, measure in MEASURES.items()}
    n_raters = len(ratings.rater_names)
    if n_raters < 3 or all(whole.value is None for whole in wholes.values()):
        return {
            name: CrowdInterval(
                interval=None, reason=FEW_RATERS if whole.value is not None else whole.reason
            )
            for name, whole in wholes.items()
        }
    values = _values_without_each(ratings)
    z = NormalDist().inv_cdf((1 + level) / 2)
    return {
        name: _interval(ratings, MEASURES[name], whole, values[name], z)
        for name, whole in wholes.items()
    }


def _interval(
    ratings: Ratings,
    measure: Measure,
    whole: Statistic,
    without: Float[np.ndarray, " a"],
    z: float,
) -> CrowdInterval:
    if whole.value is None:
        return CrowdInterval(interval=None, reason=whole.reason)
    undefined = np.flatnonzero(np.isnan(without))
    if len(undefined):
        rater = int(undefined[0])
        weights = np.ones(len(without))
        weights[rater] = 0.0
        reason = measure(ratings.counts(weights)).reason
        return CrowdInterval(
            interval=None, reason=f"without {ratings.rater_names[rater]!r}: {reason}"
        )
    error = math.sqrt((len(without) - 1) * float(np.var(without)))
    half = z * error
    return CrowdInterval(interval=(whole.value - half, min(1.0, whole.value + half)), error=error)


def _values_without_each(ratings: Ratings) -> dict[str, Float[np.ndarray, " a"]]:
    """Give every figure without each annotator, NaN where it is undefined then."""
    sums = _sums_without_each(ratings)
    k = len(ratings.category_names)
    with np.errstate(divide="ignore", invalid="ignore"):
        agreeing = sums.agreeing / sums.items
        expected = np.square(sums.answers) - np.square(sums.by_category).sum(axis=1)
        alpha = 1.0 - (sums.answers - 1.0) * sums.differing / expected
        prevalence = sums.prevalence / sums.items[:, None]
        chance = (prevalence * (1.0 - prevalence)).sum(axis=1) / max(k - 1, 1)
        found = {
            "percent": agreeing,
            "alpha": np.where(expected > 0.5, alpha, np.nan),
            "ac1": (agreeing - chance) / (1.0 - chance),
            "modal_share": sums.modal / sums.items,
        }
    return {name: np.where(sums.items > 0.5, values, np.nan) for name, values in found.items()}


def _sums_without_each(ratings: Ratings) -> _Sums:
    counts = ratings.counts()
    n_raters, k = len(ratings.rater_names), counts.shape[1]
    terms = _terms(counts)
    left = counts[ratings.items]
    left[np.arange(len(ratings)), ratings.categories] -= 1.0
    changes = _terms(left) - terms[ratings.items]
    whole = terms.sum(axis=0)
    without = np.stack(
        [
            whole[column] + np.bincount(ratings.raters, changes[:, column], n_raters)
            for column in range(terms.shape[1])
        ],
        axis=1,
    )
    return _Sums(
        items=np.round(without[:, 0]),
        answers=np.round(without[:, 1]),
        differing=without[:, 2],
        agreeing=without[:, 3],
        modal=without[:, 4],
        by_category=np.round(without[:, 5 : 5 + k]),
        prevalence=without[:, 5 + k :],
    )


def _terms(counts: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n t"]:
    """Give what each item adds to each sum; nothing where it has fewer than two answers."""
    n = counts.sum(axis=1)
    many, few = np.maximum(n, 2.0), n < 1.5
    squares = np.square(counts).sum(axis=1)
    shares = counts / many[:, None]
    terms = np.column_stack(
        [
            np.ones(len(n)),
            n,
            (np.square(n) - squares) / (many - 1.0),
            (squares - n) / (many * (many - 1.0)),
            shares.max(axis=1),
            counts,
            shares,
        ]
    )
    terms[few] = 0.0
    return terms
