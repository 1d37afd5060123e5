"""A round with a given number of answers in it, written straight into the database."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from django.utils import timezone

from annotation_site.annotation.models import (
    Annotator,
    Assignment,
    AssignmentState,
    Response,
    Round,
    Sitting,
    SittingState,
    Task,
)
from annotation_site.rehearsal.stage import BATCH, build_round

UNDONE_EVERY = 50
"""So many assignments have an earlier version that was taken back."""


def build_crowded_round(*, n_answers: int, redundancy: int, block_size: int) -> Round:
    """Make a round whose every task has its answers.

    Args:
        n_answers: Responses in all, earlier versions counted; at least `redundancy`.
        redundancy: Answers to each task.
        block_size: Answers of each annotator.

    Returns:
        The round.
    """
    rng = np.random.default_rng(1)
    n_assignments = n_answers * UNDONE_EVERY // (UNDONE_EVERY + 1)
    round_ = build_round(
        n_items=-(-n_assignments // redundancy), redundancy=redundancy, block_size=block_size
    )
    tasks = list(round_.tasks.order_by("pk").values_list("pk", flat=True))
    sittings = _sittings(round_, -(-n_assignments // block_size))
    truth = rng.random(len(tasks)) < 0.6
    # A stride through the tasks: neighbours in a block are different tasks, as in life.
    places = [(n // block_size, n % len(tasks)) for n in range(n_assignments)]
    assignments = Assignment.objects.bulk_create(
        (
            Assignment(
                sitting_id=sittings[sitting],
                task_id=tasks[task],
                position=n % block_size,
                state=AssignmentState.ANSWERED,
                served_at=round_.opened_at,
                exposures=1,
                n_versions=1,
            )
            for n, (sitting, task) in enumerate(places)
        ),
        batch_size=BATCH,
    )
    keys = [assignment.pk for assignment in assignments]
    del assignments
    right = rng.random(n_assignments) < 0.9
    said = [truth[task] == ok for (_, task), ok in zip(places, right, strict=True)]
    Response.objects.bulk_create(
        _responses(keys, said, n_answers - n_assignments, rng), batch_size=BATCH
    )
    Task.objects.filter(round=round_).update(reserved=redundancy)
    return round_


def _sittings(round_: Round, n: int) -> list[int]:
    people = Annotator.objects.bulk_create(
        (Annotator(key_hash=f"{number:064x}") for number in range(n)), batch_size=BATCH
    )
    now = timezone.now()
    made = Sitting.objects.bulk_create(
        (
            Sitting(
                round=round_,
                annotator=person,
                state=SittingState.COMPLETED,
                consented_at=now,
                completed_at=now,
                lease_until=now + timedelta(hours=1),
                environment={"width": 1280, "height": 800, "input": "mouse"},
            )
            for person in people
        ),
        batch_size=BATCH,
    )
    return [sitting.pk for sitting in made]


def _responses(
    keys: list[int], said: list[bool], n_earlier: int, rng: np.random.Generator
) -> Iterator[Response]:
    """Give one response for each assignment, and an earlier version for some."""
    now = timezone.now()
    for n, (key, yes) in enumerate(zip(keys, said, strict=True)):
        twice = n < n_earlier
        for version in (1, 2) if twice else (1,):
            yield Response(
                assignment_id=key,
                version=version,
                answer="yes" if yes == (version == 1 + twice) else "no",
                client_uuid=uuid.uuid4(),
                stimulus_hash=f"{n:064x}",
                shown_to_answer_ms=float(rng.gamma(4, 900)),
                hidden_ms=0.0,
                blur_ms=0.0,
                input_kind="key",
                overlay_seen={"opacity": 0.6, "peeks": 1.0, "viewport": 1280.0},
                timing={"request_to_shown_ms": 31.0, "n_hidden": 0.0, "n_blur": 0.0},
                served_at=now,
                received_at=now,
            )
