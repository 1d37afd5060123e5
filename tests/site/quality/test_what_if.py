"""Other limits: who would leave and what table 6 would say, by hand; nothing is ever written."""

from dataclasses import replace

import pytest
from django.urls import reverse

from annotation_site.quality import ledger, table6, whatif
from annotation_site.quality.figures import overview_of, study_of
from annotation_site.quality.models import LedgerEntry, RuleSet
from annotation_site.quality.rules import Rules
from tests.site import factories
from tests.site.quality import crowds

NONE = Rules(least_seconds=0, most_seconds=0, people_time=0, informedness=0, interrupted=0, gold=0)
"""All rules off but that of impossible times."""


@pytest.fixture
def hasty(round_):
    """Give a sitting whose six answers took .4 s each, with four gold tasks, all wrong."""
    sitting = crowds.answer_all(round_, {"hal": ["yes"] * 6}, seconds=0.4)["hal"]
    for row in (20, 21, 22, 23):
        crowds.say(sitting, crowds.gold(round_, row, "yes"), "no", position=10 + row)
    return sitting


def test_with_all_rules_off_the_table_is_as_collected(round_):
    collected, under = whatif.tables_under((study_of(round_, 0), None), NONE)

    assert (collected.name, under.name) == (whatif.COLLECTED, whatif.UNDER)
    assert under.attention == collected.attention
    assert whatif.leavers(study_of(round_), NONE) == ()


def test_a_limit_on_time_leaves_out_answers_and_nobody(round_, hasty):
    limits = replace(NONE, least_seconds=0.5)
    study = study_of(round_)

    under = whatif.study_under(study, limits)

    assert len(study.collected.queries()) - len(under.answers.queries()) == 6
    assert overview_of(under).n_people == 4
    assert overview_of(study).n_people == 5, "what is recalled of the one is not the other's"
    assert whatif.leavers(study, limits) == ()


def test_gold_leaves_out_the_person_whose_upper_end_is_at_most_the_limit(round_, hasty):
    # 0 of 4 right: Wilson's upper end is z^2 / (n + z^2) = .49
    study = study_of(round_)

    (found,) = whatif.leavers(study, replace(NONE, gold=0.5))

    assert (found.public_id, found.is_out) == (hasty.public_id, False)
    assert found.titles == ("Annotators wrong on gold",)
    assert whatif.leavers(study, replace(NONE, gold=0.48)) == ()


def test_the_strip_moves_one_limit_and_marks_the_one_that_is_set(round_, hasty):
    places = whatif.strip(study_of(round_), replace(NONE, least_seconds=0.45), "least_seconds")

    assert [place.limit for place in places] == [0.2, 0.35, 0.45, 0.5, 1.0, 1.5]
    assert [place.answers for place in places] == [0, 0, 6, 6, 6, 6]
    assert [place.limit for place in places if place.is_set] == [0.45]
    assert places[-1].seconds == pytest.approx(3.0)
    assert {place.people for place in places} == {0}


def test_what_the_ledger_leaves_out_plays_no_part(round_, people, mira):
    before = whatif.tables_under((study_of(round_, 0), None), NONE)[1]
    ledger.exclude(round=round_, by=mira, reason="by hand", sittings={people["dot"].pk: {}})

    after = whatif.tables_under((study_of(round_, 0), None), NONE)[1]

    assert after.attention == before.attention


def test_the_page_shows_both_and_writes_nothing(round_, hasty, mira_browser):
    address = reverse("quality:what_if", args=[round_.public_id])

    page = mira_browser.get(address, {"gold": "0.6", "along": "gold"})

    assert page.status_code == 200
    before, after = page.context["tables"]
    assert (before.attention.n_people, after.attention.n_people) == (5, 4)
    text = page.content.decode()
    assert "Not the frozen rule set." in text
    assert hasty.annotator.public_id in text
    assert 'method="get"' in text
    assert not RuleSet.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert "These are the limits in force" in mira_browser.get(address).content.decode()


@pytest.mark.parametrize(
    "bad", [{"gold": "2"}, {"gold": "nan"}, {"along": "__class__"}, {"fence": ""}]
)
def test_a_limit_that_cannot_be_is_said_beside_its_field(round_, mira_browser, bad):
    page = mira_browser.get(reverse("quality:what_if", args=[round_.public_id]), bad)

    assert page.status_code == 422
    assert page.context["form"].errors


def test_a_stranger_finds_nothing_and_a_post_is_refused(round_, sam_browser, mira_browser):
    address = reverse("quality:what_if", args=[round_.public_id])

    assert sam_browser.get(address).status_code == 404
    assert mira_browser.post(address).status_code == 405


def test_a_round_without_answers_says_so(project, mira_browser):
    table6.forget()
    round_ = factories.make_round(project, n_tasks=2)

    page = mira_browser.get(reverse("quality:what_if", args=[round_.public_id]))

    assert "No answers yet." in page.content.decode()
