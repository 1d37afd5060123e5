"""What is shown for a task: picture, map and words, as templates and scripts take them."""

import base64
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from django.conf import settings
from django.urls import reverse

from annotation_site.annotation.models import Assignment, PracticeItem, Sitting
from annotation_site.projects.models import Image
from engine.data.pictures import encode_webp, open_picture

INLINE_BYTES = 14_000
"""Largest picture that goes into the page as it is; a larger one is first shown smaller."""
PREVIEW_SIDE = 224


class Stimulus(TypedDict):
    """One task as the page's script reads it; nothing here tells the answer."""

    assignment: str
    position: int
    picture: str
    grid: str
    side: int
    dead: bool
    label: str
    width: int
    height: int
    previous: str


def picture_path(image: Image) -> Path:
    """Say where the served picture of an image lies."""
    return (
        Path(settings.MEDIA_ROOT) / "pictures" / str(image.dataset_id) / f"{image.public_id}.webp"
    )


def stimulus_of(assignment: Assignment, sitting: Sitting, *, previous: str = "") -> Stimulus:
    """Describe one task.

    Args:
        assignment: With its image loaded.
        sitting: Whose page it is for; its round says whether the class is shown.
        previous: The answer taken back, if any.
    """
    shown = picture_facts(assignment.task.image, sitting)
    return Stimulus(
        assignment=str(assignment.public_id),
        position=assignment.position,
        previous=previous,
        picture=shown["picture"],
        grid=shown["grid"],
        side=shown["side"],
        dead=shown["dead"],
        label=shown["label"],
        width=shown["width"],
        height=shown["height"],
    )


class PictureFacts(TypedDict):
    """What is shown of an image, in a task or in practice."""

    picture: str
    grid: str
    side: int
    dead: bool
    label: str
    width: int
    height: int


def picture_facts(image: Image, sitting: Sitting) -> PictureFacts:
    """Describe an image's picture and its attention map for the true class."""
    names = sitting.round.project.dataset.class_names
    return PictureFacts(
        picture=reverse("annotation:picture", args=[sitting.public_id, image.public_id]),
        grid=base64.b64encode(bytes(image.grid_true)).decode(),
        side=image.grid_side,
        dead=image.dead_true or not any(bytes(image.grid_true)),
        label=names[image.label] if sitting.round.show_class else "",
        width=image.width or 1,
        height=image.height or 1,
    )


def practice_items(sitting: Sitting) -> list[PracticeItem]:
    """Give the confirmed practice items of the sitting's round, in order."""
    return list(
        sitting.round.practice_items.exclude(answer="").select_related("image").order_by("position")
    )


def may_see(sitting: Sitting, image_public_id: str) -> Image | None:
    """Find an image that is a task of this sitting or practice of its round."""
    image = Image.objects.filter(
        tasks__assignments__sitting=sitting, public_id=image_public_id
    ).first()
    if image is None:
        item = (
            sitting.round.practice_items.exclude(answer="")
            .filter(image__public_id=image_public_id)
            .select_related("image")
            .first()
        )
        image = item.image if item else None
    return image


def data_uri(image: Image) -> str:
    """Give the picture, or a smaller one of it, to put into the page; empty if it is missing."""
    path = picture_path(image)
    if not path.is_file():
        return ""
    return _data_uri(path)


@lru_cache(maxsize=256)
def _data_uri(path: Path) -> str:
    content = path.read_bytes()
    if len(content) > INLINE_BYTES:
        content = encode_webp(open_picture(path), PREVIEW_SIDE)
    return "data:image/webp;base64," + base64.b64encode(content).decode()
