"""How far annotators agree, with chance taken off, and a reason where a figure does not exist.

Every statistic takes counts (items x categories, from `Ratings.counts`) and gives a `Statistic`:
its value is None where it is undefined, and its reason then says why, in a sentence that may be
shown. No NaN comes out, and no 1.0 for what cannot be told. numpy only, so a web page may use it.

Read at least two of them together: where 95 % of all answers are yes, raters who agree on 90 % of
pairs have a kappa below 0 and an AC1 near .9, and the share of the most frequent answer is high
under coin flips too where few answered.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int

from engine.errors import InvalidInput
from engine.labeling.intervals import Interval, wilson_interval
from engine.labeling.ratings import Ratings

NO_PAIR = "no item has two answers"
ONE_CATEGORY = "all answers are the same, so there is no disagreement to expect by chance"
ONE_ON_OFFER = "only one category is on offer, so every answer is the same by construction"
FEW_RATERS = "an interval over annotators needs at least three of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A figure, or why there is none.

    Attributes:
        value: The figure; None where it is undefined.
        reason: Why it is undefined; empty where it is not.
        n_items: Items that it rests on: those with two answers or more.
        n_answers: Answers to these items.
    """

    value: float | None
    reason: str = ""
    n_items: int = 0
    n_answers: int = 0


Measure = Callable[[Float[np.ndarray, "n k"]], Statistic]


def _paired(counts: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "p k"]:
    """Keep the items that have two answers or more, refusing impossible counts."""
    if counts.ndim != 2 or (counts < 0).any() or not np.isfinite(counts).all():
        raise InvalidInput(
            "agreement takes counts of answers, items x categories, finite and not negative"
        )
    kept: np.ndarray = counts[counts.sum(axis=1) >= 2]
    return kept


def _statistic(paired: Float[np.ndarray, "p k"], value: float | None, reason: str) -> Statistic:
    return Statistic(
        value=value, reason=reason, n_items=len(paired), n_answers=round(float(paired.sum()))
    )


def _agreeing_pairs(paired: Float[np.ndarray, "p k"]) -> Float[np.ndarray, " p"]:
    """Give each item's share of rater pairs that said the same."""
    n = paired.sum(axis=1)
    shares: np.ndarray = (paired * (paired - 1)).sum(axis=1) / (n * (n - 1))
    return shares


def percent_agreement(counts: Float[np.ndarray, "n k"]) -> Statistic:
    """Give the share of pairs of answers to one item that are the same, averaged over items.

    Args:
        counts: Answers of each item by category.

    Returns:
        A share in [0, 1], undefined where no item has two answers. Chance is not taken off.
    """
    paired = _paired(counts)
    if len(paired) == 0:
        return _statistic(paired, None, NO_PAIR)
    return _statistic(paired, float(_agreeing_pairs(paired).mean()), "")


def krippendorff_alpha(counts: Float[np.ndarray, "n k"]) -> Statistic:
    """Give Krippendorff's alpha for nominal categories; items may have any number of answers.

    Args:
        counts: Answers of each item by category.

    Returns:
        1 for perfect agreement, 0 for chance, below 0 for less. Undefined where no item has two
        answers, and where all answers are the same.

    References:
        K. Krippendorff, "Computing Krippendorff's alpha-reliability", 2011, section D.
    """
    paired = _paired(counts)
    if len(paired) == 0:
        return _statistic(paired, None, NO_PAIR)
    n = paired.sum(axis=1)
    total, by_category = float(n.sum()), paired.sum(axis=0)
    expected = total**2 - float(np.square(by_category).sum())
    if expected <= 0:
        return _statistic(paired, None, ONE_CATEGORY)
    differing = (np.square(n) - np.square(paired).sum(axis=1)) / (n - 1)
    return _statistic(paired, 1.0 - (total - 1.0) * float(differing.sum()) / expected, "")


