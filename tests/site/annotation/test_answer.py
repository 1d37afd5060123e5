"""Answers: stored once, in versions, never refused for being late."""

from http import HTTPStatus
from uuid import uuid4

import pytest
from django.test import Client

from annotation_site.annotation import services
from annotation_site.annotation.models import Assignment, Response, RoundState, SittingState
from tests.site import factories
from tests.site.annotation.conftest import Visit


def test_an_answer_is_stored_and_the_next_is_served(ana_at_work):
    first, second = (task["assignment"] for task in ana_at_work.ahead()["tasks"][:2])

    reply = ana_at_work.answer(first, "no", input_kind="key", overlay={"opacity": 0.5})

    assert reply.json() == {
        "status": "stored",
        "client_uuid": reply.json()["client_uuid"],
        "assignment": first,
        "answer": "no",
        "version": 1,
        "late": False,
        "surplus": False,
    }
    response = Response.objects.get()
    assert (response.answer, response.quality, response.input_kind) == ("no", "A", "key")
    assert response.overlay_seen == {"opacity": 0.5}
    assert len(response.stimulus_hash) == 64
    assert Assignment.objects.get(public_id=first).state == "answered"
    assert Assignment.objects.get(public_id=second).state == "served"


def test_the_same_id_gives_the_same_reply_at_any_time(ana_at_work):
    assignment, client_uuid = ana_at_work.ahead()["tasks"][0]["assignment"], str(uuid4())

    first = ana_at_work.answer(assignment, "yes", client_uuid)
    ana_at_work.answer_next()
    again = ana_at_work.answer(assignment, "yes", client_uuid)
    changed = ana_at_work.answer(assignment, "no", client_uuid)

    assert first.json() == again.json() == changed.json()
    assert {first.status_code, again.status_code} == {HTTPStatus.OK}
    assert Response.objects.filter(client_uuid=client_uuid).count() == 1


def test_the_same_id_after_undo_does_not_answer_again(ana_at_work):
    assignment, client_uuid = ana_at_work.ahead()["tasks"][0]["assignment"], str(uuid4())
    ana_at_work.answer(assignment, "yes", client_uuid)
    ana_at_work.post("undo", {"client_uuid": client_uuid})

    ana_at_work.answer(assignment, "yes", client_uuid)

    assert Assignment.objects.get(public_id=assignment).state == "served"
    assert services.votes_of(ana_at_work.round) == ()


def test_a_task_that_was_not_shown_cannot_be_answered(ana_at_work):
    third = ana_at_work.ahead()["tasks"][2]["assignment"]

    reply = ana_at_work.answer(third)

    assert reply.status_code == HTTPStatus.CONFLICT
    assert Response.objects.count() == 0


def test_nothing_can_be_answered_during_practice(ana, open_round):
    visit = Visit(ana, open_round).start()
    assignment = visit.sitting.assignments.earliest("position")

    assert visit.answer(str(assignment.public_id)).status_code == HTTPStatus.CONFLICT


def test_somebody_elses_task_is_not_found(ana, ben, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, redundancy=2)
    ana_there, ben_there = (Visit(each, round_).start().practise() for each in (ana, ben))
    foreign = ben_there.ahead()["tasks"][0]["assignment"]

    assert ana_there.answer(foreign).status_code == HTTPStatus.NOT_FOUND
    ana_there.sitting_id = ben_there.sitting_id
    assert ana_there.answer(foreign).status_code == HTTPStatus.NOT_FOUND
    assert Response.objects.count() == 0


def test_somebody_elses_id_is_refused(ana, ben, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, redundancy=2)
    ana_there, ben_there = (Visit(each, round_).start().practise() for each in (ana, ben))
    client_uuid = str(uuid4())
    ben_there.answer_next(client_uuid=client_uuid)

    assert ana_there.answer_next(client_uuid=client_uuid).status_code == HTTPStatus.CONFLICT
    assert Response.objects.count() == 1


def test_two_tabs_keep_both_answers_and_the_older_is_told(ana_at_work):
    seen_by_both = ana_at_work.ahead()["tasks"][0]["assignment"]
    ana_at_work.answer(seen_by_both, "yes")
    ana_at_work.answer_next("yes")
    late_uuid = str(uuid4())

    reply = ana_at_work.answer(seen_by_both, "no", late_uuid)

    assert reply.status_code == HTTPStatus.CONFLICT
    assert reply.json()["status"] == "elsewhere"
    assert reply.json() == ana_at_work.answer(seen_by_both, "no", late_uuid).json()
    versions = Response.objects.filter(assignment__public_id=seen_by_both)
    assert list(versions.values_list("version", "answer")) == [(1, "yes"), (2, "no")]
    assert len(services.votes_of(ana_at_work.round)) == 2
    assert [state for state in states(ana_at_work) if state != "reserved"] == [
        "answered",
        "answered",
        "served",
    ]


def test_the_task_served_last_is_the_sittings_and_the_older_tab_is_told(ana_at_work):
    """One tab takes its last answer back while another still shows the task after it."""
    ana_at_work.answer_next("yes")
    shown_in_the_older = ana_at_work.ahead()["tasks"][0]["assignment"]
    taken_back = ana_at_work.post("undo", {}).json()["assignment"]

    reply = ana_at_work.answer(shown_in_the_older, "no")

    assert reply.status_code == HTTPStatus.CONFLICT
    assert reply.json()["status"] == "elsewhere"
    assert ana_at_work.ahead()["tasks"][0]["assignment"] == taken_back
    assert len(services.votes_of(ana_at_work.round)) == 0
    assert ana_at_work.answer(taken_back, "yes").status_code == HTTPStatus.OK
    assert ana_at_work.answer(shown_in_the_older, "yes").status_code == HTTPStatus.OK
    kept = Response.objects.filter(assignment__public_id=shown_in_the_older)
    assert list(kept.values_list("version", "answer", "elsewhere")) == [
        (1, "no", True),
        (2, "yes", False),
    ]
    assert [vote.answer for vote in services.votes_of(ana_at_work.round)] == ["yes", "yes"]


