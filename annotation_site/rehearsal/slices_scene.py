"""A made-up map of any size, cut into slices and opened as a workspace, without the engine's models."""

import hashlib
import io
from functools import lru_cache

import numpy as np
from django.conf import settings
from django.utils import timezone
from PIL import Image as Picture

from annotation_site.accounts.models import User
from annotation_site.projects.models import (
    Dataset,
    Image,
    Membership,
    Project,
    ReferenceModel,
    Role,
)
from annotation_site.workspace.arrays import SlicedImages
from annotation_site.workspace.building import open_workspace, written
from annotation_site.workspace.models import SplitChoice, Workspace

CLASS_NAMES = ["landbird", "waterbird"]
GRID_SIDE = 7
DIMENSIONS = 8


def made_up_images(n_images: int, n_slices: int, *, seed: int = 0) -> SlicedImages:
    """Scatter images round as many places as there are slices, cut by the nearest place.

    Args:
        n_images: At least as many as slices.
        n_slices: At least 1.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    places = rng.normal(0, 4, (n_slices, 2))
    drawn = np.concatenate([np.arange(n_slices), rng.integers(0, n_slices, n_images - n_slices)])
    points = places[drawn] + rng.normal(0, 0.35, (n_images, 2))
    points[:n_slices] = places  # so that no slice is empty
    nearest = np.empty(n_images, dtype=np.int32)
    for start in range(0, n_images, 4096):
        part = points[start : start + 4096]
        squares = ((part[:, None] - places) ** 2).sum(axis=2)
        nearest[start : start + 4096] = squares.argmin(axis=1)
    predicted = (places[:, 0] > 0).astype(np.int32)[nearest]
    wrong = rng.random(n_images) < rng.uniform(0.0, 0.4, n_slices)[nearest]
    own = np.where(wrong, rng.uniform(0.02, 0.45, n_images), rng.uniform(0.55, 0.99, n_images))
    vectors = rng.normal(0, 1, (n_slices, DIMENSIONS))[nearest] + rng.normal(
        0, 0.4, (n_images, DIMENSIONS)
    )
    key = hashlib.sha256(f"made up {n_images} {n_slices} {seed}".encode()).hexdigest()
    return SlicedImages(
        rows=np.arange(n_images, dtype=np.int64),
        coordinates=points.astype(np.float32),
        labels=np.where(wrong, 1 - predicted, predicted).astype(np.int32),
        predicted=predicted,
        confidence=np.maximum(own, 1 - own).astype(np.float32),
        own=own.astype(np.float32),
        margin=np.log(own / (1 - own)).astype(np.float32),
        is_dead=np.zeros(n_images, dtype=bool),
        assignment=nearest,
        vectors=vectors.astype(np.float32),
        facts={
            "key": key,
            "vectors": key,
            "classes": CLASS_NAMES,
            "threshold": 0.8,
            "reason": "coherent",
            "curve": [
                {"k": max(1, n_slices // 2), "lowest": 0.61, "mean": 0.83},
                {"k": n_slices, "lowest": 0.81, "mean": 0.9},
            ],
        },
    )


def make_scene(
    lead: User,
    *,
    n_images: int,
    n_slices: int,
    n_pictures: int = 400,
    seed: int = 0,
    name: str = "Made-up birds",
) -> Workspace:
    """Make a project with a workspace on made-up images.

    Args:
        lead: Who leads it.
        n_images: On the map.
        n_slices: That it is cut into.
        n_pictures: Of them that have a row and a picture.
        seed: Of the draws.
        name: Of the project.
    """
    images = made_up_images(n_images, n_slices, seed=seed)
    project = Project.objects.create(
        name=name, question="Does the model look at the bird?", created_by=lead
    )
    Membership.objects.create(project=project, user=lead, role=Role.LEAD)
    dataset = Dataset.objects.create(
        project=project,
        name="made up",
        manifest_path="made-up/manifest.csv",
        digest="0" * 64,
        artifact_key="a" * 64,
        n_images=n_images,
        class_names=CLASS_NAMES,
        counts={"val": {CLASS_NAMES[0]: n_images}},
        frozen_at=timezone.now(),
    )
    ReferenceModel.objects.create(
        project=project,
        name="made-up",
        architecture="gazecheck/small_cnn",
        artifact_key="b" * 64,
        ready_at=timezone.now(),
    )
    shown = np.unique(np.linspace(0, n_images - 1, min(n_pictures, n_images)).astype(int))
    _make_pictures(dataset, images, shown)
    key = str(images.facts["key"])
    return open_workspace(
        project=project,
        split=SplitChoice.VALIDATION.value,
        images=written(images, key),
        key=key,
        classifier_key="b" * 64,
        options={"made_up": True, "seed": seed},
        created_by=lead,
    )


def _make_pictures(dataset: Dataset, images: SlicedImages, indices: np.ndarray) -> None:
    rows = [
        Image(
            dataset=dataset,
            row=index,
            image_id=f"made_up_{index:06d}.jpg",
            label=int(images.labels[index]),
            split="val",
            width=96,
            height=96,
            predicted=int(images.predicted[index]),
            confidence=float(images.confidence[index]),
            grid_side=GRID_SIDE,
            grid_true=_grid(index),
            grid_predicted=_grid(index + 1),
        )
        for index in indices.tolist()
    ]
    folder = settings.MEDIA_ROOT / "pictures" / str(dataset.pk)
    folder.mkdir(parents=True, exist_ok=True)
    for image in Image.objects.bulk_create(rows):
        for ending, side in (("", 192), ("_thumb", 64)):
            (folder / f"{image.public_id}{ending}.webp").write_bytes(_drawn(image.row, side))


def _grid(index: int) -> bytes:
    x, y = index % GRID_SIDE, (index * 3) % GRID_SIDE
    return bytes(
        max(0, 255 - 60 * (abs(column - x) + abs(line - y)))
        for line in range(GRID_SIDE)
        for column in range(GRID_SIDE)
    )


@lru_cache(maxsize=2048)
def _drawn(index: int, side: int) -> bytes:
    """Draw a blob on a ground, another one for each image."""
    y, x = np.mgrid[0:side, 0:side] / side
    middle = 0.25 + 0.5 * ((index * 0.618) % 1)
    blob = np.exp(-((x - middle) ** 2 + (y - 0.5) ** 2) * 24)[..., None]
    ground = np.array([[96, 132, 86], [70, 110, 150]][index % 2])
    pixels = ground * (1 - blob) + np.array([225, 190, 120]) * blob
    out = io.BytesIO()
    Picture.fromarray(pixels.astype(np.uint8)).save(out, "WEBP", quality=70)
    return out.getvalue()
