"""Three images with feedback that never become data."""

from http import HTTPStatus

import pytest

from annotation_site.annotation.models import AnswerChoice, Response, SittingState
from tests.site.annotation.conftest import Visit


@pytest.fixture
def visit_of_ana(ana, open_round):
    return Visit(ana, open_round).start()


def answer(visit, position, choice):
    reply = visit.client.post(
        visit.url("practice_answer"), {"position": position, "answer": choice}
    )
    return visit.client.get(reply.url)


def test_the_first_image_is_shown_with_its_grid_and_no_hint(visit_of_ana):
    page = visit_of_ana.client.get(visit_of_ana.url("practice"))

    assert page.context["number"] == 1
    assert "data:image/webp;base64," in page.content.decode()
    assert "Most of the highlight" not in page.content.decode()


def test_a_right_answer_is_explained(visit_of_ana):
    page = answer(visit_of_ana, 0, "yes").content.decode()

    assert "Yes is right." in page
    assert "Most of the highlight lies on the animal." in page


def test_a_wrong_answer_says_look_again(visit_of_ana):
    page = answer(visit_of_ana, 1, "yes").content.decode()

    assert "Look again: the answer here is No." in page
    assert "beside the animal" in page


def test_the_score_is_shown_at_the_end_with_a_way_to_repeat(visit_of_ana):
    for position, choice in enumerate(["yes", "yes", "yes"]):
        answer(visit_of_ana, position, choice)

    page = visit_of_ana.client.get(visit_of_ana.url("practice")).content.decode()
    assert "2 of 3 right" in page
    assert "Repeat practice" in page
    assert visit_of_ana.sitting.practice_right == 2


def test_the_first_answer_counts_when_it_is_sent_twice(visit_of_ana):
    answer(visit_of_ana, 0, "no")
    page = answer(visit_of_ana, 0, "yes").content.decode()

    assert "Look again" in page
    assert visit_of_ana.sitting.practice_right == 0


def test_repeating_begins_anew(visit_of_ana):
    answer(visit_of_ana, 0, "no")

    visit_of_ana.client.post(visit_of_ana.url("practice_repeat"))

    sitting = visit_of_ana.sitting
    assert (sitting.practice_answers, sitting.practice_attempts) == ({}, 2)
    assert visit_of_ana.client.get(visit_of_ana.url("practice")).context["number"] == 1


def test_the_work_begins_only_after_all_of_it(visit_of_ana):
    answer(visit_of_ana, 0, "yes")

    reply = visit_of_ana.client.post(visit_of_ana.url("practice_finish"))

    assert reply.url == visit_of_ana.url("practice")
    assert visit_of_ana.sitting.state == SittingState.PRACTISING


def test_finishing_serves_the_first_task_and_may_be_repeated(visit_of_ana):
    visit_of_ana.practise()

    reply = visit_of_ana.client.post(visit_of_ana.url("practice_finish"))

    assert reply.url == visit_of_ana.url("task")
    states = list(visit_of_ana.sitting.assignments.values_list("state", flat=True))
    assert states == ["served"] + ["reserved"] * 11


def test_practice_never_becomes_data(visit_of_ana):
    visit_of_ana.practise()

    assert Response.objects.count() == 0


def test_feedback_is_not_shown_ahead_of_an_answer(visit_of_ana):
    page = visit_of_ana.client.get(visit_of_ana.url("practice"), {"item": 2})

    assert page.context["number"] == 1
    assert not page.context["given"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"position": "x", "answer": "yes"},
        {"position": 0, "answer": "maybe"},
        {"position": 99, "answer": "yes"},
    ],
)
def test_nonsense_changes_nothing(visit_of_ana, body):
    reply = visit_of_ana.client.post(visit_of_ana.url("practice_answer"), body)

    assert reply.status_code == HTTPStatus.FOUND
    assert visit_of_ana.sitting.practice_answers == {}


def test_candidates_that_the_lead_did_not_confirm_are_not_shown(visit_of_ana):
    item = visit_of_ana.round.practice_items.get(position=1)
    item.answer = ""
    item.save(update_fields=["answer"])

    answer(visit_of_ana, 0, AnswerChoice.YES)
    page = visit_of_ana.client.get(visit_of_ana.url("practice"))

    assert page.context["item"].position == 2
    assert page.context["total"] == 2
