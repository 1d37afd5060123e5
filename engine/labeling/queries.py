"""Which few images to ask about: typical ones of the attention space, by one of four strategies."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.attention.clustering import k_means, k_medoids
from engine.attention.presets import check_option, check_range, preset_options
from engine.attention.space import AttentionSpace
from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.aggregation import AttentionLabels
from engine.labeling.graph import AffinityGraph
from engine.labeling.influence import next_best
from engine.labeling.spreading import SpreadingConfig, build_graph
from engine.labeling.votes import AttentionLabel

STRATEGIES = ("centres", "random", "k_medoids", "influence")
PICKS = ("nearest", "one_of_five")

_PRESETS: Mapping[str, Mapping[str, Any]] = {"authors": {"pick": "one_of_five"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryConfig:
    """How queries are chosen.

    Attributes:
        budget: Images to ask about in all; 0 takes the elbow's proposal.
        strategy: `centres` of k-means, `random`, `k_medoids`, or `influence`: the next best one
            after another, by how many images it speaks for and how unsure these are.
        pick: `nearest` to each cluster's centre, or a random `one_of_five` nearest (authors);
            of `centres`.
    """

    budget: int = 0
    strategy: str = "centres"
    pick: str = "nearest"

    def __post_init__(self) -> None:
        check_range("queries.budget", self.budget, low=0)
        check_option("queries.strategy", self.strategy, STRATEGIES)
        check_option("queries.pick", self.pick, PICKS)

    @classmethod
    def preset(cls, name: str) -> "QueryConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One image to ask about.

    Attributes:
        row: The image's row in the manifest.
        class_index: Its class.
        cluster: Its cluster inside the class, or -1 for one taken because clusters ran out, or
            where a strategy makes no clusters.
    """

    row: int
    class_index: int
    cluster: int


def share_budget(
    sizes: Int[np.ndarray, " c"],
    budget: int,
    *,
    earlier: Int[np.ndarray, " c"] | None = None,
    rng: np.random.Generator | None = None,
) -> Int[np.ndarray, " c"]:
    """Share a budget equally among classes, giving a small class's surplus to the others.

    As if each image went to the class that was asked about least so far, earlier rounds counted,
    and that still has images; so rounds together reach every class, however many there are.

    Args:
        sizes: Images that can be asked about in each class.
        budget: Images to ask about in all, at least 0.
        earlier: Images that earlier rounds asked about in each class; none if left out.
        rng: Of the choice among classes asked about equally often, drawn from only where the
            budget is smaller than the number of classes that have images. Without it, and with a
            larger budget, the first class wins.

    Returns:
        Images to ask about in each class; their sum is the budget, or all there are.

    Raises:
        InvalidInput: The budget is negative.
        MisalignedRows: `earlier` is not of the same classes.
    """
    if budget < 0:
        raise InvalidInput(f"a budget of queries must be at least 0, got {budget}")
    before = np.zeros_like(sizes) if earlier is None else earlier
    if len(before) != len(sizes):
        raise MisalignedRows(f"earlier queries of {len(before)} classes for {len(sizes)} classes")
    total = min(budget, int(sizes.sum()))
    if total == 0:
        return np.zeros_like(sizes)

    def up_to(level: int) -> Int[np.ndarray, " c"]:
        held: np.ndarray = np.clip(level - before, 0, sizes)
        return held

    levels = range(int((before + sizes).max()) + 1)
    level = bisect_right(levels, total, key=lambda tried: int(up_to(tried).sum())) - 1
    shares = up_to(level)
    following = np.flatnonzero((before <= level) & (shares < sizes))
    if rng is not None and budget < np.count_nonzero(sizes):
        following = rng.permutation(following)
    shares[following[: total - int(shares.sum())]] += 1
    return shares


