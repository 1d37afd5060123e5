"""Table 6: six numbers by hand, before and after exclusion, and files that nothing can run in."""

import csv
import io

import pytest
from django.urls import reverse

from annotation_site.annotation.models import Response
from annotation_site.quality import ledger, table6, table6_text
from annotation_site.quality.figures import study_of
from tests.site.quality import crowds


@pytest.fixture
def both(project, round_):
    """Give both arms: the small crowd at 3 s, and three people at 6 s who disagree more."""
    other = crowds.make_comparison(project, round_, ["grass", "=SUM(A1)"])
    table = {
        "eve": ["grass"] * 6,
        "fay": ["grass"] * 3 + ["=SUM(A1)"] * 3,
        "gil": ["=SUM(A1)"] * 6,
    }
    crowds.answer_all(other, table, seconds=6.0)
    return round_, other


def numbers(pair):
    return table6.six_numbers("As collected", (study_of(pair[0], 0), study_of(pair[1], 0)))


def test_the_six_numbers_by_hand(both):
    found = numbers(both)

    first, second = found.attention, found.spuriousness
    assert first is not None
    assert second is not None
    assert (first.time.found.value, first.time.deviation) == (pytest.approx(3.0), pytest.approx(0))
    assert first.time.found.interval == pytest.approx((3.0, 3.0))
    assert second.time.found.value == pytest.approx(6.0)
    mine = [1, 1, 0.75, 0.75, 0.75, 2 / 3]
    assert first.consistency.found.value == pytest.approx(sum(mine) / 6)
    assert second.consistency.found.value == pytest.approx(2 / 3)
    assert second.consistency.chance == pytest.approx(0.75)
    assert found.ratio.found.value == pytest.approx(0.5)
    assert "the spread is not known" in found.ratio.found.reason
    assert found.difference.found.value == pytest.approx(sum(mine) / 6 - 2 / 3)
    assert found.difference.found.interval is not None
    assert "paired" in found.difference.found.method


def test_one_arm_alone_has_half_a_table(round_):
    found = table6.six_numbers("As collected", (study_of(round_), None))

    assert found.spuriousness is None
    assert found.ratio.found.value is None
    assert found.ratio.found.reason == table6.NOBODY


def test_before_and_after_exclusion(both, people, mira, mira_browser):
    ledger.exclude(round=both[0], by=mira, reason="always yes", sittings={people["dot"].pk: {}})

    page = mira_browser.get(reverse("quality:table6", args=[both[0].public_id]))

    before, after = page.context["tables"]
    assert (before.name, before.attention.n_people) == ("As collected", 4)
    assert (after.name, after.attention.n_people, after.attention.version) == (
        "After exclusion",
        3,
        1,
    )
    assert after.attention.consistency.found.value > before.attention.consistency.found.value
    assert after.spuriousness.consistency == before.spuriousness.consistency


def test_the_other_arm_of_the_same_study_is_the_partner(project, both):
    first, second = both
    type(first).objects.filter(pk__in=[first.pk, second.pk]).update(study="one")
    first.refresh_from_db()
    newer = crowds.make_comparison(project, second, ["a", "b"])

    assert table6.partner_of(first) == second
    assert table6.partner_of(newer) == first


def test_the_csv_has_one_row_a_number_and_nothing_to_run(both, mira_browser):
    reply = mira_browser.get(reverse("quality:table6_csv", args=[both[0].public_id]))

    rows = list(csv.DictReader(io.StringIO(reply.content.decode())))
    assert reply["Content-Disposition"].endswith('.csv"')
    assert [(row["arm"], row["measure"]) for row in rows] == [
        ("attention", "time"),
        ("attention", "consistency"),
        ("spuriousness", "time"),
        ("spuriousness", "consistency"),
        ("attention against spuriousness", "time"),
        ("attention against spuriousness", "consistency"),
    ]
    assert float(rows[0]["value"]) == pytest.approx(3.0)
    assert all(row["interval"] for row in rows)
    assert table6_text._safe("=1+1") == "'=1+1"
    assert table6_text._safe(-0.5) == "-0.5", "a number is no formula"


def test_the_latex_is_escaped_and_whole(project, both, mira_browser):
    project.dataset.name = "100% {birds} & \\input{x}_#~^$"
    project.dataset.save()

    reply = mira_browser.get(reverse("quality:table6_tex", args=[both[0].public_id]))

    text = reply.content.decode()
    assert r"100\% \{birds\} \& \textbackslash{}input\{x\}\_\#\textasciitilde{}" in text
    assert r"\input{" not in text
    assert text.count(r"\begin") == text.count(r"\end") == 2
    assert text.count(r"\\") == 4
    assert "$3.0 \\pm 0.0$ [3.0, 3.0]" in text


def test_surrounding_answers_are_no_votes(both):
    assert Response.objects.votes().count() == 24