def fleiss_kappa(counts: Float[np.ndarray, "n k"]) -> Statistic:
    """Give Fleiss' kappa, with Gwet's extension to items of unequally many answers.

    Args:
        counts: Answers of each item by category.

    Returns:
        1 for perfect agreement, 0 for chance. Undefined where no item has two answers, and where
        all answers are the same. Low where one category is rare, however well raters agree.

    References:
        J. L. Fleiss, "Measuring nominal scale agreement among many raters", 1971;
        K. L. Gwet, "Handbook of inter-rater reliability", 4th ed. 2014, section 2.4.
    """
    paired = _paired(counts)
    if len(paired) == 0:
        return _statistic(paired, None, NO_PAIR)
    by_chance = float(np.square(_prevalence(paired)).sum())
    if by_chance >= 1.0 - 1e-12:
        return _statistic(paired, None, ONE_CATEGORY)
    return _statistic(paired, _corrected(paired, by_chance), "")


def gwet_ac1(counts: Float[np.ndarray, "n k"]) -> Statistic:
    """Give Gwet's AC1, which does not fall where one category is rare.

    Args:
        counts: Answers of each item by category; every category on offer has a column.

    Returns:
        1 for perfect agreement, 0 for chance. Undefined where no item has two answers, and where
        one category only is on offer; defined where all answers are the same.

    References:
        K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high
        agreement", British Journal of Mathematical and Statistical Psychology 61, 2008.
    """
    paired = _paired(counts)
    if len(paired) == 0:
        return _statistic(paired, None, NO_PAIR)
    k = counts.shape[1]
    if k < 2:
        return _statistic(paired, None, ONE_ON_OFFER)
    prevalence = _prevalence(paired)
    by_chance = float((prevalence * (1.0 - prevalence)).sum() / (k - 1))
    return _statistic(paired, _corrected(paired, by_chance), "")


