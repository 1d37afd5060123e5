"""Frozen features of pictures with noise off the core or on it: what core sensitivity is read from.

The noise does not depend on the last layer, so one pass serves every head that is to be judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int
from torch.nn import functional

from engine.attention.extraction import ExtractionConfig
from engine.data.manifest import ImageManifest
from engine.models.classifier import Classifier
from engine.progress import Progress, ignore_progress
from engine.training.corruption import add_noise, noise_draws, noise_masks
from engine.training.frozen import Change, frozen_features

Core = Callable[[int, int], np.ndarray]
"""Gives the core of a row at a size in pixels, in [0, 1]."""


class Side(StrEnum):
    """Where the noise falls."""

    OFF_CORE = "off_core"
    ON_CORE = "on_core"


def core_of_regions(region_of: Callable[[int], Bool[np.ndarray, "H W"] | None]) -> Core:
    """Give cores from true regions, each pixel that of the nearest one.

    Args:
        region_of: The object's true region of a row.

    Returns:
        The cores: 1 on the object; all 1 where no region is known.
    """

    def core(row: int, size: int) -> np.ndarray:
        region = region_of(row)
        if region is None:
            return np.ones((size, size), dtype=np.float32)
        whole = torch.from_numpy(region.astype(np.float32))[None, None]
        return functional.interpolate(whole, size=(size, size), mode="nearest")[0, 0].numpy()

    return core


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EstimatedCores:
    """Cores where nobody knows the true ones: the map, turned round where it is spurious.

    In a slice marked core the attention is the core; in one marked spurious it is all but the
    core (A12 of the method notes: the paper does not say). What is judged by them is estimated,
    and to be called so.

    Attributes:
        rows: Rows of the manifest, rising.
        maps: Their raw attention maps.
        spurious: Whose slice is spurious.
    """

    rows: Int[np.ndarray, " m"]
    maps: Float32[np.ndarray, "m h w"]
    spurious: Bool[np.ndarray, " m"]

    def __call__(self, row: int, size: int) -> np.ndarray:
        """Give the core of one of the rows at a size."""
        at = int(np.searchsorted(self.rows, row))
        mask = noise_masks(self.maps[at : at + 1], size)[0].numpy()
        return 1.0 - mask if self.spurious[at] else mask


def noise_on(
    side: Side,
    core: Core,
    rows: Int[np.ndarray, " m"],
    classifier: Classifier,
    *,
    sigma: float,
    seed: int,
) -> Change:
    """Give a change of normalised pictures: noise on one side of the core.

    Args:
        side: Off the core or on it.
        core: Of each row.
        rows: The rows, in the order in which they will be passed.
        classifier: Whose pictures they are.
        sigma: Of the noise, on pictures in [0, 1].
        seed: Of the noise, at least 0; each row has its own stream.

    Returns:
        The change.
    """

    def change(images: torch.Tensor, part: slice) -> torch.Tensor:
        size, own = images.shape[-1], [int(row) for row in rows[part]]
        cores = np.stack([core(row, size) for row in own]).astype(np.float32)
        return add_noise(
            images,
            torch.from_numpy(cores if side is Side.ON_CORE else 1.0 - cores),
            noise_draws(seed, own, size),
            classifier.preprocessing,
            sigma=sigma,
        )

    return change


def noisy_features(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    side: Side,
    core: Core,
    extraction: ExtractionConfig,
    *,
    sigma: float = 0.25,
    seed: int,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Float32[np.ndarray, "m d"]:
    """Run the frozen network over pictures with noise on one side of the core.

    Args:
        manifest: The pictures.
        classifier: The network; its last layer takes no part.
        rows: The rows wanted.
        side: Where the noise falls.
        core: Of each row.
        extraction: Precision, batch size and workers.
        sigma: Of the noise, on pictures in [0, 1].
        seed: Of the noise, at least 0.
        device: Where to compute, as torch names it.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        What the last linear layer would read, in the order of the rows.

    Raises:
        ManifestError: A picture or a region cannot be read.
    """
    return frozen_features(
        manifest,
        classifier,
        rows,
        extraction,
        change=noise_on(side, core, rows, classifier, sigma=sigma, seed=seed),
        device=device,
        on_progress=on_progress,
    )
