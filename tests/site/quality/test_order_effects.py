"""Time and agreement over a sitting, by hand on the small crowd, and where there is nothing to tell."""

import pytest
from django.urls import reverse

from annotation_site.annotation.models import RoundState
from annotation_site.quality import ledger
from annotation_site.quality.figures import study_of
from annotation_site.quality.order_effects import thirds_of
from tests.site import factories
from tests.site.quality import crowds


def test_thirds_can_be_worked_out_by_hand(round_):
    """Six images: 4 to 0, 4 to 0; 3 to 1, 3 to 1; 3 to 1, 2 to 1 with one who cannot tell."""
    first, middle, last = thirds_of(study_of(round_).answers)

    assert (first.n, first.n_compared, first.agreement) == (8, 8, 1.0)
    assert middle.n == 8
    assert middle.agreement == pytest.approx(1 / 2)
    assert (last.n, last.n_compared) == (8, 7)
    assert last.agreement == pytest.approx(3 / 7)


def test_each_third_has_its_own_median(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=3, redundancy=9)
    person = crowds.make_person(round_, "ana")
    for position, (task, seconds) in enumerate(
        zip(round_.tasks.order_by("position"), (6.0, 4.0, None), strict=True)
    ):
        crowds.say(person, task, "yes", position=position, seconds=seconds)

    thirds = thirds_of(study_of(round_).answers)

    assert [third.median for third in thirds] == [6.0, 4.0, None]
    assert [third.agreement for third in thirds] == [None, None, None], "nobody to agree with"


def test_who_is_left_out_is_left_out_here(round_, people, mira):
    ledger.exclude(round=round_, by=mira, reason="a try", sittings={people["ana"].pk: {}})

    assert [third.n for third in thirds_of(study_of(round_).answers)] == [6, 6, 6]


def test_without_answers_there_are_no_thirds(project):
    empty = factories.make_round(project, state=RoundState.OPEN)

    assert thirds_of(study_of(empty).answers) == ()


def test_the_dashboard_shows_them(round_, mira_browser):
    page = mira_browser.get(reverse("quality:dashboard", args=[round_.public_id])).content.decode()

    assert "Over a sitting" in page
    assert "42.9" in page
