"""A round's states: prepared, opened, closed, and the ways back."""

import pytest

from annotation_site.annotation import services
from annotation_site.annotation.errors import RoundNotReady
from annotation_site.annotation.models import (
    AssignmentState,
    PracticeItem,
    Round,
    RoundState,
    SittingState,
    Task,
)
from annotation_site.annotation.rounds import PickedTask
from annotation_site.projects.models import Image
from tests.site import factories
from tests.site.annotation.conftest import Visit


def state_of(round_):
    return Round.objects.get(pk=round_.pk).state


def test_a_draft_gets_its_images_and_becomes_ready(project, mira):
    round_ = Round.objects.create(
        project=project, number=1, question="?", redundancy=3, created_by=mira
    )
    images = list(Image.objects.order_by("row"))

    services.begin_preparing(round=round_, budget=4)
    assert state_of(round_) == RoundState.PREPARING
    services.finish_preparing(
        round=round_,
        tasks=[PickedTask(image_id=image.pk, cluster=image.row) for image in images[:4]],
        candidates=[image.pk for image in images[10:16]],
        queries_key="k",
    )

    assert state_of(round_) == RoundState.READY
    assert list(round_.tasks.values_list("image__row", "cluster", "target")) == [
        (0, 0, 3), (1, 1, 3), (2, 2, 3), (3, 3, 3),
    ]  # fmt: skip
    assert round_.practice_items.filter(answer="").count() == 6


def test_a_failed_preparation_leaves_a_draft(project, mira):
    round_ = Round.objects.create(project=project, number=1, question="?", created_by=mira)
    services.begin_preparing(round=round_, budget=4)

    services.abort_preparing(round=round_)

    assert state_of(round_) == RoundState.DRAFT


def test_picking_again_replaces_the_tasks(ready_round):
    image = Image.objects.get(row=30)
    services.begin_preparing(round=ready_round, budget=1)

    services.finish_preparing(
        round=ready_round,
        tasks=[PickedTask(image_id=image.pk)],
        candidates=[],
        queries_key="k",
    )

    assert Task.objects.get().image == image
    assert PracticeItem.objects.count() == 0


def test_nothing_is_picked_for_a_round_that_is_open(open_round):
    with pytest.raises(RoundNotReady, match="it is open"):
        services.begin_preparing(round=open_round, budget=4)
    with pytest.raises(RoundNotReady):
        services.finish_preparing(round=open_round, tasks=[], candidates=[], queries_key="")

    assert open_round.tasks.count() == 12


def test_a_budget_is_positive(project, mira):
    round_ = Round.objects.create(project=project, number=1, question="?", created_by=mira)

    with pytest.raises(RoundNotReady, match="got 0"):
        services.begin_preparing(round=round_, budget=0)


def test_a_ready_round_opens(ready_round):
    services.open_round(round=ready_round)

    stored = Round.objects.get()
    assert stored.state == RoundState.OPEN == ready_round.state
    assert stored.opened_at is not None


def test_opening_needs_three_confirmed_practice_images(ready_round):
    item = ready_round.practice_items.first()
    item.answer = ""
    item.save(update_fields=["answer"])

    with pytest.raises(RoundNotReady, match="this one has 2"):
        services.open_round(round=ready_round)
    assert state_of(ready_round) == RoundState.READY


def test_opening_needs_images(project):
    round_ = factories.make_round(project, n_tasks=0)

    with pytest.raises(RoundNotReady, match="no images"):
        services.open_round(round=round_)


def test_opening_twice_is_refused_with_the_state(open_round):
    with pytest.raises(RoundNotReady, match="it is open, not ready"):
        services.open_round(round=open_round)


def test_practice_is_confirmed_with_words(ready_round):
    keys = list(ready_round.practice_items.values_list("pk", flat=True))

    services.confirm_practice(
        round=ready_round,
        chosen={keys[0]: ("no", "Only grass."), keys[2]: ("yes", "")},
    )

    stored = list(ready_round.practice_items.values_list("answer", "explanation"))
    assert stored == [("no", "Only grass."), ("", ""), ("yes", "")]


def test_practice_of_an_open_round_stands(open_round):
    with pytest.raises(RoundNotReady, match="while the round is open"):
        services.confirm_practice(round=open_round, chosen={})


