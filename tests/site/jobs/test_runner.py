"""The runner on a real, small data set: registered, asked, answered, closed, asked again."""

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image as Picture

from annotation_site.accounts.models import User
from annotation_site.annotation import rounds as states
from annotation_site.annotation import services as annotators
from annotation_site.annotation.models import AnswerChoice, AssignmentState, Round, RoundState
from annotation_site.annotation.timing import Timing
from annotation_site.jobs import rounds, runner, services
from annotation_site.jobs.models import Job, JobKind, JobState
from annotation_site.jobs.registration import register
from annotation_site.jobs.watching import JobWatcher
from annotation_site.live.models import ControlHeat
from annotation_site.projects.models import Project
from annotation_site.review.services import try_model
from engine.data.synthetic import build_shapes
from engine.errors import Cancelled
from engine.models.checkpoints import load_classifier
from tests.small import CLASSIFIER

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
SETTINGS = {
    "classifier": CLASSIFIER,
    "fine_tuning": {"epochs": 2, "lr": 0.01},
    # 48 training images are too few for UMAP, which is tested elsewhere and slow to start
    "space": {"n_neighbors": 15},
    "subset": {"fraction": 0.2},
}


@pytest.fixture
def registered(mira: User, settings) -> Project:
    folder = Path(settings.DATA_ROOT) / "shapes"
    build_shapes(folder, n_train=48, n_val=16, n_test=24, cue="patch")
    (folder / "dataset.json").write_text(json.dumps({"settings": SETTINGS}))
    job = register(
        lead=mira,
        name="Shapes",
        manifest="shapes/manifest.csv",
        architecture="gazecheck/small_cnn",
    )
    _run(job)
    job.project.refresh_from_db()
    return job.project


