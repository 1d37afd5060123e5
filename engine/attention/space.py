"""The attention space: images near one another where the model's evidence for them is alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.attention.presets import check_option, check_range, preset_options
from engine.attention.projection import (
    chunks,
    embed,
    first_components,
    mean_of,
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
        core_trustworthiness: Of the core coordinates, in [0, 1], on training rows.
        environment_trustworthiness: Of the environment coordinates, in [0, 1], on training rows.
        method: `umap`, or `principal components`: as asked, or for want of rows.
        n_fitted: Rows that the method was fitted on, at most `fit_at_most`; 0 where not recorded.
        core_trustworthiness_put_in: On those training rows alone that were put in because there
            are more than `fit_at_most`; NaN where all were fitted.
        environment_trustworthiness_put_in: Likewise.
    """

    rows: Int[np.ndarray, " m"]
    core: Float[np.ndarray, "m k"]
    environment: Float[np.ndarray, "m k"]
    core_components: Float[np.ndarray, "m p"]
    environment_components: Float[np.ndarray, "m q"]
    core_trustworthiness: float
    environment_trustworthiness: float
    method: str = "umap"
    n_fitted: int = 0
    core_trustworthiness_put_in: float = float("nan")
    environment_trustworthiness_put_in: float = float("nan")

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layout:
    """One half of the space: of the core vectors, or of the environment vectors."""

    coordinates: Float[np.ndarray, "m k"]
    components: Float[np.ndarray, "m p"]
    trustworthiness: float
    trustworthiness_put_in: float
    method: str
    n_fitted: int


def build_attention_space(
    core_vectors: Float[np.ndarray, "n d"],
    environment_vectors: Float[np.ndarray, "n e"],
    rows: Int[np.ndarray, " m"],
    fit: Bool[np.ndarray, " m"],
    config: SpaceConfig,
    *,
    seed: int,
    at: Int[np.ndarray, " m"] | None = None,
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
        at: Positions of the images in the vectors, which may lie on the disk and are read in
            parts; the vectors are those of `rows` if left out.
        on_progress: Told after each half.

    Returns:
        Coordinates and components of every row, float32.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: Fewer than three rows to fit on, or a vector is not finite.
    """
    place = np.arange(len(core_vectors)) if at is None else at
    is_aligned = len(core_vectors) == len(environment_vectors)
    if not (is_aligned and len(place) == len(rows) == len(fit)):
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
        _check_finite(name, vectors, place, rows)
        halves.append(_lay_out(vectors, place, fit, config, integer_seed(seed, f"{name} space")))
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
        n_fitted=core.n_fitted,
        core_trustworthiness_put_in=core.trustworthiness_put_in,
        environment_trustworthiness_put_in=environment.trustworthiness_put_in,
    )


def _check_finite(
    name: str,
    vectors: Float[np.ndarray, "n d"],
    place: Int[np.ndarray, " m"],
    rows: Int[np.ndarray, " m"],
) -> None:
    """Refuse vectors that hold NaN or infinity, naming the first image."""
    bad = np.zeros(len(rows), dtype=bool)
    for among, part in chunks(place):
        bad[among] = ~np.isfinite(vectors[part]).all(axis=1)
    if bad.any():
        raise InvalidInput(
            f"{int(bad.sum())} {name} vectors are not finite, the first at row "
            f"{int(rows[bad.argmax()])}; check the classifier's weights for NaN"
        )


def _lay_out(
    vectors: Float[np.ndarray, "n d"],
    at: Int[np.ndarray, " m"],
    fit: Bool[np.ndarray, " m"],
    config: SpaceConfig,
    seed: int,
) -> _Layout:
    """Make one half of the space."""
    if config.standardise:
        vectors, at = _standardised(vectors, at, fit), np.arange(len(at))
    components = principal_components(vectors, config.components, at=at[fit]).apply(vectors, at)
    if config.method == "umap":
        found = embed(
            components if config.umap_on == "components" else vectors[at].astype(np.float32),
            fit,
            n_neighbors=config.n_neighbors,
            min_dist=config.min_dist,
            seed=seed,
            dimension=config.dimension,
            fit_at_most=config.fit_at_most,
        )
    else:
        found = first_components(vectors, fit, config.dimension, at=at)
    put_in = fit & ~found.fitted
    return _Layout(
        coordinates=found.coordinates,
        components=components,
        trustworthiness=trustworthiness(vectors, found.coordinates[fit], seed=seed, at=at[fit]),
        trustworthiness_put_in=trustworthiness(
            vectors, found.coordinates[put_in], seed=seed, at=at[put_in]
        )
        if put_in.sum() > 2
        else float("nan"),
        method=found.method,
        n_fitted=int(found.fitted.sum()),
    )


def _standardised(
    vectors: Float[np.ndarray, "n d"], at: Int[np.ndarray, " m"], fit: Bool[np.ndarray, " m"]
) -> Float[np.ndarray, "m d"]:
    """Bring every dimension of the fitted vectors to mean 0 and variance 1."""
    mean = mean_of(vectors, at[fit])
    square = np.zeros(len(mean))
    for _, part in chunks(at[fit]):
        square += np.square(vectors[part] - mean).sum(axis=0)
    spread = np.sqrt(square / fit.sum())
    out = np.empty((len(at), len(mean)), dtype=np.float32)
    for among, part in chunks(at):
        out[among] = (vectors[part] - mean) / np.where(spread > 0, spread, 1.0)
    return out
