"""Slices are never edited: every change is a version, and undoing takes the earlier one."""

import numpy as np
import pytest

from annotation_site.workspace.models import Workspace
from annotation_site.workspace.versions import forget, version_of
from engine.slicing.metrics import slice_moments

pytestmark = pytest.mark.django_db


def numbers(answer):
    return [one["number"] for one in answer.json()["slices"]]


def test_merging_gives_a_new_number_and_undoing_gives_the_old_slices_back(page):
    before = page.get("payload/").json()

    merged = page.post("changes/", kind="merge", numbers=[0, 1], name="Lakes")
    assert numbers(merged) == [2, 3, 4, 5, 6]
    assert merged.json()["slices"][-1]["name"] == "Lakes"
    assert merged.json()["slices"][-1]["size"] == sum(one["size"] for one in before["slices"][:2])
    assert merged.json()["set_version"] == before["set_version"] + 1

    undone = page.post("undo/").json()
    after = page.get("payload/").json()
    assert [one["members_key"] for one in after["slices"]] == [
        one["members_key"] for one in before["slices"]
    ]
    assert undone["set_version"] == before["set_version"] + 2
    assert after["log"][0]["words"] == "Undone: Slice 0 and Slice 1 merged to Lakes"

    page.post("redo/")
    assert numbers(page.get("payload/")) == [2, 3, 4, 5, 6]


def test_numbers_are_never_used_twice_even_after_undoing(page):
    page.post("changes/", kind="merge", numbers=[0, 1])
    page.post("undo/")

    again = page.post("changes/", kind="merge", numbers=[2, 3])

    assert numbers(again) == [0, 1, 4, 5, 7]


def test_a_change_and_what_was_marked_after_it_are_done_again_on_the_same_numbers(page):
    page.post("changes/", kind="merge", numbers=[0, 1])
    page.mark(6, "spurious")
    page.post("undo/")
    page.post("undo/")

    page.post("redo/")
    state = page.post("redo/").json()

    assert state["marks"]["6"]["kind"] == "spurious"


def test_another_leads_new_name_leaves_the_numbers_to_what_is_done_again(page_of, mira, lena):
    first, second = page_of(mira), page_of(lena)
    first.post("changes/", kind="merge", numbers=[0, 1])
    first.mark(6, "spurious")
    first.post("undo/")
    first.post("undo/")
    second.post("changes/", kind="rename", numbers=[3], name="Lakes")

    first.post("redo/")
    state = first.post("redo/").json()

    assert state["marks"]["6"]["kind"] == "spurious"
    forget()
    assert numbers(first.get("payload/")) == [2, 3, 4, 5, 6]
    assert numbers(second.post("changes/", kind="merge", numbers=[2, 3])) == [4, 5, 6, 7]


def test_a_name_that_a_new_slice_would_get_may_be_taken(page):
    page.post("changes/", kind="rename", numbers=[3], name="Slice 7")

    after = page.post("changes/", kind="split", numbers=[2]).json()

    names = {one["number"]: one["name"] for one in after["slices"]}
    assert (names[3], names[6], names[7]) == ("Slice 7", "Slice 6", "Slice 7 (2)")
    forget()
    assert {one["number"]: one["name"] for one in page.get("payload/").json()["slices"]} == names


def test_marks_go_with_their_slices_and_come_back(page):
    page.post("marks/", slices=[0, 1], kind="core", note="both")
    page.mark(2, "spurious")

    merged = page.post("changes/", kind="merge", numbers=[0, 1]).json()
    assert merged["slices"][-1]["mark"]["kind"] == "core"
    mixed = page.post("changes/", kind="merge", numbers=[2, 6]).json()
    assert mixed["slices"][-1]["mark"] is None

    page.post("undo/")
    page.post("undo/")
    marks = {one["number"]: one["mark"] for one in page.get("payload/").json()["slices"]}
    assert marks[0]["note"] == "both"
    assert marks[2]["kind"] == "spurious"


def test_a_lasso_takes_its_images_from_their_slices(page, workspace):
    sizes = {one["number"]: one["size"] for one in page.get("payload/").json()["slices"]}
    assignment = version_of(workspace).slices.assignment
    drawn = [int(np.flatnonzero(assignment == number)[-1]) for number in (0, 3)]

    after = page.post("changes/", kind="lasso", members=drawn, name="Odd ones").json()

    now = {one["number"]: one["size"] for one in after["slices"]}
    assert (now[0], now[3], now[6]) == (sizes[0] - 1, sizes[3] - 1, 2)
    assert after["log"][0]["words"] == "Odd ones drawn round 2 images"


def test_splitting_cuts_along_the_longest_axis_or_as_drawn(page, workspace):
    size = page.get("payload/").json()["slices"][2]["size"]
    first = page.post("changes/", kind="split", numbers=[2]).json()
    assert sum(one["size"] for one in first["slices"][-2:]) == size

    workspace.refresh_from_db()
    members = version_of(workspace).slices.members(4)[:3].tolist()
    second = page.post("changes/", kind="split", numbers=[4], members=members).json()
    assert second["slices"][-1]["size"] == 3


def test_figures_of_a_changed_set_are_those_of_a_set_summed_anew(page, workspace):
    page.post("changes/", kind="split", numbers=[2])
    page.post("changes/", kind="merge", numbers=[0, 7])
    page.post("changes/", kind="lasso", members=list(range(0, 120, 9)))

    version = version_of(Workspace.objects.get())

    summed = slice_moments(version.slices, version.images.vectors)
    np.testing.assert_allclose(version.figures.coherence, summed.coherence(), atol=1e-9)
    np.testing.assert_allclose(version.moments.sums, summed.sums, atol=1e-6)


def test_another_leads_change_in_between_is_not_undone_from_below(page_of, mira, lena):
    first, second = page_of(mira), page_of(lena)
    first.post("changes/", kind="merge", numbers=[0, 1])
    second.post("changes/", kind="rename", numbers=[6], name="Lakes")

    refused = first.post("undo/")

    assert refused.status_code == 400
    assert "Slice 6 renamed to Lakes" in refused.json()["error"]
    second.post("undo/")
    assert first.post("undo/").status_code == 200


def test_a_slice_that_another_lead_marked_since_is_not_undone(page_of, mira, lena):
    first, second = page_of(mira), page_of(lena)
    first.post("changes/", kind="merge", numbers=[0, 1])
    second.mark(6, "core")

    refused = first.post("undo/")

    assert refused.status_code == 400
    assert "was marked since" in refused.json()["error"]


def test_a_change_to_slices_that_are_not_shown_any_more_is_refused(page_of, mira, lena):
    first, second = page_of(mira), page_of(lena)
    shown = first.get("payload/").json()["set_version"]
    second.post("changes/", kind="merge", numbers=[0, 1])

    refused = first.post("changes/", kind="merge", numbers=[2, 3], set_version=shown)

    assert refused.status_code == 409


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "burn", "numbers": [0]}, "no change of slices"),
        ({"kind": "merge", "numbers": [0]}, "at least two slices"),
        ({"kind": "split", "numbers": [0, 1]}, "choose one slice"),
        ({"kind": "rename", "numbers": [0], "name": "  "}, "needs a name"),
        ({"kind": "rename", "numbers": [0], "name": "Slice 1"}, "is taken"),
        ({"kind": "lasso", "members": []}, "no image lies inside"),
        ({"kind": "lasso", "members": [500]}, "numbered 0 to 119"),
        ({"kind": "merge", "numbers": [0, 9]}, "There is no slice 9"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(page, body, said):
    refused = page.post("changes/", **body)

    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert page.get("payload/").json()["set_version"] == 0
