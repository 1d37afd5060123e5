"""Parts of a data set that are worked on one at a time: what is done stays done."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

ROWS_PER_SHARD = 2048
"""About so many rows: a minute or two of a large network, and little beside a million images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Consecutive rows.

    Attributes:
        number: Position among the data set's shards.
        start: The first row.
        stop: One behind the last row.
    """

    number: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def shards_of(n_rows: int, batch_size: int, *, about: int = ROWS_PER_SHARD) -> tuple[Shard, ...]:
    """Cut rows into shards of whole batches, so that a pass over shards has a plain pass's batches.

    Args:
        n_rows: Rows in all, at least 0.
        batch_size: Rows of a batch, at least 1; only the last shard may end in a smaller one.
        about: Rows wanted in a shard; rounded up to whole batches.

    Returns:
        The shards in order.
    """
    each = -(-about // batch_size) * batch_size
    return tuple(
        Shard(number=number, start=start, stop=min(start + each, n_rows))
        for number, start in enumerate(range(0, n_rows, each))
    )


def rows_in(shards: Sequence[Shard]) -> Int64[np.ndarray, " n"]:
    """Give the rows of some shards, one shard after another.

    Args:
        shards: In the order wanted.

    Returns:
        Their rows.
    """
    parts = [np.arange(shard.start, shard.stop, dtype=np.int64) for shard in shards]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
