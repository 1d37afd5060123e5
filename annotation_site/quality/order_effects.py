"""Whether answers change over a sitting: time and agreement in its first, middle and last third."""

from dataclasses import dataclass

import numpy as np

from annotation_site.quality.columns import Answers

NAMES = ("First third", "Middle third", "Last third")


@dataclass(frozen=True, slots=True, kw_only=True)
class Third:
    """One third of all sittings, put together.

    Attributes:
        name: Which.
        n: Answers to queries.
        median: Median active seconds; None where none is known.
        agreement: Mean share of the others' answers to the same image that are the same; None
            where nobody else answered.
        n_compared: Answers that the agreement rests on.
    """

    name: str
    n: int
    median: float | None
    agreement: float | None
    n_compared: int


def thirds_of(answers: Answers) -> tuple[Third, ...]:
    """Compare the thirds; images come in another order for everybody, so only place tells them apart.

    Args:
        answers: Those that count.

    Returns:
        Three, or none without answers.
    """
    if not len(answers):
        return ()
    length = np.zeros(len(answers.people), dtype=np.int64)
    np.maximum.at(length, answers.person, answers.position + 1)
    asked = answers.queries()
    third = 3 * asked.position // length[asked.person]
    same = _same_as_others(asked)
    return tuple(
        _third(name, asked.seconds[third == at], same[third == at]) for at, name in enumerate(NAMES)
    )


def _third(name: str, seconds: np.ndarray, same: np.ndarray) -> Third:
    known, compared = seconds[~np.isnan(seconds)], same[~np.isnan(same)]
    return Third(
        name=name,
        n=len(seconds),
        median=float(np.median(known)) if len(known) else None,
        agreement=float(compared.mean()) if len(compared) else None,
        n_compared=len(compared),
    )


def _same_as_others(asked: Answers) -> np.ndarray:
    """Give each sure answer's share of equal ones among the others' sure ones; NaN without any."""
    k = len(asked.said)
    table = np.zeros((len(asked.tasks), k))
    np.add.at(table, (asked.task[asked.sure], asked.answer[asked.sure]), 1)
    others = table.sum(axis=1)[asked.task] - 1
    equal = table[asked.task, asked.answer] - 1
    told = asked.sure & (others > 0)
    same: np.ndarray = np.full(len(asked), np.nan)
    same[told] = equal[told] / others[told]
    return same
