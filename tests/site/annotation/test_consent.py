"""The page before anything is stored."""

from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from annotation_site.annotation import identity
from annotation_site.annotation.models import Annotator, RoundState, Sitting
from tests.site import factories
from tests.site.annotation.conftest import Visit


def consent_of(round_):
    return reverse("annotation:consent", args=[round_.link_token])


def test_it_says_what_how_long_and_what_is_stored(ana, open_round):
    page = ana.get(consent_of(open_round)).content.decode()

    for words in ("12 photos", "Does the model look at the animal?", "About 1 minute", "No name"):
        assert words in page


def test_looking_changes_nothing_and_gives_a_cookie_that_scripts_cannot_read(ana, open_round):
    reply = ana.get(consent_of(open_round))

    assert Annotator.objects.count() == Sitting.objects.count() == 0
    cookie = reply.cookies[identity.COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_a_second_look_keeps_the_cookie(ana, open_round):
    ana.get(consent_of(open_round))

    assert identity.COOKIE not in ana.get(consent_of(open_round)).cookies


def test_the_cookie_is_secure_behind_tls(ana, open_round, settings):
    settings.SESSION_COOKIE_SECURE = True

    assert ana.get(consent_of(open_round)).cookies[identity.COOKIE]["secure"]


def test_a_round_that_is_not_open_yet_says_so(ana, ready_round):
    page = ana.get(consent_of(ready_round)).content.decode()

    assert "Not open yet" in page
    assert "Start practice" not in page


@pytest.mark.parametrize("state", [RoundState.CLOSING, RoundState.CLOSED])
def test_a_closed_round_says_so(ana, project, state):
    round_ = factories.make_round(project, state=state)

    assert "This round is closed" in ana.get(consent_of(round_)).content.decode()


def test_a_full_round_says_so_before_consent(ana, ben, open_round):
    Visit(ana, open_round).start()

    page = ben.get(consent_of(open_round)).content.decode()
    assert "The round is full" in page
    assert "Start practice" not in page


def test_somebody_who_has_begun_is_led_back(ana, open_round):
    visit = Visit(ana, open_round).start()

    assert ana.get(consent_of(open_round)).url == visit.url("practice")
    visit.practise()
    assert ana.get(consent_of(open_round)).url == visit.url("task")


def test_an_unknown_link_is_not_found(ana, open_round):
    url = reverse("annotation:consent", args=["x" * 32])

    assert ana.get(url).status_code == HTTPStatus.NOT_FOUND


def test_declining_stores_nothing(ana, open_round):
    ana.get(consent_of(open_round))
    reply = ana.post(reverse("annotation:decline", args=[open_round.link_token]))

    assert "Nothing was stored" in reply.content.decode()
    assert Annotator.objects.count() == 0


def test_a_forged_cookie_is_nobody(ana, open_round):
    visit = Visit(ana, open_round).start()
    thief = Client()
    thief.cookies[identity.COOKIE] = "guessed:1abc:forged"

    assert thief.get(visit.url("practice")).status_code == HTTPStatus.NOT_FOUND


def test_the_page_may_be_kept_by_no_cache(ana, open_round):
    assert "no-store" in ana.get(consent_of(open_round))["Cache-Control"]