def select_queries(
    space: AttentionSpace,
    classes: Int[np.ndarray, " m"],
    eligible: Bool[np.ndarray, " m"],
    budget: int,
    rng: np.random.Generator,
    *,
    asked: Iterable[int] = (),
    pick: str = "nearest",
    strategy: str = "centres",
    labels: AttentionLabels | None = None,
    spreading: SpreadingConfig | None = None,
) -> tuple[Query, ...]:
    """Choose typical images of each class on the core coordinates (SLIM, 3.2).

    In a later round `centres` and `k_medoids` are made for the earlier queries too, and those
    that an earlier query holds are left out, so that new queries go where nobody looked yet;
    `influence` counts what the earlier answers say already.

    Args:
        space: Of the images.
        classes: Of the space's images, from 0.
        eligible: True for images that may be asked about (training images with a live map).
        budget: New queries in all; shared so that the rounds together ask about classes equally.
        rng: Of the clusters' random starts, of random choices, of the choice among five, and of
            the classes asked about where there are more of them than the budget.
        asked: Rows of the manifest that earlier rounds asked.
        pick: `nearest` to each centre, or `one_of_five`.
        strategy: `centres`, `random`, `k_medoids` or `influence`.
        labels: Of the space's images, for `influence`: what is answered so far. Rows that were
            asked and have no label count as answered either way.
        spreading: For `influence`: the graph and alpha; the defaults if left out.

    Returns:
        At most `budget` queries with distinct rows, by class and cluster, or in the order in which
        `influence` chose them; none was asked before.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: The budget is not positive, or no image can be asked about.
    """
    check_option("queries.pick", pick, PICKS)
    check_option("queries.strategy", strategy, STRATEGIES)
    if not len(space) == len(classes) == len(eligible):
        raise MisalignedRows(
            f"the space, classes and eligibility must describe the same images, got "
            f"{len(space)}, {len(classes)} and {len(eligible)}"
        )
    if labels is not None and len(labels) != len(space):
        raise MisalignedRows(f"{len(labels)} labels for the {len(space)} images of the space")
    config = spreading or SpreadingConfig()
    old = np.isin(space.rows, np.fromiter(asked, dtype=np.int64))
    fresh = eligible & ~old
    if budget < 1 or not fresh.any():
        raise InvalidInput(
            f"cannot choose {budget} queries among {int(fresh.sum())} images that may still be "
            "asked about; give a budget of at least 1, and images with a live attention map"
        )
    n_classes = int(classes.max()) + 1
    shares = share_budget(
        np.bincount(classes[fresh], minlength=n_classes),
        budget,
        earlier=np.bincount(classes[old], minlength=n_classes),
        rng=rng,
    )
    queries: list[Query] = []
    for class_index in range(n_classes):
        members = np.flatnonzero((classes == class_index) & (fresh | old))
        seed = int(rng.integers(2**31))
        wanted = int(shares[class_index])
        if wanted == 0:
            continue
        points = space.core[members].astype(np.float64)
        if strategy == "influence":
            members = np.flatnonzero(classes == class_index)
            known = None if labels is None else labels.restricted_to(members)
            graph = build_graph(space.core[members], config, class_index=class_index)
            chosen = _influential(graph, old[members], fresh[members], known, wanted, config)
        elif strategy == "random":
            drawn = np.sort(rng.choice(np.flatnonzero(~old[members]), wanted, replace=False))
            chosen = [(at, -1) for at in drawn.tolist()]
        elif strategy == "k_medoids":
            medoids = k_medoids(points, wanted, seed=seed, fixed=np.flatnonzero(old[members]))
            chosen = [(at, -1) for at in medoids.tolist()]
        else:
            chosen = _typical(points, old[members], wanted, pick, rng, seed)
        queries.extend(
            Query(row=int(space.rows[members[at]]), class_index=class_index, cluster=cluster)
            for at, cluster in chosen
        )
    return tuple(queries)


def _influential(
    graph: AffinityGraph,
    old: Bool[np.ndarray, " p"],
    fresh: Bool[np.ndarray, " p"],
    labels: AttentionLabels | None,
    wanted: int,
    config: SpreadingConfig,
) -> list[tuple[int, int]]:
    """Choose points of one class one after another, by influence x uncertainty."""
    core, answered = np.where(old, config.prior, 0.0), old.copy()
    if labels is not None:
        said = labels.labels != AttentionLabel.UNLABELED
        core = np.where(said, np.nan_to_num(labels.core_probability), core)
        answered |= said
    spurious = np.where(answered, 1.0 - core, 0.0)
    chosen = next_best(graph, core, spurious, fresh, wanted, config.alpha)
    return [(at, -1) for at in chosen.tolist()]


def _typical(
    points: Float[np.ndarray, "p d"],
    old: Bool[np.ndarray, " p"],
    wanted: int,
    pick: str,
    rng: np.random.Generator,
    seed: int,
) -> list[tuple[int, int]]:
    """Choose points of one class: (position, cluster) of each, one a cluster as far as they go."""
    clustering = k_means(points, min(len(points), wanted + int(old.sum())), seed=seed)
    labels = clustering.labels
    taken = np.zeros(len(clustering.centres), dtype=bool)
    taken[labels[old]] = True
    by_size = np.argsort(-np.bincount(labels), kind="stable")
    free = np.sort([cluster for cluster in by_size if not taken[cluster]][:wanted])
    chosen: list[tuple[int, int]] = []
    for cluster in free.astype(int).tolist():
        members = np.flatnonzero(labels == cluster)
        away = np.square(points[members] - clustering.centres[cluster]).sum(axis=1)
        near = members[np.argsort(away, kind="stable")]
        chosen.append((int(near[0] if pick == "nearest" else rng.choice(near[:5])), cluster))
    return chosen + _farthest(points, old, [at for at, _ in chosen], wanted - len(chosen))


def _farthest(
    points: Float[np.ndarray, "p d"], old: Bool[np.ndarray, " p"], chosen: list[int], wanted: int
) -> list[tuple[int, int]]:
    """Fill up with the points farthest from all asked and chosen ones, where clusters ran out."""
    used = old.copy()
    used[chosen] = True
    away = np.full(len(points), np.inf)
    for at in np.flatnonzero(used).tolist():
        away = np.minimum(away, np.square(points - points[at]).sum(axis=1))
    extra: list[tuple[int, int]] = []
    for _ in range(wanted):
        at = int(np.where(used, -1.0, away).argmax())
        used[at] = True
        away = np.minimum(away, np.square(points - points[at]).sum(axis=1))
        extra.append((at, -1))
    return extra
