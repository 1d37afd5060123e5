"""Attention maps as the small byte grids that pages draw."""

import numpy as np
from jaxtyping import Real


def grid_bytes(attention_map: Real[np.ndarray, "h w"]) -> bytes:
    """Scale a map so that its hottest cell is 255, row by row.

    Args:
        attention_map: At least 0 everywhere.

    Returns:
        One byte a cell; all 0 for a map without positive evidence.
    """
    hottest = float(attention_map.max())
    if hottest <= 0:
        return bytes(attention_map.size)
    return np.rint(attention_map / hottest * 255).astype(np.uint8).tobytes()
