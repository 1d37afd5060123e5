"""An export as a worker writes it: every version, every count, one moment, all or nothing."""

import csv
import hashlib
import json
import threading
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.db import connection

from annotation_site.annotation.models import Response, Sitting
from annotation_site.exports import making, services
from annotation_site.exports.csv_cells import READERS
from annotation_site.exports.making import folder_of
from annotation_site.exports.models import Export, ExportFile
from annotation_site.exports.registry import TABLES, tables_of
from annotation_site.exports.response_table import RESPONSES
from annotation_site.exports.snapshot import snapshot
from annotation_site.exports.source import Source
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import JobState
from annotation_site.jobs.tasks import run_job
from annotation_site.projects import audit
from annotation_site.quality import ledger
from annotation_site.web.refusals import Refused
from engine.labeling.aggregation import AggregationConfig, aggregate_votes
from engine.labeling.votes import Answer, Vote, VoteTable
from tests.site.exports.conftest import CANARY, answer, sit

pytestmark = pytest.mark.django_db(transaction=True)


class Silent:
    def stage_started(self, name, *, cached):
        pass

    def progress(self, done, total):
        assert 0 <= done <= total


def job_of(export):
    assert export.job is not None
    return export.job


@pytest.fixture
def export(answered, mira):
    made = services.ask_for_export(round=answered, asked_by=mira)
    run_job.call(job_of(made).pk)
    made.refresh_from_db()
    assert job_of(made).state == JobState.DONE, job_of(made).traceback
    return made


def path_of(export, name):
    return folder_of(export.public_id) / name


def read_csv(path, table):
    """Read a CSV with nothing but the columns' kinds."""
    with path.open(newline="", encoding="utf-8") as file:
        names, *lines = csv.reader(file)
    assert names == [column.name for column in table.columns]
    return [
        tuple(READERS[column.kind](cell) for column, cell in zip(table.columns, line, strict=True))
        for line in lines
    ]


def records(export, name):
    return pq.read_table(path_of(export, f"{name}.parquet")).to_pylist()


def test_every_version_of_every_answer_is_there_and_stands_as_it_should(export, answered):
    found = records(export, "responses")

    said = [(r["position"], r["version"], r["answer"], r["standing"], r["is_vote"]) for r in found]
    assert said == [
        (0, 1, "yes", "current", True),
        (1, 1, "no", "superseded", False),
        (1, 2, "yes", "current", True),
        (2, 1, "yes", "current", True),
        (3, 1, "no", "undone", False),
        (0, 1, "yes", "current", True),
        (1, 1, "cannot_tell", "current", True),
        (0, 1, "no", "current", False),  # a lead's look
    ]
    assert len(found) == Response.objects.count()
    assert {r["active_ms"] for r in found} == {1300.0}
    assert {r["overlay_peeks"] for r in found} == {2.0}
    votes = set(Response.objects.of_round(answered).votes().values_list("client_uuid", flat=True))
    assert {r["response"] for r in found if r["is_vote"]} == {str(uuid) for uuid in votes}


def test_surplus_is_told_apart(answered, mira):
    Response.objects.filter(answer="cannot_tell").update(surplus=True)
    export = services.ask_for_export(round=answered, asked_by=mira)
    run_job.call(job_of(export).pk)

    found = {r["answer"]: r for r in records(export, "responses")}

    assert found["cannot_tell"]["standing"] == "surplus"
    assert not found["cannot_tell"]["is_vote"]


def test_what_the_ledger_leaves_out_is_told_and_in_no_posterior(answered, mira):
    ben = Sitting.objects.get(round=answered, annotator__key_hash__contains="ben")
    ledger.exclude(round=answered, by=mira, reason="a try", sittings={ben.pk: {}})
    export = services.ask_for_export(round=answered, asked_by=mira)
    run_job.call(job_of(export).pk)

    out = [r for r in records(export, "responses") if r["left_out"]]
    found = {r["row"]: r for r in records(export, "posteriors")}

    assert {r["annotator"] for r in out} == {ben.annotator.public_id}
    assert len(out) == Response.objects.filter(assignment__sitting=ben).count() == 2
    assert not any(r["is_vote"] for r in out)
    assert [found[row]["n_votes"] for row in range(4)] == [1, 1, 1, 0]
    assert [found[row]["n_unsure"] for row in range(4)] == [0, 0, 0, 0]
    assert json.loads(path_of(export, "manifest.json").read_text())["ledger_version"] == 1


