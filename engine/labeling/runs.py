"""Whether one and the same answer many times over is more than the items explain.

Where nine items in ten are truly yes, forty times yes is what a careful person answers. So a run
is held against what the others said of the very items of the sitting, in their order: the chance
that independent answers with the others' shares hold a run that long. numpy only.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from engine.errors import InvalidInput


def longest_run(categories: Sequence[int] | Int[np.ndarray, " m"]) -> int:
    """Count the longest run of one and the same answer; 0 for no answers."""
    longest = current = 0
    before: int | None = None
    for category in np.asarray(categories).tolist():
        current = current + 1 if category == before else 1
        before = category
        longest = max(longest, current)
    return longest


def chance_of_run(shares: Float[np.ndarray, "m k"], length: int) -> float:
    """Give the chance that independent answers hold a run of at least so many, exactly.

    Walks along the items with the probabilities of "the last answer was c, for j answers now"
    for j below the length; whatever reaches the length is gone for good.

    Args:
        shares: Probability of each category at each item, in the order answered; rows sum to 1.
        length: Of the run, at least 1.

    Returns:
        A probability.

    Raises:
        InvalidInput: The length is below 1.
    """
    if length < 1:
        raise InvalidInput(f"a run has at least 1 answer, got {length}")
    m, k = shares.shape
    if m < length:
        return 0.0
    if length == 1:
        return 1.0
    state = np.zeros((k, length - 1))
    state[:, 0] = shares[0]
    for place in range(1, m):
        by_last = state.sum(axis=1)
        grown = np.zeros_like(state)
        grown[:, 1:] = state[:, :-1] * shares[place][:, None]
        grown[:, 0] = (by_last.sum() - by_last) * shares[place]
        state = grown
    return float(min(1.0, max(0.0, 1.0 - state.sum())))
