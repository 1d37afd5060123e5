"""The lead's page of a round, state by state, and its verbs."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation_site.annotation.models import (
    Annotator,
    Assignment,
    AssignmentState,
    Response,
    Round,
    RoundState,
    Sitting,
    SittingState,
)
from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects.models import ReferenceModel
from tests.site import factories, results

SETTINGS = {
    "question": "Is it the bird?",
    "guidelines": "A third is enough.",
    "budget": 10,
    "redundancy": 2,
    "block_size": 0,
}


@pytest.fixture
def draft(project):
    round_ = factories.make_round(project, state=RoundState.DRAFT, n_tasks=0, n_practice=0)
    round_.consistency_curve = {
        "budgets": [4, 8, 12, 16],
        "attention": [0.5, 0.6, 0.7, 0.71],
        "features": [0.4, 0.5, 0.6, 0.61],
    }
    round_.proposed_budget = 12
    round_.save()
    return round_


def page_of(round_):
    return reverse("annotation:round", args=[round_.public_id])


def verb(name, round_):
    return reverse(f"annotation:{name}", args=[round_.public_id])


def answer(round_, answers):
    """Let one annotator answer the first tasks of a round."""
    sitting = Sitting.objects.create(
        round=round_,
        annotator=Annotator.objects.create(key_hash=uuid.uuid4().hex),
        state=SittingState.WORKING,
        consented_at=timezone.now(),
        lease_until=timezone.now(),
    )
    for task, said in zip(round_.tasks.all(), answers, strict=False):
        task.reserved = 1
        task.save(update_fields=["reserved"])
        given = Assignment.objects.create(
            sitting=sitting, task=task, position=task.position, state=AssignmentState.ANSWERED
        )
        Response.objects.create(
            assignment=given,
            version=1,
            answer=said,
            client_uuid=uuid.uuid4(),
            shown_to_answer_ms=2500,
            hidden_ms=500,
        )
    return sitting


# ---- drafting -------------------------------------------------------------------------------------


def test_starting_drafts_a_round_and_asks_for_a_budget(project, mira_browser):
    reply = mira_browser.post(reverse("annotation:new_round", args=[project.public_id]))

    round_ = Round.objects.get()
    assert reply.url == page_of(round_)
    assert (round_.number, round_.state, round_.question) == (1, "draft", project.question)
    assert Job.objects.get().kind == JobKind.PROPOSE
    assert "being worked out" in mira_browser.get(reply.url).content.decode()


def test_a_second_round_waits_for_the_first_to_close(project, open_round, mira_browser):
    reply = mira_browser.post(
        reverse("annotation:new_round", args=[project.public_id]), follow=True
    )

    assert "Round 1 is still open" in reply.content.decode()
    assert Round.objects.count() == 1


def test_a_second_round_takes_over_the_words_of_the_first(project, mira_browser):
    first = results.make_result(project).round
    Round.objects.filter(pk=first.pk).update(guidelines="Look closely.", redundancy=3)

    mira_browser.post(reverse("annotation:new_round", args=[project.public_id]))

    second = Round.objects.get(number=2)
    assert (second.guidelines, second.redundancy, second.seed) == ("Look closely.", 3, 1)


def test_no_round_before_the_classifier_was_looked_at(project, mira_browser):
    ReferenceModel.objects.update(ready_at=None)

    reply = mira_browser.post(
        reverse("annotation:new_round", args=[project.public_id]), follow=True
    )

    assert "not ready yet" in reply.content.decode()
    assert not Round.objects.exists()


def test_the_curve_its_elbow_and_its_table_are_shown(draft, mira_browser):
    words = mira_browser.get(page_of(draft)).content.decode()

    assert "elbow: 12" in words
    assert "12 images" in words
    assert "12 (elbow)" in words
    assert 'value="12"' in words


def test_without_a_curve_the_lead_chooses_alone(draft, mira_browser):
    Round.objects.update(consistency_curve={}, proposed_budget=None)

    words = mira_browser.get(page_of(draft)).content.decode()

    assert "No curve was measured" in words


def test_choosing_settles_the_round_and_queues_the_picking(draft, mira_browser):
    mira_browser.post(verb("choose_budget", draft), SETTINGS | {"show_class": "on"})

    draft.refresh_from_db()
    assert draft.state == RoundState.PREPARING
    assert (draft.budget, draft.redundancy, draft.show_class) == (10, 2, True)
    assert (draft.question, draft.guideline_version) == ("Is it the bird?", 2)
    assert Job.objects.get().kind == JobKind.PREPARE


@pytest.mark.parametrize(
    ("field", "value"), [("budget", 1), ("budget", "many"), ("redundancy", 0), ("question", "")]
)
def test_impossible_settings_are_refused_and_kept_on_the_form(draft, mira_browser, field, value):
    reply = mira_browser.post(verb("choose_budget", draft), SETTINGS | {field: value})

    assert reply.status_code == 422
    draft.refresh_from_db()
    assert draft.state == RoundState.DRAFT
    assert not Job.objects.exists()


def test_more_images_than_there_are_cannot_be_asked(draft, mira_browser):
    reply = mira_browser.post(verb("choose_budget", draft), SETTINGS | {"budget": 25}, follow=True)

    assert "24 training images" in reply.content.decode()
    draft.refresh_from_db()
    assert (draft.state, draft.budget) == ("draft", 0)


def test_an_open_round_cannot_be_changed(open_round, mira_browser):
    reply = mira_browser.post(verb("choose_budget", open_round), SETTINGS, follow=True)

    assert "it is open" in reply.content.decode()
    open_round.refresh_from_db()
    assert open_round.question != "Is it the bird?"


# ---- practice and opening ---------------------------------------------------------------------------


def test_the_lead_answers_candidates_for_practice(project, mira_browser):
    round_ = factories.make_round(project, n_practice=4)
    round_.practice_items.update(answer="", explanation="")
    items = list(round_.practice_items.values_list("pk", flat=True))
    given = {f"answer-{items[0]}": "yes", f"answer-{items[1]}": "no", f"answer-{items[3]}": "yes"}

    mira_browser.post(
        verb("choose_practice", round_), given | {f"explanation-{items[1]}": " Beside it. "}
    )

    kept = list(round_.practice_items.values_list("answer", "explanation"))
    assert kept == [("yes", ""), ("no", "Beside it."), ("", ""), ("yes", "")]


def test_heat_travels_as_a_grid(ready_round, mira_browser):
    words = mira_browser.get(page_of(ready_round)).content.decode()

    assert words.count("data-grid=") == 3
    assert 'data-side="7"' in words


def test_opening_needs_three_practice_images(ready_round, mira_browser):
    item = ready_round.practice_items.first()
    item.answer = ""
    item.save(update_fields=["answer"])

    reply = mira_browser.post(verb("open_round", ready_round), follow=True)

    assert "practice" in reply.content.decode()
    ready_round.refresh_from_db()
    assert ready_round.state == RoundState.READY


def test_an_opened_round_shows_its_link(ready_round, mira_browser):
    mira_browser.post(verb("open_round", ready_round))

    words = mira_browser.get(page_of(ready_round)).content.decode()

    assert f"/a/{ready_round.link_token}/" in words
    assert "No answers yet" in words


def test_a_reviewer_is_not_shown_the_link(open_round, rob_browser):
    assert open_round.link_token not in rob_browser.get(page_of(open_round)).content.decode()


# ---- answers and closing ----------------------------------------------------------------------------


def test_progress_is_told_by_answer_and_annotator(open_round, mira_browser):
    sitting = answer(open_round, ["yes", "yes", "yes", "no", "cannot_tell"])

    words = mira_browser.get(verb("progress", open_round)).content.decode()

    assert 'hx-trigger="every 5s"' in words
    assert "5 <span" in words
    assert "of 12</span>" in words
    assert sitting.annotator.public_id[:6] in words
    assert "75\N{NO-BREAK SPACE}%" in words
    assert "2.0 s" in words


def test_progress_of_a_round_no_longer_open_reloads_the_page(ready_round, mira_browser):
    reply = mira_browser.get(verb("progress", ready_round))

    assert reply["HX-Refresh"] == "true"


def test_closing_freezes_the_votes_and_queues_the_curation(open_round, mira_browser):
    sitting = answer(open_round, ["yes", "no"])

    mira_browser.post(verb("close_round", open_round))

    open_round.refresh_from_db()
    sitting.refresh_from_db()
    assert open_round.state == RoundState.CLOSING
    assert sitting.state == SittingState.EXPIRED
    assert Job.objects.get().kind == JobKind.CLOSE


def test_a_round_without_answers_cannot_be_closed(open_round, mira_browser):
    reply = mira_browser.post(verb("close_round", open_round), follow=True)

    assert "no answers yet" in reply.content.decode()
    open_round.refresh_from_db()
    assert open_round.state == RoundState.OPEN
    assert not Job.objects.exists()


def test_closing_twice_queues_one_job(open_round, mira_browser):
    answer(open_round, ["yes", "no"])

    mira_browser.post(verb("close_round", open_round))
    mira_browser.post(verb("close_round", open_round))

    assert Job.objects.count() == 1


def test_the_page_of_a_closed_round_leads_to_its_result(project, mira_browser):
    closed = results.make_result(project).round

    words = mira_browser.get(page_of(closed)).content.decode()

    assert reverse("review:result", args=[closed.public_id]) in words


@pytest.mark.parametrize("state", list(RoundState))
def test_every_state_has_a_page_with_at_most_one_filled_button(project, mira_browser, state):
    round_ = factories.make_round(project, state=state)

    reply = mira_browser.get(page_of(round_))

    assert reply.status_code == 200
    assert reply.content.decode().count("button--primary") <= 1


def test_guidelines_are_text_and_never_markup(ready_round, mira_browser):
    Round.objects.update(guidelines="<img src=x onerror=alert(1)>")

    words = mira_browser.get(page_of(ready_round)).content.decode()

    assert "<img src=x" not in words