def _prevalence(paired: Float[np.ndarray, "p k"]) -> Float[np.ndarray, " k"]:
    """Give each category's share of an item's answers, averaged over items."""
    shares: np.ndarray = (paired / paired.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _corrected(paired: Float[np.ndarray, "p k"], by_chance: float) -> float:
    return (float(_agreeing_pairs(paired).mean()) - by_chance) / (1.0 - by_chance)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalShare:
    """How large the share of an item's most frequent answer is (SLIM, table 6: "consistency").

    Attributes:
        mean: Mean share over the items with two answers or more; None where there are none.
        deviation: Standard deviation over these items (n - 1); None below two items.
        chance: What the mean would be under coin flips with as many answers an item.
        above_chance: (mean - chance) / (1 - chance): 0 for coin flips, 1 for agreement.
        answers_per_item: Mean number of answers of these items.
        n_items: These items.
        reason: Why there is no mean; empty where there is one.
    """

    mean: float | None
    deviation: float | None
    chance: float | None
    above_chance: float | None
    answers_per_item: float
    n_items: int
    reason: str = ""


def modal_share(counts: Float[np.ndarray, "n k"]) -> ModalShare:
    """Average the share of the most frequent answer, beside what coin flips would give.

    Items with one answer are left out: their share is 1 whatever was said.

    Args:
        counts: Answers of each item by category; every category on offer has a column.

    Returns:
        The share, its spread, its chance level, and how far it lies above that.
    """
    paired = _paired(counts)
    if len(paired) == 0 or counts.shape[1] < 2:
        reason = NO_PAIR if len(paired) == 0 else ONE_ON_OFFER
        return ModalShare(
            mean=None,
            deviation=None,
            chance=None,
            above_chance=None,
            answers_per_item=float(paired.sum() / len(paired)) if len(paired) else 0.0,
            n_items=len(paired),
            reason=reason,
        )
    n = paired.sum(axis=1)
    shares = paired.max(axis=1) / n
    sizes, how_many = np.unique(np.round(n).astype(np.int64), return_counts=True)
    levels = [chance_modal_share(size, counts.shape[1]) for size in sizes.tolist()]
    mean, chance = float(shares.mean()), float(np.average(levels, weights=how_many))
    return ModalShare(
        mean=mean,
        deviation=float(shares.std(ddof=1)) if len(shares) > 1 else None,
        chance=chance,
        above_chance=(mean - chance) / (1.0 - chance),
        answers_per_item=float(n.mean()),
        n_items=len(paired),
    )


def chance_modal_share(n_answers: int, n_categories: int) -> float:
    """Give the share of the most frequent answer that coin flips give on average, exactly.

    E[max] = sum over m >= 1 of P(max >= m); P(max < m) is that of independent Poisson counts all
    below m, given their sum (a multinomial is Poisson counts with their sum held).

    Args:
        n_answers: Answers to one item, at least 1.
        n_categories: Equally likely categories, at least 1.

    Returns:
        .75 for 3 answers and 2 categories, .69 for 5, .62 for 10, .55 for 60.

    Raises:
        InvalidInput: A number is below 1.
    """
    n, k = n_answers, n_categories
    if n < 1 or k < 1:
        raise InvalidInput(f"chance needs at least 1 answer and 1 category, got {n} and {k}")
    counted = np.arange(n + 1)
    logs = counted * math.log(n / k) - n / k - np.array([math.lgamma(j + 1) for j in range(n + 1)])
    poisson = np.exp(logs)
    sum_is_n = math.exp(n * math.log(n) - n - math.lgamma(n + 1))
    expected = 0.0
    for least in range(1, n + 1):
        below = np.where(counted < least, poisson, 0.0)
        total = np.zeros(n + 1)
        total[0] = 1.0
        for _ in range(k):
            total = np.convolve(total, below)[: n + 1]
        expected += 1.0 - float(total[n]) / sum_is_n
    return expected / n


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorAccuracy:
    """How often one annotator was right on items whose answer is known.

    Attributes:
        annotator: The rater's name.
        n: Items with a known answer that the annotator answered.
        correct: How many of them rightly.
        accuracy: Their share; None where n is 0.
        interval: Wilson's 95 % interval; None where n is 0.
        expected: (correct + 1) / (n + 2): the mean of a Beta(1, 1) prior's posterior.
        reason: Why there is no share; empty where there is one.
    """

    annotator: Hashable
    n: int
    correct: int
    accuracy: float | None
    interval: Interval | None
    expected: float
    reason: str = ""


def control_accuracies(
    ratings: Ratings, truth: Mapping[Hashable, Hashable], *, level: float = 0.95
) -> tuple[AnnotatorAccuracy, ...]:
    """Count how often each annotator was right on the controls (gold, practice, checks).

    Never rank annotators whose intervals overlap.

    Args:
        ratings: The answers, of controls and of other items.
        truth: The right category of each control, by the item's name.
        level: Of the intervals, in (0, 1).

    Returns:
        One entry for each rater of `ratings`, in the order of its names.

    Raises:
        InvalidInput: A control's right answer is not a category.
    """
    number = {name: at for at, name in enumerate(ratings.category_names)}
    unknown = [answer for answer in truth.values() if answer not in number]
    if unknown:
        raise InvalidInput(
            f"a control's right answer is {unknown[0]!r}, which is not on offer; "
            f"categories are {list(ratings.category_names)}"
        )
    right = np.array([number[truth[i]] if i in truth else -1 for i in ratings.item_names], int)
    known = right[ratings.items] >= 0 if len(ratings) else np.zeros(0, dtype=bool)
    hit = known & (right[ratings.items] == ratings.categories) if len(ratings) else known
    n_raters = len(ratings.rater_names)
    asked = np.bincount(ratings.raters[known], minlength=n_raters).tolist()
    hits = np.bincount(ratings.raters[hit], minlength=n_raters).tolist()
    return tuple(
        _accuracy(name, n, correct, level)
        for name, n, correct in zip(ratings.rater_names, asked, hits, strict=True)
    )


def _accuracy(annotator: Hashable, n: int, correct: int, level: float) -> AnnotatorAccuracy:
    return AnnotatorAccuracy(
        annotator=annotator,
        n=n,
        correct=correct,
        accuracy=correct / n if n else None,
        interval=wilson_interval(correct, n, level) if n else None,
        expected=(correct + 1) / (n + 2),
        reason="" if n else "answered no item whose answer is known",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Informedness:
    """How much better than guessing one annotator tells yes from no, judged by the others.

    Attributes:
        annotator: The rater's name.
        value: Sensitivity + specificity - 1: 1 for always as the others, 0 for guessing, however
            lopsided the items; None where undefined.
        error: Its standard error; None where undefined.
        n: Items that the annotator and somebody else answered.
        reason: Why there is no value; empty where there is one.
    """

    annotator: Hashable
    value: float | None
    error: float | None
    n: int
    reason: str = ""


def informedness(ratings: Ratings) -> tuple[Informedness, ...]:
    """Hold each annotator's yes and no against what the others said of the same items.

    An item weighs as yes by the others' share of yes, so that contested items decide little.
    Unlike a count of long runs it does not punish who says yes to items that are nearly all yes.

    Args:
        ratings: Of two categories: 0 no, 1 yes.

    Returns:
        One entry for each rater, in the order of the names.

    Raises:
        InvalidInput: There are not two categories.
    """
    if len(ratings.category_names) != 2:
        raise InvalidInput(
            f"informedness is of two categories, got {len(ratings.category_names)}; "
            "leave the others out"
        )
    if len(ratings) == 0:
        return ()
    counts = ratings.counts()
    order = np.argsort(ratings.raters, kind="stable")
    ends = np.cumsum(np.bincount(ratings.raters, minlength=len(ratings.rater_names)))
    found = []
    for name, mine in zip(ratings.rater_names, np.split(order, ends[:-1]), strict=True):
        said = ratings.categories[mine]
        others = counts[ratings.items[mine]]
        others[np.arange(len(said)), said] -= 1.0
        found.append(_informedness(name, said, others))
    return tuple(found)


def _informedness(
    name: Hashable, said: Int[np.ndarray, " r"], others: Float[np.ndarray, "r 2"]
) -> Informedness:
    """Work out one annotator's informedness from the others' counts on the same items."""
    n = others.sum(axis=1)
    seen = n > 0
    yes = others[seen, 1] / n[seen]
    for weight, word in ((yes.sum(), "yes"), ((1.0 - yes).sum(), "no")):
        if weight <= 0:
            reason = (
                f"the others said {word} to none of the items that this annotator answered"
                if seen.any()
                else "nobody else answered the items that this annotator answered"
            )
            return Informedness(
                annotator=name, value=None, error=None, n=int(seen.sum()), reason=reason
            )
    agreed = said[seen] == 1
    sensitivity = float(yes[agreed].sum() / yes.sum())
    specificity = float((1.0 - yes)[~agreed].sum() / (1.0 - yes).sum())
    variance = 0.0
    for share, weights in ((sensitivity, yes), (specificity, 1.0 - yes)):
        effective = float(weights.sum() ** 2 / np.square(weights).sum())
        shrunk = (share * effective + 1.0) / (effective + 2.0)  # never a standard error of 0
        variance += shrunk * (1.0 - shrunk) / effective
    return Informedness(
        annotator=name,
        value=sensitivity + specificity - 1.0,
        error=math.sqrt(variance),
        n=int(seen.sum()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdInterval:
    """How far a statistic would move with another crowd, or why that cannot be told."""

    interval: Interval | None
    error: float | None = None
    reason: str = ""


def interval_over_raters(
    ratings: Ratings, measure: Measure, *, level: float = 0.95
) -> CrowdInterval:
    """Leave out one annotator at a time, and give the interval that follows (jackknife).

    Annotators are not drawn with replacement: one who is drawn twice agrees with himself, which
    at five answers an item makes a fifth of all pairs agree and every agreement look better.

    Args:
        ratings: The answers.
        measure: A statistic of counts, e.g. `krippendorff_alpha`; for the modal share
            `lambda counts: Statistic(value=modal_share(counts).mean)`.
        level: Confidence, in (0, 1).

    Returns:
        The statistic -+ z standard errors, at most 1; none below three raters, or where the
        statistic is undefined with all raters or without one of them.
    """
    n_raters = len(ratings.rater_names)
    whole = measure(ratings.counts())
    if whole.value is None:
        return CrowdInterval(interval=None, reason=whole.reason)
    if n_raters < 3:
        return CrowdInterval(interval=None, reason=FEW_RATERS)
    values = []
    for rater in range(n_raters):
        weights = np.ones(n_raters)
        weights[rater] = 0.0
        without = measure(ratings.counts(weights))
        if without.value is None:
            return CrowdInterval(
                interval=None,
                reason=f"without {ratings.rater_names[rater]!r}: {without.reason}",
            )
        values.append(without.value)
    error = math.sqrt((n_raters - 1) * float(np.var(values)))
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return CrowdInterval(interval=(whole.value - half, min(1.0, whole.value + half)), error=error)
