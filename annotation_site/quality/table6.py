"""Table 6 of SLIM as a live object: time and consistency of the two arms, and their difference.

The six numbers are time and consistency of "is the attention correct?", of "which surroundings?",
and the two compared; each with its interval and how that was made, as collected and as the
ledgers stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from annotation_site.annotation.models import Arm, Round
from annotation_site.quality.figures import Study, overview_of
from annotation_site.quality.memory import MOST_ROUNDS, Memory
from engine.labeling.comparison import (
    DRAWS,
    Compared,
    mean_time,
    share_difference,
    time_ratio,
)
from engine.labeling.timings import group_means

SEED = 6
MOST_DRAWN = 20_000_000
"""Draws times answers at most; more answers are drawn less often, and the method says how often."""
_tables = Memory(2 * MOST_ROUNDS)
NOBODY = "this arm has no round yet"
JACKKNIFE = "jackknife over annotators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of the table.

    Attributes:
        measure: `time` or `consistency`.
        found: The number with its interval and the interval's method.
        deviation: Standard deviation over images; None of a comparison.
        chance: Of consistency: what coin flips give.
    """

    measure: str
    found: Compared
    deviation: float | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmColumn:
    """One arm under one version of its ledger.

    Attributes:
        arm: `attention` or `spuriousness`.
        round_number: Of its round in the project.
        version: Of its ledger.
        n_images: With two answers or more.
        n_answers: That count, unsure ones as well.
        n_people: Annotators that count.
        answers_per_image: Mean number of sure answers of these images.
        time: Seconds over images, timing quality A and B.
        consistency: Share of the most frequent answer over images.
    """

    arm: str
    round_number: int
    version: int
    n_images: int
    n_answers: int
    n_people: int
    answers_per_image: float
    time: Figure
    consistency: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class SixNumbers:
    """The table under one pair of versions.

    Attributes:
        name: "As collected" or "After exclusion".
        attention: The arm about attention; None without a round.
        spuriousness: The comparison arm; None without a round.
        ratio: Time of attention over time of spuriousness.
        difference: Consistency of attention less that of spuriousness.
    """

    name: str
    attention: ArmColumn | None
    spuriousness: ArmColumn | None
    ratio: Figure
    difference: Figure

    @property
    def arms(self) -> tuple[ArmColumn, ...]:
        """The arms that have a round."""
        return tuple(arm for arm in (self.attention, self.spuriousness) if arm is not None)


def partner_of(round_: Round) -> Round | None:
    """Give the newest round of the other arm: of the same study, else of the same project."""
    others = Round.objects.filter(project=round_.project_id).exclude(arm=round_.arm)
    others = others.select_related("project", "project__dataset").order_by("-number")
    same = others.filter(study=round_.study).first() if round_.study else None
    return same or others.first()


def six_numbers(name: str, studies: tuple[Study | None, Study | None]) -> SixNumbers:
    """Work the table out for one pair of versions, or recall it.

    Args:
        name: Of the column.
        studies: The arm about attention and the comparison arm, either of them None.
    """
    stamps = tuple(None if study is None else study.stamp for study in studies)
    return _tables.recall((name, stamps), lambda: _six(name, *studies))


def _six(name: str, first: Study | None, second: Study | None) -> SixNumbers:
    rng = np.random.default_rng(SEED)
    arms = [None if study is None else _arm(study, rng) for study in (first, second)]
    if first is None or second is None:
        missing = Compared(value=None, interval=None, method="", reason=NOBODY)
        ratio, difference = Figure(measure="time", found=missing), None
    else:
        ratio = Figure(measure="time", found=_ratio(first, second))
        difference = Figure(measure="consistency", found=_difference(first, second, rng))
        missing = ratio.found
    return SixNumbers(
        name=name,
        attention=arms[0],
        spuriousness=arms[1],
        ratio=ratio,
        difference=difference or Figure(measure="consistency", found=missing),
    )


