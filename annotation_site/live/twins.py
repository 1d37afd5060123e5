"""Mirrored twins: a query of the sitting once more, turned left to right.

Nobody says which answer is right: the same one should come. So they are repeats, not gold, and
tell how steady somebody is where the picture itself cannot be remembered.
"""

import secrets

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from PIL import Image as Picture
from PIL import ImageOps

from annotation_site.annotation.models import Arm, Round, RoundState, Task, TaskRole, Variant
from annotation_site.annotation.stimuli import picture_path
from annotation_site.projects.models import Image
from annotation_site.web.refusals import Refused
from engine.randomness import generator

MOST_TWINS = 200
"""Pictures that one request turns round; of a larger round the other queries repeat as they are."""


def make(*, round: Round, n_in_sitting: int) -> int:  # noqa: A002
    """Make a twin of each query, and say how many repeats a sitting holds.

    Args:
        round: That is ready and not open yet.
        n_in_sitting: Repeats in a sitting; each stands ten positions or more after its query.

    Returns:
        How many were made; those that are there already are left as they are.

    Raises:
        Refused: The round is not ready, or not about attention.
    """
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round.pk)
        if locked.state != RoundState.READY or locked.arm != Arm.ATTENTION:
            raise Refused("Twins are made while a round about attention is ready, not yet open.")
        there = set(of_round(locked).values_list("image_id", flat=True))
        queries = list(
            locked.tasks.asked().filter(retired_reason="").order_by("pk").select_related("image")
        )
        rng = generator(locked.seed, f"twins of round {locked.number}")
        drawn = sorted(rng.permutation(len(queries))[:MOST_TWINS].tolist())
        made = [_twin(queries[n]) for n in drawn if queries[n].image_id not in there]
        Task.objects.bulk_create(made)
        Round.objects.filter(pk=locked.pk).update(n_repeats=max(n_in_sitting, 0))
    return len(made)


def remove(*, round: Round) -> None:  # noqa: A002
    """Take a round's twins away again before it opens; its repeats are then shown as they are.

    Raises:
        Refused: The round is not ready any more.
    """
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round.pk)
        if locked.state != RoundState.READY:
            raise Refused("Twins stay as they are once the round has opened.")
        of_round(locked).delete()


def of_round(round_: Round) -> "QuerySet[Task]":
    """Give a round's twins."""
    return round_.tasks.filter(role=TaskRole.REPEAT, variant=Variant.MIRRORED)


def _twin(query: Task) -> Task:
    image = query.image
    side = image.grid_side
    grid = np.frombuffer(bytes(image.grid_true), dtype=np.uint8).reshape(side, side)
    return Task(
        round_id=query.round_id,
        image=image,
        role=TaskRole.REPEAT,
        variant=Variant.MIRRORED,
        position=query.position,
        cluster=query.cluster,
        target=0,
        heat=np.ascontiguousarray(grid[:, ::-1]).tobytes(),
        heat_side=side,
        picture_id=_turned_picture(image),
    )


def _turned_picture(image: Image) -> str:
    """Write an image's picture turned round, under a name as opaque as its own; give the name."""
    name = secrets.token_urlsafe(12)
    with Picture.open(picture_path(image)) as opened:
        turned = ImageOps.mirror(opened.convert("RGB"))
    turned.save(picture_path(image, name), "WEBP", quality=85)
    return name
