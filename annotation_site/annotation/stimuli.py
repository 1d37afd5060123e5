"""What is shown for a task: picture, map and words, as templates and scripts take them."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from annotation_site.annotation.models import Assignment, Sitting
from annotation_site.projects.models import Image
from engine.data.pictures import encode_webp, open_picture

INLINE_BYTES = 14_000
"""Largest picture that goes into the page as it is; a larger one is first shown smaller."""
PREVIEW_SIDE = 224


class PictureFacts(TypedDict):
    """What is shown of an image, in a task or in practice."""

    picture: str
    grid: str
    side: int
    dead: bool
    label: str
    width: int
    height: int


class Stimulus(PictureFacts):
    """One task as the page's script reads it; alike for every role, and nothing tells the answer."""

    assignment: str
    position: int
    question: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dress:
    """What a round says about how its pictures are shown.

    Attributes:
        sitting: Public id, for the pictures' addresses.
        question: Asked where a task has no words of its own.
        shows_heat: Whether attention is drawn.
        class_names: By label, where the class is told.
    """

    sitting: str
    question: str
    shows_heat: bool
    class_names: Sequence[str] | None

    def address_of(self, picture: str) -> str:
        """Give a picture's address; the part before it is worked out once for all of a sitting's."""
        before, after = _around_picture(self.sitting)
        return f"{before}{picture}{after}"

    @classmethod
    def of(cls, sitting: Sitting) -> "Dress":
        """Read it from a sitting with its round."""
        round_ = sitting.round
        return cls(
            sitting=sitting.public_id,
            question=round_.question,
            shows_heat=round_.shows_heat,
            class_names=round_.project.dataset.class_names if round_.show_class else None,
        )


@lru_cache(maxsize=1024)
def _around_picture(sitting: str) -> tuple[str, str]:
    before, _, after = reverse("annotation:picture", args=[sitting, "-"]).rpartition("-")
    return before, after


def picture_path(image: Image, picture_id: str = "") -> Path:
    """Say where the served picture of an image lies, or another one that is shown instead."""
    return picture_file(image.dataset_id, picture_id or image.public_id)


def picture_file(dataset: int, picture_id: str) -> Path:
    """Say where the picture of a data set lies that is served under this id."""
    return Path(settings.MEDIA_ROOT) / "pictures" / str(dataset) / f"{picture_id}.webp"


STIMULUS_COLUMNS = (
    "public_id", "position", "task__instruction", "task__picture_id", "task__heat",
    "task__heat_side", "task__image__public_id", "task__image__grid_true",
    "task__image__grid_side", "task__image__dead_true", "task__image__label",
    "task__image__width", "task__image__height",
)  # fmt: skip


def stimuli(rows: Iterable[tuple[Any, ...]], dress: Dress) -> list[Stimulus]:
    """Describe tasks in the order given, from rows of `STIMULUS_COLUMNS`."""
    return [
        Stimulus(
            assignment=str(public_id),
            position=position,
            question=instruction or dress.question,
            previous="",
            **_facts(
                dress,
                picture=picture_id or image_id,
                grid=grid if heat is None else heat,
                side=side if heat is None else heat_side,
                dead=dead and heat is None,
                label=label,
                size=(width, height),
            ),
        )
        for (
            public_id, position, instruction, picture_id, heat, heat_side,
            image_id, grid, side, dead, label, width, height,
        ) in rows
    ]  # fmt: skip


def picture_facts(image: Image, dress: Dress) -> PictureFacts:
    """Describe an image's picture and its attention map for the true class."""
    return _facts(
        dress,
        picture=image.public_id,
        grid=image.grid_true,
        side=image.grid_side,
        dead=image.dead_true,
        label=image.label,
        size=(image.width, image.height),
    )


def _facts(
    dress: Dress,
    *,
    picture: str,
    grid: bytes | memoryview,
    side: int,
    dead: bool,
    label: int,
    size: tuple[int | None, int | None],
) -> PictureFacts:
    shown = bytes(grid) if dress.shows_heat else b""
    return PictureFacts(
        picture=dress.address_of(picture),
        grid=base64.b64encode(shown).decode(),
        side=side if dress.shows_heat else 0,
        dead=dress.shows_heat and (dead or not any(shown)),
        label=dress.class_names[label] if dress.class_names else "",
        width=size[0] or 1,
        height=size[1] or 1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A picture that an annotator may see, with the heat that is drawn on it.

    Attributes:
        path: The file, which may be missing.
        grid: Of the heat, empty where none is drawn.
        side: Cells along each side of the grid.
    """

    path: Path
    grid: bytes
    side: int


def may_see(sitting: Sitting, picture_id: str) -> Seen | None:
    """Find a picture that is a task of this sitting, or practice or an example of its round."""
    shown = Q(task__picture_id=picture_id) | Q(
        task__picture_id="", task__image__public_id=picture_id
    )
    assigned = sitting.assignments.select_related("task__image").filter(shown)
    seen = seen_in(assigned.first(), sitting)
    if seen is not None:
        return seen
    item = (
        sitting.round.practice_items.exclude(answer="")
        .filter(image__public_id=picture_id)
        .select_related("image")
        .first()
    )
    if item is None:
        return None
    image = item.image
    grid = bytes(image.grid_true) if sitting.round.shows_heat else b""
    return Seen(path=picture_path(image), grid=grid, side=image.grid_side)


def seen_in(assignment: Assignment | None, sitting: Sitting) -> Seen | None:
    """Give what an assignment, loaded with its task and image, shows; None without one."""
    if assignment is None:
        return None
    task = assignment.task
    grid = task.image.grid_true if task.heat is None else task.heat
    return Seen(
        path=picture_path(task.image, task.picture_id),
        grid=bytes(grid) if sitting.round.shows_heat else b"",
        side=task.image.grid_side if task.heat is None else task.heat_side,
    )


def data_uri(path: Path) -> str:
    """Give a picture, or a smaller one of it, to put into the page; empty if it is missing."""
    return _data_uri(path) if path.is_file() else ""


@lru_cache(maxsize=256)
def _data_uri(path: Path) -> str:
    content = path.read_bytes()
    if len(content) > INLINE_BYTES:
        content = encode_webp(open_picture(path), PREVIEW_SIDE)
    return "data:image/webp;base64," + base64.b64encode(content).decode()
