"""The attention space: images near one another where the model's evidence for them is alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.attention.presets import check_option, check_range, preset_options
from engine.attention.projection import (
    embed,
    first_components,
    principal_components,
    trustworthiness,
)
from engine.errors import InvalidInput, MisalignedRows
from engine.progress import Progress, ignore_progress
from engine.randomness import integer_seed

UMAP_ON = ("components", "vectors")
METHODS = ("umap", "principal_components")
MOST_DIMENSIONS = 32

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"umap_on": "vectors"},
    "authors": {"umap_on": "vectors", "n_neighbors": 5, "fit_at_most": 100_000},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceConfig:
    """How the attention space is made.

    Attributes:
        components: Principal components kept, at least 2.
        dimension: Coordinates of the space, in [2, 32], no more than `components`. Queries,
            spreading and clusters use all of them; a picture of the space shows the first two.
        method: `umap`, or `principal_components`: the first of them, nothing unfolded.
        n_neighbors: UMAP's neighbours, at least 2; 5 in the authors' code.
        min_dist: UMAP's least distance between points, in [0, 1).
        standardise: Bring every dimension of the vectors to variance 1 first.
        umap_on: `components`, or `vectors` (paper and authors: no principal components before).
        fit_at_most: Of more training rows than this a random part is fitted, the rest put in.
    """

    components: int = 32
    dimension: int = 2
    method: str = "umap"
    n_neighbors: int = 15
    min_dist: float = 0.0
    standardise: bool = False
    umap_on: str = "components"
    fit_at_most: int = 100_000

    def __post_init__(self) -> None:
        check_range("space.components", self.components, low=2)
        check_range("space.dimension", self.dimension, low=2, high=MOST_DIMENSIONS)
        if self.dimension > self.components:
            raise InvalidInput(
                f"space.dimension must be at most space.components, got {self.dimension} and "
                f"{self.components}"
            )
        check_option("space.method", self.method, METHODS)
        check_range("space.n_neighbors", self.n_neighbors, low=2)
        check_range("space.min_dist", self.min_dist, low=0, high=1, open_high=True)
        check_range("space.fit_at_most", self.fit_at_most, low=4 * self.n_neighbors)
        check_option("space.umap_on", self.umap_on, UMAP_ON)

    @classmethod
    def preset(cls, name: str) -> "SpaceConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionSpace:
    """Where the model looks, and what surrounds it, as coordinates.

    Attributes:
        rows: The rows of the manifest described, in the order of the other arrays.
        core: Coordinates of the attention-weighted features (SLIM's F_A).
        environment: Coordinates of the inverse-weighted features.
        core_components: Principal components of the attention-weighted features.
        environment_components: Principal components of the inverse-weighted features.
        core_trustworthiness: Of the core coordinates, in [0, 1], on fitted rows.
        environment_trustworthiness: Of the environment coordinates, in [0, 1], on fitted rows.
        method: `umap`, or `principal components`: as asked, or for want of rows.
    """

    rows: Int[np.ndarray, " m"]
    core: Float[np.ndarray, "m k"]
    environment: Float[np.ndarray, "m k"]
    core_components: Float[np.ndarray, "m p"]
    environment_components: Float[np.ndarray, "m q"]
    core_trustworthiness: float
    environment_trustworthiness: float
    method: str = "umap"

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layout:
    """One half of the space: of the core vectors, or of the environment vectors."""

    coordinates: Float[np.ndarray, "m k"]
    components: Float[np.ndarray, "m p"]
    trustworthiness: float
    method: str


def build_attention_space(
    core_vectors: Float[np.ndarray, "m d"],
    environment_vectors: Float[np.ndarray, "m e"],
    rows: Int[np.ndarray, " m"],
    fit: Bool[np.ndarray, " m"],
    config: SpaceConfig,
    *,
    seed: int,
    on_progress: Progress = ignore_progress,
) -> AttentionSpace:
    """Lay images out by what the model's attention rests on, and by what it leaves (SLIM, 3.2).

    Principal components and UMAP are fitted on the rows with `fit` alone; the others are put in
    afterwards, so the fitted rows' coordinates do not depend on them. All classes together.

    Args:
        core_vectors: Attention-weighted features, finite.
        environment_vectors: Inverse-weighted features of the same images, finite.
        rows: The images' rows in the manifest.
        fit: True for the rows to fit on (the training rows).
        config: How.
        seed: Of UMAP; one seed gives byte-identical arrays on one machine.
        on_progress: Told after each half.

    Returns:
        Coordinates and components of every row, float32.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: Fewer than three rows to fit on, or a vector is not finite.
    """
    lengths = {len(core_vectors), len(environment_vectors), len(rows), len(fit)}
    if len(lengths) != 1:
        raise MisalignedRows(
            f"core vectors, environment vectors, rows and fit must describe the same images, "
            f"got {len(core_vectors)}, {len(environment_vectors)}, {len(rows)} and {len(fit)}"
        )
    if int(fit.sum()) < 3:
        raise InvalidInput(
            f"an attention space needs at least 3 images to fit on, got {int(fit.sum())}; "
            "give the training split more images"
        )
    halves: list[_Layout] = []
    for name, vectors in (("core", core_vectors), ("environment", environment_vectors)):
        _check_finite(name, vectors, rows)
        halves.append(_lay_out(vectors, fit, config, integer_seed(seed, f"{name} space")))
        on_progress(len(halves), 2)
    core, environment = halves
    return AttentionSpace(
        rows=rows.astype(np.int64),
        core=core.coordinates,
        environment=environment.coordinates,
        core_components=core.components,
        environment_components=environment.components,
        core_trustworthiness=core.trustworthiness,
        environment_trustworthiness=environment.trustworthiness,
        method=core.method,
    )


def _check_finite(
    name: str, vectors: Float[np.ndarray, "m d"], rows: Int[np.ndarray, " m"]
) -> None:
    """Refuse vectors that hold NaN or infinity, naming the first image."""
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise InvalidInput(
            f"{int(bad.sum())} {name} vectors are not finite, the first at row "
            f"{int(rows[bad.argmax()])}; check the classifier's weights for NaN"
        )


def _lay_out(
    vectors: Float[np.ndarray, "m d"], fit: Bool[np.ndarray, " m"], config: SpaceConfig, seed: int
) -> _Layout:
    """Make one half of the space."""
    if config.standardise:
        fitted = vectors[fit].astype(np.float64)
        spread = fitted.std(axis=0)
        vectors = (vectors - fitted.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        vectors = vectors.astype(np.float32)
    components = principal_components(vectors[fit], config.components).apply(vectors)
    if config.method == "umap":
        found = embed(
            components if config.umap_on == "components" else vectors.astype(np.float32),
            fit,
            n_neighbors=config.n_neighbors,
            min_dist=config.min_dist,
            seed=seed,
            dimension=config.dimension,
            fit_at_most=config.fit_at_most,
        )
    else:
        found = first_components(vectors.astype(np.float32), fit, config.dimension)
    trust = trustworthiness(vectors[fit], found.coordinates[fit], seed=seed)
    return _Layout(
        coordinates=found.coordinates,
        components=components,
        trustworthiness=trust,
        method=found.method,
    )
