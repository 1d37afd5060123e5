"""Which task of a sitting comes next, and that it was shown."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotation_site.annotation.errors import NotServed, UnknownTask
from annotation_site.annotation.models import (
    WAITING,
    Assignment,
    AssignmentState,
    Sitting,
    SittingState,
)


@transaction.atomic
def serve(*, sitting: Sitting, assignment_id: UUID, now: datetime | None = None) -> Assignment:
    """Note that a task was put on a page: reserved becomes served, and each time is counted.

    Raises:
        UnknownTask: The assignment is not of this sitting.
        NotServed: The sitting is not at work.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    assignment = held.assignments.filter(public_id=assignment_id).first()
    if assignment is None:
        raise UnknownTask("this task does not belong to this sitting")
    if held.state != SittingState.WORKING:
        raise NotServed("this task is not to be answered now")
    if assignment.state in WAITING:
        assignment.exposures += 1
        assignment.served_at = assignment.served_at or now
        assignment.state = AssignmentState.SERVED
        assignment.save(update_fields=["state", "served_at", "exposures"])
    return assignment


def serve_next(sitting: Sitting, now: datetime, *, exposures: int) -> bool:
    """Serve the first waiting task, adding to its exposures; say whether there was one."""
    following = sitting.assignments.waiting().first()
    if following is None:
        return False
    Assignment.objects.filter(pk=following.pk).update(
        state=AssignmentState.SERVED,
        served_at=following.served_at or now,
        exposures=F("exposures") + exposures,
    )
    return True
