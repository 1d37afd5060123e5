"""Leases: places come back, late answers are taken, people may return."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.utils import timezone

from annotation_site.annotation import services
from annotation_site.annotation.models import (
    AssignmentState,
    Response,
    RoundState,
    Sitting,
    SittingState,
)
from tests.site import factories
from tests.site.annotation.conftest import Visit

LONG_AFTER = timedelta(days=1)


def release_all(round_):
    return services.release_expired(round=round_, now=timezone.now() + LONG_AFTER)


def let_lapse(visit):
    Sitting.objects.filter(pk=visit.sitting.pk).update(
        lease_until=timezone.now() - timedelta(minutes=1)
    )


def reserved(round_):
    return sorted(round_.tasks.values_list("reserved", flat=True))


def test_unanswered_places_come_back_and_answers_stay(ana_at_work):
    ana_at_work.answer_next()

    assert release_all(ana_at_work.round) == 1

    assert ana_at_work.sitting.state == SittingState.EXPIRED
    assert reserved(ana_at_work.round) == [0] * 11 + [1]
    assert len(services.votes_of(ana_at_work.round)) == 1
    assert release_all(ana_at_work.round) == 0


def test_a_living_lease_is_left_alone(ana_at_work):
    assert services.release_expired(round=ana_at_work.round) == 0
    assert reserved(ana_at_work.round) == [1] * 12


def test_an_answer_prolongs_the_lease(ana_at_work):
    Sitting.objects.update(lease_until=timezone.now() + timedelta(seconds=30))

    ana_at_work.answer_next()

    assert ana_at_work.sitting.lease_until > timezone.now() + timedelta(minutes=29)


def test_the_next_arrival_gets_the_places_of_somebody_who_left(ana_at_work, ben):
    ana_at_work.answer_next()
    let_lapse(ana_at_work)

    page = ben.get(f"/a/{ana_at_work.round.link_token}/")
    assert "Start practice" in page.content.decode()
    visit = Visit(ben, ana_at_work.round).start()

    assert visit.sitting.assignments.count() == 11
    assert reserved(ana_at_work.round) == [1] * 12


def test_a_late_answer_before_release_counts_and_is_marked(ana_at_work):
    let_lapse(ana_at_work)

    reply = ana_at_work.answer_next()

    assert (reply.json()["late"], reply.json()["surplus"]) == (True, False)
    assert len(services.votes_of(ana_at_work.round)) == 1


def test_a_late_answer_takes_its_place_again_where_it_is_free(ana_at_work):
    pending = ana_at_work.ahead()["tasks"][0]["assignment"]
    release_all(ana_at_work.round)

    reply = ana_at_work.answer(pending)

    assert (reply.json()["late"], reply.json()["surplus"]) == (True, False)
    assert ana_at_work.sitting.state == SittingState.WORKING
    assert reserved(ana_at_work.round) == [1] * 12
    assert ana_at_work.answer_next().status_code == HTTPStatus.OK


def test_a_late_answer_without_a_place_is_kept_as_surplus(ana_at_work, ben):
    pending = ana_at_work.ahead()["tasks"][0]["assignment"]
    let_lapse(ana_at_work)
    Visit(ben, ana_at_work.round).start()

    reply = ana_at_work.answer(pending)

    assert (reply.json()["late"], reply.json()["surplus"]) == (True, True)
    assert Response.objects.count() == 1
    assert services.votes_of(ana_at_work.round) == ()
    assert reserved(ana_at_work.round) == [1] * 12


def test_coming_back_takes_what_is_left(ana_at_work, ben):
    ana_at_work.answer_next()
    let_lapse(ana_at_work)
    ana_at_work.round.block_size = 5
    ana_at_work.round.save(update_fields=["block_size"])
    Visit(ben, ana_at_work.round).start()

    reply = ana_at_work.client.post(ana_at_work.url("resume"))

    assert reply.url == ana_at_work.url("task")
    assert ana_at_work.ahead()["total"] == 7
    assert reserved(ana_at_work.round) == [1] * 12


def test_coming_back_to_a_full_round_says_so(ana_at_work, ben):
    let_lapse(ana_at_work)
    Visit(ben, ana_at_work.round).start()

    reply = ana_at_work.client.post(ana_at_work.url("resume"))

    assert reply.status_code == HTTPStatus.CONFLICT
    assert "Other people have taken" in reply.content.decode() or "full" in reply.content.decode()


def test_coming_back_to_a_closed_round_says_so(ana_at_work):
    ana_at_work.answer_next()
    services.begin_closing(round=ana_at_work.round)

    reply = ana_at_work.client.post(ana_at_work.url("resume"))

    assert reply.status_code == HTTPStatus.CONFLICT
    assert "This round is closed" in reply.content.decode()


def test_somebody_who_left_during_practice_practises_again(ana, open_round):
    visit = Visit(ana, open_round).start()
    release_all(open_round)

    reply = ana.post(visit.url("resume"))

    assert reply.url == visit.url("practice")
    assert visit.practise().answer_next().status_code == HTTPStatus.OK


def test_stopping_gives_the_places_back_and_keeps_the_answers(ana_at_work):
    ana_at_work.answer_next()

    reply = ana_at_work.client.post(ana_at_work.url("withdraw"))

    page = ana_at_work.client.get(reply.url).content.decode()
    assert "You have stopped" in page
    assert "Your 1 answer is stored" in page
    assert reserved(ana_at_work.round) == [0] * 11 + [1]
    assert len(services.votes_of(ana_at_work.round)) == 1


def test_who_stopped_may_continue_after_all(ana_at_work):
    ana_at_work.client.post(ana_at_work.url("withdraw"))

    reply = ana_at_work.client.post(ana_at_work.url("resume"))

    assert reply.url == ana_at_work.url("task")
    assert ana_at_work.ahead()["total"] == 12


def test_counters_equal_a_recount_after_all_of_it(ana_at_work, ben):
    ana_at_work.answer_next()
    let_lapse(ana_at_work)
    other = Visit(ben, ana_at_work.round).start().practise()
    other.answer_next()
    ana_at_work.client.post(ana_at_work.url("resume"))
    other.client.post(other.url("withdraw"))
    ana_at_work.client.post(ana_at_work.url("resume"))

    assert not ana_at_work.round.tasks.miscounted().exists()


@pytest.mark.parametrize("n_tasks", [1, 24, 120, 1000])
def test_a_lease_is_far_longer_than_the_work(project, n_tasks):
    from annotation_site.annotation.allocation import lease_of

    assert lease_of(n_tasks) > timedelta(seconds=12 * n_tasks, minutes=10)


def test_a_released_task_keeps_its_place_in_the_other_sittings(ana, ben, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, redundancy=2)
    Visit(ana, round_).start()
    ben_there = Visit(ben, round_).start()
    Sitting.objects.exclude(pk=ben_there.sitting.pk).update(
        lease_until=timezone.now() - timedelta(minutes=1)
    )

    services.release_expired(round=round_)

    assert reserved(round_) == [1] * 12
    assert not ben_there.sitting.assignments.filter(state=AssignmentState.RELEASED).exists()
