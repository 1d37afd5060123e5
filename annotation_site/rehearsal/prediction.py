"""What a rehearsal foretells: cost, time, agreement with its interval, the elbow, what is unusable.

Works on plain arrays of votes; knows neither HTTP nor the database.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from annotation_site.rehearsal.plans import Terms
from annotation_site.rehearsal.visiting import Told
from engine.labeling.agreement import (
    Statistic,
    informedness,
    interval_over_raters,
    krippendorff_alpha,
    modal_share,
)
from engine.labeling.budget import elbow
from engine.labeling.dawid_skene import fit_dawid_skene
from engine.labeling.intervals import Interval
from engine.labeling.ratings import Ratings

GUESSING = 0.2
"""Who tells yes from no no better than this, at the upper end of the interval, guesses."""
NORMAL_95 = 1.959964
N_POINTS = 12
FEWEST_JUDGED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer to a query, as the database has it.

    Attributes:
        at: In simulated seconds from the opening.
        item: Number of the query, from 0.
        rater: Public id of the sitting.
        answer: What was said.
        quality: Of its time.
        counted: Whether it is the current answer; otherwise it came late or from an older tab.
    """

    at: float
    item: int
    rater: str
    answer: str
    quality: str
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """How things stand after so many answers.

    Attributes:
        answers: Current answers to queries.
        per_item: The same for each item.
        hours: Since the opening.
        cost: Of the sittings completed by then.
        consistency: Mean share of the most frequent answer; None below two answers an item.
        consistency_width: Of its 95 % interval over annotators; None where there is none.
        alpha: Krippendorff's; None where undefined.
        alpha_width: Of its 95 % interval; None where there is none.
        right: Share of all items whose majority is right; a tie is half right, no answer wrong.
    """

    answers: int
    per_item: float
    hours: float
    cost: float
    consistency: float | None
    consistency_width: float | None
    alpha: float | None
    alpha_width: float | None
    right: float


