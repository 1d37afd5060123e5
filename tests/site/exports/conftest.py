"""A round in which everything happened that an export has to tell."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation_site.annotation import answering
from annotation_site.annotation.models import (
    Annotator,
    Assignment,
    AssignmentState,
    Identity,
    Response,
    RoundState,
    Sitting,
    SittingState,
)
from annotation_site.annotation.timing import Timing
from tests.site import factories

CANARY = "5f0c2ca7a1b2c3d4e5f60718"
"""What the panel calls Ana; must be nowhere."""


@pytest.fixture
def answered(project):
    """A round of four queries wanted twice; Ana answers all, Ben two, a lead looks at one."""
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=4, redundancy=2)
    ana, ben, look = (sit(round_, name) for name in ("ana", "ben", "look"))
    Identity.objects.create(annotator=ana.annotator, sealed=CANARY.encode())
    Sitting.objects.filter(pk=look.pk).update(is_test=True)
    tasks = list(round_.tasks.order_by("position"))
    for position, (task, said) in enumerate(zip(tasks, ("yes", "no", "yes", "no"), strict=True)):
        give(ana, task, said, position)
    give(ben, tasks[0], "yes", 0)
    give(ben, tasks[1], "cannot_tell", 1)
    give(look, tasks[2], "no", 0)
    # Ana changes her mind about the second: yes now stands in the place of no
    undone = answering.undo(sitting=ana, client_uuid=newest(ana, tasks[1]).client_uuid)
    assert undone is not None
    answer(ana, undone, "yes")
    # and takes the fourth back without a new answer
    answering.undo(sitting=ana, client_uuid=newest(ana, tasks[3]).client_uuid)
    return round_


def sit(round_, name):
    annotator = Annotator.objects.create(key_hash=name.rjust(64, "0"))
    return Sitting.objects.create(
        round=round_,
        annotator=annotator,
        state=SittingState.WORKING,
        consented_at=timezone.now(),
        lease_until=timezone.now() + timedelta(hours=1),
        environment={"width": 1280},
    )


def give(sitting, task, said, position):
    assignment = Assignment.objects.create(
        sitting=sitting,
        task=task,
        position=position,
        state=AssignmentState.SERVED,
        served_at=timezone.now() - timedelta(seconds=10),
        exposures=1,
    )
    answer(sitting, assignment, said)


def answer(sitting, assignment, said):
    return answering.record_answer(
        sitting=sitting,
        assignment_id=assignment.public_id,
        answer=said,
        client_uuid=uuid.uuid4(),
        timing=Timing(shown_to_answer_ms=1500.0, hidden_ms=200.0, overlay={"peeks": 2.0}),
    )


def newest(sitting, task):
    return (
        Response.objects.filter(assignment__sitting=sitting, assignment__task=task)
        .order_by("-version")
        .first()
    )
