"""Enlarge attention grids to pictures: the one rule, equal to torch's and to the browser's."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Real

from engine.errors import InvalidInput


def upsample(grid: Real[np.ndarray, "h w"], size: tuple[int, int]) -> Float64[np.ndarray, "H W"]:
    """Resize a grid bilinearly, pixel centres aligned as in torch's `align_corners=False`.

    Args:
        grid: A map, any range, bytes too.
        size: Height and width wanted, each at least 1.

    Returns:
        The resized map, within the range of the grid; beyond the outermost centres the edge's value.

    Raises:
        InvalidInput: A side is below 1.
    """
    if min(size) < 1:
        raise InvalidInput(f"a picture has at least one pixel a side, got {size}")
    down, across = (_weights(n, wanted) for n, wanted in zip(grid.shape, size, strict=True))
    return np.asarray(down @ grid.astype(np.float64) @ across.T)


@lru_cache(maxsize=64)
def _weights(n: int, wanted: int) -> Float64[np.ndarray, "p n"]:
    """What each of n grid values adds to each of the pixels along one side; not to be written to."""
    at = np.clip((np.arange(wanted) + 0.5) * n / wanted - 0.5, 0.0, n - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, n - 1)
    weights = np.zeros((wanted, n))
    pixels = np.arange(wanted)
    np.add.at(weights, (pixels, low), 1.0 - (at - low))
    np.add.at(weights, (pixels, high), at - low)
    weights.setflags(write=False)
    return weights
