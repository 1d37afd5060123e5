"""Slices made anew of the same images: marks go with them, and nobody marks the old ones unseen."""

from datetime import UTC, datetime

import numpy as np
import pytest

from annotation_site.workspace.building import open_workspace
from annotation_site.workspace.models import ImageMark, SliceMark
from annotation_site.workspace.versions import version_of

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2024, 5, 4, 3, 2, 1, tzinfo=UTC)
WRITES = {
    "marks/": ({"slices": [0], "kind": "core"}, "this mark was not taken"),
    "images/marks/": ({"images": [0], "kind": "core"}, "this mark was not taken"),
    "changes/": ({"kind": "merge", "numbers": [0, 1]}, "this change was not made"),
    "undo/": ({}, "nothing was undone"),
    "redo/": ({}, "nothing was done again"),
}


def made_anew(workspace, images=None, split=None):
    return open_workspace(
        project=workspace.project,
        split=split or workspace.split,
        images=images or version_of(workspace).images,
        key=workspace.arrays_key,
        classifier_key=workspace.classifier_key,
        options={},
        created_by=None,
    )


def test_marks_keep_their_note_person_and_time(page, workspace, mira):
    page.mark(2, "spurious", note="water", score=0.2)
    page.post("images/marks/", images=[3], kind="core")
    SliceMark.objects.update(at=LONG_AGO)
    ImageMark.objects.update(at=LONG_AGO)
    workspace.refresh_from_db()

    after = made_anew(workspace)

    mark, image = after.marks.get(), after.image_marks.get()
    assert (mark.number, mark.kind, mark.score, mark.note) == (2, "spurious", 0.2, "water")
    assert (mark.by, mark.at, mark.revision) == (mira, LONG_AGO, 1)
    assert (image.number, image.kind, image.by, image.at) == (3, "core", mira, LONG_AGO)
    assert after.events.get().marks["2"][1]["note"] == "water"


@pytest.mark.parametrize(
    ("notes", "kept"), [(("water", "water"), "water"), (("water", "reeds"), "")]
)
def test_a_slice_of_several_old_ones_has_what_they_agree_on(
    notes, kept, page, page_of, lena, workspace
):
    page.post("changes/", kind="split", numbers=[2])
    page.mark(6, "core", note=notes[0])
    page_of(lena).mark(7, "core", note=notes[1])
    workspace.refresh_from_db()

    mark = made_anew(workspace).marks.get()  # as found: one slice where there were two

    assert (mark.number, mark.kind, mark.note, mark.by) == (2, "core", kept, None)


@pytest.mark.parametrize("tail", WRITES)
def test_what_is_done_to_old_slices_is_refused_and_told(tail, page, workspace):
    page.mark(1, "core")
    page.mark(2, "core")
    page.post("undo/")
    workspace.refresh_from_db()
    newer = made_anew(workspace)
    body, lost = WRITES[tail]

    refused = page.post(tail, **body)

    assert refused.status_code == 409
    assert refused.json()["error"] == (
        f"Newer slices were made of these images. Reload the page to see them; {lost}."
    )
    workspace.refresh_from_db()
    assert workspace.revision == 3
    assert page.get("payload/").json()["slices"][1]["mark"]["kind"] == "core"
    assert np.array_equal(version_of(newer).slices.numbers, range(6))


def test_slices_of_another_split_are_no_newer_ones(page, workspace):
    made_anew(workspace, split="test")

    assert page.mark(0).status_code == 200
