"""Second looks: blind until answered, kept as versions, and held against the crowd."""

import pytest
from django.urls import reverse

from annotation_site.annotation.models import Response
from annotation_site.quality import looks, votes
from annotation_site.quality.figures import items_of, study_of
from annotation_site.quality.models import SecondLook
from annotation_site.web.refusals import Refused
from tests.site.quality import crowds


def task_at(round_, position):
    return round_.tasks.get(position=position)


def test_the_crowds_answers_are_hidden_until_the_lead_has_answered(round_, mira_browser):
    task = task_at(round_, 4)
    address = reverse("quality:looked", args=[round_.public_id, task.pk])
    before = mira_browser.get(address)
    queue = mira_browser.get(reverse("quality:second_look", args=[round_.public_id]))

    assert "line" not in before.context
    assert b"Majority" not in before.content + queue.content
    assert b"Posterior" not in before.content + queue.content

    sent = mira_browser.post(
        reverse("quality:look", args=[round_.public_id, task.pk]), {"answer": "no"}
    )

    assert sent["Location"] == address
    after = mira_browser.get(address)
    assert dict(after.context["line"].counts) == {"no": 1, "yes": 3}
    assert b"Majority: Yes" in after.content


def test_the_list_hides_what_the_lead_has_not_answered_and_shows_reviewers_all(
    round_, mira, mira_browser, rob_browser
):
    address = reverse("quality:items", args=[round_.public_id])
    looks.look(task=task_at(round_, 0), by=mira, answer="yes")

    assert mira_browser.get(address).content.count(b"hidden until your own answer") == 5
    assert b"hidden until" not in rob_browser.get(address).content
    mira_browser.post(reverse("quality:unveil", args=[round_.public_id]))
    assert b"hidden until" not in mira_browser.get(address).content


def test_looks_are_versions_and_touch_no_vote(round_, mira):
    task = task_at(round_, 0)
    before = votes.votes_of(round_), Response.objects.count()

    first = looks.look(task=task, by=mira, answer="no", note="the beak")
    second = looks.look(task=task, by=mira, answer="yes")

    first.refresh_from_db()
    assert (first.version, first.answer, first.note, first.blind) == (1, "no", "the beak", True)
    assert (second.version, second.blind) == (2, False), "the crowd's answers were shown by then"
    assert (votes.votes_of(round_), Response.objects.count()) == before


def test_who_asked_to_see_all_is_not_blind(round_, mira):
    looks.unveil(round=round_, by=mira)
    looks.unveil(round=round_, by=mira)

    assert not looks.look(task=task_at(round_, 0), by=mira, answer="no").blind


def test_what_cannot_be_looked_at_is_refused(round_, mira, mira_browser):
    task = task_at(round_, 0)
    with pytest.raises(Refused, match="Answer with one of"):
        looks.look(task=task, by=mira, answer="maybe")
    with pytest.raises(Refused, match="nothing to look at"):
        looks.look(task=crowds.gold(round_, 20, "yes"), by=mira, answer="yes")
    address = reverse("quality:look", args=[round_.public_id, task.pk])
    assert mira_browser.post(address, {"answer": "maybe"}).status_code == 302
    assert mira_browser.post(address).status_code == 302
    assert not SecondLook.objects.exists()


def test_agreement_counts_blind_looks_where_the_crowd_has_a_majority(round_, mira):
    for position, answer in ((0, "yes"), (1, "no"), (2, "no"), (3, "cannot_tell")):
        looks.look(task=task_at(round_, position), by=mira, answer=answer)
    looks.look(task=task_at(round_, 1), by=mira, answer="yes")  # not blind: the first stands
    study = study_of(round_)

    everything, *_ = looks.agreement_with_crowd(study, items_of(study), mira)

    assert (everything.hits, everything.n) == (2, 3)
    assert everything.interval == pytest.approx((0.2077, 0.9385), abs=1e-4)


def test_the_most_contested_image_comes_next(round_, mira):
    study = study_of(round_)
    items = items_of(study)
    order = [study.answers.tasks[number].task_id for number in items.task.tolist()]

    assert looks.next_task(study, items, mira) == order[0]
    looks.look(task=round_.tasks.get(pk=order[0]), by=mira, answer="yes")
    assert looks.next_task(study, items, mira) == order[1]
