"""Places at tasks: taken, given back and taken again, always counted by guarded updates.

The caller holds the round's or the sittings' locks; tasks are locked here, by key, so that nobody
waits for somebody who waits for them.
"""

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, Q

from annotation_site.annotation.allocation import lease_of
from annotation_site.annotation.errors import RoundFull
from annotation_site.annotation.models import (
    WAITING,
    Assignment,
    AssignmentState,
    Response,
    Round,
    Sitting,
    SittingState,
    Task,
    TaskRole,
)

HAS_ROOM = Q(retired_reason="") & (~Q(role=TaskRole.QUERY) | Q(reserved__lt=F("target")))
"""Gold, repeat and check tasks always have room."""


def release_lapsed(round_: Round, now: datetime) -> int:
    """Expire lapsed sittings; one that is being answered this moment is left alone."""
    lapsed = list(
        Sitting.objects.filter(round=round_)
        .lapsed(now)
        .order_by("pk")
        .select_for_update(skip_locked=True, no_key=True)
        .values_list("pk", flat=True)
    )
    if lapsed:
        Sitting.objects.filter(pk__in=lapsed).update(state=SittingState.EXPIRED)
        release_places(lapsed)
    return len(lapsed)


def release_places(sittings: Collection[int]) -> None:
    """Release what waits in these sittings, which the caller has locked."""
    give_back(sittings, WAITING, AssignmentState.RELEASED)


def give_back(
    sittings: Collection[int], states: Collection[str], after: AssignmentState, **only: object
) -> int:
    """Move assignments of these sittings on and free their places; say how many those were.

    Args:
        sittings: Keys of sittings that the caller has locked.
        states: Of the assignments to move.
        after: Their new state, which holds no place.
        only: Further conditions on the assignments.
    """
    waiting = Assignment.objects.filter(sitting__in=sittings, state__in=states, **only)
    held: dict[int, int] = {}
    for task_id in waiting.values_list("task_id", flat=True):
        held[task_id] = held.get(task_id, 0) + 1
    list(
        Task.objects.filter(pk__in=held)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk")
    )
    for n_places in set(held.values()):
        tasks = [task_id for task_id, count in held.items() if count == n_places]
        Task.objects.filter(pk__in=tasks).update(reserved=F("reserved") - n_places)
    waiting.update(state=after)
    return sum(held.values())


def take_places(task_ids: Collection[int]) -> list[int]:
    """Hold one more place at each task that has room; give the tasks that had."""
    rows = Task.objects.filter(pk__in=task_ids).order_by("pk").select_for_update(no_key=True)
    free = [
        pk
        for pk, role, reserved, target, retired in rows.values_list(
            "pk", "role", "reserved", "target", "retired_reason"
        )
        if not retired and (role != TaskRole.QUERY or reserved < target)
    ]
    taken = Task.objects.filter(HAS_ROOM, pk__in=free).update(reserved=F("reserved") + 1)
    if taken != len(free):
        raise RoundFull("a place was taken in the same moment; please try again")
    return free


def retake_places(sitting: Sitting, now: datetime) -> int:
    """Hold again the released places that are free, and set the sitting to work; count them."""
    lost = Response.objects.filter(assignment__sitting=sitting, surplus=True)
    released = sitting.assignments.filter(state=AssignmentState.RELEASED).exclude(
        pk__in=lost.values("assignment")
    )
    free = take_places(list(released.values_list("task_id", flat=True)))
    again = sitting.assignments.filter(task__in=free, state=AssignmentState.RELEASED)
    again.filter(served_at__isnull=False).update(state=AssignmentState.SERVED)
    again.filter(state=AssignmentState.RELEASED).update(state=AssignmentState.RESERVED)
    has_begun = sitting.assignments.filter(served_at__isnull=False).exists()
    if free:
        sitting.state = SittingState.WORKING if has_begun else SittingState.PRACTISING
        sitting.lease_until = now + lease_of(len(free))
        sitting.save(update_fields=["state", "lease_until"])
    return len(free)
