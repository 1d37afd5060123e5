"""Gold, repeats and checks among the queries; the pass mark; reports, spares and top-up."""

import itertools
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation_site.annotation import services
from annotation_site.annotation.allocation import (
    FIRST_PLAIN,
    REPEAT_AFTER,
    Extras,
    interleave,
)
from annotation_site.annotation.models import (
    Assignment,
    RoundState,
    SittingState,
    Task,
    TaskRole,
)
from annotation_site.annotation.remarks import ReportKind
from tests.site import factories
from tests.site.annotation.conftest import Visit


@given(
    n_queries=st.integers(1, 60),
    n_gold=st.integers(0, 6),
    n_checks=st.integers(0, 3),
    n_repeats=st.integers(0, 8),
    seed=st.integers(0, 2**31),
)
def test_extras_stand_where_they_may(n_queries, n_gold, n_checks, n_repeats, seed):
    queries = list(range(n_queries))
    gold, checks = range(100, 100 + n_gold), range(200, 200 + n_checks)

    order = interleave(queries, Extras(gold=gold, checks=checks, n_repeats=n_repeats), seed)

    assert [slot.task_id for slot in order if slot.task_id < 100 and not slot.is_repeat] == queries
    places = [place for place, slot in enumerate(order) if slot.is_repeat or slot.task_id >= 100]
    assert all(place >= FIRST_PLAIN for place in places)
    assert all(after - before > 1 for before, after in itertools.pairwise(places))
    repeats = [(place, slot.task_id) for place, slot in enumerate(order) if slot.is_repeat]
    first = {slot.task_id: place for place, slot in enumerate(order) if not slot.is_repeat}
    assert all(place - first[task_id] >= REPEAT_AFTER for place, task_id in repeats)
    assert len({task_id for _, task_id in repeats}) == len(repeats)
    if n_queries >= 40:
        assert len(places) == n_gold + n_checks + n_repeats
    assert order == interleave(queries, Extras(gold=gold, checks=checks, n_repeats=n_repeats), seed)


@pytest.fixture
def rich_round(project):
    """An open round of 20 queries with two gold tasks, a check and two repeats in a sitting."""
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=20)
    round_.n_gold, round_.n_checks, round_.n_repeats, round_.block_size = 2, 1, 2, 15
    round_.save()
    images = list(project.dataset.images.order_by("row")[30:36])
    for image in images[:4]:
        Task.objects.create(
            round=round_, image=image, position=0, target=0, role=TaskRole.GOLD, expected="no",
            variant="inverted", heat=bytes(49), heat_side=7,
        )  # fmt: skip
    Task.objects.create(
        round=round_, image=images[5], position=0, target=0, role=TaskRole.CHECK, expected="no",
        instruction="This is an attention check. Please answer No.",
    )  # fmt: skip
    return round_


def test_a_sitting_holds_queries_gold_checks_and_repeats(ana, rich_round):
    visit = Visit(ana, rich_round).start()

    roles = list(visit.sitting.assignments.values_list("task__role", flat=True))

    assert {role: roles.count(role) for role in set(roles)} == {
        "query": 15, "gold": 2, "check": 1, "repeat": 2,
    }  # fmt: skip
    assert visit.sitting.n_promised == 20
    assert not rich_round.tasks.miscounted().exists()


def test_nothing_that_is_sent_tells_gold_from_the_rest(ana, rich_round):
    visit = Visit(ana, rich_round).start().practise()
    shapes = set()
    while tasks := visit.ahead()["tasks"]:
        task = tasks[0]
        shapes.add((tuple(task), len(task["picture"]), task["label"], task["previous"]))
        assert ana.get(task["picture"]).status_code == HTTPStatus.OK
        visit.answer(task["assignment"])

    assert len(shapes) == 1
    assert visit.sitting.state == SittingState.COMPLETED


def test_only_queries_are_votes(ana, rich_round):
    visit = Visit(ana, rich_round).start().practise()
    while visit.ahead()["tasks"]:
        visit.answer_next()

    assert len(services.votes_of(rich_round)) == 15
    assert services.round_progress(rich_round).answered == 15


def test_a_check_asks_in_its_own_words(ana, rich_round):
    visit = Visit(ana, rich_round).start().practise()
    seen = set()
    while tasks := visit.ahead()["tasks"]:
        seen.add(tasks[0]["question"])
        visit.answer(tasks[0]["assignment"])

    assert seen == {rich_round.question, "This is an attention check. Please answer No."}