def _run(job: Job | None) -> Job:
    assert job is not None
    runner.run(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, (job.error, job.traceback)
    return job


def _open(project: Project, mira: User, *, budget: int) -> Round:
    round_ = rounds.start_round(project=project, created_by=mira)
    _run(Job.objects.get(round=round_, kind=JobKind.PROPOSE))
    job = rounds.choose_budget(
        round=round_,
        budget=budget,
        question="Does the model look at the shape?",
        guidelines="",
        redundancy=1,
        block_size=0,
        show_class=False,
        chosen_by=mira,
    )
    _run(job)
    found = ControlHeat.objects.filter(image__dataset=project.dataset, image__split="train")
    assert set(found.values_list("part", flat=True)) == {"head", "network"}
    round_.refresh_from_db()
    items = list(round_.practice_items.all())[:3]
    states.confirm_practice(round=round_, chosen={item.pk: ("yes", "") for item in items})
    states.open_round(round=round_)
    return round_


def _answer(round_: Round, key: str, answers: tuple[str, ...]) -> None:
    sitting = annotators.start_sitting(round=round_, key_hash=key * 64)
    for item in round_.practice_items.exclude(answer=""):
        annotators.answer_practice(sitting=sitting, position=item.position, answer=AnswerChoice.YES)
    annotators.finish_practice(sitting=sitting)
    for number, assignment in enumerate(sitting.assignments.order_by("position")):
        annotators.record_answer(
            sitting=sitting,
            assignment_id=assignment.public_id,
            answer=AnswerChoice(answers[number % len(answers)]),
            client_uuid=assignment.public_id,
            timing=Timing(shown_to_answer_ms=2000.0, hidden_ms=0.0, blur_ms=0.0, overlay={}),
        )
    assert sitting.assignments.filter(state=AssignmentState.ANSWERED).count() == number + 1


def test_a_project_goes_from_a_manifest_to_a_result_and_on_to_a_second_round(
    registered: Project, mira: User, settings
):
    _looks_registered(registered, Path(settings.MEDIA_ROOT))

    first = _open(registered, mira, budget=12)
    assert first.tasks.count() == 12
    assert first.proposed_budget
    _answer(first, "a", ("yes", "no"))
    _run(rounds.close_round(round=first, closed_by=mira))

    first.refresh_from_db()
    assert first.state == RoundState.CLOSED
    _looks_finished(first, registered, Path(settings.MEDIA_ROOT))

    second = _open(registered, mira, budget=6)
    asked = set(first.tasks.values_list("image__row", flat=True))
    assert asked.isdisjoint(second.tasks.values_list("image__row", flat=True))
    _answer(second, "b", ("no", "yes"))
    _run(rounds.close_round(round=second, closed_by=mira))
    assert second.result.report["annotated"] == 18, "the first round's votes count too"

    _tries_on_pictures(second, mira, Path(settings.DATA_ROOT))


def _looks_registered(project: Project, media: Path) -> None:
    images = project.dataset.images
    assert images.count() == 88 == project.dataset.n_images
    assert project.reference_model.found_layer
    image = images.first()
    assert image is not None
    assert len(image.grid_true) == image.grid_side**2
    assert image.dead_true or max(image.grid_true) == 255
    stored = media / "pictures" / str(project.dataset.pk) / f"{image.public_id}.webp"
    with Picture.open(stored) as picture:
        assert picture.format == "WEBP"
        assert picture.size == (image.width, image.height)


def _looks_finished(round_: Round, project: Project, media: Path) -> None:
    report = round_.result.report
    assert report["annotated"] == 12
    assert report["annotated_share"] == pytest.approx(12 / 48)
    assert set(report["after"]) == {"erm", "random_subset", "slim_tr", "slim_val"}
    for result in (report["before"], *report["after"].values()):
        counts = [group["n"] for group in result["groups"].values()]
        assert sum(counts) == 24
        assert 0 <= result["worst_group"] <= result["average"] <= 1
    assert sum(cell["chosen"] for cell in report["cells"]) == report["subset_size"]
    scores = np.frombuffer(round_.result.scores, dtype="<f4")
    cells = np.frombuffer(round_.result.cell, dtype="<i2")
    assert len(scores) == len(cells) == 88
    assert np.isnan(scores).sum() == 24, "test images are never scored"
    assert (cells >= 0).sum() == report["subset_size"]
    screening = report["screening"]
    train = np.arange(48)  # the first rows of the set
    on_core = [n for n, _ in screening["on_core"].values()]
    assert sum(on_core) == (scores[train] >= screening["threshold"]).sum()
    kept = np.frombuffer(round_.result.kept, dtype=np.uint8)
    assert sum(n for n, _ in screening["kept"].values()) == kept.sum()
    assert kept[cells >= 0].all(), "the subset is of candidates"
    assert screening["rule"] in {"cues", "better_half", "threshold"}

    files = {file.kind: media / file.path for file in round_.result.files.all()}
    rows = pq.read_table(files["subset_parquet"]).column("row").to_pylist()
    assert sorted(rows) == np.flatnonzero(cells >= 0).tolist()
    index = torch.load(files["torch_index"], weights_only=True)
    assert index.tolist() == rows
    with zipfile.ZipFile(files["core_masks"]) as masks:
        assert len(masks.namelist()) == len(rows)
        with Picture.open(io.BytesIO(masks.read(masks.namelist()[0]))) as mask:
            assert mask.mode == "L"
            assert mask.size == (32, 32)
    unpacked = media / "unpacked"
    with zipfile.ZipFile(files["checkpoint"]) as checkpoint:
        checkpoint.extractall(unpacked)
    assert load_classifier(unpacked).class_names == tuple(project.dataset.class_names)


def _tries_on_pictures(round_: Round, mira: User, data_root: Path) -> None:
    folder = data_root / "more"
    folder.mkdir()
    for number in range(3):
        Picture.new("RGB", (40, 30), (80 * number, 60, 120)).save(folder / f"{number}.png")
    trial = try_model(result=round_.result, route="slim_tr", folder="more", asked_by=mira)
    assert trial.job is not None
    _run(trial.job)
    trial.refresh_from_db()
    assert [picture["name"] for picture in trial.pictures] == ["0.png", "1.png", "2.png"]
    side = trial.pictures[0]["grid_side"]
    assert len(base64.b64decode(trial.pictures[0]["grid"])) == side * side


def test_answers_of_one_kind_only_are_told_to_the_lead_and_nothing_is_half_written(
    registered: Project, mira: User
):
    round_ = _open(registered, mira, budget=8)
    _answer(round_, "a", ("no",))
    job = rounds.close_round(round=round_, closed_by=mira)

    assert job is not None
    runner.run(job.pk)

    job.refresh_from_db()
    round_.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "all 8 labelled images were answered 'no'" in job.error
    assert "another round" in job.error
    assert round_.state == RoundState.OPEN, "annotators can go on"
    assert not hasattr(round_, "result")


def test_a_missing_picture_is_named_and_the_project_has_no_images(mira: User, settings):
    folder = Path(settings.DATA_ROOT) / "shapes"
    build_shapes(folder, n_train=48, n_val=16, n_test=24)
    victim = sorted((folder / "images").iterdir())[5]
    victim.unlink()
    job = register(lead=mira, name="Shapes", manifest="shapes", architecture="gazecheck/small_cnn")

    runner.run(job.pk)

    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert victim.name in job.error
    assert job.project.dataset.images.count() == 0


def test_a_cancelled_job_stops_at_its_next_step(project: Project, mira: User):
    job = services.enqueue(project=project, kind=JobKind.REGISTER, created_by=mira)
    assert services.begin(job_id=job.pk) is not None
    watcher = JobWatcher(job.pk)
    watcher.stage_started("extraction", cached=False)
    watcher.progress(1, 10)

    services.cancel(job)

    with pytest.raises(Cancelled):
        watcher.progress(10, 10)
