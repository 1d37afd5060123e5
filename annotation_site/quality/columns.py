"""A round's current answers as numpy columns: read in three queries, however many there are."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from django.db.models import Count, Max
from jaxtyping import Bool, Float, Int

from annotation_site.annotation.models import (
    UNSURE,
    AnswerChoice,
    Arm,
    AssignmentState,
    Response,
    ResponseQuerySet,
    Round,
    TaskRole,
    Variant,
)
from annotation_site.annotation.summaries import active_seconds
from annotation_site.quality.memory import MOST_ROUNDS, Memory
from engine.labeling.ratings import Ratings

ROLES = tuple(role.value for role in TaskRole)
QUERY, GOLD, REPEAT, CHECK = (ROLES.index(role) for role in ("query", "gold", "repeat", "check"))
_MOST_AT_ONCE = 5000
_columns = Memory(MOST_ROUNDS)

Stamp = tuple[int, int, int]
"""How many answers a round has, the newest one's key, and the round's: what columns rest on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A task, as far as figures need it."""

    task_id: int
    image_id: int
    role: int
    variant: str
    expected: str
    cluster: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A sitting, as far as figures need it: one annotator in one round."""

    sitting_id: int
    public_id: str
    annotator: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The current answer of every answered place of a round; looks of leads and panels left out.

    Attributes:
        stamp: What the columns rest on.
        categories: The sure answers on offer: ("no", "yes"), or the choices.
        said: Names of all answers, by their numbers; the categories come first.
        tasks: By number.
        people: By number.
        response: Key of each answer.
        task: Number of its task.
        person: Number of its sitting.
        answer: Number in `said`.
        seconds: Active seconds; NaN where they are not known.
        timing: 0 for quality A, 1 for B, 2 for C.
        position: Place in the sitting.
    """

    stamp: Stamp
    categories: tuple[str, ...]
    said: tuple[str, ...]
    tasks: tuple[Asked, ...]
    people: tuple[Person, ...]
    response: Int[np.ndarray, " r"]
    task: Int[np.ndarray, " r"]
    person: Int[np.ndarray, " r"]
    answer: Int[np.ndarray, " r"]
    seconds: Float[np.ndarray, " r"]
    timing: Int[np.ndarray, " r"]
    position: Int[np.ndarray, " r"]

    def __len__(self) -> int:
        return len(self.response)

    def take(self, kept: Bool[np.ndarray, " r"]) -> "Answers":
        """Keep some of the answers; tasks and people keep their numbers."""
        return replace(
            self,
            response=self.response[kept],
            task=self.task[kept],
            person=self.person[kept],
            answer=self.answer[kept],
            seconds=self.seconds[kept],
            timing=self.timing[kept],
            position=self.position[kept],
        )

    def without(self, sittings: Collection[int], responses: Collection[int]) -> "Answers":
        """Leave out whole sittings and single answers, by their keys."""
        if not sittings and not responses:
            return self
        out = {person.sitting_id for person in self.people} & set(sittings)
        gone = np.array([person.sitting_id in out for person in self.people], dtype=bool)
        kept = ~np.isin(self.response, np.fromiter(responses, dtype=np.int64))
        if len(self.people):
            kept &= ~gone[self.person]
        return self.take(kept)

    @property
    def roles(self) -> Int[np.ndarray, " r"]:
        """The role of each answer's task."""
        found: np.ndarray = np.array([task.role for task in self.tasks], dtype=np.int64)[self.task]
        return found

    @property
    def sure(self) -> Bool[np.ndarray, " r"]:
        """Whether each answer is one of the categories."""
        found: np.ndarray = self.answer < len(self.categories)
        return found

    def queries(self) -> "Answers":
        """Keep the answers to queries, unsure ones as well."""
        return self.take(self.roles == QUERY)

    def ratings(self) -> Ratings:
        """Give the sure answers to queries as ratings; items are tasks, raters are sittings."""
        sure = self.take((self.roles == QUERY) & self.sure)
        items, item = np.unique(sure.task, return_inverse=True)
        raters, rater = np.unique(sure.person, return_inverse=True)
        return Ratings(
            items=item.astype(np.int64),
            raters=rater.astype(np.int64),
            categories=sure.answer,
            item_names=tuple(items.tolist()),
            rater_names=tuple(raters.tolist()),
            category_names=self.categories,
        )


