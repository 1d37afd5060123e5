"""Core masks: how much of each place is core, and pictures with noise wherever it is not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from engine.attention.presets import check_option, check_range, preset_options
from engine.data.resampling import upsample
from engine.errors import InvalidInput, MisalignedRows

KINDS = ("soft", "binary")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreMaskConfig:
    """How core masks are made.

    Attributes:
        kind: `soft` (the attention itself, as CoRM does), or `binary` at `threshold`.
        threshold: Of the attention at image size, in (0, 1]; at or above it is core.
        sigma: Standard deviation of the noise on pictures in [0, 1], at least 0.
    """

    kind: str = "soft"
    threshold: float = 0.5
    sigma: float = 0.25

    def __post_init__(self) -> None:
        check_option("core_masks.kind", self.kind, KINDS)
        check_range("core_masks.threshold", self.threshold, low=0, high=1, open_low=True)
        check_range("core_masks.sigma", self.sigma, low=0)

    @classmethod
    def preset(cls, name: str) -> "CoreMaskConfig":
        """Give the options of `paper`, `authors` or `default`: all the same."""
        return cls(**preset_options(name, {}))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoreMasks:
    """How much of each grid cell is core, image by image.

    Attributes:
        rows: The images' rows in the manifest.
        masks: In [0, 1]; 1 is core, and kept. All 1 where the map was dead.
        dead: The attention map was nowhere positive, so nothing is known to be spurious.
    """

    rows: Int[np.ndarray, " m"]
    masks: Float[np.ndarray, "m h w"]
    dead: Bool[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.rows)


def make_core_masks(maps: Float[np.ndarray, "m h w"], rows: Int[np.ndarray, " m"]) -> CoreMasks:
    """Scale attention maps to masks at the maps' own resolution.

    Each map is divided by its greatest value. What is stored is small; `render_mask` gives a
    mask at image size, where a map's least value becomes 0.

    Args:
        maps: Attention maps of the rows, at least 0.
        rows: The images' rows in the manifest.

    Returns:
        The masks, float32. A dead map gives a mask of ones, and is flagged.

    Raises:
        MisalignedRows: Maps and rows differ in length.
        InvalidInput: A map is negative somewhere, or not finite.
    """
    if len(maps) != len(rows):
        raise MisalignedRows(f"{len(maps)} attention maps for {len(rows)} rows")
    if not np.isfinite(maps).all() or (maps < 0).any():
        raise InvalidInput("attention maps must be finite and at least 0; rectify them first")
    peaks = maps.reshape(len(maps), -1).max(axis=1) if len(maps) else np.zeros(0)
    dead = peaks <= 0
    scaled = maps / np.where(dead, 1.0, peaks)[:, None, None]
    masks = np.where(dead[:, None, None], 1.0, scaled).astype(np.float32)
    return CoreMasks(rows=rows.astype(np.int64), masks=masks, dead=dead)


def render_mask(
    mask: Float[np.ndarray, "h w"],
    size: tuple[int, int],
    config: CoreMaskConfig | None = None,
) -> Float[np.ndarray, "H W"]:
    """Give a core mask at image size: enlarged, then stretched over [0, 1] (CoRM).

    Args:
        mask: From `CoreMasks.masks`, in [0, 1].
        size: The image's height and width.
        config: Soft or binary; the defaults if left out.

    Returns:
        A mask in [0, 1], float32, 1 being core. A constant mask is not stretched.
    """
    chosen = config or CoreMaskConfig()
    enlarged = upsample(mask, size)
    low, high = float(enlarged.min()), float(enlarged.max())
    if high - low > 1e-9:
        enlarged = (enlarged - low) / (high - low)
    rendered: np.ndarray = np.clip(enlarged, 0.0, 1.0)
    if chosen.kind == "binary":
        rendered = rendered >= chosen.threshold
    mask_at_size: np.ndarray = rendered.astype(np.float32)
    return mask_at_size


def noise_image(
    image: UInt8[np.ndarray, "H W 3"],
    core_mask: Float[np.ndarray, "H W"],
    rng: np.random.Generator,
    *,
    sigma: float = 0.25,
) -> UInt8[np.ndarray, "H W 3"]:
    """Add Gaussian noise where a picture is not core: x + (1 - m) z, clamped (CoRM).

    The noise is added to pixel values in [0, 1], before any normalisation by mean and deviation.

    Args:
        image: A picture.
        core_mask: Of the same size, in [0, 1], 1 being core.
        rng: Of the noise.
        sigma: Standard deviation of the noise, at least 0.

    Returns:
        The picture with noise; pixels whose mask is 1 are as they were.

    Raises:
        MisalignedRows: The mask is not of the picture's size.
        InvalidInput: The mask leaves [0, 1], or sigma is negative.
    """
    if image.shape[:2] != core_mask.shape:
        raise MisalignedRows(
            f"a core mask of {core_mask.shape} does not fit a picture of {image.shape[:2]}; "
            "render it at the picture's size"
        )
    if not ((core_mask >= 0) & (core_mask <= 1)).all():
        raise InvalidInput("a core mask must lie in [0, 1]; render it first")
    check_range("core_masks.sigma", sigma, low=0)
    noise = rng.normal(0.0, sigma, image.shape) if sigma else np.zeros(image.shape)
    noisy = image / 255.0 + (1.0 - core_mask.astype(np.float64))[:, :, None] * noise
    pixels: np.ndarray = np.rint(np.clip(noisy, 0.0, 1.0) * 255.0).astype(np.uint8)
    return pixels
