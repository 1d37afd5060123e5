"""What may be worth a look at an annotator: each flag with its evidence and how it arises.

A flag is a question and never a verdict: honest people are fast, tired, or alone in being right.
No flag excludes anybody, and none has to do with pay.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from annotation_site.quality.columns import Answers
from annotation_site.quality.figures import People, Study, people_of
from annotation_site.quality.memory import MOST_ROUNDS, Memory
from annotation_site.quality.rules import Rules
from engine.labeling.intervals import Interval, wilson_interval
from engine.labeling.runs import chance_of_run, longest_run
from engine.labeling.timings import Trends

_Z95 = 1.959963984540054
RARE_RUN = 0.001
FAST_SHARE = 0.1
TWICE_AS_FAST = math.log(0.5)
_lines = Memory(MOST_ROUNDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something about an annotator that may be worth a look.

    Attributes:
        code: Short name.
        words: What was seen, with its numbers.
        how: How the flag arises.
    """

    code: str
    words: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many, with Wilson's 95 % interval; none of none has neither."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's interval; None of nothing."""
        return wilson_interval(self.hits, self.n) if self.n else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A slope or a correlation with its 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One annotator's figures.

    Attributes:
        number: Of the person in the columns.
        sitting_id: Key of the sitting.
        public_id: Of the sitting, for addresses.
        annotator: Pseudonym.
        n: Answers to queries.
        median: Median active seconds.
        sensitivity: Right answers on gold.
        checks: Right answers on checks.
        repeats: Repeats answered as before.
        shares: (answer, share) of each kind of answer.
        informed: Informedness with interval.
        drift: Slope of log time per ten tasks.
        link: Rank correlation of time with the others' disagreement.
        interrupted: Answers with timing quality B or C.
        flags: Worth a look.
    """

    number: int
    sitting_id: int
    public_id: str
    annotator: str
    n: int
    median: float | None
    sensitivity: Share
    checks: Share
    repeats: Share
    shares: tuple[tuple[str, float], ...]
    informed: Trend
    drift: Trend
    link: Trend
    interrupted: Share
    flags: tuple[Flag, ...]


def person_line(collected: Answers, people: People, person: int, rules: Rules) -> PersonLine:
    """Put one annotator's figures and flags together.

    Args:
        collected: The round's answers.
        people: Their figures by annotator.
        person: Number of the annotator.
        rules: The limits that flags share with the rules.
    """
    who, n = collected.people[person], int(people.n[person])
    told = people.told.get(person)
    value = told.value if told else None
    half = _Z95 * told.error if told and told.error is not None else 0.0
    line = PersonLine(
        number=person,
        sitting_id=who.sitting_id,
        public_id=who.public_id,
        annotator=who.annotator,
        n=n,
        median=_known(people.median[person]),
        sensitivity=_share(people.gold_right, people.gold, person),
        checks=_share(people.check_right, people.check, person),
        repeats=_share(people.repeat_same, people.repeat, person),
        shares=tuple(
            (name, count / max(n, 1))
            for name, count in zip(collected.said, people.by_answer[person].tolist(), strict=True)
        ),
        informed=Trend(
            value=value,
            low=None if value is None else value - half,
            high=None if value is None else min(1.0, value + half),
            n=told.n if told else 0,
        ),
        drift=_trend(people.drift, person, 10.0),
        link=_trend(people.link, person, 1.0),
        interrupted=Share(hits=int(people.interrupted[person]), n=n),
        flags=(),
    )
    return replace(line, flags=_flags(line, int(people.fast[person]), rules))


def lines_of(study: Study, rules: Rules) -> tuple[PersonLine, ...]:
    """Give the lines of all annotators who answered, in the order they came, or recall them."""

    def make() -> tuple[PersonLine, ...]:
        people = people_of(study)
        present = np.flatnonzero(people.n > 0).tolist()
        return tuple(person_line(study.collected, people, person, rules) for person in present)

    return _lines.recall((study.collected.stamp, rules), make)


def _share(hits: np.ndarray, n: np.ndarray, person: int) -> Share:
    return Share(hits=int(hits[person]), n=int(n[person]))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _trend(trends: Trends, person: int, scale: float) -> Trend:
    parts = (trends.value[person], trends.low[person], trends.high[person])
    value, low, high = (_known(float(part) * scale) for part in parts)
    return Trend(value=value, low=low, high=high, n=int(trends.n[person]))


def _flags(line: PersonLine, fast: int, rules: Rules) -> tuple[Flag, ...]:
    if line.n < rules.least_answers:
        return ()
    found = [*_flags_of_time(line, fast, rules), *_flags_of_answers(line, rules)]
    return tuple(found)


