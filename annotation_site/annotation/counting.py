"""The counters of tasks are a cache: counted anew here, and mended where they differ."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from annotation_site.annotation.models import HELD, Assignment, Round, Task, TaskQuerySet, TaskRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Miscount:
    """A task whose counter is not what a recount gives.

    Attributes:
        task_id: The task.
        counted: What the counter said.
        held: Places that are really held or answered.
    """

    task_id: int
    counted: int
    held: int


@transaction.atomic
def recount(*, round: Round | None = None, mend: bool = False) -> list[Miscount]:  # noqa: A002
    """Compare every counter with what is held.

    Args:
        round: Only its tasks; all rounds without.
        mend: Set wrong counters right.

    Returns:
        Every difference found; there must be none.
    """
    rounds = Round.objects.order_by("pk") if round is None else Round.objects.filter(pk=round.pk)
    list(rounds.select_for_update(no_key=True).values_list("pk"))
    tasks = Task.objects.filter(round__in=rounds)
    found = [
        Miscount(task_id=pk, counted=counted, held=held)
        for pk, counted, held in _counts_of(tasks.miscounted())
    ]
    if mend and found:
        wrong = [each.task_id for each in found]
        list(
            Task.objects.filter(pk__in=wrong)
            .order_by("pk")
            .select_for_update(no_key=True)
            .values_list("pk")
        )
        set_counters(Q(pk__in=wrong))
    return found


def _counts_of(tasks: TaskQuerySet) -> list[tuple[int, int, int]]:
    n_held = Count("assignments", filter=Q(assignments__state__in=HELD))
    return list(tasks.annotate(n_held=n_held).values_list("pk", "reserved", "n_held"))


def set_counters(which: Q) -> None:
    """Set the counters of tasks, which the caller has locked, to what is held."""
    held = (
        Assignment.objects.filter(task=OuterRef("pk"), state__in=HELD)
        .order_by()
        .values("task")
        .annotate(n=Count("pk"))
        .values("n")
    )
    Task.objects.filter(which).update(reserved=Coalesce(Subquery(held), 0))


def overfull(round_: Round) -> int:
    """Count the queries that have more places held than they want; there must be none."""
    return round_.tasks.filter(role=TaskRole.QUERY, reserved__gt=F("target")).count()
