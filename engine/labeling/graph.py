"""Which images are near one another: the graph along which answers spread. numpy and scipy only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from engine.errors import EngineError, InvalidInput

DENSE_LIMIT = 8_000
"""Rows up to which every pair of images may have a weight (half a gigabyte)."""

_TOLERANCE = 1e-11
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AffinityGraph:
    """Symmetric weights between sites, with nothing on the diagonal.

    Images at the very same place share one site of a sparse graph, so that a pile of them can
    neither cut itself off nor depend on their order.

    Attributes:
        site_of: The site of each image, in [0, s).
        weights: s x s, a sparse array (nearest neighbours) or a dense one (kernel).
        scale: One over the root of each site's degree; 0 for a site without neighbours.
    """

    site_of: Int[np.ndarray, " n"]
    weights: sparse.csr_array | np.ndarray
    scale: Float[np.ndarray, " s"]

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.scale)

    def spread(self, masses: Float[np.ndarray, " s"], alpha: float) -> Float[np.ndarray, " s"]:
        """Solve (I - alpha S) f = y, S = D^-1/2 W D^-1/2 (Zhou et al. 2004, eq. 4, unscaled).

        Written as f = y + alpha g with (I - alpha S) g = S y, so that what arrives at unanswered
        sites keeps its digits however small alpha is.

        Args:
            masses: What each site answered of one kind, non-negative.
            alpha: Share that a site takes from its neighbours, in (0, 1).

        Returns:
            What each site holds in the end, non-negative.
        """
        first = self._step(masses)
        dense = isinstance(self.weights, np.ndarray)
        solve = self._series if dense else self._conjugate_gradients
        held: np.ndarray = masses + alpha * solve(first, alpha)
        return held

    def smooth(self, values: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
        """Add to each site's value those of its neighbours, weighted (its own weighs 1)."""
        out: np.ndarray = values + self.weights @ values
        return out

    def _step(self, values: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
        """Multiply by S."""
        out: np.ndarray = self.scale * (self.weights @ (self.scale * values))
        return out

    def _series(self, first: Float[np.ndarray, " s"], alpha: float) -> Float[np.ndarray, " s"]:
        """Sum (alpha S)^t: no term is negative, so the smallest entries are exact too."""
        total, term = first, first
        for _ in range(_MOST_STEPS):
            term = alpha * self._step(term)
            total = total + term
            if bool(np.all(term <= _TOLERANCE * (1 - alpha) * total)):
                return total
        raise _no_convergence(alpha)

    def _conjugate_gradients(
        self, target: Float[np.ndarray, " s"], alpha: float
    ) -> Float[np.ndarray, " s"]:
        """Solve (I - alpha S) x = target to a residual of 1e-11 of the target."""
        solution = np.zeros_like(target)
        residual, direction = target.copy(), target.copy()
        square = float(residual @ residual)
        enough = _TOLERANCE**2 * square
        for _ in range(_MOST_STEPS):
            if square <= enough:
                found: np.ndarray = np.maximum(solution, 0.0)
                return found
            image = direction - alpha * self._step(direction)
            length = square / float(direction @ image)
            solution += length * direction
            residual -= length * image
            previous, square = square, float(residual @ residual)
            direction *= square / previous
            direction += residual
        raise _no_convergence(alpha)


def _no_convergence(alpha: float) -> EngineError:
    return InvalidInput(f"spreading with alpha {alpha!r} does not settle; take a smaller alpha")


def neighbour_graph(points: Float[np.ndarray, "n d"], n_neighbors: int) -> AffinityGraph:
    """Join each place with its nearest others, both ways, every edge weighing the same.

    Args:
        points: Coordinates, finite.
        n_neighbors: Neighbours of each place, at least 1; all others where there are fewer.

    Returns:
        A sparse graph with one site for each distinct place.
    """
    sites, site_of = _places(points)
    s = len(sites)
    near = min(n_neighbors, s - 1)
    if near < 1:
        weights = sparse.csr_array((s, s), dtype=np.float64)
        return AffinityGraph(site_of=site_of, weights=weights, scale=np.zeros(s))
    tree = cKDTree(sites)
    # numbered leaf by leaf, neighbours lie near one another in memory: twice the speed at a million
    number = np.empty(s, dtype=np.int64)
    number[tree.indices] = np.arange(s)
    _, found = tree.query(sites[tree.indices], k=near + 1, workers=-1)
    ends = _others(number[found].reshape(s, near + 1)).astype(np.int32).reshape(-1)
    starts = np.arange(0, s * near + 1, near, dtype=np.int32)
    one_way = sparse.csr_array((np.ones(s * near), ends, starts), shape=(s, s))
    weights = one_way.maximum(one_way.T.tocsr())
    return _graph(number[site_of], weights)


def _places(
    points: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "s d"], Int[np.ndarray, " n"]]:
    """Give the distinct points, and the place of each point among them."""
    exact = points.astype(np.float64) + 0.0  # so that -0 and 0 are one place
    order = np.lexsort(exact.T[::-1])
    ordered = exact[order]
    new = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1)))
    site_of = np.empty(len(points), dtype=np.int64)
    site_of[order] = np.cumsum(new) - 1
    return ordered[new], site_of


