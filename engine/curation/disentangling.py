"""Divide images into feature groups: what the model looks at, by what surrounds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.attention.clustering import k_means
from engine.attention.presets import check_option, check_range, preset_options
from engine.attention.space import AttentionSpace
from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.budget import authors_elbow, elbow
from engine.randomness import integer_seed

CORES = ("class", "clusters", "class_clusters")
SPACES = ("coordinates", "components")
EXTENTS = ("all", "kept")
ELBOWS = ("chord", "authors")

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"core": "clusters", "environment_k": 0, "environment_over": "kept"},
    "authors": {
        "core": "clusters",
        "environment_k": 0,
        "environment_over": "kept",
        "elbow": "authors",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DisentanglingConfig:
    """How feature groups are made.

    Attributes:
        core: `class` (each class one core group), `clusters` of all kept images together (paper),
            or `class_clusters` inside each class.
        core_k: Core clusters; 0 takes the elbow.
        environment_k: Environment clusters over all classes together; 0 takes the elbow.
        environment_over: Cluster the environment of `all` images given, or of those `kept`.
        on: Cluster the 2-D `coordinates`, or the principal `components`.
        elbow: `chord` over 2 to 10 clusters, or the `authors`' rule over 2 to 5.
    """

    core: str = "class"
    core_k: int = 0
    environment_k: int = 2
    environment_over: str = "all"
    on: str = "coordinates"
    elbow: str = "chord"

    def __post_init__(self) -> None:
        check_option("disentangling.core", self.core, CORES)
        check_option("disentangling.environment_over", self.environment_over, EXTENTS)
        check_option("disentangling.on", self.on, SPACES)
        check_option("disentangling.elbow", self.elbow, ELBOWS)
        check_range("disentangling.core_k", self.core_k, low=0)
        check_range("disentangling.environment_k", self.environment_k, low=0)

    @classmethod
    def preset(cls, name: str) -> "DisentanglingConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureGroups:
    """Which feature group each image of a space belongs to.

    Attributes:
        rows: The space's rows of the manifest.
        members: Positions in `rows` of the images kept, rising.
        core: Core group of each image of the space, -1 where it is not kept.
        environment: Environment of each image, -1 where it is not kept: its environment cluster,
            divided by the cue it shows.
        cluster: Environment cluster of each image alone, -1 where it is not kept.
        shown: The cue that each image shows, 0 for none, -1 where it is not kept.
        n_candidates: Images that were to be screened: what a subset's fraction is a fraction of.
        n_core: Number of core groups.
        n_environment: Number of environments.
        core_is_class: A core group lies inside one class (so classes can be balanced).
    """

    rows: Int[np.ndarray, " m"]
    members: Int[np.ndarray, " k"]
    core: Int[np.ndarray, " m"]
    environment: Int[np.ndarray, " m"]
    cluster: Int[np.ndarray, " m"]
    shown: Int[np.ndarray, " m"]
    n_candidates: int
    n_core: int
    n_environment: int
    core_is_class: bool = True


def disentangle(
    space: AttentionSpace,
    classes: Int[np.ndarray, " m"],
    kept: Bool[np.ndarray, " m"],
    config: DisentanglingConfig | None = None,
    *,
    seed: int,
    among: Bool[np.ndarray, " m"] | None = None,
    shown: Int[np.ndarray, " m"] | None = None,
) -> FeatureGroups:
    """Cross core groups with environment clusters that cut across classes (SLIM, 3.4).

    Environment clusters made inside one class hardly separate a small minority; made over all
    classes together they do, and a core x environment cell then holds little else.

    Args:
        space: Of the images.
        classes: Of the space's images, from 0.
        kept: True for images that passed the screening.
        config: How; the defaults if left out.
        seed: Of the clusters.
        among: True for the images that curation may use (one split); all if left out.
        shown: The spurious cue that each image shows, 0 for none; it divides the environment
            clusters further. None is shown if left out.

    Returns:
        The groups; only images both kept and `among` are members.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: Nothing is kept.
    """
    chosen = config or DisentanglingConfig()
    usable = np.ones(len(space), dtype=bool) if among is None else among
    if not len(space) == len(classes) == len(kept) == len(usable):
        raise MisalignedRows("the space, classes, kept and among must describe the same images")
    inside = kept & usable
    if not inside.any():
        raise InvalidInput(
            f"none of {int(usable.sum())} images is kept, so there is nothing to group; lower the "
            "screening threshold, or set a floor"
        )
    coordinates = chosen.on == "coordinates"
    over = usable if chosen.environment_over == "all" else inside
    points = space.environment if coordinates else space.environment_components
    cluster = np.full(len(space), -1, dtype=np.int64)
    found = _clusters(points[over], chosen.environment_k, chosen, seed, "environment clusters")
    cluster[over] = found
    cluster[~inside] = -1
    cue = np.where(inside, 0 if shown is None else shown, -1)
    environment, n_environment = _crossed(cluster, cue, inside)
    core_points = space.core if coordinates else space.core_components
    core = _core(core_points, classes, inside, chosen, seed)
    return FeatureGroups(
        rows=space.rows,
        members=np.flatnonzero(inside),
        core=core,
        environment=environment,
        cluster=cluster,
        shown=cue,
        n_candidates=int(usable.sum()),
        n_core=int(core.max()) + 1,
        n_environment=n_environment,
        core_is_class=chosen.core != "clusters",
    )


def _crossed(
    cluster: Int[np.ndarray, " m"], cue: Int[np.ndarray, " m"], inside: Bool[np.ndarray, " m"]
) -> tuple[Int[np.ndarray, " m"], int]:
    """Number the environments, clusters in their order and cues inside them."""
    n_clusters, n_cues = int(cluster.max()) + 1, int(cue.max()) + 1
    if n_cues == 1:
        return cluster, n_clusters
    environment = np.full(len(cluster), -1, dtype=np.int64)
    pairs, number = np.unique(cluster[inside] * n_cues + cue[inside], return_inverse=True)
    environment[inside] = number.reshape(-1)
    return environment, len(pairs)


def _core(
    points: Float[np.ndarray, "m d"],
    classes: Int[np.ndarray, " m"],
    inside: Bool[np.ndarray, " m"],
    config: DisentanglingConfig,
    seed: int,
) -> Int[np.ndarray, " m"]:
    """Give each kept image its core group, -1 to the others."""
    core = np.full(len(points), -1, dtype=np.int64)
    if config.core == "class":
        core[inside] = classes[inside]
    elif config.core == "clusters":
        core[inside] = _clusters(points[inside], config.core_k, config, seed, "core clusters")
    else:
        following = 0
        for class_index in np.unique(classes[inside]).tolist():
            part = inside & (classes == class_index)
            stage = f"core clusters {class_index}"
            found = _clusters(points[part], config.core_k, config, seed, stage)
            core[part] = found + following
            following += int(found.max()) + 1
    return core


def _clusters(
    points: Float[np.ndarray, "p d"], k: int, config: DisentanglingConfig, seed: int, stage: str
) -> Int[np.ndarray, " p"]:
    """Cluster points into k, or into as many as the elbow says."""
    start = integer_seed(seed, stage)
    if k:
        return k_means(points, k, seed=start).labels
    distinct = len(np.unique(points, axis=0))
    highest = 5 if config.elbow == "authors" else 10
    options = range(2, min(highest, distinct) + 1)
    tried = [k_means(points, option, seed=start) for option in options]
    if not tried:
        return np.zeros(len(points), dtype=np.int64)
    errors = [clustering.inertia for clustering in tried]
    if config.elbow == "authors" and len(tried) > 2:
        return tried[authors_elbow(errors, options) - 2].labels
    return tried[elbow(options, errors)].labels
