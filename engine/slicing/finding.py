"""Find slices without metadata: k-means on the map, with k raised until all slices are coherent.

AttributionScanner (TVCG 2025), III-D and A-II. Clusters are of the plotted coordinates, so that
they are apart on the map; coherence is judged in full space. This module needs scikit-learn, and
runs in a worker; the rest of the package does not.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from engine.attention.clustering import k_means
from engine.attention.presets import check_range
from engine.errors import InvalidInput, MisalignedRows
from engine.progress import Progress, ignore_progress
from engine.slicing.metrics import slice_moments
from engine.slicing.slice_set import SliceSet, first_set


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingConfig:
    """When slices are fine enough.

    Attributes:
        threshold: Coherence that every slice must reach, in [-1, 1].
        fewest: Slices to start from, at least 1.
        growth: Factor from one number of slices to the next, above 1.
        judged_from: Smaller slices are kept, but not judged: a mean of few says little.
        n_slices: This many, whatever their coherence; 0: as many as the threshold asks for.
    """

    threshold: float = 0.8
    fewest: int = 4
    growth: float = 1.25
    judged_from: int = 3
    n_slices: int = 0

    def __post_init__(self) -> None:
        check_range("slices.threshold", self.threshold, low=-1, high=1)
        check_range("slices.fewest", self.fewest, low=1)
        check_range("slices.growth", self.growth, low=1, open_low=True)
        check_range("slices.judged_from", self.judged_from, low=1)
        check_range("slices.n_slices", self.n_slices, low=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingStep:
    """One number of slices that was tried.

    Attributes:
        n_slices: Slices that came out.
        least: Coherence of the least coherent judged slice.
        mean: Mean coherence, images weighing the same.
        reached: Share of judged slices that reach the threshold.
    """

    n_slices: int
    least: float
    mean: float
    reached: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundSlices:
    """Slices, and how they came about.

    Attributes:
        slices: Version 0.
        coherence: Of each slice, in [-1, 1].
        curve: What was tried, in order.
        reason: `coherent`, `most slices` (the cap was reached first), or `asked for`.
    """

    slices: SliceSet
    coherence: Float[np.ndarray, " k"]
    curve: tuple[FindingStep, ...]
    reason: str


def most_slices(n_images: int) -> int:
    """Give the most slices for a number of images: four times the root of half of it."""
    return max(1, min(n_images, math.ceil(4 * math.sqrt(n_images / 2))))


def find_slices(
    coordinates: Float[np.ndarray, "m 2"],
    vectors: Float[np.ndarray, "m d"],
    rows: Int[np.ndarray, " m"],
    config: FindingConfig | None = None,
    *,
    seed: int,
    on_progress: Progress = ignore_progress,
) -> FoundSlices:
    """Cut the map into slices, no finer than coherence asks for.

    Args:
        coordinates: As plotted, finite.
        vectors: Attention-weighted features of the predicted class.
        rows: The images' rows in the manifest.
        config: When to stop; the defaults if left out.
        seed: Of k-means, in [0, 2**31).
        on_progress: Told (slices tried, most slices); may raise `Cancelled`.

    Returns:
        The slices; every image is in one, and however rare a slice is, it is kept.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: There is no image, or a coordinate is not finite.
    """
    chosen = config or FindingConfig()
    if not len(coordinates) == len(vectors) == len(rows):
        raise MisalignedRows(
            f"{len(coordinates)} coordinates, {len(vectors)} vectors and {len(rows)} rows do not "
            "describe the same images"
        )
    if not len(rows) or not np.isfinite(coordinates).all():
        raise InvalidInput(f"slices need finite coordinates of at least one image, got {len(rows)}")
    cap = most_slices(len(rows))
    wanted = min(chosen.n_slices or chosen.fewest, len(rows) if chosen.n_slices else cap)
    curve: list[FindingStep] = []
    while True:
        labels = k_means(coordinates, wanted, seed=seed).labels
        slices = first_set(rows, labels)
        coherence = slice_moments(slices, vectors).coherence()
        curve.append(_step(slices.sizes(), coherence, chosen))
        on_progress(min(wanted, cap), cap)
        if chosen.n_slices or curve[-1].reached == 1.0 or wanted >= cap:
            break
        wanted = min(cap, max(wanted + 1, math.ceil(wanted * chosen.growth)))
    reason = "coherent" if curve[-1].reached == 1.0 else "most slices"
    return FoundSlices(
        slices=slices,
        coherence=coherence,
        curve=tuple(curve),
        reason="asked for" if chosen.n_slices else reason,
    )


def _step(
    sizes: Int[np.ndarray, " k"], coherence: Float[np.ndarray, " k"], config: FindingConfig
) -> FindingStep:
    judged = coherence[sizes >= config.judged_from]
    # where all slices are rare there is nothing to hold against them
    reached = float((judged >= config.threshold).mean()) if len(judged) else 1.0
    return FindingStep(
        n_slices=len(sizes),
        least=float(judged.min(initial=1.0)),
        mean=float(np.average(coherence, weights=sizes)),
        reached=reached,
    )
