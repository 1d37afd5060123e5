"""The figures of a round under one version of its ledger, with intervals and how many they rest on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from annotation_site.annotation.models import Round
from annotation_site.quality.columns import CHECK, QUERY, REPEAT, Answers, answers_of, stamp_of
from annotation_site.quality.ledger import Standing, head_of, standing_at
from annotation_site.quality.memory import MOST_ROUNDS, Memory
from annotation_site.quality.order_effects import Third, thirds_of
from annotation_site.quality.rules import Rules, gold_of
from annotation_site.quality.time_bins import TimeBins, binned_times
from engine.labeling.agreement import (
    CrowdInterval,
    Informedness,
    ModalShare,
    Statistic,
    gwet_ac1,
    informedness,
    krippendorff_alpha,
    modal_share,
    percent_agreement,
)
from engine.labeling.dawid_skene import DawidSkene, fit_dawid_skene
from engine.labeling.leaving_out import intervals_over_raters
from engine.labeling.ratings import Ratings
from engine.labeling.timings import (
    Spread,
    Trends,
    difficulty_links,
    drifts,
    entropy_of,
    group_means,
    group_medians,
    others_entropy,
    spread,
)

TIMINGS = (
    ("all", "Measured at all", 2),
    ("believable", "Quality A and B", 1),
    ("clean", "Quality A: one look, never hidden", 0),
)
_overviews, _people, _items = Memory(2 * MOST_ROUNDS), Memory(MOST_ROUNDS), Memory(MOST_ROUNDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A figure of agreement with its interval over annotators."""

    statistic: Statistic
    crowd: CrowdInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLine:
    """Times of one kind of answers: mean and standard deviation over images, answers and people.

    Attributes:
        key: One of `TIMINGS`.
        name: Which answers.
        over_images: Of the images' mean times.
        over_answers: Of the answers' times.
        over_people: Of the annotators' mean times.
        median: Of the answers' times; None without any.
    """

    key: str
    name: str
    over_images: Spread
    over_answers: Spread
    over_people: Spread
    median: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overview:
    """What the dashboard shows of a round under one version of the ledger.

    Attributes:
        version: Of the ledger.
        n_answers: To queries, unsure ones as well.
        n_unsure: Of them: cannot tell, did not load.
        n_people: Annotators with an answer.
        n_items: Images with an answer.
        out_people: Annotators left out as a whole.
        out_answers: Answers left out one by one.
        by_answer: Answers of each kind.
        consistency: Share of the most frequent answer, its spread and its chance level.
        consistency_interval: Over annotators.
        agreement: By name: percent, alpha, ac1.
        times: By quality of timing.
        shares: Share of the most frequent answer of each image with two answers or more.
        time_bins: How known times of answers to queries lie; None without any.
        thirds: Time and agreement in the thirds of all sittings.
    """

    version: int
    n_answers: int
    n_unsure: int
    n_people: int
    n_items: int
    out_people: int
    out_answers: int
    by_answer: dict[str, int]
    consistency: ModalShare
    consistency_interval: CrowdInterval
    agreement: dict[str, Agreement]
    times: tuple[TimeLine, ...]
    shares: Float[np.ndarray, " n"]
    time_bins: TimeBins | None
    thirds: tuple[Third, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """A round's answers as collected and as they stand at a version of its ledger.

    Attributes:
        round: The round.
        head: The ledger's present version.
        standing: What is left out at the version that is looked at.
        collected: All current answers.
        answers: Those that count.
        under: Limits that decided what counts in the ledger's stead (see `whatif`); None: none did.
    """

    round: Round
    head: int
    standing: Standing
    collected: Answers
    answers: Answers
    under: Rules | None = None

    @property
    def stamp(self) -> tuple[object, ...]:
        """What everything worked out from the study rests on."""
        return (*self.collected.stamp, self.under or self.standing.version)


def study_of(round_: Round, version: int | None = None, *, head: int | None = None) -> Study:
    """Read a round under a version of its ledger; the present one where none is given.

    Three queries while no answer has come since the last time.

    Args:
        round_: The round.
        version: Of its ledger.
        head: The ledger's present version, where the caller has it.
    """
    stamp = stamp_of(round_)
    head = head_of(round_) if head is None else head
    at = head if version is None else min(max(version, 0), head)
    standing = (
        standing_at(round_, at)
        if at
        else Standing(version=0, sittings=frozenset(), responses=frozenset())
    )
    collected = answers_of(round_, stamp)
    return Study(
        round=round_,
        head=head,
        standing=standing,
        collected=collected,
        answers=collected.without(standing.sittings, standing.responses),
    )


def overview_of(study: Study) -> Overview:
    """Work out a round's figures, or recall them."""
    return _overviews.recall(study.stamp, lambda: _overview(study))


def _overview(study: Study) -> Overview:
    asked = study.answers.queries()
    ratings = asked.ratings()
    counts = ratings.counts()
    intervals = intervals_over_raters(ratings)
    measures = {
        "percent": percent_agreement,
        "alpha": krippendorff_alpha,
        "ac1": gwet_ac1,
    }
    paired = counts[counts.sum(axis=1) >= 2]
    by_number = np.bincount(asked.answer, minlength=len(asked.said)).tolist()
    return Overview(
        version=study.standing.version,
        n_answers=len(asked),
        n_unsure=int((~asked.sure).sum()),
        n_people=len(np.unique(asked.person)),
        n_items=len(np.unique(asked.task)),
        out_people=len(study.standing.sittings),
        out_answers=len(study.standing.responses),
        by_answer=dict(zip(asked.said, by_number, strict=True)),
        consistency=modal_share(counts),
        consistency_interval=intervals["modal_share"],
        agreement={
            name: Agreement(statistic=measure(counts), crowd=intervals[name])
            for name, measure in measures.items()
        },
        times=tuple(_times(asked, key, name, worst) for key, name, worst in TIMINGS),
        shares=paired.max(axis=1) / paired.sum(axis=1) if len(paired) else np.zeros(0),
        time_bins=binned_times(asked.seconds),
        thirds=thirds_of(study.answers),
    )


def _times(asked: Answers, key: str, name: str, worst: int) -> TimeLine:
    seconds = np.where(asked.timing <= worst, asked.seconds, np.nan)
    known = seconds[~np.isnan(seconds)]
    return TimeLine(
        key=key,
        name=name,
        over_images=spread(group_means(seconds, asked.task, len(asked.tasks))),
        over_answers=spread(seconds),
        over_people=spread(group_means(seconds, asked.person, len(asked.people))),
        median=float(np.median(known)) if len(known) else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """Figures of all annotators of a round, as columns by a person's number.

    Attributes:
        n: Answers to queries.
        by_answer: Answers of each kind, people x said.
        median: Median active seconds; NaN without any.
        interrupted: Answers with timing quality B or C.
        fast: Answers under the limit of plausibility, .35 s.
        gold_right: Right answers on gold.
        gold: Answers on gold.
        check_right: Right answers on checks.
        check: Answers on checks.
        repeat_same: Repeats answered as before.
        repeat: Repeats whose query was answered.
        drift: Slope of log time per place.
        link: Rank correlation of log time with the others' disagreement.
        told: Informedness by number; empty unless there are two categories.
    """

    n: Int[np.ndarray, " a"]
    by_answer: Int[np.ndarray, "a s"]
    median: Float[np.ndarray, " a"]
    interrupted: Int[np.ndarray, " a"]
    fast: Int[np.ndarray, " a"]
    gold_right: Int[np.ndarray, " a"]
    gold: Int[np.ndarray, " a"]
    check_right: Int[np.ndarray, " a"]
    check: Int[np.ndarray, " a"]
    repeat_same: Int[np.ndarray, " a"]
    repeat: Int[np.ndarray, " a"]
    drift: Trends
    link: Trends
    told: dict[int, Informedness]


def people_of(study: Study) -> People:
    """Work out the figures of all annotators from the answers as collected, or recall them.

    Somebody who is left out keeps his figures, and the others' are told with him: what the ledger
    rests on must not move with it.
    """
    return _people.recall(study.collected.stamp, lambda: _people_figures(study.collected))


def _people_figures(collected: Answers) -> People:
    asked = collected.queries()
    size, n_said = len(collected.people), len(collected.said)
    ratings = asked.ratings()
    sure = asked.take(asked.sure)
    hard = others_entropy(ratings)
    log_seconds = np.log(np.where(asked.seconds > 0, asked.seconds, np.nan))
    gold_right, gold = gold_of(collected)
    check_right, check = gold_of(collected, CHECK)
    repeat_same, repeat = _repeats(collected)
    told = informedness(ratings) if len(collected.categories) == 2 else ()
    table = np.bincount(asked.person * n_said + asked.answer, minlength=size * n_said)
    return People(
        n=np.bincount(asked.person, minlength=size),
        by_answer=table.reshape(size, n_said),
        median=group_medians(asked.seconds, asked.person, size),
        interrupted=np.bincount(asked.person[asked.timing != 0], minlength=size),
        fast=np.bincount(asked.person[asked.seconds < 0.35], minlength=size),
        gold_right=gold_right,
        gold=gold,
        check_right=check_right,
        check=check,
        repeat_same=repeat_same,
        repeat=repeat,
        drift=drifts(asked.position.astype(np.float64), log_seconds, asked.person, size),
        link=difficulty_links(log_seconds[asked.sure], hard, sure.person, size),
        told={int(str(one.annotator)): one for one in told},
    )


def _repeats(answers: Answers) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " a"]]:
    """Count the repeats that each annotator answered like the query of the same image."""
    size = len(answers.people)
    image = np.array([task.image_id for task in answers.tasks], dtype=np.int64)
    _, image = np.unique(image, return_inverse=True) if len(image) else (image, image)
    width = int(image.max()) + 1 if len(image) else 1
    key = answers.person * width + image[answers.task]
    roles = answers.roles
    first = (roles == QUERY) & answers.sure
    again = (roles == REPEAT) & answers.sure
    order = np.argsort(key[first])
    known, said = key[first][order], answers.answer[first][order]
    if len(known) == 0:
        nothing = np.zeros(size, dtype=np.int64)
        return nothing, nothing
    at = np.minimum(np.searchsorted(known, key[again]), len(known) - 1)
    met = known[at] == key[again]
    same: Bool[np.ndarray, " t"] = met & (said[at] == answers.answer[again])
    return (
        np.bincount(answers.person[again][same], minlength=size),
        np.bincount(answers.person[again][met], minlength=size),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Items:
    """What the answers say of each image that has a sure one, most contested first.

    Attributes:
        task: Number of each task, in the order of contest.
        counts: Sure answers by category.
        unsure: Unsure answers.
        majority: The most frequent category; -1 for a tie.
        posterior: Probability of each category (Dawid and Skene).
        entropy: Of the posterior, in bits.
        seconds: Mean active seconds; NaN without any.
        fit: The fit behind the posterior; None without answers.
    """

    task: Int[np.ndarray, " n"]
    counts: Float[np.ndarray, "n k"]
    unsure: Int[np.ndarray, " n"]
    majority: Int[np.ndarray, " n"]
    posterior: Float[np.ndarray, "n k"]
    entropy: Float[np.ndarray, " n"]
    seconds: Float[np.ndarray, " n"]
    fit: DawidSkene | None

    def __len__(self) -> int:
        return len(self.task)


def items_of(study: Study) -> Items:
    """Work out posteriors of a round's images, or recall them."""
    return _items.recall(study.stamp, lambda: items_from(study.answers))


def items_from(answers: Answers) -> Items:
    """Work out the majority and the posterior of each image, contested ones first.

    Args:
        answers: Those that count.
    """
    ratings, asked = answers.ratings(), answers.queries()
    k = len(answers.categories)
    if len(ratings) == 0 or k < 2:
        none = np.zeros(0, dtype=np.int64)
        table, line = np.zeros((0, k)), np.zeros(0)
        return Items(
            task=none,
            counts=table,
            unsure=none,
            majority=none,
            posterior=table,
            entropy=line,
            seconds=line,
            fit=None,
        )
    counts, fit = ratings.counts(), _fit(ratings)
    tasks = np.array(ratings.item_names, dtype=np.int64)
    size = len(answers.tasks)
    entropy, disputed = entropy_of(fit.posterior), entropy_of(counts)
    order = np.lexsort((tasks, -counts.sum(axis=1), -disputed, -np.round(entropy, 9)))
    best = counts.max(axis=1)
    tied = (counts == best[:, None]).sum(axis=1) > 1
    majority = np.where(tied, -1, counts.argmax(axis=1))
    return Items(
        task=tasks[order],
        counts=counts[order],
        unsure=np.bincount(asked.task[~asked.sure], minlength=size)[tasks][order],
        majority=majority[order],
        posterior=fit.posterior[order],
        entropy=entropy[order],
        seconds=group_means(asked.seconds, asked.task, size)[tasks][order],
        fit=fit,
    )


def _fit(ratings: Ratings) -> DawidSkene:
    return fit_dawid_skene(ratings, tolerance=1e-6)


def forget() -> None:
    """Forget every figure; tests need it, whose rows' keys come back."""
    for memory in (_overviews, _people, _items):
        memory.clear()
