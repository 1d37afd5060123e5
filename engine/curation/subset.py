"""Draw the balanced subset: so many images from each feature group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from engine.attention.clustering import k_means
from engine.attention.presets import check_option, check_range, preset_options
from engine.attention.space import AttentionSpace
from engine.curation.allocation import Allocation, AllocationConfig, allocate
from engine.curation.disentangling import FeatureGroups

DRAWS = ("random", "diverse", "authors")

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"draw": "diverse"},
    "authors": {"draw": "authors"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetConfig:
    """How large the subset is, and how members of a group are chosen.

    Attributes:
        fraction: Of the images that curation may use, in (0, 1]; used where `size` is 0.
        size: Images in all; 0 takes the fraction.
        draw: `random` inside a group; `diverse`: the image nearest each of as many environment
            clusters; `authors`: one of the three nearest, and repeats where a group is short.
    """

    fraction: float = 0.2
    size: int = 0
    draw: str = "random"

    def __post_init__(self) -> None:
        check_range("subset.fraction", self.fraction, low=0, high=1, open_low=True)
        check_range("subset.size", self.size, low=0)
        check_option("subset.draw", self.draw, DRAWS)

    @classmethod
    def preset(cls, name: str) -> "SubsetConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subset:
    """Images to retrain on, balanced over feature groups.

    Attributes:
        rows: Rows of the manifest, by cell, rising inside a cell.
        core: Core group of each image.
        environment: Environment cluster of each image.
        cells: How many were available and allotted in each cell.
        has_repeats: Some image is drawn more than once (only with the authors' draw).
    """

    rows: Int[np.ndarray, " s"]
    core: Int[np.ndarray, " s"]
    environment: Int[np.ndarray, " s"]
    cells: Allocation
    has_repeats: bool = False

    def __len__(self) -> int:
        return len(self.rows)


def draw_subset(
    groups: FeatureGroups,
    classes: Int[np.ndarray, " m"],
    space: AttentionSpace,
    config: SubsetConfig | None = None,
    rng: np.random.Generator | None = None,
    *,
    allocation: AllocationConfig | None = None,
) -> Subset:
    """Draw a subset that is balanced over feature groups (SLIM, 3.4).

    Args:
        groups: The feature groups.
        classes: Of the space's images.
        space: Of the same images.
        config: Size and draw; the defaults if left out.
        rng: Of the draw; a generator of seed 0 if left out.
        allocation: How the size is shared among groups; the defaults if left out.

    Returns:
        The subset. No image comes twice, unless the authors' draw fills up a short group.

    Raises:
        InvalidInput: The subset would be larger than what is kept.
    """
    chosen = config or SubsetConfig()
    generator = rng or np.random.default_rng(0)
    size = chosen.size or max(1, round(chosen.fraction * groups.n_candidates))
    shared = allocate(groups, classes, space, size, allocation)
    drawn: list[Int[np.ndarray, " p"]] = []
    for core, environment, allotted in zip(
        shared.core.tolist(), shared.environment.tolist(), shared.allotted.tolist(), strict=True
    ):
        here = (groups.core == core) & (groups.environment == environment)
        members = np.flatnonzero(here)
        points = space.environment[members].astype(np.float64)
        drawn.append(np.sort(members[_draw(points, allotted, chosen.draw, generator)]))
    positions = np.concatenate(drawn)
    rows = groups.rows[positions]
    return Subset(
        rows=rows,
        core=groups.core[positions],
        environment=groups.environment[positions],
        cells=shared,
        has_repeats=len(np.unique(rows)) < len(rows),
    )


def _draw(
    points: Float[np.ndarray, "p d"], n: int, draw: str, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Choose n members of one group, as positions in it."""
    everyone = np.arange(len(points))
    if n == 0:
        return everyone[:0]
    if draw == "authors":
        return _authors_draw(points, n, rng)
    if n >= len(points):
        # only an uncapped allocation asks for more than there are
        return np.concatenate([everyone, rng.choice(everyone, n - len(points), replace=True)])
    if draw == "random":
        return rng.choice(everyone, n, replace=False)
    return _diverse_draw(points, n, rng)


def _diverse_draw(
    points: Float[np.ndarray, "p d"], n: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Take the member nearest each of n cluster centres; random others where places coincide."""
    clustering = k_means(points, n, seed=int(rng.integers(2**31)))
    away = np.square(points - clustering.centres[clustering.labels]).sum(axis=1)
    order = np.lexsort((away, clustering.labels))
    _, firsts = np.unique(clustering.labels[order], return_index=True)
    nearest = order[firsts]
    rest = np.setdiff1d(np.arange(len(points)), nearest)
    more = rng.choice(rest, n - len(nearest), replace=False)
    return np.concatenate([nearest, more])


def _authors_draw(
    points: Float[np.ndarray, "p d"], n: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Take one of the three nearest to each of n centres; all, and random repeats, if short."""
    everyone = np.arange(len(points))
    if n > len(points):
        return np.concatenate([everyone, rng.choice(everyone, n - len(points), replace=True)])
    clustering = k_means(points, n, seed=int(rng.integers(2**31)))
    chosen: list[int] = []
    for centre in clustering.centres:
        near = np.argsort(np.square(points - centre).sum(axis=1), kind="stable")[:3]
        chosen.append(int(rng.choice(near)))
    short = n - len(chosen)
    return np.concatenate([np.array(chosen), rng.choice(everyone, short, replace=True)])
