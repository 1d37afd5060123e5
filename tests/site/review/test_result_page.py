"""The result of a round, told whole: all four routes, worse ones too."""

import numpy as np
import pytest
from django.urls import reverse

from annotation_site.review import reports
from annotation_site.review.models import RoundResult
from engine.curation.screening import CHOSEN, RULES
from tests.site import results


@pytest.fixture
def result(project):
    return results.make_result(project)


@pytest.fixture
def page(result):
    return reverse("review:result", args=[result.round.public_id])


def test_the_verdict_and_all_classifiers_are_shown(page, mira_browser):
    words = mira_browser.get(page).content.decode()

    assert "The worst group went from 40 % to 80 %." in words
    for name in ("Before", "All images", "Curated subset", "Curated validation", "Random subset"):
        assert name in words
    for share in ("40.0", "60.0", "80.0", "70.0", "38.0"):
        assert f"{share}\N{NO-BREAK SPACE}%" in words


def test_a_worse_route_is_told_beside_a_good_one(page, mira_browser):
    words = mira_browser.get(page).content.decode()

    assert "Random subset: worse in the worst group than before" in words
    assert "The old model is kept" not in words


def test_where_nothing_helped_the_old_model_is_kept_in_plain_words(project, mira_browser):
    result = results.make_result(project, improved=False)

    words = mira_browser.get(
        reverse("review:result", args=[result.round.public_id])
    ).content.decode()

    assert "The old model is kept" in words
    assert "Retraining did not help." in words


@pytest.mark.parametrize("rule", sorted(set(RULES) - {CHOSEN}))
def test_where_attention_is_and_what_screening_does_are_two_things(
    result, page, mira_browser, rule
):
    result.report["screening"]["rule"] = rule
    result.save(update_fields=["report"])

    words = mira_browser.get(page).content.decode()

    assert words.count("9 of 12 on the object, 6 candidates") == 2
    assert reports.SCREENED_BY[rule] in words


def test_warnings_of_the_run_are_shown(page, mira_browser):
    assert "mammal: two answers only" in mira_browser.get(page).content.decode()


def test_every_figure_has_its_table(page, mira_browser):
    words = mira_browser.get(page).content.decode()

    assert words.count('<svg class="chart" viewBox') >= 3
    assert words.count("As table") == 4


def test_another_route_can_be_compared_by_group(page, mira_browser):
    words = mira_browser.get(page, {"route": "erm"}).content.decode()

    assert "before and after: All images." in words


def test_a_made_up_route_falls_back(page, mira_browser):
    words = mira_browser.get(page, {"route": "<script>"}).content.decode()

    assert "before and after: Curated subset." in words
    assert "<script>" not in words.replace('<script src="', "").replace('<script type="', "")


def test_the_worst_group_comes_first(result):
    lines = reports.group_lines(result.report, "slim_tr")

    assert lines[0].name == "bird-water"
    assert lines[0].change == pytest.approx(0.4)


def test_examples_and_cells_show_pictures(result, page, mira_browser):
    words = mira_browser.get(page).content.decode()

    assert words.count("data-grid=") == 6 + 4 * 3
    for cell in result.report["cells"]:
        assert reverse("review:cell", args=[result.round.public_id, cell["index"]]) in words


def test_digests_of_files_are_shown(result, page, mira_browser):
    assert result.files.get().sha256 in mira_browser.get(page).content.decode()


def test_a_cell_shows_the_images_drawn_from_it(result, mira_browser):
    cell = np.frombuffer(bytes(result.cell), dtype="<i2")

    reply = mira_browser.get(reverse("review:cell", args=[result.round.public_id, 1]))

    rows = [image.row for image, _ in reply.context["shown"]]
    assert rows == np.flatnonzero(cell == 1).tolist()
    assert "score" in reply.content.decode()


def test_a_cell_that_is_not_there_is_a_404(result, mira_browser):
    address = reverse("review:cell", args=[result.round.public_id, 99])

    assert mira_browser.get(address).status_code == 404


def test_a_round_without_a_result_has_no_result_page(open_round, mira_browser):
    address = reverse("review:result", args=[open_round.public_id])

    assert mira_browser.get(address).status_code == 404


def test_the_page_survives_a_report_without_optional_parts(result, page, mira_browser):
    report = result.report
    for key in ("examples", "cells", "warnings", "regularisation", "versions", "options"):
        report.pop(key)
    report["before"]["groups"]["bird-land"] |= {"n": 0, "accuracy": None, "interval": None}
    RoundResult.objects.update(report=report)

    assert mira_browser.get(page).status_code == 200


def test_the_page_takes_a_fixed_number_of_queries(page, mira_browser, django_assert_num_queries):
    with django_assert_num_queries(7):
        mira_browser.get(page)
