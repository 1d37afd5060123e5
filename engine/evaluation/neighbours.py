"""Are images that lie near one another alike, in their features and in where the model looks?

AttributionScanner (A-IV) compares neighbours by 1 / W, W the Wasserstein distance of attention
maps. Three repairs. W is the true earth mover's distance on the map's grid, not that of two
histograms of values, which is 0 for equal blobs in opposite corners. Its mean is reported beside
the mean of 1 / (1 + W), which equal maps do not make infinite. And random pairs stand beside the
neighbours: a figure without them says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.optimize import linprog
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from engine.errors import EngineError, InvalidInput, MisalignedRows
from engine.progress import Progress, ignore_progress

_BATCH = 32
"""Pairs of maps in one linear programme: beyond, its overhead no longer matters."""

_NO_MASS = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourConsistency:
    """How alike neighbours of one space are.

    Attributes:
        cosine: Mean cosine of their feature vectors, in [-1, 1].
        distance: Mean earth mover's distance of their attention maps, in grid cells.
        similarity: Mean of 1 / (1 + distance), in (0, 1].
        n_pairs: Pairs compared.
    """

    cosine: float
    distance: float
    similarity: float
    n_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceComparison:
    """Neighbour consistency of several spaces over the same images.

    Attributes:
        spaces: By the space's name.
        random: Of as many random pairs of these images: the level to beat.
        n_images: Images whose neighbours were looked at.
        n_dead: Images left out because their map is zero everywhere.
    """

    spaces: Mapping[str, NeighbourConsistency]
    random: NeighbourConsistency
    n_images: int
    n_dead: int


def earth_movers_distances(
    first: Float[np.ndarray, "p h w"], second: Float[np.ndarray, "p h w"]
) -> Float[np.ndarray, " p"]:
    """Give the least work that turns one map into the other, exactly, pair by pair.

    Maps are scaled to sum 1; the ground distance is Euclidean, in cells. What both maps share
    stays where it is (the distance is a metric), so the transport problem joins surplus cells
    with lacking cells alone. 32 such problems at a time are one sparse linear programme, solved
    by HiGHS' dual simplex: some milliseconds a pair of 7 x 7 maps.

    Args:
        first: Maps, not negative, none zero everywhere.
        second: As many maps of the same grid.

    Returns:
        Distances at least 0; at most the grid's diagonal.

    Raises:
        MisalignedRows: The arrays differ in shape.
        InvalidInput: A map is negative, not finite, or zero everywhere.
    """
    if first.shape != second.shape:
        raise MisalignedRows(f"maps of shape {first.shape} and {second.shape} are no pairs")
    height, width = first.shape[1:]
    difference = _shares(first) - _shares(second)
    cells = np.stack(np.divmod(np.arange(height * width), width), axis=1)
    ground = cdist(cells, cells)
    out = np.zeros(len(difference))
    moving = np.flatnonzero(np.abs(difference).max(axis=1, initial=0.0) > _NO_MASS)
    for start in range(0, len(moving), _BATCH):
        part = moving[start : start + _BATCH]
        out[part] = _transport(difference[part], ground)
    return out


def _shares(maps: Float[np.ndarray, "p h w"]) -> Float[np.ndarray, "p hw"]:
    """Scale maps to sum 1, one a row, refusing those that cannot be."""
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    if not np.isfinite(flat).all() or (flat < 0).any() or (flat.sum(axis=1) <= 0).any():
        raise InvalidInput(
            "earth mover's distance needs maps that are finite, not negative and not zero "
            "everywhere; leave images with a dead map out"
        )
    shares: np.ndarray = flat / flat.sum(axis=1, keepdims=True)
    return shares


def _transport(
    difference: Float[np.ndarray, "b hw"], ground: Float[np.ndarray, "hw hw"]
) -> Float[np.ndarray, " b"]:
    """Solve some transport problems as one: their programmes share nothing."""
    costs, supplies, rows, cuts = [], [], [], [0]
    n_rows = 0
    for surplus in difference:
        givers = np.flatnonzero(surplus > _NO_MASS)
        takers = np.flatnonzero(surplus < -_NO_MASS)
        given, taken = surplus[givers], -surplus[takers]
        taken = taken * (given.sum() / taken.sum())  # equal to the last digit
        costs.append(ground[np.ix_(givers, takers)].reshape(-1))
        supplies += [given, taken]
        giver, taker = np.divmod(np.arange(len(costs[-1])), len(takers))
        rows.append(np.stack([n_rows + giver, n_rows + len(givers) + taker], axis=1))
        n_rows += len(givers) + len(takers)
        cuts.append(cuts[-1] + len(costs[-1]))
    cost, ends = np.concatenate(costs), np.concatenate(rows).reshape(-1)
    leaving = sparse.csc_array(
        (np.ones(len(ends)), ends, np.arange(0, len(ends) + 1, 2)), shape=(n_rows, len(cost))
    )
    found = linprog(
        cost,
        A_eq=leaving,
        b_eq=np.concatenate(supplies),
        method="highs-ds",
        options={"presolve": False},
    )
    if found.x is None:
        raise EngineError(f"earth mover's distance was not solved: {found.message}")
    work: np.ndarray = np.add.reduceat(cost * found.x, cuts[:-1])
    return work


def compare_spaces(
    spaces: Mapping[str, Float[np.ndarray, "m _"]],
    vectors: Float[np.ndarray, "m d"],
    maps: Float[np.ndarray, "m h w"],
    *,
    n_neighbors: int = 5,
    n_images: int = 300,
    seed: int = 0,
    on_progress: Progress = ignore_progress,
) -> SpaceComparison:
    """Measure neighbour consistency of several spaces on the same images.

    Args:
        spaces: Coordinates of all images in each space, e.g. `features` and `attention`.
        vectors: Features that the cosine compares (plain GAP features).
        maps: Attention maps, not negative; images with a zero map take no part.
        n_neighbors: Nearest others of each image, at least 1.
        n_images: Images drawn at random; all where there are fewer.
        seed: Of the draw, and of the random pairs.
        on_progress: Told after each space.

    Returns:
        One figure set for each space, and one for random pairs.

    Raises:
        MisalignedRows: Arrays differ in length.
        InvalidInput: Fewer images with a live map than neighbours ask for, or no space.
    """
    lengths = {len(vectors), len(maps), *(len(space) for space in spaces.values())}
    if len(lengths) != 1:
        raise MisalignedRows(f"spaces, vectors and maps differ in length: {sorted(lengths)}")
    alive = np.flatnonzero(maps.reshape(len(maps), -1).sum(axis=1) > 0)
    if not spaces or n_neighbors < 1 or len(alive) <= n_neighbors:
        raise InvalidInput(
            f"{n_neighbors} neighbours in {len(spaces)} spaces need at least one of each and more "
            f"images with a live map than neighbours, got {len(alive)}"
        )
    rng = np.random.default_rng(seed)
    drawn = np.arange(len(alive))
    if len(alive) > n_images:
        drawn = np.sort(rng.choice(len(alive), n_images, replace=False))
    found: dict[str, NeighbourConsistency] = {}
    for name, coordinates in spaces.items():
        pairs = _nearest(coordinates[alive], drawn, n_neighbors)
        found[name] = _compare(pairs, vectors[alive], maps[alive])
        on_progress(len(found), len(spaces) + 1)
    others = rng.integers(1, len(alive), size=len(drawn) * n_neighbors)
    firsts = np.repeat(drawn, n_neighbors)
    pairs = np.stack([firsts, (firsts + others) % len(alive)], axis=1)
    random = _compare(pairs, vectors[alive], maps[alive])
    on_progress(len(spaces) + 1, len(spaces) + 1)
    return SpaceComparison(
        spaces=found, random=random, n_images=len(drawn), n_dead=len(maps) - len(alive)
    )


def _nearest(
    points: Float[np.ndarray, "a k"], drawn: Int[np.ndarray, " q"], n_neighbors: int
) -> Int[np.ndarray, "p 2"]:
    """Pair each drawn point with its nearest others."""
    _, found = cKDTree(points).query(points[drawn], k=n_neighbors + 1)
    itself = found == drawn[:, None]
    itself[~itself.any(axis=1), -1] = True  # a pile of equal points may not list the point itself
    others = found[~itself].reshape(len(drawn), n_neighbors)
    return np.stack([np.repeat(drawn, n_neighbors), others.reshape(-1)], axis=1)


def _compare(
    pairs: Int[np.ndarray, "p 2"],
    vectors: Float[np.ndarray, "a d"],
    maps: Float[np.ndarray, "a h w"],
) -> NeighbourConsistency:
    """Average likeness over pairs; a pair that occurs twice is computed once."""
    distinct, which = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
    distances = earth_movers_distances(maps[distinct[:, 0]], maps[distinct[:, 1]])
    distances = distances[which.reshape(-1)]
    left, right = (vectors[pairs[:, side]].astype(np.float64) for side in (0, 1))
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = (left * right).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return NeighbourConsistency(
        cosine=float(cosines.mean()),
        distance=float(distances.mean()),
        similarity=float((1.0 / (1.0 + distances)).mean()),
        n_pairs=len(pairs),
    )
