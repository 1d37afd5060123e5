"""Consent given: the block is held, once."""

from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from annotation_site.annotation import identity, services
from annotation_site.annotation.models import Annotator, Assignment, RoundState, Sitting
from tests.site import factories
from tests.site.annotation.conftest import Visit


def start_of(round_):
    return reverse("annotation:start", args=[round_.link_token])


def test_the_box_must_be_ticked(ana, open_round):
    reply = ana.post(start_of(open_round))

    assert reply.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "tick the box" in reply.content.decode()
    assert Sitting.objects.count() == 0


def test_the_whole_block_is_promised_at_once(ana, open_round):
    visit = Visit(ana, open_round).start()

    assert visit.sitting.assignments.count() == 12
    assert set(open_round.tasks.values_list("reserved", flat=True)) == {1}


def test_a_block_may_be_smaller_than_the_round(ana, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, block_size=5)

    visit = Visit(ana, round_).start()

    assert visit.sitting.assignments.count() == 5
    assert sorted(round_.tasks.values_list("reserved", flat=True)) == [0] * 7 + [1] * 5


def test_the_last_block_may_be_shorter(ana, ben, project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=8, block_size=5)
    Visit(ana, round_).start()

    assert Visit(ben, round_).start().sitting.assignments.count() == 3


def test_two_clicks_are_one_sitting(ana, open_round):
    ana.get(reverse("annotation:consent", args=[open_round.link_token]))

    first = ana.post(start_of(open_round), {"consent": "on"})
    second = ana.post(start_of(open_round), {"consent": "on"})

    assert first.url == second.url
    assert (Sitting.objects.count(), Assignment.objects.count()) == (1, 12)


def test_posting_again_later_leads_to_the_same_place(ana_at_work):
    reply = ana_at_work.client.post(start_of(ana_at_work.round), {"consent": "on"})

    assert reply.url == ana_at_work.url("task")


def test_a_full_round_writes_nothing(ana, ben, open_round):
    Visit(ana, open_round).start()

    reply = ben.post(start_of(open_round), {"consent": "on"})

    assert reply.status_code == HTTPStatus.CONFLICT
    assert "full" in reply.content.decode()
    assert Annotator.objects.count() == 1


@pytest.mark.parametrize("state", [RoundState.READY, RoundState.CLOSING, RoundState.CLOSED])
def test_only_an_open_round_can_be_started(ana, project, state):
    round_ = factories.make_round(project, state=state)

    reply = ana.post(start_of(round_), {"consent": "on"})

    assert reply.status_code == HTTPStatus.CONFLICT
    assert Annotator.objects.count() == 0


def test_the_database_knows_a_keyed_hash_only(ana, open_round):
    Visit(ana, open_round).start()

    stored = Annotator.objects.get().key_hash
    key = ana.cookies[identity.COOKIE].value.split(":")[0]
    assert len(stored) == 64
    assert key not in stored
    assert stored == identity.hash_of(key)


def test_one_browser_is_one_annotator_in_two_rounds(ana, project):
    first = factories.make_round(project, state=RoundState.OPEN, n_tasks=4)
    second = factories.make_round(project, state=RoundState.OPEN, n_tasks=4, first_row=4)

    Visit(ana, first).start()
    Visit(ana, second).start()

    assert (Annotator.objects.count(), Sitting.objects.count()) == (1, 2)


def test_csrf_is_asked_for(open_round):
    client = Client(enforce_csrf_checks=True)

    reply = client.post(start_of(open_round), {"consent": "on"})

    assert reply.status_code == HTTPStatus.FORBIDDEN
    assert Sitting.objects.count() == 0


def test_orders_differ_between_people_and_repeat_for_one(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, redundancy=2)
    sittings = [services.start_sitting(round=round_, key_hash=str(n) * 64) for n in range(2)]
    orders = [list(sitting.assignments.values_list("task_id", flat=True)) for sitting in sittings]

    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])
