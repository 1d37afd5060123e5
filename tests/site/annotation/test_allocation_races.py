"""Many people in the same instant: nobody overfills a task, one person never starts twice."""

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import close_old_connections, connection

from annotation_site.annotation import services
from annotation_site.annotation.errors import RoundFull
from annotation_site.annotation.models import (
    AnswerChoice,
    Assignment,
    Response,
    RoundState,
    Sitting,
    Task,
)
from annotation_site.annotation.timing import Timing
from tests.site import factories

pytestmark = pytest.mark.django_db(transaction=True)

TIMING = Timing(shown_to_answer_ms=1000.0, overlay={})


def at_once(works):
    """Run functions in threads that start together; give results or exceptions in order."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(position, work):
        close_old_connections()
        barrier.wait()
        try:
            results[position] = work()
        except Exception as error:  # noqa: BLE001  (handed to the test)
            results[position] = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(position, work)) for position, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def start(round_, name):
    return lambda: services.start_sitting(round=round_, key_hash=str(name).rjust(64, "0"))


def test_racing_annotators_never_overfill_a_task(project):
    round_ = factories.make_round(
        project, state=RoundState.OPEN, n_tasks=10, redundancy=3, block_size=4
    )

    results = at_once([start(round_, name) for name in range(12)])

    held = Counter(Assignment.objects.values_list("task_id", flat=True))
    assert set(held.values()) == {3}
    assert not Task.objects.miscounted().exists()
    assert {type(result) for result in results} <= {Sitting, RoundFull}
    assert Assignment.objects.count() == 30
    sizes = Counter(Assignment.objects.values_list("sitting_id", flat=True)).values()
    assert sorted(sizes) == [2, 4, 4, 4, 4, 4, 4, 4]


def test_one_person_with_many_tabs_starts_once(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, redundancy=5)

    results = at_once([start(round_, "same") for _ in range(8)])

    assert len({sitting.pk for sitting in results}) == 1
    assert Assignment.objects.count() == 12


def test_twenty_identical_answers_are_one(project):
    round_ = factories.make_round(project, state=RoundState.OPEN)
    sitting = begun(round_, "a")
    assignment = sitting.assignments.waiting().first()
    client_uuid = assignment.public_id

    results = at_once(
        [
            lambda: services.record_answer(
                sitting=sitting,
                assignment_id=assignment.public_id,
                answer=AnswerChoice.YES,
                client_uuid=client_uuid,
                timing=TIMING,
            )
        ]
        * 20
    )

    assert {result.pk for result in results} == {Response.objects.get().pk}


def test_people_who_come_back_and_people_who_arrive_share_what_is_left(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=10, redundancy=2)
    gone = [begun(round_, name) for name in ("a", "b")]
    for sitting in gone:
        services.withdraw(sitting=sitting)

    at_once(
        [lambda sitting=sitting: services.resume(sitting=sitting) for sitting in gone]
        + [start(round_, name) for name in ("c", "d", "e")]
    )

    assert not Task.objects.miscounted().exists()
    assert set(round_.tasks.values_list("reserved", flat=True)) == {2}


def test_closing_while_people_answer_counts_every_vote_once(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, redundancy=6)
    sittings = [begun(round_, name) for name in range(6)]
    answer_one(sittings[0])

    at_once(
        [lambda: services.begin_closing(round=round_)]
        + [lambda sitting=sitting: answer_one(sitting) for sitting in sittings]
    )

    counted = Response.objects.filter(surplus=False).count()
    assert len(services.votes_of(round_)) == counted
    assert Response.objects.count() == 7
    assert not Task.objects.miscounted().exists()


def begun(round_, name):
    sitting = start(round_, name)()
    for item in round_.practice_items.all():
        services.answer_practice(sitting=sitting, position=item.position, answer=item.answer)
    services.finish_practice(sitting=sitting)
    return sitting


def answer_one(sitting):
    from uuid import uuid4

    assignment = sitting.assignments.exclude(served_at=None).order_by("-position").first()
    return services.record_answer(
        sitting=sitting,
        assignment_id=assignment.public_id,
        answer=AnswerChoice.NO,
        client_uuid=uuid4(),
        timing=TIMING,
    )