def _flags_of_time(line: PersonLine, fast: int, rules: Rules) -> list[Flag]:
    found = []
    if wilson_interval(fast, line.n)[0] > FAST_SHARE:
        found.append(
            Flag(
                code="fast",
                words=f"{fast} of {line.n} answers in under 0.35 s",
                how=f"Surely more than {FAST_SHARE:.0%} of answers faster than anybody can look.",
            )
        )
    share = line.interrupted.value or 0.0
    if rules.interrupted > 0 and share > rules.interrupted:
        found.append(
            Flag(
                code="interrupted",
                words=f"{line.interrupted.hits} of {line.n} answers hidden, reloaded or not timed",
                how="More than the rule's share. Somebody without scripts has no times at all.",
            )
        )
    drift = line.drift
    change = None if drift.value is None else drift.value / 10 * (line.n - 1)
    if change is not None and drift.high is not None and change < TWICE_AS_FAST and drift.high < 0:
        found.append(
            Flag(
                code="faster",
                words=f"{math.exp(-change):.1f} times as fast at the end as at the start",
                how="A line through log time falls by half or more, its interval below 0. Practice "
                "does this too.",
            )
        )
    return found


def _flags_of_answers(line: PersonLine, rules: Rules) -> list[Flag]:
    found = []
    upper = line.informed.high
    if line.informed.value is not None and upper is not None and upper <= rules.informedness:
        found.append(
            Flag(
                code="tells little",
                words=f"informedness {line.informed.value:.2f}, at most {upper:.2f}",
                how="Sensitivity + specificity less 1 against what the others say; 0 is guessing.",
            )
        )
    for share, code, what in (
        (line.sensitivity, "gold", "gold tasks right"),
        (line.repeats, "repeats", "repeats answered as before"),
    ):
        if share.interval is not None and share.interval[1] <= max(rules.gold, 0.5):
            found.append(
                Flag(
                    code=code,
                    words=f"{share.hits} of {share.n} {what}",
                    how="The upper end of the 95 % interval is no better than tossing a coin.",
                )
            )
    if line.checks.n and line.checks.hits < line.checks.n:
        missed = line.checks.n - line.checks.hits
        found.append(
            Flag(
                code="check",
                words=f"{missed} of {line.checks.n} attention checks missed",
                how="A task that says in its words what to answer was answered otherwise.",
            )
        )
    return found


def run_flag(collected: Answers, person: int) -> tuple[int, float | None, Flag | None]:
    """Hold an annotator's longest run of one answer against the very items of the sitting.

    Args:
        collected: The round's answers.
        person: Number of the annotator.

    Returns:
        The run, the chance of one as long from the others' shares (None without others), and a
        flag where it is below `RARE_RUN`.
    """
    asked = collected.take((collected.roles == 0) & collected.sure)
    mine = np.flatnonzero(asked.person == person)
    mine = mine[np.argsort(asked.position[mine], kind="stable")]
    run = longest_run(asked.answer[mine])
    k = len(collected.categories)
    if len(mine) == 0 or k < 2:
        return run, None, None
    n_tasks = len(asked.tasks)
    others = np.bincount(asked.task * k + asked.answer, minlength=n_tasks * k).reshape(n_tasks, k)
    own = others[asked.task[mine]].astype(np.float64)
    own[np.arange(len(mine)), asked.answer[mine]] -= 1.0
    if own.sum() == 0:
        return run, None, None
    overall = own.sum(axis=0) / own.sum()
    shares = (own + overall) / (own.sum(axis=1, keepdims=True) + 1.0)  # one answer of the crowd
    chance = chance_of_run(shares, max(run, 1))
    if chance >= RARE_RUN:
        return run, chance, None
    flag = Flag(
        code="run",
        words=f"{run} times the same answer in a row, chance {chance:.1g}",
        how="Chance of so long a run if each item were answered as the others answered it; a run "
        "of yes where nearly all is yes is no flag.",
    )
    return run, chance, flag


SORTS = {
    "come": "as they came",
    "n": "most answers",
    "median": "fastest",
    "gold": "gold accuracy",
    "repeats": "repeat consistency",
    "informed": "informedness",
    "flags": "most flags",
}


def in_order(
    lines: tuple[PersonLine, ...], sort: str, first: int | None = None
) -> list[PersonLine]:
    """Give annotators in an order of `SORTS`; who has no such figure comes last.

    Never a ranking: most of their intervals overlap.

    Args:
        lines: All annotators.
        sort: Of `SORTS`.
        first: Only so many; all where None.
    """
    keys: dict[str, Callable[[PersonLine], float | None]] = {
        "n": lambda line: -line.n,
        "median": lambda line: line.median,
        "gold": lambda line: line.sensitivity.value,
        "repeats": lambda line: line.repeats.value,
        "informed": lambda line: line.informed.value,
        "flags": lambda line: -len(line.flags),
    }
    key = keys.get(sort)
    if key is None:
        return list(lines[:first])

    def place(line: PersonLine) -> tuple[bool, float]:
        value = key(line)
        return value is None, value or 0.0

    return sorted(lines, key=place) if first is None else heapq.nsmallest(first, lines, key=place)


def forget() -> None:
    """Forget what is remembered; tests need it, whose rows' keys come back."""
    _lines.clear()
