"""From many dimensions to few: principal components, UMAP, and how far the result can be trusted."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import linalg
from scipy.spatial import distance
from threadpoolctl import threadpool_limits

from engine.errors import InvalidInput

_TRUST_SAMPLE = 2000
_CHUNK = 8192
_FEW = 4096
"""Below so many points UMAP looks at all pairs of them; from here on, at near ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrincipalComponents:
    """An orthonormal basis of the directions in which the fitted vectors vary most.

    Attributes:
        mean: The fitted vectors' mean.
        axes: The directions, one a column, strongest first; a direction's largest entry is
            positive, so that signs do not depend on the solver.
        variances: The variance along each direction (n - 1 in the denominator).
    """

    mean: Float[np.ndarray, " d"]
    axes: Float[np.ndarray, "d p"]
    variances: Float[np.ndarray, " p"]

    def apply(self, vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n p"]:
        """Give the coordinates of vectors along the directions, as float32."""
        out = np.empty((len(vectors), self.axes.shape[1]), dtype=np.float32)
        for start in range(0, len(vectors), _CHUNK):
            part = vectors[start : start + _CHUNK].astype(np.float64) - self.mean
            out[start : start + _CHUNK] = part @ self.axes
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding:
    """A few coordinates for every row.

    Attributes:
        coordinates: One row a point; axes have no meaning of their own under UMAP.
        method: `umap`, or `principal components` where there were too few rows for UMAP
            or where they were asked for.
    """

    coordinates: Float[np.ndarray, "n k"]
    method: str


def principal_components(
    vectors: Float[np.ndarray, "n d"], n_components: int
) -> PrincipalComponents:
    """Find the directions of greatest variance, by the smaller of the two Gram matrices.

    Args:
        vectors: Rows to fit, finite, at least two.
        n_components: Directions wanted; fewer come back where the vectors span fewer.

    Returns:
        Between 1 and `n_components` directions. Vectors that are all alike give one
        direction of variance 0.

    Raises:
        InvalidInput: There are fewer than two rows, or fewer than one direction is wanted.
    """
    n, d = vectors.shape
    if n < 2 or n_components < 1:
        raise InvalidInput(
            f"principal components need at least 2 rows and 1 component, got {n} rows and "
            f"{n_components} components"
        )
    wanted = min(n_components, n - 1, d)
    mean = vectors.mean(axis=0, dtype=np.float64)
    if d <= n:
        values, axes = _largest(_covariance(vectors, mean), wanted)
    else:
        centred = vectors.astype(np.float64) - mean
        values, left = _largest(centred @ centred.T, wanted)
        axes = centred.T @ (left / np.sqrt(np.where(values > 0, values, 1.0)))
    spanned = max(1, int(np.sum(values > values[0] * 1e-12)))
    if values[0] <= 0:
        axes = np.eye(d, 1)
    axes, values = axes[:, :spanned], np.maximum(values[:spanned], 0.0)
    strongest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[strongest, np.arange(spanned)] < 0, -1.0, 1.0)
    return PrincipalComponents(mean=mean, axes=axes, variances=values / (n - 1))


def _covariance(
    vectors: Float[np.ndarray, "n d"], mean: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "d d"]:
    """Sum the outer products of the centred rows, a chunk at a time to spare memory."""
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(vectors), _CHUNK):
        part = vectors[start : start + _CHUNK].astype(np.float64) - mean
        total += part.T @ part
    return total


def _largest(
    matrix: Float[np.ndarray, "k k"], wanted: int
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "k p"]]:
    """Give the largest eigenvalues and their eigenvectors, largest first."""
    k = len(matrix)
    values, vectors = linalg.eigh(matrix, subset_by_index=[k - wanted, k - 1])
    return values[::-1], vectors[:, ::-1]


