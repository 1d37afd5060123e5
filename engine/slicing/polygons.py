"""Convex polygons in the plane: hulls, cutting, areas, overlaps. numpy and scipy only."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull, QhullError

_FLAT = 1e-9
"""A hull whose area is below this share of its longest side squared is a line."""


def convex_hull(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "v 2"] | None:
    """Give the corners of a convex hull, counter-clockwise.

    Args:
        points: Finite.

    Returns:
        At least three corners; None where the points are fewer, or all on one line.
    """
    if len(points) < 3:
        return None
    exact = points.astype(np.float64)
    span = float(np.ptp(exact, axis=0).max())
    try:
        # Qhull refuses fewer than three corners, and anything flat
        hull = exact[ConvexHull(exact).vertices]
    except QhullError:
        return None
    return hull if area(hull) > _FLAT * span * span else None


def area(polygon: Float[np.ndarray, "v 2"]) -> float:
    """Give the area of a polygon whose corners run counter-clockwise; 0 for fewer than three."""
    if len(polygon) < 3:
        return 0.0
    moved = polygon - polygon[0]  # far from the origin the differences would lose their digits
    x, y = moved[:, 0], moved[:, 1]
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def centroid(polygon: Float[np.ndarray, "v 2"]) -> Float[np.ndarray, " 2"]:
    """Give a polygon's centre of mass; the mean of its corners where it has no area."""
    moved = polygon - polygon[0]
    following = np.roll(moved, -1, axis=0)
    cross = moved[:, 0] * following[:, 1] - moved[:, 1] * following[:, 0]
    total = float(cross.sum())
    if len(polygon) < 3 or total <= 0:
        return np.asarray(polygon.mean(axis=0))
    middle: np.ndarray = polygon[0] + ((moved + following) * cross[:, None]).sum(axis=0) / (
        3 * total
    )
    return middle


def cut(
    polygon: Float[np.ndarray, "v 2"], normal: Float[np.ndarray, " 2"], offset: float
) -> Float[np.ndarray, "u 2"]:
    """Keep the part of a convex polygon where `normal . x <= offset`.

    Args:
        polygon: Corners in order.
        normal: Of the line.
        offset: Of the line.

    Returns:
        Corners in the same order; none where nothing is left.
    """
    beyond = (polygon @ normal - offset).tolist()
    if max(beyond) <= 0:
        return polygon
    if min(beyond) > 0:
        return np.zeros((0, 2))
    # few corners: plain numbers are quicker than arrays
    corners = polygon.tolist()
    kept: list[tuple[float, float]] = []
    for at, ((x, y), here) in enumerate(zip(corners, beyond, strict=True)):
        (next_x, next_y), there = corners[at + 1 - len(corners)], beyond[at + 1 - len(corners)]
        if here <= 0:
            kept.append((x, y))
        if (here <= 0) != (there <= 0):
            share = here / (here - there)
            kept.append((x + (next_x - x) * share, y + (next_y - y) * share))
    return np.array(kept)


def overlap_area(first: Float[np.ndarray, "v 2"], second: Float[np.ndarray, "u 2"]) -> float:
    """Give the area that two convex polygons share.

    Args:
        first: Corners counter-clockwise.
        second: The same.

    Returns:
        At least 0, and at most the smaller area.
    """
    if (first.max(axis=0) < second.min(axis=0)).any() or (
        second.max(axis=0) < first.min(axis=0)
    ).any():
        return 0.0
    if _has_line_between(first, second) or _has_line_between(second, first):
        return 0.0
    shared = first
    for corner, after in zip(second, np.roll(second, -1, axis=0), strict=True):
        normal = np.array([after[1] - corner[1], corner[0] - after[0]])  # outwards
        shared = cut(shared, normal, float(normal @ corner))
        if len(shared) < 3:
            return 0.0
    return max(0.0, area(shared))


def _has_line_between(first: Float[np.ndarray, "v 2"], second: Float[np.ndarray, "u 2"]) -> bool:
    """Tell whether all of `second` lies on or beyond one side of `first`."""
    sides = np.concatenate([first[1:], first[:1]]) - first
    outwards = np.stack([sides[:, 1], -sides[:, 0]], axis=1)
    ends = (outwards * first).sum(axis=1)
    return bool(((outwards @ second.T).min(axis=1) >= ends).any())


def distance_to(polygon: Float[np.ndarray, "v 2"], point: Float[np.ndarray, " 2"]) -> float:
    """Give the distance of a point to a convex polygon, 0 inside; a polygon may be one point."""
    following = np.roll(polygon, -1, axis=0)
    side = following - polygon
    away = point - polygon
    if len(polygon) >= 3 and bool((side[:, 0] * away[:, 1] - side[:, 1] * away[:, 0] >= 0).all()):
        return 0.0
    lengths = (side**2).sum(axis=1)
    along = (away * side).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    nearest = polygon + np.clip(along, 0.0, 1.0)[:, None] * side
    return float(np.sqrt(((point - nearest) ** 2).sum(axis=1).min()))
