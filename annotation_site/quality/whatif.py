"""What other limits would leave out, and what table 6 would say then. Nothing is ever written.

The limits judge the answers as collected, of both arms; what the ledgers leave out plays no part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from annotation_site.quality.columns import Answers
from annotation_site.quality.figures import Study
from annotation_site.quality.ledger import Standing
from annotation_site.quality.rules import Rules, findings
from annotation_site.quality.table6 import SixNumbers, six_numbers
from engine.labeling.agreement import modal_share
from engine.labeling.timings import group_means

COLLECTED, UNDER = "As collected", "Under these limits"
STEPS: Mapping[str, tuple[float, ...]] = {
    "informedness": (0.05, 0.1, 0.2, 0.3, 0.4),
    "gold": (0.4, 0.5, 0.6, 0.7, 0.8),
    "interrupted": (0.1, 0.2, 0.3, 0.5, 0.8),
    "least_seconds": (0.2, 0.35, 0.5, 1.0, 1.5),
    "most_seconds": (15.0, 30.0, 60.0, 120.0, 300.0),
    "fence": (1.5, 2.0, 3.0, 4.0, 5.0),
}
"""Limits that a strip can move along, and the places it shows beside the one that is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """An annotator whom the limits would leave out as a whole.

    Attributes:
        public_id: Of the sitting.
        annotator: Pseudonym.
        titles: Of the rules that find them.
        is_out: Whether the ledger leaves them out already.
    """

    public_id: str
    annotator: str
    titles: tuple[str, ...]
    is_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The round with one limit at one place.

    Attributes:
        limit: The value.
        is_set: Whether it is the one that the page is about.
        people: Annotators who would leave.
        answers: Answers to queries that would not count, theirs among them.
        seconds: Mean over images' mean times, timing quality A and B; None without any.
        consistency: Share of the most frequent answer; None without images of two answers.
    """

    limit: float
    is_set: bool
    people: int
    answers: int
    seconds: float | None
    consistency: float | None


def study_under(study: Study, rules: Rules) -> Study:
    """Give a study as if everything that the rules find were left out, and nothing else."""
    found = findings(study.collected, rules)
    people = frozenset(key for each in found if each.of_people for key in each.subjects)
    answers = frozenset(key for each in found if not each.of_people for key in each.subjects)
    return replace(
        study,
        standing=Standing(version=0, sittings=people, responses=answers),
        answers=study.collected.without(people, answers),
        under=rules,
    )


def tables_under(
    studies: tuple[Study | None, Study | None], rules: Rules
) -> tuple[SixNumbers, SixNumbers]:
    """Give table 6 as collected and under other limits.

    Args:
        studies: The arm about attention and the comparison arm as collected, either of them None.
        rules: The limits; they judge both arms.
    """
    first, second = (None if each is None else study_under(each, rules) for each in studies)
    return six_numbers(COLLECTED, studies), six_numbers(UNDER, (first, second))


def leavers(study: Study, rules: Rules) -> tuple[Leaver, ...]:
    """Say which annotators the limits would leave out, in the order they came.

    Args:
        study: The round under its ledger's present version.
        rules: The limits.
    """
    titles: dict[int, list[str]] = {}
    for finding in findings(study.collected, rules):
        if finding.of_people:
            for key in finding.subjects:
                titles.setdefault(key, []).append(finding.title)
    return tuple(
        Leaver(
            public_id=person.public_id,
            annotator=person.annotator,
            titles=tuple(titles[person.sitting_id]),
            is_out=person.sitting_id in study.standing.sittings,
        )
        for person in study.collected.people
        if person.sitting_id in titles
    )


def strip(study: Study, rules: Rules, along: str) -> tuple[Place, ...]:
    """Move one limit and hold the others.

    Args:
        study: The round.
        rules: All limits.
        along: The limit that moves; one of `STEPS`.
    """
    own = float(getattr(rules, along))
    return tuple(
        _place(study, Rules.of({**rules.as_json(), along: value}), value, is_set=value == own)
        for value in sorted({*STEPS[along], own})
    )


def _place(study: Study, rules: Rules, value: float, *, is_set: bool) -> Place:
    under = study_under(study, rules)
    asked, before = under.answers.queries(), study.collected.queries()
    return Place(
        limit=value,
        is_set=is_set,
        people=len(under.standing.sittings),
        answers=len(before) - len(asked),
        seconds=_mean_seconds(asked),
        consistency=modal_share(asked.ratings().counts()).mean,
    )


def _mean_seconds(asked: Answers) -> float | None:
    seconds = np.where(asked.timing <= 1, asked.seconds, np.nan)
    means = group_means(seconds, asked.task, len(asked.tasks))
    known: Sequence[float] = means[~np.isnan(means)].tolist()
    return float(np.mean(known)) if known else None