def embed(
    points: Float[np.ndarray, "n p"],
    fit: Bool[np.ndarray, " n"],
    *,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    dimension: int = 2,
    fit_at_most: int = 100_000,
) -> Embedding:
    """Lay points out in few dimensions by UMAP (McInnes, Healy, Melville 2018), fitted on some.

    The other points are put in by `transform`, so the fitted points' coordinates do not depend on
    them. With fewer than four times `n_neighbors` fitted points, or hardly more than twice the
    dimension, UMAP has nothing to unfold, and as many principal components are given instead.

    Args:
        points: All points, finite.
        fit: True for those to fit on.
        n_neighbors: Neighbours that count as near, at least 2.
        min_dist: Least distance between points afterwards; 0 packs clusters tightly.
        seed: Of the layout, in [0, 2**31).
        dimension: Coordinates wanted, at least 1.
        fit_at_most: Of more fitted points than this a random part is fitted, and the rest is
            put in like the others.

    Returns:
        Coordinates (float32) of all points, and the method used. Byte-identical for one seed
        on one machine.
    """
    chosen = np.flatnonzero(fit)
    if len(chosen) < max(4 * n_neighbors, 2 * dimension + 2):
        return first_components(points, fit, dimension)
    if len(chosen) > fit_at_most:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(chosen, fit_at_most, replace=False))
    others = np.setdiff1d(np.arange(len(points)), chosen)
    coordinates = np.empty((len(points), dimension), dtype=np.float32)

    with threadpool_limits(limits=1), warnings.catch_warnings():
        # said about disconnected graphs, which well separated clusters give, and of a part of the
        # package that needs another one
        warnings.simplefilter("ignore")
        from umap import UMAP  # seconds of compilation, paid only where it is needed

        few = len(chosen) < _FEW
        mapper = UMAP(
            metric="precomputed" if few else "euclidean",
            n_components=dimension,
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            random_state=seed,
            transform_seed=seed,
            n_jobs=1,
        )
        near = np.ascontiguousarray(points[chosen])
        away = np.ascontiguousarray(points[others])
        coordinates[chosen] = mapper.fit_transform(_distances(near, near) if few else near)
        if len(others):
            coordinates[others] = mapper.transform(_distances(away, near) if few else away)
    return Embedding(coordinates=_without_gaps(coordinates, chosen), method="umap")


def _distances(
    points: Float[np.ndarray, "a p"], others: Float[np.ndarray, "b p"]
) -> Float[np.ndarray, "a b"]:
    """Give all Euclidean distances: of few points UMAP takes them all, but pair by pair in Python."""
    exact: np.ndarray = distance.cdist(points.astype(np.float64), others.astype(np.float64))
    single: np.ndarray = exact.astype(np.float32)
    return single


def first_components(
    points: Float[np.ndarray, "n p"], fit: Bool[np.ndarray, " n"], dimension: int
) -> Embedding:
    """Give the first principal components of some points, as coordinates of all.

    Args:
        points: All points, finite.
        fit: True for those to fit on, at least two.
        dimension: Coordinates wanted, at least 1; zeros where the points span fewer.

    Returns:
        Coordinates, float32.
    """
    flat = principal_components(points[fit], dimension).apply(points)
    padded = np.pad(flat, ((0, 0), (0, dimension - flat.shape[1])))
    return Embedding(coordinates=padded, method="principal components")


def _without_gaps(
    coordinates: Float[np.ndarray, "n k"], placed: np.ndarray
) -> Float[np.ndarray, "n k"]:
    """Put rows that UMAP could not place (NaN: no neighbour at all) at the placed rows' mean."""
    lost = ~np.isfinite(coordinates).all(axis=1)
    if not lost.any():
        return coordinates
    known = coordinates[placed]
    middle = known[np.isfinite(known).all(axis=1)].mean(axis=0, dtype=np.float64)
    return np.where(lost[:, None], middle, coordinates).astype(np.float32)


def trustworthiness(
    vectors: Float[np.ndarray, "n d"],
    coordinates: Float[np.ndarray, "n k"],
    *,
    seed: int,
    n_neighbors: int = 15,
) -> float:
    """Say how many neighbours after a projection are true ones (Venna & Kaski 2001, eq. 1).

    Args:
        vectors: The points before the projection.
        coordinates: The same points after it.
        seed: Of the sample of at most 2000 points on which it is computed.
        n_neighbors: Neighbours compared; fewer than half of the points are used at most.

    Returns:
        A number in [0, 1]; 1 when every neighbour after it is a true one.

    Raises:
        InvalidInput: There are fewer than three points.
    """
    n = len(vectors)
    if n < 3:
        raise InvalidInput(f"trustworthiness needs at least 3 rows, got {n}")

    from sklearn.manifold import trustworthiness as of_sample

    rows = np.arange(n)
    if n > _TRUST_SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, _TRUST_SAMPLE, replace=False))
    near = max(1, min(n_neighbors, (len(rows) - 1) // 2))
    with threadpool_limits(limits=1):
        value = of_sample(vectors[rows], coordinates[rows], n_neighbors=near)
    return float(min(1.0, max(0.0, value)))
