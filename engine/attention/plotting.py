"""The map that slices are cut from and drawn on: two coordinates for every image."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from engine.attention.presets import check_range
from engine.attention.projection import embed, fewest_for_umap, principal_components
from engine.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotConfig:
    """How images are laid out in the plane.

    Attributes:
        components: Principal components that UMAP reads, at least 2.
        n_neighbors: UMAP's neighbours, at least 2 (AttributionScanner: 20 for Waterbirds).
        min_dist: UMAP's least distance, in [0, 1) (the same: .05).
        fit_at_most: Of more images than this a random part is fitted, the rest put in.
    """

    components: int = 32
    n_neighbors: int = 20
    min_dist: float = 0.05
    fit_at_most: int = 100_000

    def __post_init__(self) -> None:
        check_range("plot.components", self.components, low=2)
        check_range("plot.n_neighbors", self.n_neighbors, low=2)
        check_range("plot.min_dist", self.min_dist, low=0, high=1, open_high=True)
        check_range("plot.fit_at_most", self.fit_at_most, low=4 * self.n_neighbors)


def laid_out_by(n: int, config: PlotConfig | None = None) -> str:
    """Say how so many images are laid out: by `umap`, or by `principal components` if they are few."""
    chosen = config or PlotConfig()
    return "umap" if n >= fewest_for_umap(chosen.n_neighbors) else "principal components"


def plot_coordinates(
    vectors: Float[np.ndarray, "m d"], config: PlotConfig | None = None, *, seed: int
) -> Float[np.ndarray, "m 2"]:
    """Lay images out in the plane, near one another where their vectors are alike.

    Unlike the attention space, which training images alone shape, a map is of the images that it
    shows.

    Args:
        vectors: One an image, finite.
        config: How; the defaults if left out.
        seed: Of UMAP; one seed gives byte-identical coordinates on one machine.

    Returns:
        Coordinates, float32.

    Raises:
        InvalidInput: Fewer than three images, or a vector is not finite.
    """
    chosen = config or PlotConfig()
    if len(vectors) < 3 or not np.isfinite(vectors).all():
        raise InvalidInput(
            f"a map needs finite vectors of at least 3 images, got {len(vectors)} images; check "
            "the classifier's weights for NaN, or choose a larger split"
        )
    components = principal_components(vectors, chosen.components).apply(vectors)
    found = embed(
        components,
        np.ones(len(vectors), dtype=bool),
        n_neighbors=chosen.n_neighbors,
        min_dist=chosen.min_dist,
        seed=seed,
        fit_at_most=chosen.fit_at_most,
    )
    return found.coordinates
