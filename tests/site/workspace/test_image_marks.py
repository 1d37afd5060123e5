"""Scores of single images set by hand: never overruled, undone by their person, kept in what is taken away."""

import csv
import io

import numpy as np
import pytest

from annotation_site.workspace.building import open_workspace
from annotation_site.workspace.mending import flagged
from annotation_site.workspace.models import Event, ImageMark, Workspace
from annotation_site.workspace.versions import version_of

pytestmark = pytest.mark.django_db


def kinds(workspace):
    return dict(ImageMark.objects.filter(workspace=workspace).values_list("number", "kind"))


def mark(page, *images, kind="spurious", **more):
    return page.post("images/marks/", images=list(images), kind=kind, **more)


def scores(page):
    return np.frombuffer(page.get("scores/").content, dtype=np.uint8) / 255


def test_an_image_has_the_score_that_was_set_and_its_neighbours_lean_to_it(page, workspace):
    version = version_of(workspace)
    index = int(version.slices.members(2)[0])

    state = mark(page, index).json()

    assert state["revision"] == 1
    assert state["image_marks"] == {"core": [], "spurious": [index]}
    assert state["log"][0]["words"].endswith(f"{index:06d}.jpg marked as spurious by hand")
    assert scores(page)[index] == 0.0
    assert 0.0 < state["scores"]["2"][0] < 0.5
    assert state["scores"]["2"][1] > 0.0  # nobody has marked the slice itself
    assert (page.get("images/", at=index).json()["images"][0]["mark"]) == {
        "kind": "spurious",
        "by": "mira",
    }


def test_the_mark_of_its_slice_does_not_overrule_an_image(page, workspace):
    members = version_of(workspace).slices.members(1)
    index = int(members[0])
    mark(page, index, kind="core")

    page.mark(1, "spurious")

    found = scores(page)
    assert found[index] == 1.0
    assert (np.delete(found[members], 0) <= 0.502).all()
    assert page.get("state/", since=0).json()["scores"]["1"] == [0.0, 0.0]


def test_undo_and_redo_are_of_ones_own_and_leave_what_another_set_since(
    page_of, mira, lena, workspace
):
    first, second = page_of(mira), page_of(lena)
    mark(first, 3, 4, kind="core")
    mark(second, 4, kind="spurious")

    first.post("undo/")
    assert kinds(workspace) == {4: "spurious"}
    second.post("undo/")
    assert kinds(workspace) == {4: "core"}
    state = first.post("redo/").json()
    assert kinds(workspace) == {3: "core", 4: "core"}
    assert state["image_marks"]["core"] == [3, 4]
    assert [event.revision for event in Event.objects.all()] == [1, 2, 3, 4, 5]


def test_clearing_leaves_an_image_to_what_spreads_and_can_be_undone(page, workspace):
    mark(page, 7, 8)
    mark(page, 7, kind="clear")
    assert kinds(workspace) == {8: "spurious"}

    page.post("undo/")

    assert kinds(workspace) == {7: "spurious", 8: "spurious"}
    assert mark(page, 7, 8).json()["revision"] == 3  # the same again is no act


def test_whoever_marks_over_somebody_unseen_is_told_first(page_of, mira, lena, workspace):
    first, second = page_of(mira), page_of(lena)
    mark(second, 5, kind="core")

    refused = mark(first, 5, seen=0)

    assert refused.status_code == 409
    assert "lena was faster" in refused.json()["error"]
    assert refused.json()["state"]["image_marks"]["core"] == [5]
    assert mark(first, 6, seen=0).status_code == 200
    assert first.mark(1, "core", seen=0).status_code == 200  # a slice is another thing


@pytest.mark.parametrize(
    ("images", "kind", "said"),
    [
        ([], "core", "at least one image"),
        ([120], "core", "no image 120"),
        ([0], "mixed", "“mixed” is no score of an image"),
        (list(range(10_001)), "core", "at most 10,000"),
        (["0"], "core", "images must be a list"),
        ([10**30], "core", "images must be a list of whole numbers from 0 to 2,147,483,647"),
    ],
)
def test_what_means_nothing_is_refused_in_words(page, images, kind, said):
    refused = page.post("images/marks/", images=images, kind=kind)

    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert not Event.objects.exists()


def test_the_table_of_images_says_who_set_a_score(page):
    mark(page, 3)

    answer = page.get("export/images.csv")
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert (rows[3]["mark"], rows[3]["marked_by"]) == ("spurious", "mira")
    assert (rows[4]["mark"], rows[4]["marked_by"]) == ("", "")
    assert float(rows[3]["attention_score"]) == 0.0


def test_noise_goes_by_the_image_before_its_slice(page, workspace):
    version = version_of(workspace)
    inside, outside = version.slices.members(1), version.slices.members(4)
    page.mark(1, "spurious")
    mark(page, int(inside[0]), kind="core")
    mark(page, int(outside[0]), kind="spurious")

    found = flagged(Workspace.objects.get(), version)

    expected = sorted({*version.images.rows[inside[1:]], version.images.rows[outside[0]]})
    assert found.marked.tolist() == expected
    assert found.n_marks == 3


def test_a_later_map_of_the_same_images_takes_them_over(page, workspace, mira):
    mark(page, 3, 9, kind="core")
    workspace.refresh_from_db()

    after = open_workspace(
        project=workspace.project,
        split=workspace.split,
        images=version_of(workspace).images,
        key=workspace.arrays_key,
        classifier_key=workspace.classifier_key,
        options={},
        created_by=mira,
    )

    assert kinds(after) == {3: "core", 9: "core"}
    assert after.events.get().words == "2 marks carried over from the slices before"
