"""Which images deserve another label and which have enough, inside a budget that never grows."""

import heapq
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from engine.attention.presets import check_range
from engine.errors import InvalidInput, MisalignedRows


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringConfig:
    """When an image has enough labels.

    Attributes:
        least: Labels that every image gets, at least 1.
        ceiling: Labels that no image gets more of, at least `least`.
        enough: An image has enough when one more label is expected to move fewer images, above 0.
    """

    least: int = 2
    ceiling: int = 9
    enough: float = 1.0

    def __post_init__(self) -> None:
        check_range("steering.least", self.least, low=1)
        check_range("steering.ceiling", self.ceiling, low=self.least)
        check_range("steering.enough", self.enough, low=0, open_low=True)


def steer(
    worth: Float[np.ndarray, " q"],
    given: Int[np.ndarray, " q"],
    reserved: Int[np.ndarray, " q"],
    budget: int,
    config: SteeringConfig,
    *,
    n_open: int = 0,
) -> Int[np.ndarray, " q"]:
    """Say how many labels each image is to have, in all.

    Every image first gets the least number. What is left of the budget goes, one label after
    another, to the image whose next label is worth most, its worth being shared among the labels
    that are on their way; images that have enough get none.

    Args:
        worth: Images that one more label at each is expected to move, not negative.
        given: Labels that are there.
        reserved: Labels that are there or promised to somebody.
        budget: Labels in all; promised ones are kept even where they are more.
        config: Least, ceiling, and what is enough.
        n_open: While some image deserves a label, keep so many images with room, where the budget
            and the ceiling allow it, so that whoever comes can be given a whole block.

    Returns:
        At least what is reserved; above it never more than the ceiling, nor than the budget in all.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: More is given than reserved, or a worth is negative.
    """
    if not len(worth) == len(given) == len(reserved):
        raise MisalignedRows(
            f"{len(worth)} worths for {len(given)} and {len(reserved)} counts of labels"
        )
    if (given > reserved).any() or not (worth >= 0).all():
        raise InvalidInput("labels given are among those reserved, and no worth is negative")
    target = reserved.copy()
    left = max(0, budget - int(reserved.sum()))
    left = _raise_to_least(target, worth, left, config.least)
    deserving = worth >= config.enough
    queue = [
        (-float(worth[i]) / (1.0 + float(target[i] - given[i])), i)
        for i in np.flatnonzero(deserving & (target < config.ceiling)).tolist()
    ]
    heapq.heapify(queue)
    while queue and left:
        _, i = heapq.heappop(queue)
        target[i] += 1
        left -= 1
        if target[i] < config.ceiling:
            heapq.heappush(queue, (-float(worth[i]) / (1.0 + float(target[i] - given[i])), i))
    if deserving.any():
        _open_more(target, reserved, worth, min(left, n_open), config.ceiling, n_open)
    return target


def _raise_to_least(
    target: Int[np.ndarray, " q"], worth: Float[np.ndarray, " q"], left: int, least: int
) -> int:
    """Bring every image to the least number, a label at a time and the worthiest first."""
    for level in range(1, least + 1):
        short = np.flatnonzero(target < level)
        short = short[np.argsort(-worth[short], kind="stable")][:left]
        target[short] += 1
        left -= len(short)
    return left


def _open_more(
    target: Int[np.ndarray, " q"],
    reserved: Int[np.ndarray, " q"],
    worth: Float[np.ndarray, " q"],
    left: int,
    ceiling: int,
    n_open: int,
) -> None:
    """Give one label each to the worthiest full images, until enough images have room."""
    wanted = min(left, n_open - int((target > reserved).sum()))
    full = np.flatnonzero((target == reserved) & (target < ceiling))
    if wanted > 0:
        target[full[np.argsort(-worth[full], kind="stable")][:wanted]] += 1
