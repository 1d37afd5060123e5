"""The lead's blind second look: an own answer to contested images before the crowd's are shown."""

from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Max

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round, RoundState, Task, TaskRole
from annotation_site.projects.audit import record
from annotation_site.projects.models import Act
from annotation_site.quality.figures import Items, Study
from annotation_site.quality.models import SecondLook, Unveiling
from annotation_site.web.refusals import Refused
from engine.labeling.intervals import Interval, wilson_interval

CONTESTED = 0.95
"""An image whose likeliest answer is less likely than this is contested; so is a tie."""
_LOOKABLE = (RoundState.OPEN, RoundState.CLOSING, RoundState.CLOSED)


@transaction.atomic
def look(
    *,
    task: Task,
    by: User,
    answer: str,
    note: str = "",
) -> SecondLook:
    """Keep a lead's own answer to a query as the next version of it; the crowd's stay as they are.

    The first version counts as blind unless the lead had asked to see the crowd's answers.

    Raises:
        Refused: The answer is not on offer, the task is no query, or the round has not opened.
    """
    # The round is read after the lock, not locked itself: closing locks it before its tasks.
    locked = Task.objects.select_for_update(no_key=True).get(pk=task.pk)
    if locked.role != TaskRole.QUERY or locked.round.state not in _LOOKABLE:
        raise Refused("There is nothing to look at again here.")
    if answer not in locked.round.answers:
        raise Refused(f"Answer with one of {', '.join(locked.round.answers)}.")
    last = locked.second_looks.filter(by=by).aggregate(last=Max("version"))["last"] or 0
    made = SecondLook.objects.create(
        task=locked,
        by=by,
        version=last + 1,
        answer=answer,
        note=note.strip()[:300],
        blind=last == 0 and not is_unveiled(locked.round, by),
    )
    record(
        project=locked.round.project,
        by=by,
        act=Act.SECOND_LOOK,
        subject=f"image {locked.position + 1} of round {locked.round.number}",
        content={
            "task": locked.pk,
            "version": made.version,
            "blind": made.blind,
            "answer": answer,
            "note": made.note,
        },
    )
    return made


@transaction.atomic
def unveil(*, round: Round, by: User) -> Unveiling:  # noqa: A002  # the field's name
    """Show a lead the crowd's answers image by image; looks from now on are not blind."""
    made, is_new = Unveiling.objects.get_or_create(round=round, by=by)
    if is_new:
        record(project=round.project, by=by, act=Act.UNVEILED, subject=f"round {round.number}")
    return made


def is_unveiled(round_: Round, by: User) -> bool:
    """Tell whether a lead has asked to see the crowd's answers."""
    return Unveiling.objects.filter(round=round_, by=by).exists()


def looks_by(round_: Round, by: User) -> dict[int, SecondLook]:
    """Give a lead's present answers by the key of the task, in one query."""
    looks = SecondLook.objects.filter(task__round=round_, by=by).order_by("version")
    return {each.task_id: each for each in looks}


def is_contested(items: Items) -> np.ndarray:
    """Tell which images are contested, in the order of the items."""
    if len(items) == 0:
        return np.zeros(0, dtype=bool)
    found: np.ndarray = (items.posterior.max(axis=1) < CONTESTED) | (items.majority < 0)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """How often a lead's blind looks and the crowd said the same.

    Attributes:
        name: Which images.
        hits: The same as the majority.
        n: Blind looks with a sure answer, where the crowd has a majority.
        posterior_hits: The same as the likeliest answer by Dawid and Skene.
        interval: Wilson's 95 % interval of hits of n; None of nothing.
    """

    name: str
    hits: int
    n: int
    posterior_hits: int
    interval: Interval | None


def agreement_with_crowd(study: Study, items: Items, by: User) -> tuple[Agreed, ...]:
    """Hold a lead's blind looks against the crowd: on all images, contested ones, and the others.

    Args:
        study: The round under a version of its ledger.
        items: Of the same.
        by: The lead.
    """
    looks = dict(
        SecondLook.objects.filter(task__round=study.round, by=by, blind=True).values_list(
            "task_id", "answer"
        )
    )
    categories, contested = study.answers.categories, is_contested(items)
    pairs = []
    for place, number in enumerate(items.task.tolist()):
        said = looks.get(study.answers.tasks[number].task_id)
        majority = int(items.majority[place])
        if said in categories and majority >= 0:
            own = categories.index(said)
            likeliest = int(items.posterior[place].argmax())
            pairs.append((bool(contested[place]), own == majority, own == likeliest))
    kinds = (
        ("All images", pairs),
        ("Contested", [pair for pair in pairs if pair[0]]),
        ("Not contested", [pair for pair in pairs if not pair[0]]),
    )
    return tuple(_agreed(name, kept) for name, kept in kinds)


def _agreed(name: str, pairs: list[tuple[bool, bool, bool]]) -> Agreed:
    hits, n = sum(same for _, same, _ in pairs), len(pairs)
    return Agreed(
        name=name,
        hits=hits,
        n=n,
        posterior_hits=sum(same for _, _, same in pairs),
        interval=wilson_interval(hits, n) if n else None,
    )


def next_task(study: Study, items: Items, by: User) -> int | None:
    """Give the key of the most contested image that a lead has not looked at; None of none."""
    seen = set(
        SecondLook.objects.filter(task__round=study.round, by=by).values_list("task_id", flat=True)
    )
    numbers: list[int] = items.task.tolist()
    for number in numbers:
        key = study.answers.tasks[number].task_id
        if key not in seen:
            return key
    return None
