"""Draw the balanced subset: so many images from each feature group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int

from engine.attention.clustering import k_means
from engine.attention.presets import check_option, check_range, preset_options
from engine.attention.space import AttentionSpace
from engine.curation.allocation import Allocation, AllocationConfig, allocate
from engine.curation.balancing import balancing_weights
from engine.curation.disentangling import FeatureGroups
from engine.errors import InvalidInput

DRAWS = ("random", "diverse", "authors", "by_score")
WEIGHTINGS = ("balanced", "none")

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"draw": "diverse", "weighting": "none"},
    "authors": {"draw": "authors", "weighting": "none"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetConfig:
    """How large the subset is, and how members of a group are chosen.

    Attributes:
        fraction: Of the images that curation may use, in (0, 1]; used where `size` is 0.
        size: Images in all; 0 takes the fraction.
        draw: `random` inside a group; `diverse`: the image nearest each of as many environment
            clusters; `authors`: one of the three nearest, and repeats where a group is short;
            `by_score`: with probability proportional to the score to the power `power`, which
            with the screening rule `none` is a soft alternative to screening.
        power: Of the score under `by_score` and under the allocation's `effective_size`, above 0.
        weighting: `balanced`: images count in retraining so that environment clusters and cues are
            equally frequent in all classes, also where a cell holds fewer than its share; `none`.
    """

    fraction: float = 0.2
    size: int = 0
    draw: str = "random"
    power: float = 2.0
    weighting: str = "balanced"

    def __post_init__(self) -> None:
        check_range("subset.fraction", self.fraction, low=0, high=1, open_low=True)
        check_range("subset.size", self.size, low=0)
        check_option("subset.draw", self.draw, DRAWS)
        check_range("subset.power", self.power, low=0, open_low=True)
        check_option("subset.weighting", self.weighting, WEIGHTINGS)

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
        weights: How much each image counts in retraining, above 0, on average 1 in each class.
        has_repeats: Some image is drawn more than once (only with the authors' draw).
        warnings: What a reader must know, e.g. that screening kept less than the fraction.
    """

    rows: Int[np.ndarray, " s"]
    core: Int[np.ndarray, " s"]
    environment: Int[np.ndarray, " s"]
    cells: Allocation
    weights: Float64[np.ndarray, " s"]
    has_repeats: bool = False
    warnings: tuple[str, ...] = ()

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
    scores: Float[np.ndarray, " m"] | None = None,
) -> Subset:
    """Draw a subset that is balanced over feature groups (SLIM, 3.4).

    Args:
        groups: The feature groups.
        classes: Of the space's images.
        space: Of the same images.
        config: Size and draw; the defaults if left out.
        rng: Of the draw; a generator of seed 0 if left out.
        allocation: How the size is shared among groups; the defaults if left out.
        scores: P(core) of the space's images, for the draw `by_score` and for the allocation's
            `effective_size`; not read by any other.

    Returns:
        The subset. No image comes twice, unless the authors' draw fills up a short group. Where
        the fraction asks for more than is kept, all that is kept, and a warning.

    Raises:
        InvalidInput: The size asked for in whole images is larger than what is kept, or scores
            are needed and missing.
    """
    chosen, sharing = config or SubsetConfig(), allocation or AllocationConfig()
    generator = rng or np.random.default_rng(0)
    importance = _importance(chosen, sharing, scores)
    size, warnings = _size(chosen, groups, sharing)
    shared = allocate(groups, classes, space, size, sharing, importance=importance)
    drawn: list[Int[np.ndarray, " p"]] = []
    for core, environment, allotted in zip(
        shared.core.tolist(), shared.environment.tolist(), shared.allotted.tolist(), strict=True
    ):
        here = (groups.core == core) & (groups.environment == environment)
        members = np.flatnonzero(here)
        if chosen.draw == "by_score" and importance is not None:
            picked = _weighted_draw(importance[members], allotted, generator)
        else:
            points = space.environment[members].astype(np.float64)
            picked = _draw(points, allotted, chosen.draw, generator)
        drawn.append(np.sort(members[picked]))
    positions = np.concatenate(drawn)
    rows = groups.rows[positions]
    partitions = (groups.cluster[positions], groups.shown[positions])
    return Subset(
        rows=rows,
        core=groups.core[positions],
        environment=groups.environment[positions],
        cells=shared,
        weights=balancing_weights(classes[positions], partitions)
        if chosen.weighting == "balanced"
        else np.ones(len(rows)),
        has_repeats=len(np.unique(rows)) < len(rows),
        warnings=warnings,
    )


def needs_scores(config: SubsetConfig, allocation: AllocationConfig) -> bool:
    """Tell whether a draw reads the scores themselves, beyond what screening made of them."""
    return config.draw == "by_score" or allocation.weights == "effective_size"


def _importance(
    config: SubsetConfig, allocation: AllocationConfig, scores: Float[np.ndarray, " m"] | None
) -> Float[np.ndarray, " m"] | None:
    """Give how much each image counts; None where scores are not read."""
    if not needs_scores(config, allocation):
        return None
    if scores is None or not np.isfinite(scores).all():
        raise InvalidInput(
            f"subset.draw {config.draw} with allocation.weights {allocation.weights} needs a score "
            "for every image, got none for some; spread the answers first"
        )
    counted: np.ndarray = np.clip(scores.astype(np.float64), 0.0, 1.0) ** config.power
    return counted


def _size(
    config: SubsetConfig, groups: FeatureGroups, allocation: AllocationConfig
) -> tuple[int, tuple[str, ...]]:
    """Give the images to draw, and a warning where a fraction asks for more than is kept.

    A fraction of few images in many classes would leave classes without any, which no head could
    then learn: every group gets one.
    """
    kept = len(groups.members)
    if config.size:
        return config.size, ()
    wanted = max(1, round(config.fraction * groups.n_candidates))
    inside = groups.members
    n_groups = len(np.unique(np.stack([groups.core[inside], groups.environment[inside]]), axis=1).T)
    if wanted < n_groups and allocation.capped:
        warning = (
            f"the subset holds {n_groups} images, one of every feature group, not the {wanted} that "
            f"a fraction of {config.fraction:g} of {groups.n_candidates} asks for; ask for fewer "
            "environments, or for more images"
        )
        return n_groups, (warning,)
    if wanted <= kept or not allocation.capped:
        return wanted, ()
    warning = (
        f"the subset holds all {kept} images that are kept, not the {wanted} that a fraction of "
        f"{config.fraction:g} of {groups.n_candidates} asks for; keep more by a lower screening "
        "threshold, or ask for less"
    )
    return kept, (warning,)


def _weighted_draw(
    importance: Float[np.ndarray, " p"], n: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Draw n without replacement, one after another in proportion to what is left.

    By exponential keys (Efraimidis and Spirakis, 2006): the n smallest of e_i / v_i. Images that
    count for nothing come last, at random among themselves.
    """
    times = rng.exponential(size=len(importance))
    nothing = importance <= 0
    keys = times / np.where(nothing, 1.0, importance)
    order: np.ndarray = np.lexsort((keys, nothing))[:n]
    return order


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
