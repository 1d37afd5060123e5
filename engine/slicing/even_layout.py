"""The Even layout: a tile for every slice, filling a rectangle, near where the slice is on the map.

A relaxed Voronoi diagram: seeds start between the slices' true places and their ranks (true places
leave most of a rectangle empty), and move to their tiles' middles some times. With weights it is a
power diagram whose weights are moved until the tiles' areas are in proportion. An index of slices,
not a map: about half of each tile's neighbours are true ones. numpy and scipy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import ConvexHull, QhullError, cKDTree

from engine.attention.presets import check_range
from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.polygons import area, centroid, cut

_SAMPLES = 64
"""Sample points a tile, roughly, from which middles and areas are taken while seeds move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvenConfig:
    """How tiles are laid out.

    Attributes:
        aspect: Width of the rectangle, its height being 1; above 0.
        by_rank: How much of a seed's first place is its rank along each axis, in [0, 1].
        steps: Relaxation steps, at least 1.
    """

    aspect: float = 1.5
    by_rank: float = 0.5
    steps: int = 30

    def __post_init__(self) -> None:
        check_range("even.aspect", self.aspect, low=0, open_low=True)
        check_range("even.by_rank", self.by_rank, low=0, high=1)
        check_range("even.steps", self.steps, low=1)


def even_layout(
    centres: Float[np.ndarray, "k 2"],
    config: EvenConfig | None = None,
    *,
    weights: Float[np.ndarray, " k"] | None = None,
) -> tuple[Float[np.ndarray, "_ 2"], ...]:
    """Give every slice a convex tile; together they fill the rectangle [0, aspect] x [0, 1].

    Args:
        centres: Of the slices on the map, finite, at least one.
        config: Shape and steps; the defaults if left out.
        weights: Wanted areas, in any unit, above 0; None: all the same and not enforced.

    Returns:
        Corners of each tile, counter-clockwise, in the order of the centres.

    Raises:
        InvalidInput: There is no centre, one is not finite, or a weight is not above 0.
        MisalignedRows: Centres and weights differ in length.
    """
    chosen = config or EvenConfig()
    if len(centres) == 0 or not np.isfinite(centres).all():
        raise InvalidInput(
            f"a layout needs finite centres of at least one slice, got {len(centres)}"
        )
    if weights is not None:
        if len(weights) != len(centres):
            raise MisalignedRows(f"{len(centres)} centres, but {len(weights)} weights")
        if not (np.isfinite(weights).all() and (weights > 0).all()):
            raise InvalidInput("a tile's weight must be finite and above 0")
    box = np.array([chosen.aspect, 1.0])
    samples = _samples(box, len(centres))
    seeds = _first_seeds(centres.astype(np.float64), box, chosen.by_rank)
    powers = np.zeros(len(seeds))
    wanted = None if weights is None else weights * (box.prod() / weights.sum())
    for _ in range(chosen.steps):
        owner = _owners(samples, seeds, powers)
        seeds = _middles(samples, owner, seeds)
        if wanted is not None:
            areas = np.bincount(owner, minlength=len(seeds)) * (box.prod() / len(samples))
            powers = _moved(powers, areas, wanted)
    tiles = power_cells(seeds, powers, box)
    # equal powers leave every seed a tile
    while any(len(tile) < 3 for tile in tiles) and np.ptp(powers) > 0:
        powers = 0.5 * powers if float(np.ptp(powers)) > 1e-9 else np.zeros(len(seeds))
        tiles = power_cells(seeds, powers, box)
    return tiles


def _samples(box: Float[np.ndarray, " 2"], k: int) -> Float[np.ndarray, "q 2"]:
    """Give a regular grid over the rectangle, its points in the middles of its cells."""
    step = float(np.sqrt(box.prod() / (_SAMPLES * max(k, 16))))
    across, up = (int(np.ceil(side / step)) for side in box)
    x, y = (np.arange(across) + 0.5) * box[0] / across, (np.arange(up) + 0.5) * box[1] / up
    grid: np.ndarray = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    return grid


