"""CoRM: noise where a flagged image's attention is, so that the place stops telling the class.

AttributionScanner (TVCG 2025), section on mitigation: `x' = x + m z` with m the attention mask,
enlarged and min-maxed at image size, z Gaussian; the images whose attention is judged spurious are
replaced. sigma is not printed; the reference code behind it (HardImageNet, Salient ImageNet) adds
.25 to pictures in [0, 1] before they are normalised, clamps, and leaves half of the draws clean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch.nn import functional

from engine.attention.extraction import ExtractionConfig
from engine.attention.presets import check_range
from engine.data.images import Preprocessing
from engine.data.manifest import ImageManifest
from engine.models.classifier import Classifier
from engine.progress import Progress, ignore_progress
from engine.training.frozen import frozen_features


@dataclass(frozen=True, slots=True, kw_only=True)
class CormConfig:
    """How flagged images are corrupted.

    Attributes:
        sigma: Standard deviation of the noise on pictures in [0, 1].
        probability: Of noise on a flagged image each time it is fed, where all layers are trained.
        beside: A head is fitted to the corrupted copies beside the clean images; False: in their
            place, as in the paper.
    """

    sigma: float = 0.25
    probability: float = 0.5
    beside: bool = False

    def __post_init__(self) -> None:
        check_range("retraining.corm.sigma", self.sigma, low=0)
        check_range("retraining.corm.probability", self.probability, low=0, high=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CorruptedFeatures:
    """Features of the corrupted copies of flagged images.

    Attributes:
        rows: The images' rows of the manifest, rising; none where nothing is flagged.
        features: What the linear head would read of each copy.
    """

    rows: Int[np.ndarray, " k"]
    features: Float[np.ndarray, "k d"]


@runtime_checkable
class Alteration(Protocol):
    """Changes pictures on their way into a network in training."""

    def __call__(
        self,
        images: Float[torch.Tensor, "b 3 s s"],
        rows: Int[np.ndarray, " b"],
        rng: np.random.Generator,
    ) -> Float[torch.Tensor, "b 3 s s"]:
        """Alter.

        Args:
            images: Normalised pictures.
            rows: Their rows of the manifest.
            rng: Of the draws.

        Returns:
            Normalised pictures of the same shape; those given are not changed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoisyAttention:
    """Adds noise to some of the flagged images in a batch, where their attention is.

    Attributes:
        rows: Flagged rows, rising.
        maps: Their raw maps of the true class.
        preprocessing: What the pictures went through.
        config: Noise and probability.
    """

    rows: Int[np.ndarray, " k"]
    maps: Float[np.ndarray, "k h w"]
    preprocessing: Preprocessing
    config: CormConfig

    def __call__(
        self,
        images: Float[torch.Tensor, "b 3 s s"],
        rows: Int[np.ndarray, " b"],
        rng: np.random.Generator,
    ) -> Float[torch.Tensor, "b 3 s s"]:
        """Alter; see `Alteration`."""
        tossed = rng.random(len(rows)) < self.config.probability
        noisy = np.flatnonzero(np.isin(rows, self.rows) & tossed)
        if not len(noisy):
            return images
        masks = noise_masks(self.maps[np.searchsorted(self.rows, rows[noisy])], images.shape[-1])
        draws = rng.standard_normal((len(noisy), *images.shape[1:]), dtype=np.float32)
        altered = images.clone()
        place = torch.from_numpy(noisy)
        altered[place] = add_noise(
            images[place],
            masks.to(images),
            torch.from_numpy(draws).to(images),
            self.preprocessing,
            sigma=self.config.sigma,
        )
        return altered


def flagged_rows(
    rows: Int[np.ndarray, " m"], suspect: Bool[np.ndarray, " m"], dead: Bool[np.ndarray, " m"]
) -> Int[np.ndarray, " k"]:
    """Give the images whose attention is judged spurious and known.

    Args:
        rows: Training images that were screened.
        suspect: Whose attention the screening takes for spurious.
        dead: Whose map holds no evidence: nowhere to put noise.

    Returns:
        The suspect rows, rising.
    """
    flagged: np.ndarray = np.sort(rows[suspect & ~dead])
    return flagged