def _arm(study: Study, rng: np.random.Generator) -> ArmColumn:
    overview = overview_of(study)
    asked = study.answers.queries()
    timed = asked.take(~np.isnan(asked.seconds) & (asked.timing <= 1))
    draws = max(200, min(DRAWS, MOST_DRAWN // max(len(timed), 1)))
    line = next(line for line in overview.times if line.key == "believable")
    share, crowd = overview.consistency, overview.consistency_interval
    return ArmColumn(
        arm=study.round.arm,
        round_number=study.round.number,
        version=study.standing.version,
        n_images=share.n_items,
        n_answers=overview.n_answers,
        n_people=overview.n_people,
        answers_per_image=share.answers_per_item,
        time=Figure(
            measure="time",
            found=mean_time(timed.seconds, timed.task, timed.person, rng, draws=draws),
            deviation=line.over_images.deviation,
        ),
        consistency=Figure(
            measure="consistency",
            found=Compared(
                value=share.mean,
                interval=crowd.interval,
                method=JACKKNIFE,
                n=share.n_items,
                reason=share.reason or crowd.reason,
            ),
            deviation=share.deviation,
            chance=share.chance,
        ),
    )


def _ratio(first: Study, second: Study) -> Compared:
    times = []
    for study in (first, second):
        asked = study.answers.queries()
        seconds = np.where(asked.timing <= 1, asked.seconds, np.nan)
        means = group_means(seconds, asked.task, len(asked.tasks))
        times.append(means[~np.isnan(means) & (means > 0)])
    return time_ratio(times[0], times[1])


def _difference(first: Study, second: Study, rng: np.random.Generator) -> Compared:
    """Pair the arms by image; where they share fewer than two, compare all of either."""
    images, shares = zip(*(_shares_by_image(study) for study in (first, second)), strict=True)
    _, at_first, at_second = np.intersect1d(images[0], images[1], return_indices=True)
    if len(at_first) >= 2:
        return share_difference(shares[0][at_first], shares[1][at_second], rng, paired=True)
    return share_difference(shares[0], shares[1], rng, paired=False)


def _shares_by_image(study: Study) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    ratings = study.answers.ratings()
    counts = ratings.counts()
    enough = counts.sum(axis=1) >= 2 if len(counts) else np.zeros(0, dtype=bool)
    tasks = np.array(ratings.item_names, dtype=np.int64)[enough]
    images = np.array([study.answers.tasks[task].image_id for task in tasks.tolist()], np.int64)
    kept = counts[enough]
    return images, kept.max(axis=1) / kept.sum(axis=1) if len(kept) else np.zeros(0)


def rows_of(tables: tuple[SixNumbers, ...]) -> Iterator[dict[str, str | int | float | None]]:
    """Give the table as flat rows, one number each, for files."""
    for table in tables:
        for arm in table.arms:
            for figure in (arm.time, arm.consistency):
                yield _row(table.name, arm.arm, figure) | {
                    "round": arm.round_number,
                    "ledger": arm.version,
                    "images": arm.n_images,
                    "answers": arm.n_answers,
                    "annotators": arm.n_people,
                    "answers_per_image": round(arm.answers_per_image, 3),
                }
        for figure in (table.ratio, table.difference):
            yield _row(table.name, "attention against spuriousness", figure)


UNITS = {
    ("time", False): "seconds",
    ("consistency", False): "share",
    ("time", True): "ratio of geometric means",
    ("consistency", True): "difference of shares",
}


def _row(name: str, arm: str, figure: Figure) -> dict[str, str | int | float | None]:
    low, high = figure.found.interval or (None, None)
    compared = arm not in set(Arm.values)
    return {
        "exclusion": name,
        "arm": arm,
        "round": None,
        "ledger": None,
        "measure": figure.measure,
        "unit": UNITS[figure.measure, compared],
        "value": figure.found.value,
        "sd_over_images": figure.deviation,
        "low": low,
        "high": high,
        "interval": figure.found.method,
        "chance": figure.chance,
        "images": figure.found.n,
        "answers": None,
        "annotators": None,
        "answers_per_image": None,
        "note": figure.found.reason,
    }


def forget() -> None:
    """Forget what is remembered; tests need it, whose rows' keys come back."""
    _tables.clear()
