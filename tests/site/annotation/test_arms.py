"""The comparison arm: its own choices, no heat, and other people."""

from http import HTTPStatus

import pytest
from django.urls import reverse

from annotation_site.annotation import services
from annotation_site.annotation.errors import NotAdmitted, RoundNotReady, UnknownAnswer
from annotation_site.annotation.models import Arm, Response, Round, RoundState, Sitting
from annotation_site.annotation.setup import CrowdSettings, draft_comparison, settle
from tests.site import factories
from tests.site.annotation.conftest import Visit

CHOICES = ["on land", "on water", "<b>elsewhere</b>"]


@pytest.fixture
def surroundings(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=4)
    round_.arm, round_.choices, round_.question = Arm.SPURIOUSNESS, CHOICES, "Where is the animal?"
    round_.save()
    round_.practice_items.update(answer=CHOICES[0])
    return round_


def test_the_choices_are_buttons_with_digits_and_the_picture_has_no_heat(ana, surroundings):
    visit = Visit(ana, surroundings).start().practise()

    page = ana.get(visit.url("task")).content.decode()

    assert 'data-answer="on land" data-keys="1"' in page
    assert 'data-answer="cannot_tell"' in page
    assert "<b>elsewhere" not in page
    assert 'data-answer="yes"' not in page
    task = visit.ahead()["tasks"][0]
    assert (task["grid"], task["side"], task["dead"]) == ("", 0, False)


def test_only_what_is_offered_is_taken_and_none_of_it_is_a_vote(ana, surroundings):
    visit = Visit(ana, surroundings).start().practise()

    assert visit.answer_next("yes").status_code == HTTPStatus.BAD_REQUEST
    assert visit.answer_next("on water").status_code == HTTPStatus.OK
    assert visit.answer_next("cannot_tell").status_code == HTTPStatus.OK

    assert set(Response.objects.values_list("answer", flat=True)) == {"on water", "cannot_tell"}
    assert services.votes_of(surroundings.project) == ()


def test_nobody_answers_both_arms(ana, surroundings, project):
    other = factories.make_round(project, state=RoundState.OPEN, n_tasks=4)
    Visit(ana, surroundings).start()

    page = ana.get(reverse("annotation:consent", args=[other.link_token]))
    reply = ana.post(reverse("annotation:start", args=[other.link_token]), {"consent": "on"})

    assert "taken part already" in page.content.decode()
    assert reply.status_code == HTTPStatus.CONFLICT
    assert Sitting.objects.count() == 1


def test_other_studies_are_other_people(surroundings, project):
    other = factories.make_round(project, state=RoundState.OPEN, n_tasks=4)
    services.start_sitting(round=surroundings, key_hash="a")
    with pytest.raises(NotAdmitted):
        services.start_sitting(round=other, key_hash="a")

    other.study = "another"
    other.save(update_fields=["study"])

    assert services.start_sitting(round=other, key_hash="a").n_promised == 4


def test_one_choice_is_no_choice(project):
    round_ = factories.make_round(project)
    round_.arm, round_.choices = Arm.SPURIOUSNESS, ["land"]
    round_.save()

    with pytest.raises(RoundNotReady, match="two choices"):
        services.open_round(round=round_)


def test_practice_answers_are_of_the_arm(ana, surroundings):
    sitting = Visit(ana, surroundings).start().sitting

    with pytest.raises(UnknownAnswer):
        services.answer_practice(sitting=sitting, position=0, answer="yes")


def test_the_comparison_asks_about_the_same_pictures(open_round, mira):
    made = draft_comparison(
        round=open_round, question="Where?", choices=[" land ", "water"], created_by=mira
    )

    assert (made.state, made.choices, made.number) == (RoundState.READY, ["land", "water"], 2)
    same = set(open_round.tasks.values_list("image", "cluster"))
    assert set(made.tasks.values_list("image", "cluster")) == same
    answers = {item.pk: ("land", "") for item in made.practice_items.all()}
    services.confirm_practice(round=made, chosen=answers)
    services.open_round(round=made)
    assert Round.objects.get(pk=made.pk).state == RoundState.OPEN


def test_practice_of_the_comparison_takes_its_choices_alone(open_round, mira):
    made = draft_comparison(
        round=open_round, question="Where?", choices=["land", "water"], created_by=mira
    )

    with pytest.raises(RoundNotReady, match="land or water"):
        services.confirm_practice(round=made, chosen={made.practice_items.all()[0].pk: ("yes", "")})


@pytest.mark.parametrize(
    "choices", [["a"], ["a", "a"], ["a", ""], ["a", "b" * 41], list("abcdefghijklm")]
)
def test_choices_that_cannot_be_are_refused(open_round, mira, choices):
    with pytest.raises(RoundNotReady):
        draft_comparison(round=open_round, question="?", choices=choices, created_by=mira)


@pytest.mark.parametrize(
    "crowd",
    [CrowdSettings(n_gold=-1), CrowdSettings(practice_tries=0), CrowdSettings(end_questions=["x"])],
)
def test_settings_out_of_range_are_refused(ready_round, crowd):
    with pytest.raises(RoundNotReady):
        settle(round=ready_round, crowd=crowd)


def test_settings_are_frozen_at_opening(ready_round, open_round):
    settle(round=ready_round, crowd=CrowdSettings(n_gold=2, end_questions=["sus"]))

    assert Round.objects.get(pk=ready_round.pk).end_questions == ["sus"]
    with pytest.raises(RoundNotReady):
        settle(round=open_round, crowd=CrowdSettings())
