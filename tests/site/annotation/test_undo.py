"""Undo: any number of steps, nothing deleted, harmless when repeated."""

from http import HTTPStatus
from uuid import uuid4

from annotation_site.annotation import services
from annotation_site.annotation.models import Assignment, Response, SittingState


def votes(visit):
    return [vote.answer for vote in services.votes_of(visit.round)]


def current(visit):
    return visit.ahead()["tasks"][0]["assignment"]


def test_the_last_answer_is_taken_back_and_its_task_shown_again(ana_at_work):
    first = current(ana_at_work)
    ana_at_work.answer(first, "yes")

    reply = ana_at_work.post("undo", {})

    assert reply.json() == {"assignment": first}
    assert current(ana_at_work) == first
    assert votes(ana_at_work) == []
    assert Response.objects.count() == 1


def test_a_new_answer_is_a_new_version(ana_at_work):
    first = current(ana_at_work)
    ana_at_work.answer(first, "yes")
    ana_at_work.post("undo", {})

    ana_at_work.answer(first, "no")

    assert votes(ana_at_work) == ["no"]
    versions = Response.objects.order_by("version").values_list("version", "answer", "quality")
    assert list(versions) == [(1, "yes", "A"), (2, "no", "B")]


def test_any_number_of_steps(ana_at_work):
    order = []
    for _ in range(5):
        order.append(current(ana_at_work))
        ana_at_work.answer(order[-1])

    taken_back = [ana_at_work.post("undo", {}).json()["assignment"] for _ in range(6)]

    assert taken_back == [*reversed(order), None]
    assert current(ana_at_work) == order[0]
    for _ in range(5):
        ana_at_work.answer_next("no")
    assert votes(ana_at_work) == ["no"] * 5


def test_naming_the_answer_makes_a_repeat_harmless(ana_at_work):
    first_uuid, second_uuid = str(uuid4()), str(uuid4())
    ana_at_work.answer_next(client_uuid=first_uuid)
    ana_at_work.answer_next(client_uuid=second_uuid)

    for _ in range(3):
        ana_at_work.post("undo", {"client_uuid": second_uuid})

    assert len(votes(ana_at_work)) == 1
    assert Response.objects.current().get().client_uuid.hex == first_uuid.replace("-", "")


def test_a_completed_sitting_opens_again(ana_at_work):
    for _ in range(12):
        ana_at_work.answer_next()
    page = ana_at_work.client.get(ana_at_work.url("done"))
    assert "Go back to the last image" in page.content.decode()

    reply = ana_at_work.client.post(
        ana_at_work.url("undo"), {"client_uuid": page.context["last"].client_uuid}
    )

    assert reply.url == ana_at_work.url("task")
    assert ana_at_work.sitting.state == SittingState.WORKING
    assert ana_at_work.sitting.completed_at is None
    page = ana_at_work.client.get(ana_at_work.url("task")).content.decode()
    assert "12 of 12" in page
    ana_at_work.answer_next("no")
    assert ana_at_work.sitting.state == SittingState.COMPLETED


def test_no_place_is_lost_or_won_by_it(ana_at_work):
    ana_at_work.answer_next()
    ana_at_work.post("undo", {})

    assert set(ana_at_work.round.tasks.values_list("reserved", flat=True)) == {1}
    assert not ana_at_work.round.tasks.miscounted().exists()


def test_after_the_end_nothing_can_be_taken_back(ana_at_work):
    ana_at_work.answer_next()
    services.begin_closing(round=ana_at_work.round)

    assert ana_at_work.post("undo", {}).status_code == HTTPStatus.CONFLICT
    assert len(votes(ana_at_work)) == 1


def test_a_malformed_name_is_refused(ana_at_work):
    ana_at_work.answer_next()

    assert ana_at_work.post("undo", {"client_uuid": "x"}).status_code == HTTPStatus.BAD_REQUEST
    assert ana_at_work.post("undo", "[").status_code == HTTPStatus.BAD_REQUEST
    assert Assignment.objects.filter(state="answered").count() == 1
