"""A large round's pages do not wait for its answers to be read."""

import threading

import pytest
from django.urls import reverse

from annotation_site.quality import recent
from annotation_site.quality.recent import recent_study
from tests.site.quality import crowds


def renewed():
    for thread in threading.enumerate():
        if thread.name == "renew":
            thread.join(30)


def test_a_small_round_is_always_read_as_it_stands(round_):
    before = len(recent_study(round_).study.collected)
    crowds.answer_all(round_, {"zoe": ["yes"]})

    found = recent_study(round_)

    assert (len(found.study.collected), found.age) == (before + 1, 0.0)


def test_a_large_round_s_last_reading_is_given_at_once(
    round_, mira_browser, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(recent, "LARGE", 5)
    page = reverse("quality:dashboard", args=[round_.public_id])
    assert " s old" not in mira_browser.get(page).content.decode()
    before = len(recent_study(round_).study.collected)
    crowds.answer_all(round_, {"zoe": ["yes"]})

    with django_assert_max_num_queries(14):
        mira_browser.get(page)

    assert len(recent_study(round_).study.collected) == before


def test_an_exclusion_is_never_old(round_, people, mira, monkeypatch):
    from annotation_site.quality.ledger import exclude

    monkeypatch.setattr(recent, "LARGE", 5)
    before = len(recent_study(round_).study.answers)

    exclude(round=round_, by=mira, reason="asleep", sittings={people["ana"].pk: {}})

    assert len(recent_study(round_).study.answers) < before


@pytest.mark.django_db(transaction=True)
def test_an_old_reading_is_made_anew_beside_the_request(project, monkeypatch):
    round_, _ = crowds.small_crowd(project)
    monkeypatch.setattr(recent, "LARGE", 5)
    before = recent_study(round_)
    crowds.answer_all(round_, {"zoe": ["yes"]})
    monkeypatch.setattr(recent._studies, "seconds", 0.0)
    monkeypatch.setattr("annotation_site.web.lately._REST", 0)

    old = recent_study(round_)
    renewed()
    new = recent_study(round_)
    renewed()

    assert len(old.study.collected) == len(before.study.collected)
    assert len(new.study.collected) == len(before.study.collected) + 1
