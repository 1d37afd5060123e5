"""The verb of downloads: offer the files that a closed round's job has written."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.db import transaction

from annotation_site.exports.models import ExportFile
from annotation_site.review.models import RoundResult

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
"""The files that are offered: name -> kind and content type."""


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
