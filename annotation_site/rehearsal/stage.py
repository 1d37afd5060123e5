"""A large round to rehearse on, and the count of what is stored against what was acknowledged."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from django.utils import timezone
from PIL import Image as Picture

from annotation_site.accounts.models import User
from annotation_site.annotation.counting import overfull, recount
from annotation_site.annotation.models import (
    Assignment,
    PracticeItem,
    Response,
    Round,
    RoundState,
    Task,
)
from annotation_site.projects.models import (
    Dataset,
    Image,
    Membership,
    Project,
    ReferenceModel,
    Role,
)

REHEARSAL_LEAD = "rehearsal"
"""Whose made-up projects are."""
SIDE = 7
CLUSTERS = 24
BATCH = 2_000
PICTURE_SIDE = 224
LINKS = 50_000
"""Names that one file is given; file systems allow 65,000 or fewer."""


def build_round(
    *,
    n_items: int,
    redundancy: int,
    block_size: int,
    n_practice: int = 3,
    n_gold: int = 0,
    n_repeats: int = 0,
    n_spare: int = 0,
    name: str = "Rehearsal",
) -> Round:
    """Make an open round over made-up pictures, all of which share one file.

    Args:
        n_items: Queries, on the first rows of the data set.
        redundancy: Answers wanted for each.
        block_size: Queries in a sitting; 0 for all.
        n_practice: Practice items, on the rows after the queries'.
        n_gold: Gold tasks in a sitting; the tasks themselves are the caller's to make.
        n_repeats: Queries of a sitting that are asked twice.
        n_spare: Further pictures at the end, that nothing asks about yet.
        name: Of the project.

    Returns:
        The round.
    """
    n_images = n_items + n_practice + n_spare
    lead, _ = User.objects.get_or_create(username=REHEARSAL_LEAD)
    project = Project.objects.create(name=name, created_by=lead)
    Membership.objects.create(project=project, user=lead, role=Role.LEAD)
    dataset = Dataset.objects.create(
        project=project, name="made up", class_names=["a", "b"], digest="0" * 64,
        n_images=n_images, frozen_at=timezone.now(),
    )  # fmt: skip
    ReferenceModel.objects.create(
        project=project, name="made up", architecture="gazecheck/small_cnn", ready_at=timezone.now()
    )
    Image.objects.bulk_create(
        (
            Image(
                dataset=dataset, row=row, image_id=str(row), label=row % 2, split="train",
                width=PICTURE_SIDE, height=PICTURE_SIDE, grid_side=SIDE, grid_true=_grid(row),
            )
            for row in range(n_images)
        ),
        batch_size=BATCH,
    )  # fmt: skip
    images = dict(dataset.images.values_list("row", "pk"))
    _write_pictures(dataset)
    round_ = Round.objects.create(
        project=project, number=1, state=RoundState.OPEN, question=project.question,
        guidelines=project.guidelines, budget=n_items, redundancy=redundancy,
        block_size=block_size, n_gold=n_gold, n_repeats=n_repeats, seed=1,
        created_by=lead, opened_at=timezone.now(),
    )  # fmt: skip
    Task.objects.bulk_create(
        (
            Task(
                round=round_, image_id=images[row], position=row, cluster=row % CLUSTERS,
                target=redundancy, stimulus_hash=f"{row:064x}",
            )
            for row in range(n_items)
        ),
        batch_size=BATCH,
    )  # fmt: skip
    PracticeItem.objects.bulk_create(
        PracticeItem(round=round_, image_id=images[n_items + n], position=n, answer="yes")
        for n in range(n_practice)
    )
    return round_


def _grid(row: int) -> bytes:
    return bytes((row * 31 + cell * 17) % 256 for cell in range(SIDE * SIDE))


def _write_pictures(dataset: Dataset) -> None:
    folder = Path(settings.MEDIA_ROOT) / "pictures" / str(dataset.pk)
    folder.mkdir(parents=True)
    size = (PICTURE_SIDE, PICTURE_SIDE)
    picture = Picture.radial_gradient("L").resize(size).convert("RGB")
    first = folder / "picture"
    names = dataset.images.values_list("public_id", flat=True)
    for number, public_id in enumerate(names.iterator(chunk_size=BATCH)):
        if number % LINKS == 0:
            first = folder / f"picture{number}"
            picture.save(first, "WEBP")
        os.link(first, folder / f"{public_id}.webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is stored against what was acknowledged.

    Attributes:
        responses: Rows.
        lost: Acknowledged answers without a row.
        duplicates: Assignments with more than one counted answer, and ids in more than one row.
        surplus: Answers that no place was free for, and places held beyond a target.
        miscounted: Counters that a recount does not confirm.
    """

    responses: int
    lost: int
    duplicates: int
    surplus: int
    miscounted: int


def compare(acknowledged: Iterable[str]) -> Found:
    """Count rows against acknowledged ids."""
    acks = [UUID(each) for each in acknowledged]
    stored = set(Response.objects.values_list("client_uuid", flat=True).iterator(chunk_size=BATCH))
    counted = Response.objects.filter(surplus=False, elsewhere=False).order_by()
    twice = counted.values("assignment").annotate(n=Count("pk")).filter(n__gt=1).count()
    n_responses = Response.objects.count()
    return Found(
        responses=n_responses,
        lost=sum(ack not in stored for ack in set(acks)),
        duplicates=twice + (n_responses - len(stored)),
        surplus=Response.objects.filter(surplus=True).count()
        + sum(overfull(round_) for round_ in Round.objects.all()),
        miscounted=len(recount()),
    )


def unanswered_but_done() -> int:
    """Count assignments marked answered without an answer; there must be none."""
    return Assignment.objects.filter(state="answered", responses=None).count()