def states(visit):
    return list(visit.sitting.assignments.values_list("state", flat=True))


@pytest.mark.parametrize(
    ("said", "quality"),
    [
        ({"shown_to_answer_ms": 1500}, "A"),
        ({"shown_to_answer_ms": 1500, "hidden_ms": 200}, "B"),
        ({"shown_to_answer_ms": 1500, "blur_ms": 200}, "B"),
        ({"shown_to_answer_ms": None}, "C"),
        ({"shown_to_answer_ms": 100}, "C"),
        ({"shown_to_answer_ms": -5}, "C"),
        ({"shown_to_answer_ms": "fast"}, "C"),
        ({"shown_to_answer_ms": 1e12}, "C"),
        ({"shown_to_answer_ms": [1]}, "C"),
        ({"shown_to_answer_ms": 60_000}, "C"),
        ({"shown_to_answer_ms": 60_000, "delay_ms": 55_000}, "B"),
    ],
)
def test_the_browsers_clock_is_judged_not_trusted(ana_at_work, said, quality):
    assert ana_at_work.answer_next(**said).status_code == HTTPStatus.OK

    assert Response.objects.get().quality == quality


def test_numbers_that_are_none_are_survived(ana_at_work):
    assignment = ana_at_work.ahead()["tasks"][0]["assignment"]
    body = (
        f'{{"assignment": "{assignment}", "answer": "yes", "client_uuid": "{uuid4()}",'
        ' "shown_to_answer_ms": NaN, "hidden_ms": Infinity, "overlay": {"opacity": NaN}}'
    )

    assert ana_at_work.post("answer", body).status_code == HTTPStatus.OK
    response = Response.objects.get()
    assert (response.quality, response.shown_to_answer_ms, response.overlay_seen) == ("C", None, {})


@pytest.mark.parametrize(
    "body",
    ["{", "[]", "null", "7", '{"answer": "yes"}', "[" * 3000, "x" * 10_000,
     {"assignment": "x", "answer": "yes", "client_uuid": "y"},
     {"assignment": 3, "answer": ["yes"], "client_uuid": None}],
)  # fmt: skip
def test_malformed_answers_are_refused(ana_at_work, body):
    assert ana_at_work.post("answer", body).status_code == HTTPStatus.BAD_REQUEST
    assert Response.objects.count() == 0


def test_what_the_round_does_not_offer_cannot_be_answered(ana_at_work):
    assert ana_at_work.answer_next("certainly").status_code == HTTPStatus.BAD_REQUEST
    assert ana_at_work.answer_next("").status_code == HTTPStatus.BAD_REQUEST
    assert Response.objects.count() == 0


def test_the_last_answer_completes_the_sitting(ana_at_work):
    for _ in range(12):
        ana_at_work.answer_next()

    assert ana_at_work.sitting.state == SittingState.COMPLETED
    assert ana_at_work.sitting.completed_at is not None


def test_a_reload_counts_as_a_second_exposure(ana_at_work):
    assignment = ana_at_work.ahead()["tasks"][0]["assignment"]
    for expected in (1, 2):
        reply = ana_at_work.post("serve", {"assignment": assignment})
        assert reply.json() == {
            "assignment": assignment,
            "state": "served",
            "exposures": expected,
        }

    ana_at_work.answer(assignment)

    response = Response.objects.get()
    assert (response.exposures, response.quality) == (2, "B")


def test_serving_is_refused_for_foreign_and_malformed_ids(ana_at_work):
    assert ana_at_work.post("serve", {"assignment": str(uuid4())}).status_code == 404
    assert ana_at_work.post("serve", {"assignment": "x"}).status_code == 400
    assert ana_at_work.post("serve", "[]").status_code == 400


def test_csrf_is_asked_for(ana_at_work):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = ana_at_work.client.cookies
    ana_at_work.client = strict

    assert ana_at_work.answer_next().status_code == HTTPStatus.FORBIDDEN
    assert Response.objects.count() == 0


def test_an_answer_after_the_end_is_kept_but_not_counted(ana_at_work):
    ana_at_work.answer_next()
    pending = ana_at_work.ahead()["tasks"][0]["assignment"]
    services.begin_closing(round=ana_at_work.round)

    reply = ana_at_work.answer(pending, "no")

    assert reply.status_code == HTTPStatus.OK
    assert (reply.json()["late"], reply.json()["surplus"]) == (True, True)
    assert Response.objects.count() == 2
    assert len(services.votes_of(ana_at_work.round)) == 1


def test_a_changed_mind_after_the_end_does_not_move_a_frozen_vote(ana_at_work):
    assignment = ana_at_work.ahead()["tasks"][0]["assignment"]
    ana_at_work.answer(assignment, "yes")
    services.begin_closing(round=ana_at_work.round)

    ana_at_work.answer(assignment, "no")

    assert [vote.answer for vote in services.votes_of(ana_at_work.round)] == ["yes"]


def test_an_answer_costs_the_same_in_a_large_round(ana, project, django_assert_max_num_queries):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=30)
    visit = Visit(ana, round_).start().practise()
    assignment = visit.ahead()["tasks"][0]["assignment"]

    with django_assert_max_num_queries(14):
        visit.answer(assignment)