def _others(found: Int[np.ndarray, "s j"]) -> Int[np.ndarray, "s i"]:
    """Drop each site itself from its nearest, or the farthest where the site is not listed."""
    s, j = found.shape
    itself = found == np.arange(s)[:, None]
    itself[~itself.any(axis=1), -1] = True
    others: np.ndarray = found[~itself].reshape(s, j - 1)
    return others


def beside_one_another(
    graphs: Sequence[AffinityGraph], members: Sequence[Int[np.ndarray, " _"]]
) -> AffinityGraph:
    """Put sparse graphs of parts side by side: nothing passes from one part to another.

    Args:
        graphs: Of the parts, at least one.
        members: Which images each is of; every image is in one part.

    Returns:
        One graph of all images, along which all parts spread at once.
    """
    site_of = np.zeros(sum(len(part) for part in members), dtype=np.int64)
    first = 0
    for graph, part in zip(graphs, members, strict=True):
        site_of[part] = first + graph.site_of
        first += graph.n_sites
    weights = sparse.csr_array(sparse.block_diag([graph.weights for graph in graphs], "csr"))
    return AffinityGraph(
        site_of=site_of, weights=weights, scale=np.concatenate([graph.scale for graph in graphs])
    )


def kernel_graph(points: Float[np.ndarray, "n d"], gamma: float) -> AffinityGraph:
    """Join all pairs, weighing exp(-gamma distance²), as scikit-learn's rbf kernel does.

    Args:
        points: Coordinates, finite, at most `DENSE_LIMIT` rows.
        gamma: Above 0.

    Returns:
        A dense graph with one site for each row.

    Raises:
        InvalidInput: There are too many rows for a dense graph.
    """
    n = len(points)
    if n > DENSE_LIMIT:
        raise InvalidInput(
            f"the rbf kernel joins all pairs of images and takes at most {DENSE_LIMIT} at once, "
            f"got {n}; spread with kernel 'knn'"
        )
    weights = np.exp(-gamma * cdist(points, points, "sqeuclidean"))
    np.fill_diagonal(weights, 0.0)
    return _graph(np.arange(n), weights)


def _graph(site_of: Int[np.ndarray, " n"], weights: sparse.csr_array | np.ndarray) -> AffinityGraph:
    """Work out the sites' degrees; tiny ones are kept, whatever their root."""
    degrees = np.asarray(weights.sum(axis=1), dtype=np.float64).reshape(-1)
    roots = np.sqrt(np.where(degrees > 0, degrees, 1.0))
    scale = np.where(degrees > 0, 1.0 / roots, 0.0)
    return AffinityGraph(site_of=site_of, weights=weights, scale=scale)


def median_gamma(points: Float[np.ndarray, "n d"], neighbour: int = 5) -> float:
    """Give 1 / (2 s²), s the median distance of a point to its fifth-nearest other.

    Args:
        points: Coordinates, finite.
        neighbour: Which neighbour's distance; the last where there are fewer others.

    Returns:
        A gamma above 0; 1 where all points coincide.
    """
    nth = min(neighbour, len(points) - 1)
    if nth < 1:
        return 1.0
    distances, _ = cKDTree(points).query(points, k=[nth + 1], workers=-1)
    positive: Bool[np.ndarray, "n 1"] = distances > 0
    if not positive.any():
        return 1.0
    middle = float(np.median(distances))
    typical = middle if middle > 0 else float(distances[positive].mean())
    return float(1.0 / (2.0 * typical * typical))
