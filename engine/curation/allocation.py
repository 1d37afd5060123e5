"""Share a budget of images over feature groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from engine.attention.presets import check_option, preset_options
from engine.attention.space import AttentionSpace
from engine.curation.disentangling import FeatureGroups
from engine.errors import InvalidInput
from engine.labeling.shares import largest_remainder, share_by_stratum

__all__ = [
    "Allocation",
    "AllocationConfig",
    "allocate",
    "effective_sizes",
    "largest_remainder",
    "spread_weights",
]

WEIGHTS = ("equal", "effective_size", "spread_mean", "spread_median")
BY_CLASS = ("equal", "effective_size")
ROUNDINGS = ("largest_remainder", "truncate")

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"weights": "spread_mean"},
    "authors": {
        "weights": "spread_median",
        "rounding": "truncate",
        "capped": False,
        "at_least_one": False,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationConfig:
    """How the budget is shared.

    Attributes:
        weights: `equal` (classes equal, and inside a class its cells); `effective_size` (classes
            equal, inside a class a cell by the root of how many images its scores amount to); or by
            how widely a group spreads: `spread_mean` (paper, equations 3 to 6), `spread_median`
            (authors).
        rounding: `largest_remainder` (the sum is exact) or `truncate` (authors: fewer are drawn).
        capped: No group gets more than it has; what is left goes to the others.
        at_least_one: Under `spread_*`, a group whose members coincide gets one image, not none.
    """

    weights: str = "equal"
    rounding: str = "largest_remainder"
    capped: bool = True
    at_least_one: bool = True

    def __post_init__(self) -> None:
        check_option("allocation.weights", self.weights, WEIGHTS)
        check_option("allocation.rounding", self.rounding, ROUNDINGS)
        if self.weights in BY_CLASS and (self.rounding == "truncate" or not self.capped):
            raise InvalidInput(
                f"{self.weights.replace('_', ' ')} weights are capped and rounded by the largest remainder; take "
                "weights 'spread_mean' or 'spread_median' for the authors' rounding"
            )

    @classmethod
    def preset(cls, name: str) -> "AllocationConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allocation:
    """How many images each non-empty feature group gives.

    Attributes:
        core: Core group of each cell; cells are ordered by core group, then environment.
        environment: Environment cluster of each cell.
        available: Images kept in the cell.
        allotted: Images to draw from it.
        shares: The share of the budget that was aimed at, summing to 1.
    """

    core: Int[np.ndarray, " q"]
    environment: Int[np.ndarray, " q"]
    available: Int[np.ndarray, " q"]
    allotted: Int[np.ndarray, " q"]
    shares: Float[np.ndarray, " q"]


def allocate(
    groups: FeatureGroups,
    classes: Int[np.ndarray, " m"],
    space: AttentionSpace,
    size: int,
    config: AllocationConfig | None = None,
    *,
    importance: Float[np.ndarray, " m"] | None = None,
) -> Allocation:
    """Decide how many images each feature group gives to a subset.

    Args:
        groups: The feature groups.
        classes: Of the space's images.
        space: Of the same images; only its coordinates' spread is used.
        size: Images in all, at least 1.
        config: How; the defaults if left out.
        importance: How much each of the space's images counts, at least 0, for the weights
            `effective_size`; all the same if left out.

    Returns:
        A whole number for each non-empty group; the sum is `size`, unless rounding truncates.

    Raises:
        InvalidInput: The size is below 1, or above what is kept while capped.
    """
    chosen = config or AllocationConfig()
    n_kept = len(groups.members)
    if size < 1 or (chosen.capped and size > n_kept):
        raise InvalidInput(
            f"a subset of {size} images cannot be drawn from the {n_kept} that are kept; ask for "
            f"between 1 and {n_kept}, or keep more by a lower screening threshold"
        )
    kept = groups.members
    cells, cell_of, available = np.unique(
        np.stack([groups.core[kept], groups.environment[kept]], axis=1),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    core, environment, available = cells[:, 0], cells[:, 1], available.astype(np.int64)
    if chosen.weights in BY_CLASS:
        class_of = np.zeros(len(cells), dtype=np.int64)
        class_of[cell_of.reshape(-1)] = classes[kept]
        strata = class_of if groups.core_is_class else core
        weights = np.ones(len(cells))
        if chosen.weights == "effective_size" and importance is not None:
            weights = np.sqrt(effective_sizes(importance[kept], cell_of.reshape(-1)))
        shares, allotted = share_by_stratum(strata, weights, available, size)
    else:
        joint = spread_weights(
            space.core[kept],
            space.environment[kept],
            groups.core[kept],
            groups.environment[kept],
            statistic=chosen.weights.removeprefix("spread_"),
        )
        shares = joint[core, environment]
        allotted = _proportional(shares, available, size, chosen)
    return Allocation(
        core=core, environment=environment, available=available, allotted=allotted, shares=shares
    )


def effective_sizes(
    importance: Float[np.ndarray, " k"], cell_of: Int[np.ndarray, " k"]
) -> Float[np.ndarray, " q"]:
    """Give the effective size of each cell, `(sum v)^2 / sum v^2` (Kish).

    Args:
        importance: v, how much each member counts, at least 0.
        cell_of: The cell of each member, from 0 without gaps.

    Returns:
        Between 1 and the number of members, which equal members amount to; 0 where all are 0.
    """
    exact = importance.astype(np.float64)
    # ratios alone matter, and squares of tiny numbers would vanish
    peak = np.zeros(int(cell_of.max(initial=-1)) + 1)
    np.maximum.at(peak, cell_of, exact)
    scaled = exact / np.where(peak > 0, peak, 1.0)[cell_of]
    total = np.bincount(cell_of, weights=scaled)
    squares = np.bincount(cell_of, weights=scaled**2)
    sizes: np.ndarray = np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1.0), 0.0)
    return sizes


def _proportional(
    shares: Float[np.ndarray, " q"],
    available: Int[np.ndarray, " q"],
    size: int,
    config: AllocationConfig,
) -> Int[np.ndarray, " q"]:
    """Share in proportion to the groups' spread."""
    if config.rounding == "truncate":
        # a product such as .25 * 20 may come out below 5
        whole = np.floor(shares * size + 1e-9).astype(np.int64)
        return np.minimum(whole, available) if config.capped else whole
    room = available if config.capped else np.full(len(shares), size, dtype=np.int64)
    allotted = largest_remainder(shares, size, room)
    if config.at_least_one and size >= len(shares):
        for empty in np.flatnonzero(allotted == 0).tolist():
            allotted[int(allotted.argmax())] -= 1
            allotted[empty] = 1
    return allotted