def categories_of(round_: Round) -> tuple[str, ...]:
    """Give the sure answers of a round, in the order of their numbers."""
    if round_.arm == Arm.ATTENTION:
        return (AnswerChoice.NO.value, AnswerChoice.YES.value)
    return tuple(round_.choices)


def stamp_of(round_: Round) -> Stamp:
    """Count a round's answers, in one query."""
    found = _current(round_).aggregate(n=Count("pk"), newest=Max("pk"))
    return found["n"], found["newest"] or 0, round_.pk


def answers_of(round_: Round, stamp: Stamp | None = None) -> Answers:
    """Give a round's current answers, from memory where none has come since.

    Args:
        round_: The round.
        stamp: Of `stamp_of`, where the caller has it.
    """
    found = stamp or stamp_of(round_)
    return _columns.recall(found, lambda: _read(round_, found))


def _current(round_: Round) -> ResponseQuerySet:
    return Response.objects.filter(
        assignment__sitting__round=round_,
        assignment__sitting__is_test=False,
        assignment__state=AssignmentState.ANSWERED,
        surplus=False,
    )


def _read(round_: Round, stamp: Stamp) -> Answers:
    categories = categories_of(round_)
    said = (*categories, *(answer.value for answer in UNSURE))
    numbers = {answer: number for number, answer in enumerate(said)}
    tasks, task_number = _tasks(round_)
    people, person_number = _people(round_)
    rows = (
        _current(round_)
        .filter(pk__lte=stamp[1])
        .order_by("assignment_id", "version")
        .values_list(
            "pk",
            "assignment_id",
            "assignment__task_id",
            "assignment__sitting_id",
            "answer",
            "shown_to_answer_ms",
            "hidden_ms",
            "quality",
            "assignment__position",
        )
    )
    # A later version of an answer stands in the place of the one before.
    current = {row[1]: row for row in rows.iterator(chunk_size=_MOST_AT_ONCE)}
    kept = [
        row
        for row in current.values()
        if row[4] in numbers and row[2] in task_number and row[3] in person_number
    ]

    def whole(values: list[int]) -> Int[np.ndarray, " r"]:
        return np.array(values, dtype=np.int64)

    return Answers(
        stamp=stamp,
        categories=categories,
        said=said,
        tasks=tasks,
        people=people,
        response=whole([row[0] for row in kept]),
        task=whole([task_number[row[2]] for row in kept]),
        person=whole([person_number[row[3]] for row in kept]),
        answer=whole([numbers[row[4]] for row in kept]),
        seconds=np.array([active_seconds(row[5], row[6]) for row in kept], dtype=np.float64),
        timing=whole(["ABC".find(row[7]) for row in kept]),
        position=whole([row[8] for row in kept]),
    )


def _tasks(round_: Round) -> tuple[tuple[Asked, ...], dict[int, int]]:
    rows = round_.tasks.order_by("pk").values_list(
        "pk", "image_id", "role", "variant", "expected", "cluster"
    )
    tasks = tuple(
        Asked(
            task_id=pk,
            image_id=image,
            role=ROLES.index(role),
            variant=Variant(variant).value,
            expected=expected,
            cluster=cluster,
        )
        for pk, image, role, variant, expected, cluster in rows
    )
    return tasks, {task.task_id: number for number, task in enumerate(tasks)}


def _people(round_: Round) -> tuple[tuple[Person, ...], dict[int, int]]:
    rows = (
        round_.sittings.real().order_by("pk").values_list("pk", "public_id", "annotator__public_id")
    )
    people = tuple(
        Person(sitting_id=pk, public_id=public, annotator=name) for pk, public, name in rows
    )
    return people, {person.sitting_id: number for number, person in enumerate(people)}


def forget() -> None:
    """Forget what is remembered; tests need it, whose rows' keys come back."""
    _columns.clear()
