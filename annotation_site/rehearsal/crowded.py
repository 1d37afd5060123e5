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

CHUNK = 50_000
"""Places written at a time, so that a million of them never lie in memory together."""
PRACTICE = 3
UNDONE_EVERY = 50
"""So many assignments have an earlier version that was taken back."""


def build_crowded_round(
    *,
    n_answers: int,
    redundancy: int,
    block_size: int,
    n_images: int = 0,
    n_free: int = 0,
    name: str = "Rehearsal",
) -> Round:
    """Make a round whose tasks have their answers, some thousands of rows at a time.

    Args:
        n_answers: Responses in all, earlier versions counted; at least `redundancy`.
        redundancy: Answers to each task.
        block_size: Answers of each annotator.
        n_images: Images of the data set, where more than are asked about.
        n_free: Tasks behind these that nobody has answered yet.
        name: Of the project.

    Returns:
        The round.
    """
    rng = np.random.default_rng(1)
    n_assignments = n_answers * UNDONE_EVERY // (UNDONE_EVERY + 1)
    n_asked = -(-n_assignments // redundancy)
    round_ = build_round(
        n_items=n_asked + n_free,
        redundancy=redundancy,
        block_size=block_size,
        n_spare=max(0, n_images - n_asked - n_free - PRACTICE),
        n_practice=PRACTICE,
        name=name,
    )
    tasks = list(round_.tasks.order_by("position").values_list("pk", flat=True)[:n_asked])
    sittings = _sittings(round_, -(-n_assignments // block_size))
    truth = rng.random(n_asked) < 0.6
    right = rng.random(n_assignments) < 0.9
    n_earlier = n_answers - n_assignments
    for start in range(0, n_assignments, CHUNK):
        numbers = range(start, min(start + CHUNK, n_assignments))
        # A stride through the tasks: neighbours in a block are different tasks, as in life.
        made = Assignment.objects.bulk_create(
            (
                Assignment(
                    sitting_id=sittings[n // block_size],
                    task_id=tasks[n % n_asked],
                    position=n % block_size,
                    state=AssignmentState.ANSWERED,
                    served_at=round_.opened_at,
                    exposures=1,
                    n_versions=1,
                )
                for n in numbers
            ),
            batch_size=BATCH,
        )
        said = [bool(truth[n % n_asked] == right[n]) for n in numbers]
        places = [(n, assignment.pk) for n, assignment in zip(numbers, made, strict=True)]
        Response.objects.bulk_create(_responses(places, said, n_earlier, rng), batch_size=BATCH)
    Task.objects.filter(round=round_, position__lt=n_asked).update(reserved=redundancy)
    return round_


def _sittings(round_: Round, n: int) -> list[int]:
    people = Annotator.objects.bulk_create(
        (Annotator(key_hash=f"{round_.pk:016x}{number:048x}") for number in range(n)),
        batch_size=BATCH,
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
    places: list[tuple[int, int]], said: list[bool], n_earlier: int, rng: np.random.Generator
) -> Iterator[Response]:
    """Give one response for each place, (number, key), and an earlier version for some."""
    now = timezone.now()
    for (n, key), yes in zip(places, said, strict=True):
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
