"""From a registered data set to slices, pictures, noise and retrained classifiers, by the real jobs."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.jobs import runner as other_runner
from annotation_site.jobs.models import Job, JobState
from annotation_site.jobs.registration import register
from annotation_site.projects.models import Project
from annotation_site.workspace import picture_work, runner, services
from annotation_site.workspace.hull_figure import hulls_found
from annotation_site.workspace.labels import flag_label
from annotation_site.workspace.mending import noise_path
from annotation_site.workspace.models import Workspace
from annotation_site.workspace.ordering import (
    ask_for_mending,
    ask_for_noise,
    ask_for_pictures,
    ask_for_slices,
)
from annotation_site.workspace.payload import payload
from annotation_site.workspace.pictures import found
from annotation_site.workspace.tables import methods_paragraph
from annotation_site.workspace.versions import version_of
from engine.data.synthetic import build_shapes
from engine.inversion.inverting import InversionConfig
from tests.small import CLASSIFIER

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
SETTINGS = {
    "classifier": CLASSIFIER,
    "fine_tuning": {"epochs": 2, "lr": 0.01},
    "space": {"n_neighbors": 15},
}


@pytest.fixture
def registered(mira: User, settings) -> Project:
    folder = Path(settings.DATA_ROOT) / "shapes"
    build_shapes(folder, n_train=30, n_val=16, n_test=16, cue="patch")
    (folder / "dataset.json").write_text(json.dumps({"settings": SETTINGS}))
    job = register(
        lead=mira,
        name="Shapes",
        manifest="shapes/manifest.csv",
        architecture="gazecheck/small_cnn",
    )
    assert job is not None
    done(job, other_runner)
    return Project.objects.get()


def done(job: Job, by=runner) -> Job:
    by.run(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, (job.error, job.traceback)
    return job


def test_slices_are_built_marked_pictured_and_mended(
    registered: Project, mira: User, monkeypatch: pytest.MonkeyPatch
):
    project = registered
    built = done(ask_for_slices(project=project, asked_by=mira, split="all", n_slices=5))
    workspace = Workspace.objects.get()
    told = payload(workspace, mira)
    assert built.result["slices"] == len(told["slices"]) == 5
    assert told["n"] == project.dataset.n_images == 62
    words = methods_paragraph(workspace)
    assert "under the GradCAM map of the predicted class" in words
    assert "laid out in the plane by their first two principal components" in words
    assert "UMAP (" not in words
    version = version_of(workspace)
    stored = {image.row: image for image in project.dataset.images.all()}
    for at, row in enumerate(version.images.rows.tolist()):
        assert version.images.predicted[at] == stored[row].predicted
        assert version.images.confidence[at] == pytest.approx(stored[row].confidence, abs=1e-5)

    services.mark(workspace=workspace, by=mira, numbers=[0, 1], kind="spurious")
    services.mark(workspace=workspace, by=mira, numbers=[2], kind="core")
    _looks_pictured(workspace, mira)
    _gives_way(workspace, mira, monkeypatch)
    _looks_written(Workspace.objects.get(), mira)
    _looks_mended(Workspace.objects.get(), mira)

    again = done(ask_for_slices(project=project, asked_by=mira, split="all", n_slices=5))
    newest = Workspace.objects.get(public_id=again.result["workspace"])
    assert {row.number: row.kind for row in newest.marks.all()} == {
        0: "spurious",
        1: "spurious",
        2: "core",
    }


def _looks_pictured(workspace: Workspace, mira: User) -> None:
    job = done(ask_for_pictures(workspace=workspace, asked_by=mira, numbers=[0, 3]))

    assert job.result["pictures"] == 2
    shown = {
        one["number"]: one["picture"]
        for one in payload(Workspace.objects.get(), mira)["slices"]
        if one["picture"]
    }
    assert set(shown) == {0, 3}
    version = version_of(workspace)
    images = version.images
    truth, said = int(images.labels[0]), int(images.predicted[0])
    done(ask_for_pictures(workspace=workspace, asked_by=mira, cell=(truth, said)))
    inside = (images.labels == truth) & (images.predicted == said)
    there = set(version.slices.assignment[inside].tolist())
    assert set(found(workspace, version, (truth, said))) == there
    whole = {n for n in there if inside[version.slices.members(n)].all()}
    assert set(found(workspace, version)) == {0, 3} | whole  # a whole slice's picture is one
    made = done(ask_for_pictures(workspace=workspace, asked_by=mira, in_hulls=True))
    n, of = hulls_found(workspace, version)
    assert made.result["pictures"] == n == of > 0


def _gives_way(workspace: Workspace, mira: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_work, "InversionConfig", partial(InversionConfig, batch_size=1))
    version = version_of(workspace)
    wanted = [
        number for number in version.slices.numbers if number not in found(workspace, version)
    ]
    assert len(wanted) >= 2
    job = ask_for_pictures(workspace=workspace, asked_by=mira, numbers=wanted)
    other = ask_for_noise(workspace=workspace, asked_by=mira, choice="marked")
    Job.objects.filter(pk=other.pk).update(queued_at=timezone.now() - timedelta(minutes=1))

    runner.run(job.pk)

    job.refresh_from_db()
    assert job.state == JobState.QUEUED
    assert len(set(wanted) & set(found(workspace, version))) == 1
    done(other)
    assert done(job).result["pictures"] == len(wanted) - 1
    assert set(wanted) <= set(found(workspace, version))


def _looks_written(workspace: Workspace, mira: User) -> None:
    job = done(ask_for_noise(workspace=workspace, asked_by=mira, choice="marked"))

    rows = np.sort(np.concatenate([version_of(workspace).slices.members(n) for n in (0, 1)]))
    with zipfile.ZipFile(noise_path(job)) as archive:
        table = list(csv.DictReader(io.StringIO(archive.read("images.csv").decode(), newline="")))
        assert [int(line["row"]) for line in table] == rows.tolist()
        assert {line["mark"] for line in table} == {"spurious"}
        assert set(archive.namelist()) == {"images.csv"} | {
            line[kind] for line in table for kind in ("mask", "noisy")
        }
        assert archive.testzip() is None


def _looks_mended(workspace: Workspace, mira: User) -> None:
    image = workspace.project.dataset.images.filter(split="train").first()
    assert image is not None
    flag_label(
        workspace=workspace, by=mira, image=image, label_is_wrong=True, should_be=1 - image.label
    )
    job = done(ask_for_mending(workspace=workspace, asked_by=mira, split="test"))

    report = job.result
    assert (report["masks"], report["images"], report["beside"]) == ("true", 16, True)
    assert list(report["arms"]) == [
        "baseline",
        "annotation",
        "propagation",
        "without wrong labels",
        "corrected labels",
    ]
    for figures in report["arms"].values():
        assert 0 <= figures["clean"] <= 1
        assert -1 <= figures["rcs"] <= 1
    assert report["arms"]["annotation"]["noisy_images"] > 0
    assert report["arms"]["corrected labels"]["relabelled"] == 1