def noise_masks(maps: Float[np.ndarray, "k h w"], size: int) -> Float32[torch.Tensor, "k s s"]:
    """Enlarge maps to image size, then stretch each over [0, 1].

    Args:
        maps: Raw attention maps.
        size: Side of the pictures in pixels.

    Returns:
        Masks, 1 where the attention is greatest; a constant map gives 0, no noise.
    """
    raw = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32)).unsqueeze(1)
    large = functional.interpolate(raw, size=(size, size), mode="bilinear", align_corners=False)
    low, high = large.amin(dim=(2, 3), keepdim=True), large.amax(dim=(2, 3), keepdim=True)
    spread = high - low
    # enlarging a constant map gives values that differ in their last bit
    is_map = spread > 1e-5 * high
    masks = torch.where(is_map, (large - low) / torch.where(is_map, spread, 1.0), 0.0)
    return masks.squeeze(1)


def add_noise(
    images: Float[torch.Tensor, "k 3 s s"],
    masks: Float[torch.Tensor, "k s s"],
    draws: Float[torch.Tensor, "k 3 s s"],
    preprocessing: Preprocessing,
    *,
    sigma: float,
) -> Float[torch.Tensor, "k 3 s s"]:
    """Give `clamp(x + m sigma z, 0, 1)` of pictures that are normalised already.

    Args:
        images: Normalised pictures.
        masks: m in [0, 1]; where it is 0 a pixel stays bit for bit.
        draws: z, standard normal.
        preprocessing: Mean and deviation to undo and do again.
        sigma: Of the noise, on pictures in [0, 1].

    Returns:
        Normalised pictures.
    """
    mean = torch.tensor(preprocessing.mean).to(images).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).to(images).view(1, 3, 1, 1)
    masks = masks.unsqueeze(1)
    noisy = (images * std + mean + masks * sigma * draws).clamp(0.0, 1.0)
    return torch.where(masks > 0, (noisy - mean) / std, images)


def corrupted_features(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " k"],
    maps: Float[np.ndarray, "k h w"],
    config: CormConfig,
    extraction: ExtractionConfig,
    *,
    seed: int,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> CorruptedFeatures:
    """Run the frozen network over corrupted copies, one of each flagged image.

    Args:
        manifest: The pictures.
        classifier: The network; its last layer takes no part.
        rows: Flagged rows, rising.
        maps: Their raw maps of the true class.
        config: The noise.
        extraction: Precision, batch size and workers.
        seed: Of the noise; each row has its own stream, so that batches do not matter.
        device: Where to compute, as torch names it.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        The features, in the order of the rows.

    Raises:
        ManifestError: A picture cannot be read.
    """

    def corrupted(images: torch.Tensor, part: slice) -> torch.Tensor:
        size = images.shape[-1]
        return add_noise(
            images,
            noise_masks(maps[part], size),
            noise_draws(seed, rows[part].tolist(), size),
            classifier.preprocessing,
            sigma=config.sigma,
        )

    features = frozen_features(
        manifest,
        classifier,
        rows,
        extraction,
        change=corrupted,
        device=device,
        on_progress=on_progress,
    )
    return CorruptedFeatures(rows=rows.astype(np.int64), features=features)


def noise_draws(seed: int, rows: Sequence[int], size: int) -> Float32[torch.Tensor, "b 3 s s"]:
    """Draw each row's noise from its own stream, so that batches do not matter.

    Args:
        seed: Of the noise, at least 0.
        rows: Rows of the manifest.
        size: Side of the pictures in pixels.

    Returns:
        Standard normal draws.
    """
    draws = [
        np.random.default_rng([seed, row]).standard_normal((3, size, size), dtype=np.float32)
        for row in rows
    ]
    return torch.from_numpy(np.stack(draws))
