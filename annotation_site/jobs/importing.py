"""Bring a data set into the site: pictures re-encoded, rows, heat grids."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils import timezone
from jaxtyping import Float64, Int64

from annotation_site.jobs.grids import grid_bytes
from annotation_site.projects.models import Dataset, Image
from engine.attention.extraction import Extraction
from engine.data.groups import GroupIndex
from engine.data.manifest import ImageManifest
from engine.data.pictures import encode_webp, open_picture
from engine.progress import Progress

PICTURE_SIDE, THUMB_SIDE = 448, 112
CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Source:
    """Where an image's row comes from."""

    dataset: Dataset
    manifest: ImageManifest
    extraction: Extraction
    confidence: Float64[np.ndarray, " n"]
    predicted: Int64[np.ndarray, " n"]
    folder: Path


def import_images(
    dataset: Dataset, manifest: ImageManifest, extraction: Extraction, on_progress: Progress
) -> None:
    """Write a row, with its heat, and two re-encoded pictures for every image that has none yet.

    Args:
        dataset: The site's data set; counts and names are written to it.
        manifest: The frozen manifest.
        extraction: Where the classifier looks, one entry per row of the manifest.
        on_progress: Told (images done, images in all).
    """
    logits = np.asarray(extraction.logits, dtype=np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    source = _Source(
        dataset=dataset,
        manifest=manifest,
        extraction=extraction,
        confidence=(shares / shares.sum(axis=1, keepdims=True)).max(axis=1),
        predicted=logits.argmax(axis=1).astype(np.int64),
        folder=settings.MEDIA_ROOT / "pictures" / str(dataset.pk),
    )
    source.folder.mkdir(parents=True, exist_ok=True)
    present = set(dataset.images.values_list("row", flat=True))
    missing = [row for row in range(len(manifest)) if row not in present]
    done = len(present)
    on_progress(done, len(manifest))
    with ThreadPoolExecutor(max_workers=4) as pool:
        for rows in _chunks(missing):
            images = list(pool.map(partial(_image, source), rows))
            Image.objects.bulk_create(images)
            done += len(images)
            on_progress(done, len(manifest))
    _describe(dataset, manifest)


def _chunks(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _image(source: _Source, row: int) -> Image:
    record, extraction = source.manifest.records[row], source.extraction
    picture = open_picture(source.manifest.picture_path(row))
    image = Image(
        dataset=source.dataset,
        row=row,
        image_id=record.image_id,
        label=record.label,
        split=record.split.value,
        group=record.group or "",
        width=picture.width,
        height=picture.height,
        predicted=int(source.predicted[row]),
        confidence=float(source.confidence[row]),
        grid_side=int(extraction.maps_true.shape[1]),
        grid_true=grid_bytes(extraction.maps_true[row]),
        grid_predicted=grid_bytes(extraction.maps_predicted[row]),
        dead_true=bool(extraction.dead_true[row]),
    )
    large, small = (encode_webp(picture, side) for side in (PICTURE_SIDE, THUMB_SIDE))
    (source.folder / f"{image.public_id}.webp").write_bytes(large)
    (source.folder / f"{image.public_id}_thumb.webp").write_bytes(small)
    return image


def _describe(dataset: Dataset, manifest: ImageManifest) -> None:
    groups = GroupIndex.of(manifest)
    counts: dict[str, dict[str, int]] = {}
    for record in manifest.records:
        name = record.group or manifest.class_names[record.label]
        counts.setdefault(record.split.value, Counter())[name] += 1
    dataset.digest = manifest.digest
    dataset.n_images = len(manifest)
    dataset.class_names = list(manifest.class_names)
    dataset.group_names = list(groups.names)
    dataset.counts = counts
    dataset.frozen_at = timezone.now()
    dataset.save(
        update_fields=["digest", "n_images", "class_names", "group_names", "counts", "frozen_at"]
    )
