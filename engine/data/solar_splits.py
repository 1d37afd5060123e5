"""Deal blocks of neighbouring cells to the splits, so that the numbers of each class come out."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from engine.data.manifest import Split
from engine.randomness import generator

_CLASS_WEIGHT = 10  # a cell too many of a class counts as much as ten of the wrong kind
_DEALS = 40


@runtime_checkable
class Neighbour(Protocol):
    """What the splitting needs to know of a cell."""

    @property
    def name(self) -> str:
        """Its id."""

    @property
    def place(self) -> int:
        """Its position among all cells; neighbours in number are so in place."""

    @property
    def label(self) -> int:
        """Position in the class names."""

    @property
    def kind(self) -> str:
        """What cells of one module have in common."""


def split_in_blocks(
    cells: Sequence[Neighbour],
    wanted: Mapping[Split, Sequence[int]],
    *,
    block: int,
    seed: int,
) -> dict[str, Split]:
    """Give whole blocks of neighbours to the splits.

    Blocks are dealt out at random, then moved or swapped one at a time, always where the numbers
    of (class, kind) come closest to those wanted, until no step helps. Of several deals the one is
    taken that misses the fewest cells of a class, then of a kind. All sums are of whole numbers,
    so that every machine finds the same split.

    Args:
        cells: At least one.
        wanted: The number of cells of each class in each split; each kind shall have its class's
            share.
        block: How many neighbours stay together, at least 1.
        seed: Any integer.

    Returns:
        The split of each cell by its name.
    """
    splits = tuple(Split)
    of_cell = np.array([cell.place // block for cell in cells])
    blocks, at = np.unique(of_cell, return_inverse=True)
    kinds = sorted({cell.kind for cell in cells})
    labels = np.array([wanted[split] for split in splits], dtype=np.int64)
    counts = np.zeros((len(blocks), labels.shape[1], len(kinds)), dtype=np.int64)
    for cell, place in zip(cells, at, strict=True):
        counts[place, cell.label, kinds.index(cell.kind)] += 1
    goal = _goal(counts, labels)

    rng = generator(seed, "solar/split")
    shares = labels.sum(axis=1) / labels.sum()
    deals = [
        _improved(rng.choice(len(splits), len(blocks), p=shares).astype(np.int64), counts, goal)
        for _ in range(_DEALS)
    ]
    best = min(deals, key=lambda given: _misses(_sums(given, counts, len(splits)), goal))
    return {cell.name: splits[best[place]] for cell, place in zip(cells, at, strict=True)}


def _goal(
    counts: Int64[np.ndarray, "b c t"], labels: Int64[np.ndarray, "k c"]
) -> Int64[np.ndarray, "k c t+1"]:
    """Put the numbers wanted of each kind beside those of each class, which stand last."""
    total = counts.sum(axis=0)
    shares = total / np.maximum(total.sum(axis=1, keepdims=True), 1)
    kinds = np.rint(labels[:, :, None] * shares).astype(np.int64)
    return np.concatenate([kinds, labels[:, :, None]], axis=2)


def _sums(
    given: Int64[np.ndarray, " b"], counts: Int64[np.ndarray, "b c t"], n_splits: int
) -> Int64[np.ndarray, "k c t"]:
    return np.stack([counts[given == split].sum(axis=0) for split in range(n_splits)])


def _misses(
    sums: Int64[np.ndarray, "k c t"], goal: Int64[np.ndarray, "k c t+1"]
) -> tuple[int, int]:
    """Count the cells of a class, and of a kind, that are in the wrong number."""
    classes = np.abs(sums.sum(axis=2) - goal[:, :, -1]).sum()
    return int(classes), int(np.abs(sums - goal[:, :, :-1]).sum())


def _distance(
    sums: Int64[np.ndarray, "*steps k c t"], goal: Int64[np.ndarray, "k c t+1"]
) -> Int64[np.ndarray, "*steps"]:
    """Say how far off the numbers would be after each of several steps."""
    classes = np.abs(sums.sum(axis=-1) - goal[:, :, -1]).sum(axis=(-2, -1))
    kinds = np.abs(sums - goal[:, :, :-1]).sum(axis=(-3, -2, -1))
    return np.asarray(_CLASS_WEIGHT * classes + kinds, dtype=np.int64)


def _improved(
    given: Int64[np.ndarray, " b"],
    counts: Int64[np.ndarray, "b c t"],
    goal: Int64[np.ndarray, "k c t+1"],
) -> Int64[np.ndarray, " b"]:
    """Move or swap blocks as long as a step brings the numbers nearer."""
    given = given.copy()
    n_splits = len(goal)
    unit = np.eye(n_splits, dtype=np.int64)
    while True:
        sums = _sums(given, counts, n_splits)
        turn = unit[None, :] - unit[given][:, None]  # what a move adds to each split's numbers
        moves = _distance(sums + turn[..., None, None] * counts[:, None, None], goal)
        turn = unit[given][None, :] - unit[given][:, None]
        gain = counts[:, None] - counts[None, :]
        swaps = _distance(sums + turn[..., None, None] * gain[:, :, None], goal)
        if min(moves.min(), swaps.min()) >= _distance(sums, goal):
            return given
        if moves.min() <= swaps.min():
            one, split = np.unravel_index(int(moves.argmin()), moves.shape)
            given[one] = split
        else:
            one, other = np.unravel_index(int(swaps.argmin()), swaps.shape)
            given[one], given[other] = given[other], given[one]
