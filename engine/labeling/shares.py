"""Share a whole number among places of limited size."""

import numpy as np
from jaxtyping import Float, Int

from engine.errors import InvalidInput, MisalignedRows


def largest_remainder(
    weights: Float[np.ndarray, " q"], total: int, capacities: Int[np.ndarray, " q"]
) -> Int[np.ndarray, " q"]:
    """Share a total in proportion to weights, nowhere more than fits, in whole numbers.

    What does not fit in a place goes to the others by the same proportions. Fractions are
    rounded by the largest remainder (Hamilton's method), the first place winning a tie. Places of
    weight 0 get something only when all others are full, and then by their capacity.

    Args:
        weights: Non-negative; only their ratios matter.
        total: What is shared, at least 0.
        capacities: The most that each place takes, at least 0.

    Returns:
        Non-negative whole numbers that sum to `total`.

    Raises:
        MisalignedRows: Weights and capacities differ in length.
        InvalidInput: The total is negative or more than fits, or a weight is negative.
    """
    if len(weights) != len(capacities):
        raise MisalignedRows(f"{len(weights)} weights for {len(capacities)} capacities")
    if not np.isfinite(weights).all() or (weights < 0).any() or (capacities < 0).any():
        raise InvalidInput("weights and capacities must be finite and not negative")
    if not 0 <= total <= int(capacities.sum()):
        raise InvalidInput(f"{total} cannot be shared among places for {int(capacities.sum())}")
    weighty = weights > 0
    inside = min(total, int(capacities[weighty].sum()))
    shares = _share(np.where(weighty, weights, 0.0), inside, np.where(weighty, capacities, 0))
    left = np.where(weighty, 0, capacities)
    shares += _share(left.astype(np.float64), total - inside, left)
    return shares


def _share(
    weights: Float[np.ndarray, " q"], total: int, capacities: Int[np.ndarray, " q"]
) -> Int[np.ndarray, " q"]:
    """Share a total that fits in the places of positive weight."""
    shares = np.zeros(len(weights), dtype=np.int64)
    if total == 0:
        return shares
    is_open = (weights > 0) & (capacities > 0)
    while True:
        left = total - int(shares.sum())
        scaled = np.where(is_open, weights, 0.0)
        quotas = left * (scaled / scaled.max()) / (scaled / scaled.max()).sum()
        full = is_open & (quotas >= capacities)
        if not full.any():
            break
        shares[full] = capacities[full]
        is_open &= ~full
        if not is_open.any():
            return shares
    # 4.999999999 is five that was divided and multiplied again
    whole = np.where(is_open, np.floor(quotas + 1e-9), 0).astype(np.int64)
    shares += whole
    remainders = np.where(is_open, quotas - whole, -np.inf)
    missing = total - int(shares.sum())
    shares[np.argsort(-np.round(remainders, 9), kind="stable")[:missing]] += 1
    return shares


def share_by_stratum(
    strata: Int[np.ndarray, " q"],
    weights: Float[np.ndarray, " q"],
    available: Int[np.ndarray, " q"],
    size: int,
) -> tuple[Float[np.ndarray, " q"], Int[np.ndarray, " q"]]:
    """Share equally among strata (classes), and inside a stratum by its cells' weights.

    What a full cell cannot take goes to its own stratum first, and to the others only when the
    whole stratum is full, so that classes stay as balanced as they can be.

    Args:
        strata: Of each cell.
        weights: Of each cell inside its stratum; all the same where they are 0.
        available: The most that each cell takes.
        size: What is shared, at most what is available.

    Returns:
        The share that was aimed at, and the whole number allotted, of each cell.
    """
    names, stratum_of = np.unique(strata, return_inverse=True)
    room = np.bincount(stratum_of, weights=available).astype(np.int64)
    budgets = largest_remainder(np.ones(len(names)), size, room)
    shares = np.zeros(len(strata))
    allotted = np.zeros(len(strata), dtype=np.int64)
    for stratum, budget in enumerate(budgets.tolist()):
        cells = np.flatnonzero(stratum_of == stratum)
        inside = weights[cells] if weights[cells].any() else np.ones(len(cells))
        shares[cells] = inside / (inside.sum() * len(names))
        allotted[cells] = largest_remainder(inside, budget, available[cells])
    return shares, allotted
