"""Gold tasks of heat that is wrong on purpose: made of stored maps, or found with random weights.

A candidate depends on the round's seed and its image alone, so that what a lead saw is what is
added. The lead looks at each first: heat of another image may happen to lie on the object.
Mirrored twins have no right answer of their own; see `twins`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Max
from jaxtyping import UInt8

from annotation_site.annotation.models import (
    AnswerChoice,
    Arm,
    Round,
    RoundState,
    Task,
    TaskRole,
    Variant,
)
from annotation_site.live.controls import controls_of, images_with_controls
from annotation_site.live.models import ControlHeat
from annotation_site.projects.models import Image
from annotation_site.web.refusals import Refused
from engine.randomness import generator

MADE = (Variant.OTHER_HEAT, Variant.INVERTED)
"""Kinds that are made of stored maps, here."""
KINDS = (*MADE, Variant.RANDOM_WEIGHTS)
N_CANDIDATES = 6
N_DONORS = 12
_BEFORE_OPENING = (RoundState.READY,)

Grid = UInt8[np.ndarray, "h w"]


def inverted(grid: Grid) -> Grid:
    """Make hot what is cold; the hottest cell stays 255 where any cell was 0."""
    return _stretched(255.0 - grid.astype(np.float64))


def least_alike(grid: Grid, others: Sequence[Grid]) -> int:
    """Say which of other images' maps overlaps a map least, by the sum of cellwise minima.

    Maps are compared by shares of their heat, so that a broad one is not preferred.
    """
    own = _shares(grid)
    return int(np.argmin([np.minimum(own, _shares(other)).sum() for other in others]))


def _shares(grid: Grid) -> np.ndarray:
    total = float(grid.sum())
    shares: np.ndarray = grid / total if total else np.zeros(grid.shape)
    return shares


def _stretched(heat: np.ndarray) -> Grid:
    hottest = float(heat.max())
    scaled = heat / hottest * 255 if hottest > 0 else heat
    return np.rint(scaled).astype(np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A gold task that may be added.

    Attributes:
        image: Its picture.
        kind: Which variant.
        heat: Row by row.
        side: Of the heat.
        expected: The right answer, which the lead confirms or changes.
        part: Of random weights: which were random, in words; empty of other kinds.
    """

    image: Image
    kind: Variant
    heat: bytes
    side: int
    expected: str
    part: str = ""

    @property
    def name(self) -> str:
        """What its field is called in the form."""
        return f"{self.kind.value}-{self.image.pk}"


def candidates(round_: Round) -> list[Candidate]:
    """Make candidates of every kind from training images that the round does not ask about.

    Heat by random weights is what the round's job found (`controls`); the other kinds are made here,
    of images that have none.
    """
    rng = generator(round_.seed, f"gold of round {round_.number}")
    taken = set(round_.tasks.values_list("image_id", flat=True)) | set(
        round_.practice_items.values_list("image_id", flat=True)
    )
    dataset = round_.project.dataset
    controls = [_control(found) for found in controls_of(dataset, without=taken, most=N_CANDIDATES)]
    taken |= images_with_controls(dataset)
    keys = [
        key
        for key in Image.objects.filter(
            dataset__project=round_.project_id, split="train", dead_true=False, grid_side__gt=0
        )
        .order_by("pk")
        .values_list("pk", flat=True)
        if key not in taken
    ]
    wanted = min(len(keys), N_CANDIDATES * len(MADE) + N_DONORS)
    drawn = [keys[i] for i in rng.permutation(len(keys))[:wanted].tolist()]
    images = Image.objects.select_related("dataset").in_bulk(drawn)
    ordered = [images[key] for key in drawn]
    donors, bases = ordered[:N_DONORS], ordered[N_DONORS:]
    if len(donors) < 2:
        return controls
    made = (_candidate(image, MADE[n % len(MADE)], donors) for n, image in enumerate(bases))
    return [*(each for each in made if each is not None), *controls]


def _control(found: ControlHeat) -> Candidate:
    return Candidate(
        image=found.image,
        kind=Variant.RANDOM_WEIGHTS,
        heat=bytes(found.heat),
        side=found.side,
        expected=AnswerChoice.NO.value,
        part=found.get_part_display(),
    )


def _candidate(image: Image, kind: Variant, donors: Sequence[Image]) -> Candidate | None:
    """Make one candidate; None where nothing would be seen of its heat."""
    grid = _grid(image)
    fitting = [_grid(donor) for donor in donors if donor.grid_side == image.grid_side]
    if kind == Variant.OTHER_HEAT and fitting:
        heat = fitting[least_alike(grid, fitting)]
    elif kind == Variant.INVERTED:
        heat = inverted(grid)
    else:
        return None
    if not heat.any():
        return None
    return Candidate(
        image=image,
        kind=kind,
        heat=heat.tobytes(),
        side=image.grid_side,
        expected=AnswerChoice.NO.value,
    )


def _grid(image: Image) -> Grid:
    cells = np.frombuffer(bytes(image.grid_true), dtype=np.uint8)
    return cells.reshape(image.grid_side, image.grid_side)


def add(*, round: Round, chosen: Mapping[str, str], n_in_sitting: int) -> int:  # noqa: A002
    """Add candidates as gold tasks, and say how many of the round's gold a sitting holds.

    Args:
        round: That is ready and not open yet.
        chosen: Name of a candidate -> its right answer, as the lead says it.
        n_in_sitting: Gold tasks in a sitting.

    Returns:
        How many were added; those that are there already are left as they are.

    Raises:
        Refused: The round is not ready, a candidate is not known, or an answer is neither yes nor
            no.
    """
    offered = {each.name: each for each in candidates(round)}
    unknown = set(chosen) - set(offered)
    if unknown or not set(chosen.values()) <= {AnswerChoice.YES.value, AnswerChoice.NO.value}:
        raise Refused("Say yes or no for each that is ticked; the page may be out of date.")
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round.pk)
        if locked.state not in _BEFORE_OPENING or locked.arm != Arm.ATTENTION:
            raise Refused("Gold is added while a round about attention is ready and not yet open.")
        last = locked.tasks.aggregate(last=Max("position"))["last"] or 0
        made = [
            _task(locked, offered[name], answer, last + 1 + number)
            for number, (name, answer) in enumerate(sorted(chosen.items()))
        ]
        Task.objects.bulk_create(made)
        n_gold = locked.tasks.filter(role=TaskRole.GOLD).count()
        Round.objects.filter(pk=locked.pk).update(n_gold=min(max(n_in_sitting, 0), n_gold))
    return len(made)


def _task(round_: Round, candidate: Candidate, expected: str, position: int) -> Task:
    return Task(
        round=round_,
        image=candidate.image,
        role=TaskRole.GOLD,
        variant=candidate.kind,
        position=position,
        target=0,
        expected=expected,
        heat=candidate.heat,
        heat_side=candidate.side,
    )


def remove(*, round: Round, task_id: int) -> None:  # noqa: A002
    """Take a made gold task away again, before the round opens.

    Raises:
        Refused: The round is not ready any more.
    """
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round.pk)
        if locked.state not in _BEFORE_OPENING:
            raise Refused("Gold stays as it is once the round has opened.")
        locked.tasks.filter(pk=task_id, role=TaskRole.GOLD).delete()
        left = locked.tasks.filter(role=TaskRole.GOLD).count()
        Round.objects.filter(pk=locked.pk, n_gold__gt=left).update(n_gold=left)