def test_practice_takes_yes_or_no_and_own_images_only(ready_round):
    key = ready_round.practice_items.first().pk

    with pytest.raises(RoundNotReady, match="cannot_tell"):
        services.confirm_practice(round=ready_round, chosen={key: ("cannot_tell", "")})
    with pytest.raises(RoundNotReady, match="not of this round"):
        services.confirm_practice(round=ready_round, chosen={key + 1000: ("yes", "")})


def test_closing_freezes_the_votes_and_releases_the_rest(ana_at_work):
    for _ in range(4):
        ana_at_work.answer_next()

    services.begin_closing(round=ana_at_work.round)

    assert state_of(ana_at_work.round) == RoundState.CLOSING
    assert ana_at_work.sitting.state == SittingState.EXPIRED
    assert len(services.votes_of(ana_at_work.round)) == 4
    assert not ana_at_work.round.tasks.miscounted().exists()
    states = ana_at_work.sitting.assignments.values_list("state", flat=True)
    assert set(states) == {AssignmentState.ANSWERED, AssignmentState.RELEASED}


def test_completed_sittings_stay_completed(ana_at_work):
    for _ in range(12):
        ana_at_work.answer_next()

    services.begin_closing(round=ana_at_work.round)

    assert ana_at_work.sitting.state == SittingState.COMPLETED
    assert "12 answers" in ana_at_work.client.get(ana_at_work.url("done")).content.decode()


def test_a_round_without_answers_is_not_closed(open_round):
    with pytest.raises(RoundNotReady, match="no answers yet"):
        services.begin_closing(round=open_round)

    assert state_of(open_round) == RoundState.OPEN == open_round.state


def test_closing_twice_is_refused(ana_at_work):
    ana_at_work.answer_next()
    services.begin_closing(round=ana_at_work.round)

    with pytest.raises(RoundNotReady, match="it is closing, not open"):
        services.begin_closing(round=ana_at_work.round)


def test_the_end_is_published(ana_at_work):
    ana_at_work.answer_next()
    services.begin_closing(round=ana_at_work.round)

    services.finish_closing(round=ana_at_work.round, votes_key="abc")

    stored = Round.objects.get()
    assert (stored.state, stored.votes_key) == (RoundState.CLOSED, "abc")
    assert stored.closed_at is not None


def test_a_failed_closing_lets_people_come_back(ana_at_work):
    ana_at_work.answer_next()
    services.begin_closing(round=ana_at_work.round)

    services.abort_closing(round=ana_at_work.round)

    assert ana_at_work.client.post(ana_at_work.url("resume")).url == ana_at_work.url("task")
    assert ana_at_work.ahead()["total"] == 12
    assert ana_at_work.answer_next().status_code == 200


def test_a_second_round_reuses_earlier_votes(ana, project):
    first = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    visit = Visit(ana, first).start().practise()
    for answer in ("yes", "no", "cannot_tell"):
        visit.answer_next(answer)
    second = factories.make_round(project, state=RoundState.OPEN, n_tasks=2, first_row=3)
    visit = Visit(ana, second).start().practise()
    visit.answer_next("yes")

    votes = services.votes_of(project)

    assert [vote.round for vote in votes] == [1, 1, 1, 2]
    assert sorted(vote.row for vote in votes)[:3] == [0, 1, 2]
    assert len({vote.annotator for vote in votes}) == 1
    assert len(services.votes_of(second)) == 1


def test_progress_counts_everybody(ana_at_work, django_assert_max_num_queries):
    for answer in ("yes", "no", "no", "not_loaded"):
        ana_at_work.answer_next(answer)

    with django_assert_max_num_queries(4):
        progress = services.round_progress(ana_at_work.round)

    assert (progress.answered, progress.wanted, progress.reserved) == (4, 12, 12)
    assert progress.by_answer == {"yes": 1, "no": 2, "cannot_tell": 0, "not_loaded": 1}
    assert progress.median_seconds == 1.5
    assert progress.share == pytest.approx(1 / 3)
    (annotator,) = progress.annotators
    assert (annotator.assigned, annotator.answered, annotator.state) == (12, 4, "working")


def test_the_answers_are_the_engines():
    from annotation_site.annotation.models import AnswerChoice
    from engine.labeling.votes import Answer

    assert set(AnswerChoice.values) == {answer.value for answer in Answer}