def _consistency(counts: np.ndarray) -> Statistic:
    return Statistic(value=modal_share(counts).mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the round asks, and what is right.

    Attributes:
        truths: The right answer of each item.
        answers: The answers that mean something, in the order of their numbers.
        targets: Answers wanted for each item.
    """

    truths: Sequence[str]
    answers: Sequence[str]
    targets: Sequence[int]


def predict(
    votes: Sequence[Vote], people: Sequence[Told], asked: Asked, terms: Terms
) -> dict[str, Any]:
    """Put everything together that can be known before money is spent.

    Args:
        votes: Every stored answer to a query.
        people: Who came, with what became of them.
        asked: The round's items.
        terms: What people are paid.

    Returns:
        Figures by name, as they go into the report.
    """
    counted = sorted((vote for vote in votes if vote.counted), key=lambda vote: vote.at)
    rates = ratings_of(counted, asked.answers)
    points = curve(counted, people, asked, terms)
    unusable = unusable_answers(votes, rates)
    n_unusable, n_votes = sum(unusable.values()), max(1, len(votes))
    outcomes = Counter(told.outcome for told in people)
    return {
        "people": {"arrived": len(people), **dict(sorted(outcomes.items()))},
        "answers": _answers(counted, asked),
        "finish": _finish(counted, sum(asked.targets), people),
        "cost": _cost(outcomes, len(votes) - n_unusable, people, terms),
        "agreement": dataclasses.asdict(agreement_of(rates)),
        "labels_right": {
            "majority": points[-1].right if points else 0.0,
            "posterior": _posterior_right(rates, asked),
        },
        "unusable": {
            "share": n_unusable / n_votes,
            "by_reason": {name: n / n_votes for name, n in unusable.items()},
        },
        "flagged": _flagged(rates, people),
        "elbow": _bend(points),
        "curve": [dataclasses.asdict(point) for point in points],
    }


def _answers(counted: Sequence[Vote], asked: Asked) -> dict[str, float]:
    per_item = Counter(vote.item for vote in counted)
    wanted = sum(asked.targets)
    return {
        "wanted": wanted,
        "counted": len(counted),
        "share": len(counted) / wanted,
        "items_complete": sum(per_item[item] >= n for item, n in enumerate(asked.targets)),
        "items": len(asked.targets),
    }


def _cost(
    outcomes: Counter[str], n_usable: int, people: Sequence[Told], terms: Terms
) -> dict[str, float | None]:
    total = terms.cost(outcomes["completed"], outcomes["screened_out"])
    return {
        "total": total,
        "reward": terms.reward,
        "fee": terms.fee,
        "per_usable_answer": total / n_usable if n_usable else None,
        **_hourly_pay(people, terms),
    }


def ratings_of(votes: Sequence[Vote], answers: Sequence[str]) -> Ratings:
    """Number the votes that mean something."""
    return Ratings.of(
        [vote.item for vote in votes],
        [vote.rater for vote in votes],
        [vote.answer for vote in votes],
        list(answers),
    )


def curve(
    counted: Sequence[Vote], people: Sequence[Told], asked: Asked, terms: Terms
) -> list[Point]:
    """Say how things stand at evenly spread numbers of answers; `counted` in order of time."""
    points = []
    sizes = sorted({round(len(counted) * (n + 1) / N_POINTS) for n in range(N_POINTS)} - {0})
    for size in sizes:
        at = counted[size - 1].at
        rates = ratings_of(counted[:size], asked.answers)
        agreement = agreement_of(rates)
        paid = Counter(told.outcome for told in people if told.ended <= at)
        points.append(
            Point(
                answers=size, per_item=size / len(asked.truths), hours=at / 3600,
                cost=terms.cost(paid["completed"], paid["screened_out"]),
                consistency=agreement.consistency,
                consistency_width=_width(agreement.consistency_interval),
                alpha=agreement.alpha,
                alpha_width=_width(agreement.alpha_interval),
                right=majority_right(rates, asked.truths),
            )
        )  # fmt: skip
    return points


def majority_right(rates: Ratings, truths: Sequence[str]) -> float:
    """Give the share of all items whose most frequent answer is the truth; ties by their share."""
    if not len(rates):
        return 0.0
    counts = rates.counts()
    most = counts.max(axis=1, keepdims=True)
    tied = (counts == most) / (counts == most).sum(axis=1, keepdims=True)
    number = {category: at for at, category in enumerate(rates.category_names)}
    right = [number[truths[int(str(item))]] for item in rates.item_names]
    return float(tied[np.arange(len(right)), right].sum()) / len(truths)


def _posterior_right(rates: Ratings, asked: Asked) -> float | None:
    """Give the share of all items whose likeliest answer, annotators weighed, is the truth."""
    if not len(rates):
        return None
    best: list[int] = fit_dawid_skene(rates).posterior.argmax(axis=1).tolist()
    right = sum(
        asked.answers[category] == asked.truths[int(str(item))]
        for category, item in zip(best, rates.item_names, strict=True)
    )
    return right / len(asked.truths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far annotators agree, with 95 % intervals over annotators; None where undefined.

    Attributes:
        consistency: Mean share of an item's most frequent answer.
        consistency_interval: Lower and upper end.
        consistency_by_chance: What coin flips would give with as many answers an item.
        alpha: Krippendorff's.
        alpha_interval: Lower and upper end.
        reason: Why there is no alpha; empty where there is one.
    """

    consistency: float | None = None
    consistency_interval: Interval | None = None
    consistency_by_chance: float | None = None
    alpha: float | None = None
    alpha_interval: Interval | None = None
    reason: str = "no answer was given"


def agreement_of(rates: Ratings) -> Agreement:
    """Measure agreement as the round's dashboard does."""
    if not len(rates):
        return Agreement()
    counts = rates.counts()
    share, alpha = modal_share(counts), krippendorff_alpha(counts)
    return Agreement(
        consistency=share.mean,
        consistency_interval=interval_over_raters(rates, _consistency).interval,
        consistency_by_chance=share.chance,
        alpha=alpha.value,
        alpha_interval=interval_over_raters(rates, krippendorff_alpha).interval,
        reason=alpha.reason,
    )


def _width(interval: Interval | None) -> float | None:
    return None if interval is None else float(interval[1] - interval[0])


def unusable_answers(votes: Sequence[Vote], rates: Ratings) -> dict[str, int]:
    """Count answers that say nothing in the end, each under the first reason that applies.

    Returns:
        Reason -> answers: `doubled` (late, or from an older tab), `no_judgement` (cannot tell, not
        loaded), `time_implausible` (quality C), `guessed` (by somebody who tells the answers apart
        no better than chance).
    """
    guessing = set(guessers(rates))
    meaningful = set(rates.category_names)
    counts = dict.fromkeys(("doubled", "no_judgement", "time_implausible", "guessed"), 0)
    for vote in votes:
        if not vote.counted:
            counts["doubled"] += 1
        elif vote.answer not in meaningful:
            counts["no_judgement"] += 1
        elif vote.quality == "C":
            counts["time_implausible"] += 1
        elif vote.rater in guessing:
            counts["guessed"] += 1
    return counts


def guessers(rates: Ratings) -> list[str]:
    """Name the raters whose informedness is at most `GUESSING` even at its upper end."""
    if len(rates.category_names) != 2 or not len(rates):
        return []
    return [
        str(found.annotator)
        for found in informedness(rates)
        if found.value is not None and found.error is not None and found.n >= FEWEST_JUDGED
        and found.value + NORMAL_95 * found.error <= GUESSING
    ]  # fmt: skip


def _flagged(rates: Ratings, people: Sequence[Told]) -> dict[str, dict[str, int]]:
    """Count by kind who would be flagged as guessing: spammers should be, the careful should not."""
    guessing = set(guessers(rates))
    judged = {str(name) for name in rates.rater_names}
    found: dict[str, dict[str, int]] = {}
    for told in people:
        if told.sitting in judged:
            tally = found.setdefault(told.kind, {"people": 0, "flagged": 0})
            tally["people"] += 1
            tally["flagged"] += told.sitting in guessing
    return dict(sorted(found.items()))


def _finish(
    counted: Sequence[Vote], wanted: int, people: Sequence[Told]
) -> dict[str, float | int | bool | None]:
    """Say when the last wanted answer came, or how many people are missing."""
    done = len(counted) >= wanted
    came = sum(told.outcome != "turned_away" for told in people)
    each = len(counted) / came if came else 0.0
    hours = {
        f"hours_{share}": counted[math.ceil(share / 100 * wanted) - 1].at / 3600
        if len(counted) >= math.ceil(share / 100 * wanted) else None
        for share in (50, 90, 100)
    }  # fmt: skip
    missing = math.ceil((wanted - len(counted)) / each) if each and not done else 0
    return {"complete": done, **hours, "more_people": missing}


def _hourly_pay(people: Sequence[Told], terms: Terms) -> dict[str, float | None]:
    """Give what an hour earns, from arriving to the end: the median and the slowest tenth."""
    lasted = [told.ended - told.arrived for told in people if told.outcome == "completed"]
    if not lasted or min(lasted) <= 0:
        return {"median_minutes": None, "hourly_median": None, "hourly_p10": None}
    rates = sorted(terms.reward / seconds * 3600 for seconds in lasted)
    return {
        "median_minutes": median(lasted) / 60,
        "hourly_median": median(rates),
        "hourly_p10": rates[int(0.1 * len(rates))],
    }


def _bend(points: Sequence[Point]) -> dict[str, float]:
    """Say where more answers begin to bring little: the elbow of the share of right labels."""
    if not points:
        return {}
    at = elbow([point.answers for point in points], [point.right for point in points])
    here, last = points[at], points[-1]
    return {
        "answers": here.answers,
        "per_item": here.per_item,
        "hours": here.hours,
        "cost": here.cost,
        "right": here.right,
        "right_after": last.right - here.right,
    }


def shares_of(mix: Mapping[str, float]) -> dict[str, float]:
    """Scale a mix to shares."""
    total = sum(mix.values())
    return {name: share / total for name, share in mix.items()}