def _first_seeds(
    centres: Float[np.ndarray, "k 2"], box: Float[np.ndarray, " 2"], by_rank: float
) -> Float[np.ndarray, "k 2"]:
    """Start between true places and ranks; equal places are told apart by their order."""
    k = len(centres)
    spread = np.ptp(centres, axis=0)
    true = np.where(
        spread > 0, (centres - centres.min(axis=0)) / np.where(spread > 0, spread, 1), 0.5
    )
    ranks = (centres.argsort(axis=0, kind="stable").argsort(axis=0) + 0.5) / k
    seeds: np.ndarray = (0.02 + 0.96 * ((1 - by_rank) * true + by_rank * ranks)) * box
    angle = np.arange(k) * 2.399963  # the golden angle: no two seeds are shifted alike
    return seeds + 1e-6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _owners(
    samples: Float[np.ndarray, "q 2"],
    seeds: Float[np.ndarray, "k 2"],
    powers: Float[np.ndarray, " k"],
) -> Int[np.ndarray, " q"]:
    """Give each sample the tile with the least squared distance minus power.

    A seed raised to the height sqrt(greatest power - its power) has that as its squared distance.
    """
    if np.ptp(powers) == 0:
        return np.asarray(cKDTree(seeds).query(samples)[1], dtype=np.int64)
    height = np.sqrt(powers.max() - powers)[:, None]
    _, owner = cKDTree(np.concatenate([seeds, height], axis=1)).query(
        np.pad(samples, ((0, 0), (0, 1)))
    )
    return np.asarray(owner, dtype=np.int64)


def _middles(
    samples: Float[np.ndarray, "q 2"], owner: Int[np.ndarray, " q"], seeds: Float[np.ndarray, "k 2"]
) -> Float[np.ndarray, "k 2"]:
    """Move seeds to the means of their samples; one without any stays."""
    counts = np.bincount(owner, minlength=len(seeds))
    sums = np.stack([np.bincount(owner, axis, len(seeds)) for axis in samples.T], axis=1)
    moved: np.ndarray = np.where(
        (counts > 0)[:, None], sums / np.maximum(counts, 1)[:, None], seeds
    )
    return moved


def _moved(
    powers: Float[np.ndarray, " k"], areas: Float[np.ndarray, " k"], wanted: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Raise the powers of tiles that are too small; a step is a share of the area in want."""
    moved: np.ndarray = powers + 0.3 * (wanted - areas) / np.pi
    centred: np.ndarray = moved - moved.mean()
    return centred


def power_cells(
    seeds: Float[np.ndarray, "k 2"], powers: Float[np.ndarray, " k"], box: Float[np.ndarray, " 2"]
) -> tuple[Float[np.ndarray, "_ 2"], ...]:
    """Cut a rectangle into the cells of a power diagram, each against its neighbours alone.

    Args:
        seeds: Inside the rectangle, distinct.
        powers: One a seed; all equal gives a Voronoi diagram.
        box: Width and height.

    Returns:
        Corners counter-clockwise; none for a seed whose power is so small that others take all.
    """
    frame = np.array([[0.0, 0.0], [box[0], 0.0], [box[0], box[1]], [0.0, box[1]]])
    near = _neighbours(seeds, powers)
    cells: list[np.ndarray] = []
    for at, seed in enumerate(seeds):
        cell = frame
        for other in near[at]:
            normal = 2.0 * (seeds[other] - seed)
            offset = float(seeds[other] @ seeds[other] - seed @ seed + powers[at] - powers[other])
            cell = cut(cell, normal, offset)
            if len(cell) < 3:
                break
        cells.append(cell)
    return tuple(cells)


def _neighbours(
    seeds: Float[np.ndarray, "k 2"], powers: Float[np.ndarray, " k"]
) -> Sequence[Sequence[int]]:
    """Give the seeds whose cells may touch, by the lower hull of the seeds lifted onto a bowl."""
    k = len(seeds)
    everyone = [[other for other in range(k) if other != at] for at in range(k)]
    if k < 5:
        return everyone
    moved = seeds - seeds.mean(axis=0)
    lifted = np.concatenate([moved, ((moved**2).sum(axis=1) - powers)[:, None]], axis=1)
    try:
        hull = ConvexHull(lifted)
    except QhullError:  # all seeds on one line
        return everyone
    found: list[set[int]] = [set() for _ in range(k)]
    for triangle in hull.simplices[hull.equations[:, 2] < 0].tolist():
        for one in triangle:
            found[one].update(triangle)
    # what the hull leaves out has no cell, unless rounding hid it
    return [sorted(own - {at}) or everyone[at] for at, own in enumerate(found)]


def tile_areas(tiles: Sequence[Float[np.ndarray, "_ 2"]]) -> Float[np.ndarray, " k"]:
    """Give the tiles' areas."""
    return np.array([area(tile) for tile in tiles])


def tile_middles(tiles: Sequence[Float[np.ndarray, "_ 2"]]) -> Float[np.ndarray, "k 2"]:
    """Give the tiles' centres of mass, where labels go."""
    return np.stack([centroid(tile) for tile in tiles])
