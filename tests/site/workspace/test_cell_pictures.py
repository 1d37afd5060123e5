"""Pictures of slices in a cell of the matrix: which images they are of, when they are shared."""

import numpy as np
import pytest

from annotation_site.jobs.models import Job, JobState
from annotation_site.workspace.models import Workspace
from annotation_site.workspace.pictures import (
    found,
    groups_of,
    keep_picture,
    keys_of,
    wanted_pictures,
)
from annotation_site.workspace.versions import version_of

pytestmark = pytest.mark.django_db
BLANK = np.zeros((3, 4, 4))


def test_a_cells_groups_are_the_slices_images_in_it(workspace):
    version = version_of(workspace)
    images = version.images

    groups = groups_of(version, (0, 1))

    inside = np.flatnonzero((images.labels == 0) & (images.predicted == 1))
    assert np.sort(np.concatenate(list(groups.values()))).tolist() == inside.tolist()
    for number, members in groups.items():
        assert set(version.slices.assignment[members]) == {number}
    whole = groups_of(version)
    assert {number: len(members) for number, members in whole.items()} == dict(
        zip(version.slices.numbers, version.slices.sizes().tolist(), strict=True)
    )


def test_a_picture_of_a_cell_is_not_the_slices(workspace):
    version = version_of(workspace)
    keys = keys_of(version, (0, 1))
    number = next(iter(keys))

    keep_picture(workspace, keys[number], BLANK, {})

    assert list(found(workspace, version, (0, 1))) == [number]
    assert found(workspace, version) == {}
    assert number not in wanted_pictures(workspace, version, (), keys)
    assert number in wanted_pictures(workspace, version, (), keys_of(version))


def test_a_cell_that_holds_all_of_a_slice_has_the_slices_picture(workspace):
    version = version_of(workspace)
    images = version.images
    images.labels[version.slices.members(2)] = 1
    images.predicted[version.slices.members(2)] = 1

    keep_picture(workspace, keys_of(version)[2], BLANK, {})

    assert 2 in found(workspace, version, (1, 1))


def test_the_page_asks_for_a_cells_pictures_and_is_told_of_them(page, workspace):
    version = version_of(workspace)
    keys = keys_of(version, (0, 1))
    number = next(iter(keys))
    keep_picture(workspace, keys[number], BLANK, {})

    told = page.get("jobs/", cells="0.1,1.1").json()["cells"]
    assert list(told) == ["0.1", "1.1"]
    assert list(told["0.1"]) == [str(number)]
    given = page.client.get(told["0.1"][str(number)])
    assert b"".join(given.streaming_content).startswith(b"RIFF")
    assert page.post("pictures/", cell="0.1").status_code == 202
    job = Job.objects.get()
    assert (job.kind, job.params["cell"]) == ("invert", [0, 1])
    assert job.params["workspace"] == Workspace.objects.get().public_id


@pytest.mark.parametrize(
    ("cell", "said"), [("0", "named by two classes"), ("7.1", "no image in this cell")]
)
def test_what_is_no_cell_is_refused(page, cell, said):
    refused = page.post("pictures/", cell=cell)

    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert not Job.objects.exists()
    assert page.get("jobs/", cells=",".join(["0.1"] * 17)).status_code == 400


def test_strangers_and_reviewers_ask_for_none(page, rob_browser, sam_browser):
    for browser, status in ((rob_browser, 403), (sam_browser, 404)):
        sent = browser.post(
            page.base + "pictures/", '{"cell": "0.1"}', content_type="application/json"
        )
        assert sent.status_code == status
    assert sam_browser.get(page.base + "jobs/?cells=0.1").status_code == 404
    assert not Job.objects.filter(state=JobState.QUEUED).exists()


def test_the_picture_job_that_failed_last_is_told(page, workspace):
    of_these = {"project": workspace.project, "params": {"workspace": workspace.public_id}}
    Job.objects.create(**of_these, kind="invert", state=JobState.FAILED, error="No linear head.")
    Job.objects.create(**of_these, kind="mend", state=JobState.FAILED)
    elsewhere = {**of_these, "params": {"workspace": "another"}}
    Job.objects.create(**elsewhere, kind="invert", state=JobState.FAILED, error="Not here.")

    (line,) = page.get("jobs/").json()["jobs"]
    assert (line["kind"], line["state"], line["error"]) == ("invert", "failed", "No linear head.")

    Job.objects.create(**of_these, kind="invert", state=JobState.DONE)
    assert page.get("jobs/").json()["jobs"] == []