def test_posteriors_are_the_engines(export, answered):
    """A second writing, through the engine's own aggregation."""
    found = {r["row"]: r for r in records(export, "posteriors")}
    votes = VoteTable.of(
        Vote(row=r["row"], annotator=r["annotator"], answer=Answer(r["answer"]))
        for r in records(export, "responses")
        if r["is_vote"]
    )
    engine = aggregate_votes(votes, AggregationConfig(method="dawid_skene"), n_rows=4)

    assert [found[row]["n_votes"] for row in range(4)] == [2, 1, 1, 0]
    assert [found[row]["n_unsure"] for row in range(4)] == [0, 1, 0, 0]
    assert [found[row]["majority"] for row in range(4)] == ["yes", "yes", "yes", ""]
    for row in range(3):
        assert found[row]["core_probability"] == pytest.approx(engine.core_probability[row])
    assert found[3]["core_probability"] is None


def test_people_are_counted_and_nobody_is_named(export, answered):
    people = records(export, "people")

    told = ("n_versions", "n_answered", "n_queries", "n_unsure", "is_test")
    assert [tuple(person[name] for name in told) for person in people] == [
        (4, 3, 3, 0, False),
        (2, 2, 2, 1, False),
        (1, 1, 1, 0, True),
    ]
    secrets = [CANARY, "ana".rjust(64, "0"), *answered.sittings.values_list("public_id", flat=True)]
    for path in folder_of(export.public_id).iterdir():
        if path.suffix != ".zip":
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in secrets), path.name


