"""From many dimensions to few: principal components, UMAP, and how far the result can be trusted."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
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

    def apply(
        self, vectors: Float[np.ndarray, "n d"], at: Int[np.ndarray, " m"] | None = None
    ) -> Float[np.ndarray, "m p"]:
        """Give the coordinates of vectors, or of those at some positions, as float32."""
        rows = np.arange(len(vectors)) if at is None else at
        out = np.empty((len(rows), self.axes.shape[1]), dtype=np.float32)
        for place, part in chunks(rows):
            out[place] = (vectors[part].astype(np.float64) - self.mean) @ self.axes
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding:
    """A few coordinates for every row.

    Attributes:
        coordinates: One row a point; axes have no meaning of their own under UMAP.
        method: `umap`, or `principal components` where there were too few rows for UMAP
            or where they were asked for.
        fitted: True for the points that the method was fitted on; the others were put in.
    """

    coordinates: Float[np.ndarray, "n k"]
    method: str
    fitted: Bool[np.ndarray, " n"]


def principal_components(
    vectors: Float[np.ndarray, "n d"],
    n_components: int,
    *,
    at: Int[np.ndarray, " m"] | None = None,
) -> PrincipalComponents:
    """Find the directions of greatest variance, by the smaller of the two Gram matrices.

    Args:
        vectors: Rows to fit, finite, at least two; may lie on the disk, and is read in parts.
        n_components: Directions wanted; fewer come back where the vectors span fewer.
        at: Positions of the rows to fit; all if left out.

    Returns:
        Between 1 and `n_components` directions. Vectors that are all alike give one
        direction of variance 0.

    Raises:
        InvalidInput: There are fewer than two rows, or fewer than one direction is wanted.
    """
    rows = np.arange(len(vectors)) if at is None else at
    n, d = len(rows), vectors.shape[1]
    if n < 2 or n_components < 1:
        raise InvalidInput(
            f"principal components need at least 2 rows and 1 component, got {n} rows and "
            f"{n_components} components"
        )
    wanted = min(n_components, n - 1, d)
    mean = mean_of(vectors, rows)
    if d <= n:
        values, axes = _largest(_covariance(vectors, rows, mean), wanted)
    else:
        centred = vectors[rows].astype(np.float64) - mean
        values, left = _largest(centred @ centred.T, wanted)
        axes = centred.T @ (left / np.sqrt(np.where(values > 0, values, 1.0)))
    spanned = max(1, int(np.sum(values > values[0] * 1e-12)))
    if values[0] <= 0:
        axes = np.eye(d, 1)
    axes, values = axes[:, :spanned], np.maximum(values[:spanned], 0.0)
    strongest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[strongest, np.arange(spanned)] < 0, -1.0, 1.0)
    return PrincipalComponents(mean=mean, axes=axes, variances=values / (n - 1))


def chunks(rows: Int[np.ndarray, " m"]) -> Iterator[tuple[slice, Int[np.ndarray, " p"]]]:
    """Cut positions into parts of a few thousand: where each part stands among them, and the part."""
    for start in range(0, len(rows), _CHUNK):
        place = slice(start, min(start + _CHUNK, len(rows)))
        yield place, rows[place]


def mean_of(
    vectors: Float[np.ndarray, "n d"], rows: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " d"]:
    """Give the mean of some rows in double precision, read in parts.

    Args:
        vectors: Any rows; may lie on the disk.
        rows: Positions of at least one of them.

    Returns:
        Their mean, to the bit what numpy gives of all at once.
    """
    total = np.zeros((1, vectors.shape[1]))
    for _, part in chunks(rows):
        # rows are added one after another: a sum that goes on is the same sum
        total = np.concatenate([total, vectors[part]]).sum(axis=0, keepdims=True)
    mean: np.ndarray = total[0] / len(rows)
    return mean


def _covariance(
    vectors: Float[np.ndarray, "n d"], rows: Int[np.ndarray, " m"], mean: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "d d"]:
    """Sum the outer products of the centred rows, a chunk at a time to spare memory."""
    total = np.zeros((len(mean), len(mean)))
    for _, rows_of_part in chunks(rows):
        part = vectors[rows_of_part].astype(np.float64) - mean
        total += part.T @ part
    return total


def _largest(
    matrix: Float[np.ndarray, "k k"], wanted: int
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "k p"]]:
    """Give the largest eigenvalues and their eigenvectors, largest first.

    In one thread: more gain little here, and wait for each other twenty times as long as they
    work where another process keeps a core busy.
    """
    k = len(matrix)
    with threadpool_limits(limits=1, user_api="blas"):
        values, vectors = linalg.eigh(matrix, subset_by_index=[k - wanted, k - 1])
    return values[::-1], vectors[:, ::-1]


def fewest_for_umap(n_neighbors: int, dimension: int = 2) -> int:
    """Give the number of fitted points from which UMAP has something to unfold.

    Args:
        n_neighbors: Neighbours that count as near.
        dimension: Coordinates wanted.
    """
    return max(4 * n_neighbors, 2 * dimension + 2)


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
    if len(chosen) < fewest_for_umap(n_neighbors, dimension):
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
    fitted = np.zeros(len(points), dtype=bool)
    fitted[chosen] = True
    return Embedding(coordinates=_without_gaps(coordinates, chosen), method="umap", fitted=fitted)


def _distances(
    points: Float[np.ndarray, "a p"], others: Float[np.ndarray, "b p"]
) -> Float[np.ndarray, "a b"]:
    """Give all Euclidean distances: of few points UMAP takes them all, but pair by pair in Python."""
    exact: np.ndarray = distance.cdist(points.astype(np.float64), others.astype(np.float64))
    single: np.ndarray = exact.astype(np.float32)
    return single


def first_components(
    points: Float[np.ndarray, "n p"],
    fit: Bool[np.ndarray, " m"],
    dimension: int,
    *,
    at: Int[np.ndarray, " m"] | None = None,
) -> Embedding:
    """Give the first principal components of some points, as coordinates of all.

    Args:
        points: All points, finite.
        fit: True for those to fit on, at least two.
        dimension: Coordinates wanted, at least 1; zeros where the points span fewer.
        at: Positions of the points that `fit` speaks of; all if left out.

    Returns:
        Coordinates, float32.
    """
    rows = np.arange(len(points)) if at is None else at
    flat = principal_components(points, dimension, at=rows[fit]).apply(points, rows)
    padded = np.pad(flat, ((0, 0), (0, dimension - flat.shape[1])))
    return Embedding(coordinates=padded, method="principal components", fitted=fit)


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
    coordinates: Float[np.ndarray, "m k"],
    *,
    seed: int,
    n_neighbors: int = 15,
    at: Int[np.ndarray, " m"] | None = None,
) -> float:
    """Say how many neighbours after a projection are true ones (Venna & Kaski 2001, eq. 1).

    Args:
        vectors: The points before the projection.
        coordinates: The same points after it.
        seed: Of the sample of at most 2000 points on which it is computed.
        n_neighbors: Neighbours compared; fewer than half of the points are used at most.
        at: Positions in `vectors` of the points that the coordinates are of; all if left out.

    Returns:
        A number in [0, 1]; 1 when every neighbour after it is a true one.

    Raises:
        InvalidInput: There are fewer than three points.
    """
    n = len(coordinates)
    if n < 3:
        raise InvalidInput(f"trustworthiness needs at least 3 rows, got {n}")

    from sklearn.manifold import trustworthiness as of_sample

    rows = np.arange(n)
    if n > _TRUST_SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, _TRUST_SAMPLE, replace=False))
    near = max(1, min(n_neighbors, (len(rows) - 1) // 2))
    with threadpool_limits(limits=1):
        before = vectors[rows if at is None else at[rows]]
        value = of_sample(before, coordinates[rows], n_neighbors=near)
    return float(min(1.0, max(0.0, value)))
