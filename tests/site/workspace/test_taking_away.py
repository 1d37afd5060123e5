"""Tables, the run's facts, and the page of what follows from marks."""

import csv
import io
import json
import shutil

import pyarrow.parquet as pq
import pytest

from annotation_site.jobs.models import Job, JobKind, JobState
from annotation_site.projects.models import Image
from annotation_site.workspace import arrays, versions
from annotation_site.workspace.mending import noise_path
from annotation_site.workspace.models import Workspace
from annotation_site.workspace.tables import COLUMNS

pytestmark = pytest.mark.django_db


def text_of(answer):
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    return (
        b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()
    )


def table(page, name):
    rows = list(csv.DictReader(io.StringIO(text_of(page.get(f"export/{name}.csv")), newline="")))
    lines = text_of(page.get(f"export/{name}.jsonl")).splitlines()
    assert [json.loads(line) for line in lines] or not rows
    assert len(lines) == len(rows)
    return rows


def test_slices_and_marks_can_be_taken_away_with_their_run(page, workspace):
    page.mark(2, "spurious", note='=HYPERLINK("evil")')
    run = page.get("payload/").json()["run"]

    slices = table(page, "slices")
    marks = table(page, "marks")

    assert [row["slice"] for row in slices] == ["0", "1", "2", "3", "4", "5"]
    assert list(slices[0]) == [column.name for column in COLUMNS["slices"]]
    assert slices[2]["mark"] == "spurious"
    assert float(slices[2]["spuriousness"]) == 1.0
    assert slices[2]["note"].startswith("'=")
    assert {row["run"] for row in slices} == {run}
    assert (marks[0]["by"], marks[0]["mark"]) == ("mira", "spurious")


@pytest.mark.parametrize("name", COLUMNS)
def test_parquet_holds_what_the_lines_hold_with_the_run_in_every_row(page, name):
    page.mark(2, "spurious", note="=water")
    page.mark(3, "core", score=0.8)
    page.post("images/marks/", images=[4], kind="core")
    run = page.get("payload/").json()["run"]

    answer = page.get(f"export/{name}.parquet")
    assert answer.headers["Content-Disposition"].endswith('revision-3.parquet"')
    found = pq.read_table(io.BytesIO(b"".join(answer.streaming_content)))

    lines = [json.loads(line) for line in text_of(page.get(f"export/{name}.jsonl")).splitlines()]
    assert found.column_names == [column.name for column in COLUMNS[name]]
    assert set(found["run"].to_pylist()) == {run}
    told = json.loads(json.dumps(found.to_pylist(), default=lambda at: at.isoformat()))
    assert told == lines
    meanings = [
        found.schema.field(n).metadata[b"meaning"].decode() for n in range(len(COLUMNS[name]))
    ]
    assert meanings == [column.meaning for column in COLUMNS[name]]


def test_an_empty_table_is_a_parquet_file_too(page):
    answer = page.get("export/marks.parquet")

    assert pq.read_table(io.BytesIO(b"".join(answer.streaming_content))).num_rows == 0


def test_every_image_is_in_the_table_with_its_score_and_flag(page):
    page.post("images/flag/", index=3, label_is_wrong=True)

    images = table(page, "images")

    assert len(images) == 120
    assert images[3]["label_flag"] == "wrong"
    assert images[3]["image_id"] == "made_up_000003.jpg"
    assert {row["attention_score"] for row in images} == {"0.5"}


def test_the_log_has_what_was_undone(page):
    page.mark(0)
    page.post("undo/")

    assert [(row["kind"], row["state"]) for row in table(page, "log")] == [
        ("mark", "undone"),
        ("undo", "in_force"),
    ]


def test_the_runs_facts_and_a_paragraph_on_methods(page):
    page.mark(1, "core")

    facts = json.loads(text_of(page.get("export/run.json")))
    words = text_of(page.get("export/methods.txt"))

    assert (facts["slices"], facts["images"], facts["threshold"]) == (6, 120, 0.8)
    assert facts["run"] in words
    assert "1 core" in words
    assert "laid out in the plane by UMAP (20 neighbours" in words
    assert page.get("export/secrets.csv").status_code == 404
    assert page.get("export/slices.exe").status_code == 404


def test_strangers_take_nothing_away_and_reviewers_do(page, rob_browser, sam_browser):
    address = page.base + "export/slices.csv"

    assert sam_browser.get(address).status_code == 404
    assert sam_browser.get(address.replace("csv", "parquet")).status_code == 404
    assert text_of(rob_browser.get(address))


