"""Which rows each batch of an epoch holds."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from engine.errors import InvalidInput


@runtime_checkable
class Sampler(Protocol):
    """Deals the rows to train on to the batches of one epoch."""

    def batches(
        self, n: int, batch_size: int, rng: np.random.Generator
    ) -> list[Int[np.ndarray, " _"]]:
        """Deal.

        Args:
            n: Rows to train on.
            batch_size: Rows at once, at most.
            rng: Of the draws.

        Returns:
            `ceil(n / batch_size)` batches of positions among the rows to train on.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled:
    """Every row once an epoch, in random order, in batches equal within one row.

    Equal, because a last batch of one or two would spoil BatchNorm.
    """

    def batches(
        self, n: int, batch_size: int, rng: np.random.Generator
    ) -> list[Int[np.ndarray, " _"]]:
        """Deal; see `Sampler`."""
        return np.array_split(rng.permutation(n), -(-n // batch_size))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighted:
    """As many draws an epoch as there are rows, with replacement, in proportion to weights.

    Group DRO draws so, with one over the size of a row's group (Sagawa et al., ICLR 2020).

    Attributes:
        weights: One per row to train on, at least 0, not all 0.
    """

    weights: Float[np.ndarray, " n"]

    def __post_init__(self) -> None:
        if not np.isfinite(self.weights).all() or (self.weights < 0).any():
            raise InvalidInput("weights of a draw must be finite and at least 0")
        if not self.weights.sum() > 0:
            raise InvalidInput("weights of a draw must not all be 0; weigh at least one row")

    def batches(
        self, n: int, batch_size: int, rng: np.random.Generator
    ) -> list[Int[np.ndarray, " _"]]:
        """Deal; see `Sampler`."""
        drawn = rng.choice(n, size=n, replace=True, p=self.weights / self.weights.sum())
        return np.array_split(drawn, -(-n // batch_size))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accompanied:
    """Every row once an epoch, and in each batch a few of some rows that must never be missing.

    Attributes:
        companions: Positions among the rows to train on; each comes again only after all others.
        each: How many of them join a batch.
    """

    companions: Int[np.ndarray, " c"]
    each: int

    def batches(
        self, n: int, batch_size: int, rng: np.random.Generator
    ) -> list[Int[np.ndarray, " _"]]:
        """Deal; see `Sampler`."""
        main = Shuffled().batches(n, batch_size, rng)
        each = min(self.each, len(self.companions))
        if each == 0:
            return main
        rounds = -(-each * len(main) // len(self.companions))
        queue = np.concatenate([rng.permutation(self.companions) for _ in range(rounds)])
        return [
            np.concatenate([batch, queue[index * each : (index + 1) * each]])
            for index, batch in enumerate(main)
        ]


def balanced_weights(groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weigh each row by one over the size of its group, so that groups come up equally often.

    Args:
        groups: The group of each row; a row of no group (-1) weighs 0.

    Returns:
        Weights that sum to the number of groups present.
    """
    known = groups >= 0
    counts = np.bincount(groups[known], minlength=1)
    weights: np.ndarray = np.where(known, 1.0 / np.maximum(counts[groups], 1), 0.0)
    return weights
