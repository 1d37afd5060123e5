"""The verbs of downloads: ask for an export, offer files, take them away again."""

import hashlib
import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round
from annotation_site.exports.making import Made, folder_of
from annotation_site.exports.models import Export, ExportFile
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import ACTIVE, JobKind
from annotation_site.projects.audit import record
from annotation_site.projects.models import Act
from annotation_site.review.models import RoundResult
from annotation_site.web.refusals import Refused

OCTETS = "application/octet-stream"
KINDS = {
    "subset.csv": ("subset_csv", "text/csv"),
    "subset.parquet": ("subset_parquet", "application/vnd.apache.parquet"),
    "subset_rows.pt": ("torch_index", OCTETS),
    "core_masks.zip": ("core_masks", "application/zip"),
    "checkpoint.zip": ("checkpoint", "application/zip"),
    "scores.csv": ("scores_csv", "text/csv"),
    "report.json": ("report_json", "application/json"),
    "responses.csv": ("responses_csv", "text/csv"),
}
"""The files of a result that are offered: name -> kind and content type."""


def ask_for_export(*, round: Round, asked_by: User | None) -> Export:  # noqa: A002
    """Have a worker write the tables of a round as they are when it begins.

    Args:
        round: whose answers, items, people and posteriors.
        asked_by: who asks, None for a command.

    Raises:
        Refused: an export of this round is being written already.
    """
    with transaction.atomic():
        job = jobs.enqueue(
            project=round.project, kind=JobKind.EXPORT, round=round, created_by=asked_by
        )
        made = Export.objects.create(round=round, job=job, created_by=asked_by)
        record(
            project=round.project,
            by=asked_by,
            act=Act.EXPORT_ASKED,
            subject=f"export {made.public_id} of round {round.number}",
        )
    return made


def publish(*, export: Export, made: Made) -> None:
    """Offer the files that a job has written.

    Args:
        export: whose files.
        made: what was written; its folder lies below the media root.
    """
    place = made.folder.resolve().relative_to(Path(settings.MEDIA_ROOT).resolve())
    files = [
        ExportFile(
            export=export,
            kind=file.kind[:30],
            name=f"round-{export.round.number}-{file.name}" if file.kind != "bundle" else file.name,
            path=(place / file.name).as_posix(),
            content_type=file.content_type,
            n_bytes=file.n_bytes,
            n_rows=file.n_rows,
            sha256=file.sha256,
            description=file.words,
        )
        for file in made.files
    ]
    with transaction.atomic():
        export.files.all().delete()
        ExportFile.objects.bulk_create(files)
        Export.objects.filter(pk=export.pk).update(
            snapshot_at=made.snapshot_at, finished_at=timezone.now()
        )


def delete_export(*, export: Export, deleted_by: User) -> None:
    """Take an export and its files away.

    Args:
        export: which one.
        deleted_by: the lead.

    Raises:
        Refused: its job is still at it.
    """
    with transaction.atomic():
        locked = Export.objects.select_for_update(of=("self",)).get(pk=export.pk)
        if locked.job is not None and locked.job.state in ACTIVE:
            raise Refused("This export is still being written. Cancel its job first.")
        folder = folder_of(locked.public_id)
        locked.delete()
        record(
            project=export.round.project,
            by=deleted_by,
            act=Act.EXPORT_DELETED,
            subject=f"export {export.public_id} of round {export.round.number}",
        )
        transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def publish_files(*, result: RoundResult, folder: Path) -> list[ExportFile]:
    """Offer the known files of a folder for download; earlier ones of the result go.

    Args:
        result: whose files.
        folder: below the media root.
    """
    root = Path(settings.MEDIA_ROOT).resolve()
    place = folder.resolve().relative_to(root)
    files = [
        ExportFile(
            result=result,
            kind=kind,
            name=f"round-{result.round.number}-{name}",
            path=(place / name).as_posix(),
            content_type=content_type,
            n_bytes=(folder / name).stat().st_size,
            sha256=_sha256(folder / name),
        )
        for name, (kind, content_type) in KINDS.items()
        if (folder / name).is_file()
    ]
    with transaction.atomic():
        result.files.all().delete()
        return ExportFile.objects.bulk_create(files)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
