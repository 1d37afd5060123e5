"""The covariance of two places on the map, and sums of it over very many places.

It is the mean of four Gaussians, from half to four times a length. Sums over many images are made on
a grid and interpolated. numpy and scipy alone.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates
from scipy.spatial.distance import cdist

_SCALES = (0.5, 1.0, 2.0, 4.0)
_CELLS_A_LENGTH = 6.0
_MOST_CELLS = 384
_FEWEST_CELLS_A_LENGTH = 3.0
"""On a coarser grid the narrowest Gaussian is lost between nodes."""
_DIRECT = 500_000
"""Pairs of image and centre up to which the function is computed image by image."""


def covariance_of(squares: np.ndarray, length: float) -> np.ndarray:
    """Give the covariance of places.

    Args:
        squares: Their squared distances, of any shape.
        length: As in `PropagationConfig`, above 0.

    Returns:
        Values in (0, 1], 1 where the distance is 0.
    """
    out = np.zeros_like(squares)
    for factor in _SCALES:
        out += np.exp(squares * (-0.5 / (length * factor) ** 2))
    return out / len(_SCALES)


def field_of(
    points: Float[np.ndarray, "n 2"],
    centres: Float[np.ndarray, "r 2"],
    strength: Float[np.ndarray, " r"],
    length: float,
) -> Float[np.ndarray, " n"]:
    """Sum the centres' influence at each point, directly or by way of a grid.

    Very many points on a map that far outliers stretch are summed directly, some at a time: a grid
    over all of it would be too coarse.

    Args:
        points: Where it is wanted.
        centres: Of the influence.
        strength: Of each.
        length: As in `PropagationConfig`.

    Returns:
        The sum at each point.
    """
    pairs = len(points) * len(centres)
    if pairs > _DIRECT and _step(points, length) <= length / _FEWEST_CELLS_A_LENGTH:
        return field_by_grid(points, centres, strength, length)
    parts = [
        covariance_of(cdist(part, centres, "sqeuclidean"), length) @ strength
        for part in np.array_split(points, pairs // _DIRECT + 1)
    ]
    return np.concatenate(parts)


def _step(points: Float[np.ndarray, "n 2"], length: float) -> float:
    """Give the distance of the grid's nodes, no more of them than memory allows."""
    span = float(np.ptp(points, axis=0).max())
    return max(length / _CELLS_A_LENGTH, span / _MOST_CELLS)


def field_by_grid(
    points: Float[np.ndarray, "n 2"],
    centres: Float[np.ndarray, "r 2"],
    strength: Float[np.ndarray, " r"],
    length: float,
) -> Float[np.ndarray, " n"]:
    """Make the sum on a grid, where a Gaussian is a product of two, and interpolate by splines.

    Args:
        points: Where it is wanted.
        centres: Of the Gaussians.
        strength: Of each.
        length: As in `PropagationConfig`.

    Returns:
        The sum at each point, to about a thousandth of the greatest strength.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    step = _step(points, length)
    nodes = [low[axis] + step * np.arange(int((high - low)[axis] / step) + 2) for axis in (0, 1)]
    grid = np.zeros((len(nodes[0]), len(nodes[1])))
    for factor in _SCALES:
        across, down = (
            np.exp((nodes[axis][:, None] - centres[:, axis]) ** 2 * (-0.5 / (length * factor) ** 2))
            for axis in (0, 1)
        )
        grid += (across * strength) @ down.T
    at = ((points - low) / step).T
    found: np.ndarray = map_coordinates(grid / len(_SCALES), at, order=3, mode="nearest")
    return found
