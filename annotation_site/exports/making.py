"""Writing an export: one snapshot, every table, a manifest, a bundle; all of it, or nothing."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.utils import timezone

import engine
from annotation_site.annotation.models import Round
from annotation_site.exports.registry import DOCUMENTS, tables_of
from annotation_site.exports.snapshot import Aside, snapshot
from annotation_site.exports.source import Source
from annotation_site.exports.tables import Document, Table
from annotation_site.exports.writing import flush, sha256, write_document, write_table
from annotation_site.projects.audit import head_of

SCHEMA_VERSION = 1
"""Raised when a column is taken away or changes its meaning; further columns do not raise it."""
CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
ZIP_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A finished file.

    Attributes:
        name: Of the file.
        kind: The table's name, `manifest`, or `bundle`.
        words: What it is.
        content_type: For the download.
        n_rows: Of tables and documents.
        n_bytes: Its size.
        sha256: Its digest.
    """

    name: str
    kind: str
    words: str
    content_type: str
    n_rows: int | None
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A finished export: its folder, when the snapshot was taken, and its files."""

    folder: Path
    snapshot_at: datetime
    files: tuple[Written, ...]


class Watcher(Protocol):
    """What an export tells while it is written; a job's watcher is one. May raise to stop it."""

    def stage_started(self, name: str, *, cached: bool) -> None:
        """Begin a stage."""

    def progress(self, done: int, total: int) -> None:
        """Say how far the stage is."""


def folder_of(public_id: str) -> Path:
    """Give the folder that an export's files have, below the media root."""
    return Path(settings.MEDIA_ROOT) / "exports" / "made" / public_id


def make(round_pk: int, public_id: str, watcher: Watcher) -> Made:
    """Write the files of an export; interrupted, it leaves none.

    Args:
        round_pk: Of the round.
        public_id: Of the export; names its folder.
        watcher: Told of every stage; runs beside the snapshot, on a connection of its own.

    Returns:
        What was written. Its folder was renamed to its place as the last step.
    """
    target = folder_of(public_id)
    staging = target.with_name(f".staging-{public_id}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        with Aside() as aside:
            files, taken_at, about = _write_all(round_pk, staging, watcher, aside)
            manifest = _manifest(staging, files, about)
            aside.do(watcher.stage_started, "Packing", cached=False)
            bundle = _bundle(staging, (*files, manifest), about["round"]["number"])
        shutil.rmtree(target, ignore_errors=True)  # of an attempt that died after this step
        staging.rename(target)
        flush(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Made(folder=target, snapshot_at=taken_at, files=(bundle, *files, manifest))


def _write_all(
    round_pk: int, folder: Path, watcher: Watcher, aside: Aside
) -> tuple[list[Written], datetime, dict[str, Any]]:
    """Write every table and document from one snapshot."""
    files: list[Written] = []
    with snapshot():
        taken_at = timezone.now()
        round_ = Round.objects.select_related("project__dataset").get(pk=round_pk)
        source = Source(round_)
        tables = tables_of(round_)
        for table in tables:
            report = _reporter(f"Writing {table.name}", table.count(source), watcher, aside)
            n_rows = write_table(table, source, folder, report)
            files += [
                _written(folder / f"{table.name}.{ending}", table.name, table.words, kind, n_rows)
                for ending, kind in (("csv", CSV), ("parquet", PARQUET))
            ]
        for document in DOCUMENTS:
            files.append(_document(document, source, folder, watcher, aside))
        about = _about(round_, source, taken_at, tables)
    return files, taken_at, about


def _document(
    document: Document, source: Source, folder: Path, watcher: Watcher, aside: Aside
) -> Written:
    report = _reporter(f"Writing {document.name}", document.count(source), watcher, aside)
    n_records = write_document(document, source, folder, report)
    kind = Path(document.name).stem
    return _written(folder / document.name, kind, document.words, document.content_type, n_records)


def _reporter(stage: str, total: int, watcher: Watcher, aside: Aside) -> Callable[[int], None]:
    aside.do(watcher.stage_started, stage, cached=False)
    return lambda done: aside.do(watcher.progress, done, max(total, done))


def _written(path: Path, kind: str, words: str, content_type: str, n_rows: int | None) -> Written:
    return Written(
        name=path.name,
        kind=kind,
        words=words,
        content_type=content_type,
        n_rows=n_rows,
        n_bytes=path.stat().st_size,
        sha256=sha256(path),
    )


def _about(
    round_: Round, source: Source, taken_at: datetime, tables: tuple[Table, ...]
) -> dict[str, Any]:
    dataset, audit = round_.project.dataset, head_of(round_.project)
    return {
        "format": "gazecheck-export",
        "schema_version": SCHEMA_VERSION,
        "gazecheck": engine.__version__,
        "snapshot_at": taken_at.isoformat(),
        "project": {"id": round_.project.public_id, "name": round_.project.name},
        "dataset": {"name": dataset.name, "digest": dataset.digest, "classes": source.class_names},
        "round": {
            "id": round_.public_id,
            "number": round_.number,
            "state": round_.state,
            "arm": round_.arm,
            "study": round_.study,
            "question": round_.question,
            "answers": list(round_.answers),
            "redundancy": round_.redundancy,
            "seed": round_.seed,
            "guideline_version": round_.guideline_version,
            "consent_version": round_.consent_version,
            "opened_at": round_.opened_at.isoformat() if round_.opened_at else None,
            "closed_at": round_.closed_at.isoformat() if round_.closed_at else None,
        },
        "ledger_version": source.left_out.version,
        "audit": {"number": audit.number, "head": audit.hash},
        "posteriors": {
            "method": "dawid_skene",
            "model": source.posteriors.model,
            "iterations": source.posteriors.iterations,
            "categories": list(source.posteriors.categories),
        },
        "csv": {
            "encoding": "utf-8",
            "missing": "an empty cell",
            "guard": "text that a spreadsheet might run as a formula has a ' before it, and so has text that begins with '",
        },
        "tables": {
            table.name: {
                "words": table.words,
                "columns": [
                    {"name": column.name, "kind": column.kind.value, "meaning": column.meaning}
                    for column in table.columns
                ],
            }
            for table in tables
        },
    }


def _manifest(folder: Path, files: list[Written], about: dict[str, Any]) -> Written:
    """Write what the export is and what its files are, with digests and row counts."""
    path = folder / "manifest.json"
    listed = [
        {"name": file.name, "rows": file.n_rows, "bytes": file.n_bytes, "sha256": file.sha256}
        for file in files
    ]
    said = json.dumps(about | {"files": listed}, indent=1, ensure_ascii=False)
    path.write_text(said + "\n", encoding="utf-8")
    flush(path)
    return _written(path, "manifest", "digests, row counts, and what every column means",
                    "application/json", None)  # fmt: skip


def _bundle(folder: Path, files: tuple[Written, ...], number: int) -> Written:
    """Pack all files into one."""
    path = folder / f"round-{number}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in files:
            archive.write(folder / file.name, file.name)
    flush(path)
    return _written(path, "bundle", "all of the files below in one", "application/zip", None)
