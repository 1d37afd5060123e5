"""Pictures that are taken out of a round: reported, replaced by spares, and let in again."""

import random
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from annotation_site.annotation.answering import complete
from annotation_site.annotation.errors import RoundNotReady, UnknownTask
from annotation_site.annotation.models import (
    AT_WORK,
    WAITING,
    Assignment,
    AssignmentState,
    Report,
    Round,
    Sitting,
    SittingState,
    Task,
    TaskRole,
)
from annotation_site.annotation.places import give_back, take_places
from annotation_site.annotation.remarks import ReportKind
from annotation_site.annotation.serving import serve_next

TRUSTED_REPORTS = 3
"""So many reports of one sitting hide a picture from everybody; further ones from itself alone."""
REPORTED = "reported"
RETIRED = "retired"
_SHOWN_TWICE = (TaskRole.QUERY, TaskRole.REPEAT)
"""One picture, of which a repeat may be the mirrored twin: whoever hides one hides the other."""


@transaction.atomic
def report(
    *, sitting: Sitting, assignment_id: UUID, kind: ReportKind, now: datetime | None = None
) -> Report:
    """Note that a picture is offensive or did not load, and put another one in its place.

    An offensive picture is hidden from everybody in this same call.

    Raises:
        UnknownTask: The assignment is not of this sitting.
    """
    now = now or timezone.now()
    round_ = Round.objects.select_for_update(no_key=True).get(pk=sitting.round_id)
    assignment = Assignment.objects.filter(sitting=sitting, public_id=assignment_id).first()
    if assignment is None:
        raise UnknownTask("this task does not belong to this sitting")
    made, _ = Report.objects.get_or_create(assignment=assignment, kind=kind)
    earlier = Report.objects.filter(assignment__sitting=sitting, kind=ReportKind.OFFENSIVE)
    hides = kind == ReportKind.OFFENSIVE and earlier.count() <= TRUSTED_REPORTS
    if hides:
        _retire(round_, Q(pk=assignment.task_id), REPORTED, now)
    else:
        held = list(Sitting.objects.filter(pk=sitting.pk).select_for_update(no_key=True))
        _replace(held, [assignment.task_id], now)
    return made


@transaction.atomic
def retire(
    *,
    round: Round,  # noqa: A002
    task: Task,
    reason: str = RETIRED,
    now: datetime | None = None,
) -> None:
    """Ask a task of nobody any more; answers are kept, waiting places get spares."""
    locked = Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    _retire(locked, Q(pk=task.pk), reason[:20] or RETIRED, now or timezone.now())


def reinstate(*, task: Task) -> None:
    """Ask a retired task again; who had it replaced does not get it back."""
    Task.objects.filter(pk=task.pk).update(retired_reason="")
    Report.objects.filter(assignment__task=task, settled_at=None).update(settled_at=timezone.now())


@transaction.atomic
def top_up(*, round: Round, sittings: list[int], now: datetime | None = None) -> int:  # noqa: A002
    """Ask once more for what these sittings answered, as when they are left out of the analysis.

    Their answers stay where they are. The next arrivals get just these tasks, since no other has
    room. Each sitting is topped up once, however often this is called.

    Args:
        round: Their round.
        sittings: Keys of the sittings.
        now: The time.

    Returns:
        How many answers are asked for again.
    """
    locked = Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    fresh = list(
        Sitting.objects.filter(round=locked, pk__in=sittings, topped_up_at=None)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    answered = Assignment.objects.filter(
        sitting__in=fresh,
        state=AssignmentState.ANSWERED,
        task__role=TaskRole.QUERY,
        task__retired_reason="",
    )
    lost: dict[int, int] = {}
    for task_id in answered.values_list("task_id", flat=True):
        lost[task_id] = lost.get(task_id, 0) + 1
    list(
        Task.objects.filter(pk__in=lost)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk")
    )
    for count in set(lost.values()):
        tasks = [task_id for task_id, n in lost.items() if n == count]
        Task.objects.filter(pk__in=tasks).update(target=F("target") + count)
    Sitting.objects.filter(pk__in=fresh).update(topped_up_at=now or timezone.now())
    return sum(lost.values())


@transaction.atomic
def raise_target(*, round: Round, task: Task, by: int = 1) -> None:  # noqa: A002
    """Ask more people about a task, as where one more answer tells most.

    Raises:
        RoundNotReady: The number is not positive, or the task is no query of the round.
    """
    Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    tasks = Task.objects.filter(pk=task.pk, round=round, role=TaskRole.QUERY)
    if by < 1 or not tasks.update(target=F("target") + by):
        raise RoundNotReady("only a query of this round can be asked of more people")


def _retire(round_: Round, which: Q, reason: str, now: datetime) -> None:
    """Retire tasks of a locked round, with the repeats of the same picture."""
    named = list(round_.tasks.filter(which))
    twins = Q(pk__in=[task.pk for task in named])
    for task in named:
        twins |= Q(image_id=task.image_id, variant=task.variant)
        if task.role in _SHOWN_TWICE:
            twins |= Q(image_id=task.image_id, role__in=_SHOWN_TWICE)
    tasks = list(round_.tasks.filter(twins).order_by("pk").values_list("pk", flat=True))
    touched = list(
        Sitting.objects.filter(
            pk__in=Assignment.objects.filter(task__in=tasks, state__in=WAITING).values("sitting")
        )
        .order_by("pk")
        .select_for_update(no_key=True)
    )
    Task.objects.filter(pk__in=tasks).update(retired_reason=reason)
    _replace(touched, tasks, now)


def _replace(sittings: list[Sitting], tasks: list[int], now: datetime) -> None:
    """Void what waits of these tasks in locked sittings, and put spares at the same positions."""
    for sitting in sittings:
        voided = list(
            sitting.assignments.filter(task__in=tasks, state__in=WAITING).values_list(
                "position", "turn"
            )
        )
        give_back([sitting.pk], WAITING, AssignmentState.VOID, task__in=tasks)
        if sitting.state in AT_WORK:
            spared = [_put_spare(sitting, position, turn + 1) for position, turn in voided]
            if not all(spared):
                left = F("n_promised") - spared.count(False)
                Sitting.objects.filter(pk=sitting.pk).update(n_promised=left)
        if sitting.state == SittingState.WORKING and voided:
            serve_next(sitting, now, exposures=0)
            complete(sitting=sitting, now=now)


def _put_spare(sitting: Sitting, position: int, turn: int) -> bool:
    """Hold a task that the sitting never had at a position; say whether there was one."""
    had = sitting.assignments.values("task__image")
    free = Task.objects.filter(round=sitting.round_id).with_room().exclude(image__in=had)
    least = free.order_by("reserved", "shuffle").values_list("reserved", flat=True).first()
    if least is None:
        return False
    spares = list(free.filter(reserved=least).values_list("pk", flat=True)[:100])
    rng = random.Random(f"{sitting.seed}:{position}:{turn}")  # noqa: S311  (an order, not a secret)
    for task_id in take_places([rng.choice(spares)]):
        Assignment.objects.create(sitting=sitting, task_id=task_id, position=position, turn=turn)
        return True
    return False