def test_noise_needs_a_mark_and_retraining_needs_training_images(page, workspace):
    page.client.post(page.base + "mending/noise/", {"choice": "low"})
    assert not Job.objects.exists()

    page.mark(2, "spurious")
    page.client.post(page.base + "mending/noise/", {"choice": "marked"})
    refused = page.client.post(page.base + "mending/retrain/", {"split": "test"}, follow=True)

    assert "training images get the noise" in refused.content.decode()
    job = Job.objects.get()
    assert (job.kind, job.params["choice"]) == ("noise", "marked")
    assert "Waiting in the queue" in page.get("mending/").content.decode()


def test_retraining_needs_a_wrong_label_among_what_is_trained_on(page, workspace):
    page.post("images/flag/", index=3, label_is_wrong=True)
    address = page.base + "mending/retrain/"

    refused = page.client.post(address, {"split": "test"}, follow=True)
    assert "training images get the noise" in refused.content.decode()
    assert not Job.objects.exists()

    Image.objects.filter(label_flag__isnull=False).update(split="train")
    page.client.post(address, {"split": "test"})
    assert Job.objects.get().kind == "mend"


@pytest.mark.parametrize(
    "tail",
    [
        "suspects/", "mending/", "export/run.json", "export/methods.txt", "export/hulls.svg",
        "export/images.csv", "export/slices.jsonl", "export/marks.parquet",
    ],
)  # fmt: skip
def test_pages_say_that_the_files_of_their_slices_are_gone(tail, page, workspace):
    take_files_away(workspace)

    told = page.get(tail)

    assert told.status_code == 410
    words = "The files of these slices are gone. Build the slices again."
    assert words in told.content.decode()
    assert "Content-Disposition" not in told.headers


def take_files_away(workspace):
    shutil.rmtree(arrays.folder_of(workspace.arrays_key))
    for module in (arrays, versions):
        module.forget()


@pytest.mark.parametrize("tail", ["mending/noise/", "mending/retrain/"])
def test_no_work_is_asked_for_on_files_that_are_gone(tail, page, workspace):
    take_files_away(workspace)

    assert page.client.post(page.base + tail).status_code == 410
    assert not Job.objects.exists()


def test_the_log_outlives_the_files(page, workspace):
    page.mark(0)
    take_files_away(workspace)

    assert [row["kind"] for row in table(page, "log")] == ["mark"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"beside": True}, "Noisy copies stood beside the clean pictures"),
        ({}, "Noisy pictures stood in the place of the clean ones"),  # from before it was told
    ],
)
def test_figures_say_how_they_were_made(page, workspace, mira, told, words):
    figures = {"clean": 0.9, "core": 0.8, "spurious": 0.7, "rcs": 0.2, "noisy_images": 5}
    report = {
        "workspace": workspace.public_id,
        "run": "r.1",
        "revision": 3,
        "split": "test",
        "images": 40,
        "masks": "estimated",
        "without_attention": 3,
        "sigma": 0.25,
        "draws": 3,
        "c": 0.0001,
        "seed": 7,
        **told,
        "arms": {"baseline": figures, "propagation": {**figures, "rcs": None, "core": None}},
    }
    Job.objects.create(
        project=workspace.project, kind=JobKind.MEND, state=JobState.DONE, result=report
    )
    Job.objects.filter(kind=JobKind.MEND).update(params={"workspace": workspace.public_id})

    shown = page.get("mending/").content.decode()

    assert "40 images (3 without attention left out)" in shown
    assert "estimated masks" in shown
    assert "true masks" not in shown
    assert "0.200" in shown
    assert f"{words}: sigma 0.25 on colours from 0 to 1" in shown
    assert "C 0.0001; judged under 3 draws of noise; seed 7." in shown


def test_a_zip_is_for_members_of_its_project_alone(page, sam_browser, workspace, rob_browser):
    job = Job.objects.create(
        project=workspace.project,
        kind=JobKind.NOISE,
        state=JobState.DONE,
        params={"workspace": workspace.public_id},
        result={"revision": 1, "pictures": 1, "bytes": 3, "choice": "low", "sha256": "0"},
    )
    address = f"{page.base}mending/noise/{job.public_id}.zip"
    assert page.client.get(address).status_code == 404
    noise_path(job).parent.mkdir(parents=True)
    noise_path(job).write_bytes(b"zip")

    given = rob_browser.get(address)
    assert b"".join(given.streaming_content) == b"zip"
    assert sam_browser.get(address).status_code == 404
    assert Workspace.objects.get().revision == 0


@pytest.mark.parametrize("tail", ["mending/noise/", "mending/retrain/"])
def test_only_leads_ask_for_work(tail, page, rob_browser, sam_browser):
    assert sam_browser.post(page.base + tail).status_code == 404
    assert rob_browser.post(page.base + tail).status_code == 403
    assert page.client.get(page.base + tail).status_code == 405
    assert not Job.objects.exists()
