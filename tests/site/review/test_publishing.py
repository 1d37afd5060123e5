"""What the worker publishes through the site's verbs."""

import base64

import numpy as np
import pytest
from django.conf import settings
from django.urls import reverse

from annotation_site.annotation.models import RoundState
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import JobKind
from annotation_site.review import services
from annotation_site.review.models import RoundResult, Trial
from annotation_site.web.refusals import Refused
from tests.site import factories, results


@pytest.fixture
def folder(settings):
    made = settings.MEDIA_ROOT / "exports" / "x"
    made.mkdir(parents=True)
    (made / "subset.csv").write_text("row\n0\n")
    (made / "notes.txt").write_text("not offered")
    return made


def publish(round_, job, folder, score=0.5):
    return services.publish_result(
        round=round_,
        job=job,
        scores=np.full(40, score),
        kept=np.ones(40, dtype=bool),
        cell=np.full(40, -1),
        report=results.report(),
        artifacts={"votes": "k"},
        folder=folder,
    )


@pytest.fixture
def closing(project):
    return factories.make_round(project, state=RoundState.CLOSING)


@pytest.fixture
def job(project, closing):
    return jobs.enqueue(project=project, kind=JobKind.CLOSE, round=closing)


def test_arrays_are_kept_in_their_declared_form(closing, job, folder):
    result = publish(closing, job, folder)

    result.refresh_from_db()
    assert np.frombuffer(bytes(result.scores), "<f4").tolist() == [0.5] * 40
    assert len(bytes(result.kept)) == 40
    assert np.frombuffer(bytes(result.cell), "<i2").tolist() == [-1] * 40


def test_known_files_are_offered_and_others_are_not(closing, job, folder):
    result = publish(closing, job, folder)

    file = result.files.get()
    assert (file.name, file.kind, file.n_bytes) == ("round-1-subset.csv", "subset_csv", 6)
    assert file.path == "exports/x/subset.csv"
    assert len(file.sha256) == 64


def test_publishing_again_replaces(closing, job, folder):
    publish(closing, job, folder)
    publish(closing, job, folder, score=0.25)

    result = RoundResult.objects.get()
    assert np.frombuffer(bytes(result.scores), "<f4")[0] == 0.25
    assert result.files.count() == 1


# ---- trials ------------------------------------------------------------------------------------------


@pytest.fixture
def result(project):
    return results.make_result(project)


@pytest.fixture
def pictures(settings):
    place = settings.DATA_ROOT / "holiday"
    place.mkdir()
    (place / "a.jpg").write_bytes(b"x")
    return place


def test_a_trial_is_queued_with_its_folder_and_route(result, pictures, mira_browser):
    reply = mira_browser.post(
        reverse("review:try_model", args=[result.round.public_id]),
        {"folder": "holiday", "route": "slim_tr"},
    )

    trial = Trial.objects.get()
    assert reply.url == reverse("review:trial", args=[trial.pk])
    assert trial.job is not None
    assert trial.job.kind == JobKind.TRY
    assert trial.job.params == {
        "trial": trial.pk,
        "route": "slim_tr",
        "folder": "holiday",
        "ledger": None,  # this result's report names no version
    }


@pytest.mark.parametrize(
    ("folder", "route"),
    [("../x", "slim_tr"), ("", "slim_tr"), ("holiday/a.jpg", "slim_tr"), ("holiday", "made_up")],
)
def test_a_wrong_folder_or_route_is_told_and_nothing_queued(
    result, pictures, mira_browser, folder, route
):
    reply = mira_browser.post(
        reverse("review:try_model", args=[result.round.public_id]),
        {"folder": folder, "route": route},
    )

    assert reply.status_code == 422
    assert not Trial.objects.exists()


def test_two_trials_at_once_are_refused(result, pictures, mira):
    services.try_model(result=result, route="slim_tr", folder="holiday", asked_by=mira)

    with pytest.raises(Refused, match="already queued"):
        services.try_model(result=result, route="slim_tr", folder="holiday", asked_by=mira)

    assert Trial.objects.count() == 1


def test_a_trials_pictures_become_files_that_members_see(
    result, pictures, mira, mira_browser, sam_browser
):
    trial = services.try_model(result=result, route="slim_tr", folder="holiday", asked_by=mira)
    picture = {
        "name": "<b>a</b>.jpg",
        "predicted": "bird",
        "confidence": 0.9,
        "before": "mammal",
        "before_confidence": 0.6,
        "grid": base64.b64encode(factories.heat_grid(1)).decode(),
        "before_grid": base64.b64encode(factories.heat_grid(2)).decode(),
        "grid_side": 7,
        "picture": base64.b64encode(factories.webp_bytes(1)).decode(),
    }

    assert trial.job is not None
    services.publish_trial(job=trial.job, pictures=[picture], n_found=61)

    trial.refresh_from_db()
    assert "picture" not in trial.pictures[0]
    assert (settings.MEDIA_ROOT / trial.pictures[0]["file"]).is_file()
    page = mira_browser.get(reverse("review:trial", args=[trial.pk])).content.decode()
    assert "(changed)" in page
    assert "<b>a</b>" not in page
    address = reverse("review:trial_picture", args=[trial.pk, 0])
    reply = mira_browser.get(address)
    assert b"".join(reply.streaming_content) == factories.webp_bytes(1)
    assert sam_browser.get(address).status_code == 404
    assert mira_browser.get(reverse("review:trial_picture", args=[trial.pk, 1])).status_code == 404


def test_a_trials_file_outside_the_media_root_is_not_served(result, project, mira_browser):
    trial = Trial.objects.create(
        project=project,
        result=result,
        route="slim_tr",
        folder="x",
        pictures=[{"name": "a", "file": "../data/secret"}],
    )
    (settings.DATA_ROOT / "secret").write_text("secret")

    address = reverse("review:trial_picture", args=[trial.pk, 0])

    assert mira_browser.get(address).status_code == 404