def test_practice_below_the_mark_is_repeated_and_then_ends_the_visit(ana, open_round):
    open_round.pass_mark = 3
    open_round.save(update_fields=["pass_mark"])
    visit = Visit(ana, open_round).start()

    for attempt in (1, 2):
        for position in range(3):
            ana.post(visit.url("practice_answer"), {"position": position, "answer": "yes"})
        page = ana.get(visit.url("practice")).content.decode()
        assert ("Repeat practice" in page) == (attempt == 1)
        if attempt == 1:
            assert ana.post(visit.url("practice_finish")).url == visit.url("practice")
            ana.post(visit.url("practice_repeat"))

    reply = ana.post(visit.url("practice_finish"))
    assert reply.url == visit.url("done")
    assert visit.sitting.state == SittingState.SCREENED_OUT
    assert "do not fit" in ana.get(reply.url).content.decode()
    assert set(open_round.tasks.values_list("reserved", flat=True)) == {0}
    ana.post(visit.url("practice_repeat"))
    assert visit.sitting.state == SittingState.SCREENED_OUT


def test_an_offensive_picture_is_gone_for_everybody_at_once(ana, ben, project):
    round_ = factories.make_round(
        project, state=RoundState.OPEN, n_tasks=12, redundancy=2, block_size=6
    )
    first, second = Visit(ana, round_).start().practise(), Visit(ben, round_).start().practise()
    waiting = Assignment.objects.filter(sitting=second.sitting).waiting()
    shared = waiting.filter(task__assignments__sitting=first.sitting).first()
    named = shared or waiting[0]

    reply = second.post("report", {"assignment": str(named.public_id), "kind": "offensive"})

    assert reply.json() == {"status": "reported"}
    held = Assignment.objects.filter(task=named.task, state__in=["reserved", "served"])
    assert not held.exists()
    for visit in (first, second):
        assert visit.sitting.assignments.exclude(state="void").count() == 6
        assert visit.ahead()["total"] == 6
    assert not round_.tasks.miscounted().exists()
    third = services.start_sitting(round=round_, key_hash="c")
    assert not third.assignments.filter(task=named.task).exists()


def test_a_spare_takes_the_position_and_can_be_answered(ana, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=12, block_size=4)
    visit = Visit(ana, round_).start().practise()
    task = visit.ahead()["tasks"][0]

    ana.post(visit.url("report"), {"assignment": task["assignment"], "kind": "not_loaded"})

    spare = visit.ahead()["tasks"][0]
    assert (spare["position"], spare["assignment"] != task["assignment"]) == (0, True)
    assert visit.answer(spare["assignment"]).status_code == HTTPStatus.OK
    assert Task.objects.filter(retired_reason="").count() == 12


def test_one_person_cannot_empty_a_round_by_reports(ana, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=12, block_size=6)
    visit = Visit(ana, round_).start().practise()
    for _ in range(6):
        waiting = visit.sitting.assignments.waiting()[0]
        services.report(
            sitting=visit.sitting, assignment_id=waiting.public_id, kind=ReportKind.OFFENSIVE
        )

    assert round_.tasks.exclude(retired_reason="").count() == 3


@pytest.mark.parametrize("body", [{}, {"kind": "offensive"}, {"assignment": "x", "kind": "y"}])
def test_malformed_reports_are_refused(ana_at_work, body):
    assert ana_at_work.post("report", body).status_code == HTTPStatus.BAD_REQUEST


def test_top_up_asks_once_more_for_what_was_answered(ana, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=4)
    visit = Visit(ana, round_).start().practise()
    for _ in range(3):
        visit.answer_next()

    assert services.top_up(round=round_, sittings=[visit.sitting.pk]) == 3
    assert services.top_up(round=round_, sittings=[visit.sitting.pk]) == 0

    again = services.start_sitting(round=round_, key_hash="b")
    answered = visit.sitting.assignments.filter(state="answered").values_list("task_id", flat=True)
    assert set(again.assignments.values_list("task_id", flat=True)) == set(answered)
    assert len(services.votes_of(round_)) == 3


def test_a_round_that_drains_lets_nobody_in_and_lets_people_finish(ana, ben, ana_at_work):
    services.admit(round=ana_at_work.round, admitting=False)

    page = ben.get(f"/a/{ana_at_work.round.link_token}/").content.decode()
    reply = ben.post(f"/a/{ana_at_work.round.link_token}/start/", {"consent": "on"})

    assert "Start practice" not in page
    assert reply.status_code == HTTPStatus.CONFLICT
    assert ana_at_work.answer_next().status_code == HTTPStatus.OK