def test_items_tell_the_manifests_row_and_what_they_are_for(export, answered):
    found = records(export, "items")

    assert [(item["row"], item["image_id"], item["role"]) for item in found] == [
        (row, f"picture_{row:03d}.jpg", "query") for row in range(4)
    ]
    assert [item["class"] for item in found] == ["bird", "mammal", "bird", "mammal"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_csv_and_parquet_say_the_same(export, table):
    from_csv = read_csv(path_of(export, f"{table.name}.csv"), table)
    from_parquet = [tuple(record.values()) for record in records(export, table.name)]

    assert from_csv
    assert from_csv == from_parquet


def test_the_manifest_names_every_file_with_its_digest_and_rows(export):
    manifest = json.loads(path_of(export, "manifest.json").read_text(encoding="utf-8"))
    head = audit.head_of(export.round.project)
    assert manifest["audit"] == {"number": head.number, "head": head.hash}
    assert head.number > 0

    listed = {file["name"]: file for file in manifest["files"]}
    on_disk = {path.name for path in folder_of(export.public_id).iterdir()}
    assert set(listed) | {"manifest.json", "round-1.zip"} == on_disk
    for name, file in listed.items():
        content = path_of(export, name).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["bytes"] == len(content)
    assert listed["responses.csv"]["rows"] == 8
    assert {table.name for table in TABLES} == set(manifest["tables"])
    with zipfile.ZipFile(path_of(export, "round-1.zip")) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == set(listed) | {"manifest.json"}
    offered = {file.name.removeprefix("round-1-"): file for file in export.files.all()}
    assert offered["responses.csv"].sha256 == listed["responses.csv"]["sha256"]
    assert offered["responses.csv"].n_rows == 8


def test_label_studio_gets_what_its_importer_takes(export, answered):
    """By the rules of its import: no completed_by, ground_truth said, choices that are offered."""
    tasks = json.loads(path_of(export, "label_studio.json").read_text(encoding="utf-8"))
    config = path_of(export, "label_studio_config.xml").read_text(encoding="utf-8")

    assert [len(task["annotations"]) for task in tasks] == [2, 2, 1, 0]
    assert [len(task["predictions"]) for task in tasks] == [1, 1, 1, 0]
    for task in tasks:
        assert task["data"]["image"].startswith("picture_")
        for annotation in task["annotations"]:
            assert "completed_by" not in annotation
            assert annotation["ground_truth"] is False
            assert annotation["lead_time"] == 1.3
        for each in (*task["annotations"], *task["predictions"]):
            (region,) = each["result"]
            assert region["type"] == "choices"
            assert f'name="{region["from_name"]}"' in config
            assert f'name="{region["to_name"]}"' in config
            assert f'value="{region["value"]["choices"][0]}"' in config
    assert 0.5 < tasks[0]["predictions"][0]["score"] <= 1


def test_a_round_without_answers_gives_empty_tables(project, mira, open_round):
    export = services.ask_for_export(round=open_round, asked_by=mira)
    run_job.call(job_of(export).pk)

    job_of(export).refresh_from_db()
    assert job_of(export).state == JobState.DONE, job_of(export).traceback
    assert records(export, "responses") == []
    assert len(records(export, "posteriors")) == 12
    assert pq.read_schema(path_of(export, "responses.parquet")).names == [
        column.name for column in RESPONSES.columns
    ]


def test_what_is_written_meanwhile_is_not_in_it(answered):
    """An answer that comes between two reads is seen by neither; writers are not kept waiting."""
    before = Response.objects.count()
    ran: list[object] = []

    def write() -> None:
        try:
            waiting = answered.sittings.first().assignments.filter(state="served").first()
            ran.append(answer(waiting.sitting, waiting, "yes"))
        finally:
            connection.close()

    with snapshot():
        source = Source(answered)
        assert RESPONSES.count(source) == before
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(timeout=30)
        assert ran, "the writer waited for the reader"
        assert RESPONSES.count(source) == before
        assert len(list(RESPONSES.rows(source))) == before
    assert RESPONSES.count(source) == before + 1


def test_nothing_can_be_written_in_a_snapshot_and_all_can_after_it(answered):
    from django.db.utils import DatabaseError

    with pytest.raises(DatabaseError), snapshot():
        sit(answered, "late")
    assert sit(answered, "late").pk


def test_a_snapshot_refuses_to_begin_late(answered):
    from django.db import transaction

    with transaction.atomic(), pytest.raises(RuntimeError, match="of its own"), snapshot():
        pass


def test_cancelled_in_the_middle_it_leaves_nothing(answered, mira, monkeypatch):
    export = services.ask_for_export(round=answered, asked_by=mira)
    begun = []

    def cancel_at(table):
        def count(source):
            begun.append(table.name)
            if table.name == "people":
                making_thread_cancels()
            return table.count(source)

        return count

    def cancel():
        jobs.cancel(job_of(export))
        connection.close()

    def making_thread_cancels():
        thread = threading.Thread(target=cancel)
        thread.start()
        thread.join()

    from dataclasses import replace

    monkeypatch.setattr(
        making,
        "tables_of",
        lambda round_: tuple(replace(t, count=cancel_at(t)) for t in tables_of(round_)),
    )
    run_job.call(job_of(export).pk)

    job_of(export).refresh_from_db()
    assert job_of(export).state == JobState.CANCELLED
    assert "posteriors" not in begun
    assert not ExportFile.objects.exists()
    assert list((settings.MEDIA_ROOT / "exports" / "made").iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(answered, mira, monkeypatch):
    export = services.ask_for_export(round=answered, asked_by=mira)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "write_document", full)
    run_job.call(job_of(export).pk)

    job_of(export).refresh_from_db()
    assert job_of(export).state == JobState.FAILED
    assert "No space left" in job_of(export).error
    assert list((settings.MEDIA_ROOT / "exports" / "made").iterdir()) == []


def test_one_export_of_a_round_at_a_time(answered, mira):
    services.ask_for_export(round=answered, asked_by=mira)

    with pytest.raises(Refused, match="already queued"):
        services.ask_for_export(round=answered, asked_by=mira)

    assert Export.objects.count() == 1


def test_deleting_takes_the_files_away(export, mira):
    folder = folder_of(export.public_id)
    assert folder.is_dir()

    services.delete_export(export=export, deleted_by=mira)

    assert not folder.exists()
    assert not ExportFile.objects.exists()


def test_an_export_under_way_is_not_deleted(answered, mira):
    export = services.ask_for_export(round=answered, asked_by=mira)

    with pytest.raises(Refused, match="still being written"):
        services.delete_export(export=export, deleted_by=mira)

    assert Export.objects.exists()


def test_the_files_are_below_the_media_root(export):
    for file in export.files.all():
        assert (Path(settings.MEDIA_ROOT) / file.path).is_file()