def spread_weights(
    core_points: Float[np.ndarray, "k d"],
    environment_points: Float[np.ndarray, "k e"],
    core: Int[np.ndarray, " k"],
    environment: Int[np.ndarray, " k"],
    *,
    statistic: str = "mean",
) -> Float[np.ndarray, "i j"]:
    """Weigh each core x environment group by how widely its members spread (SLIM, eq. 3 to 6).

    p_i is core group i's distance to its centre over the sum of all; q_ij is the same for group
    (i, j) in the environment space, inside i, each about its own centre; the weight is p_i q_ij.
    Equation 3 prints the number of clusters as the normaliser of a mean over members; the number
    of members is meant. Equation 6's second form is taken, the first sums over the wrong index.

    Args:
        core_points: Coordinates of the members in the core space.
        environment_points: Their coordinates in the environment space.
        core: Their core groups, from 0.
        environment: Their environment clusters, from 0.
        statistic: `mean` distance (paper) or `median` (authors).

    Returns:
        Weights that sum to 1. Where all distances of a sum are 0, its groups weigh the same.
    """
    check_option("allocation statistic", statistic, ("mean", "median"))
    joint = np.zeros((int(core.max()) + 1, int(environment.max()) + 1))
    outer = np.full(len(joint), np.nan)
    for i in np.unique(core).tolist():
        inside = core == i
        outer[i] = _distance(core_points[inside], statistic)
        inner = np.full(joint.shape[1], np.nan)
        for j in np.unique(environment[inside]).tolist():
            inner[j] = _distance(environment_points[inside & (environment == j)], statistic)
        joint[i] = _proportions(inner)
    joint *= _proportions(outer)[:, None]
    return joint


def _distance(points: Float[np.ndarray, "p d"], statistic: str) -> float:
    """Give the mean or median distance of points to their centre."""
    exact = points.astype(np.float64)
    away = np.linalg.norm(exact - exact.mean(axis=0), axis=1)
    return float(np.mean(away) if statistic == "mean" else np.median(away))


def _proportions(values: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
    """Scale to sum 1, NaN (no such group) being 0; equal where all are 0."""
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    total = filled.sum()
    scaled: np.ndarray = filled / total if total > 0 else present / present.sum()
    return scaled
