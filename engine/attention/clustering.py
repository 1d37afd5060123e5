"""k-means and k-medoids as every stage uses them: the same for one seed, on any number of threads."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from engine.errors import InvalidInput

_MANY_ROWS = 20_000
"""From here on k-means starts three times instead of ten: the starts hardly differ by then."""
MINI_BATCH_FROM = 50_000
"""From here on k-means looks at random parts of so many points as it fits (Sculley, 2010)."""
_BATCH = 8_192

_MEDOID_SAMPLE = 8_000
_MEDOID_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clustering:
    """A partition of points into non-empty clusters.

    Attributes:
        labels: The cluster of each point, in [0, k).
        centres: The mean of each cluster's points.
        inertia: Sum of squared distances of the points to their centres.
    """

    labels: Int[np.ndarray, " n"]
    centres: Float[np.ndarray, "k d"]
    inertia: float


def k_means(points: Float[np.ndarray, "n d"], n_clusters: int, *, seed: int) -> Clustering:
    """Cluster points by k-means, started several times by k-means++.

    One thread is used, because scikit-learn adds partial sums in the order in which threads
    finish. Fewer clusters come back where there are fewer distinct points than clusters. Of more
    than `MINI_BATCH_FROM` points the centres are found by mini-batches; every point is then given
    to its nearest centre, as always.

    Args:
        points: Coordinates, finite, at least one row.
        n_clusters: Clusters wanted, at least 1.
        seed: Of the random starts, in [0, 2**31).

    Returns:
        The clustering with the least inertia among the starts; no cluster is empty.

    Raises:
        InvalidInput: There is nothing to cluster, or fewer than one cluster is wanted.
    """
    if len(points) == 0 or n_clusters < 1:
        raise InvalidInput(
            f"k-means needs at least one point and one cluster, got {len(points)} points and "
            f"{n_clusters} clusters"
        )
    exact = np.asarray(points, dtype=np.float64)
    sites, site_of = np.unique(exact, axis=0, return_inverse=True)
    if n_clusters == 1:
        return _of_labels(exact, np.zeros(len(exact), dtype=np.int64))
    if n_clusters >= len(sites):
        return _of_labels(exact, site_of.reshape(-1).astype(np.int64))
    starts = 10 if len(exact) <= _MANY_ROWS else 3
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # points nearer than rounding count as distinct here, but not there
        warnings.simplefilter("ignore", ConvergenceWarning)
        if len(exact) > MINI_BATCH_FROM:
            method = MiniBatchKMeans(
                n_clusters, n_init=starts, batch_size=_BATCH, random_state=seed
            )
        else:
            method = KMeans(n_clusters, n_init=starts, random_state=seed)
        labels = method.fit(exact).labels_
    return _of_labels(exact, labels)


def _of_labels(points: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> Clustering:
    """Describe a partition, numbering its clusters without gaps."""
    _, compact = np.unique(labels, return_inverse=True)
    compact = compact.reshape(-1).astype(np.int64)
    sizes = np.bincount(compact)
    sums = np.stack([np.bincount(compact, weights=column) for column in points.T], axis=1)
    centres = sums / sizes[:, None]
    inertia = float(np.square(points - centres[compact]).sum())
    return Clustering(labels=compact, centres=centres, inertia=inertia)


def k_medoids(
    points: Float[np.ndarray, "n d"],
    n_medoids: int,
    *,
    seed: int,
    fixed: Int[np.ndarray, " f"] | None = None,
) -> Int[np.ndarray, " k"]:
    """Choose points that every other is near to, by Voronoi iteration (Park & Jun 2009).

    It starts at the points nearest the centres of k-means. Fixed medoids take part and stay, so
    the chosen ones go where they are not. Of more than 8,000 points a random part is looked at.

    Args:
        points: Coordinates, finite.
        n_medoids: Medoids wanted beside the fixed ones, at least 1.
        seed: Of the start and of the part, in [0, 2**31).
        fixed: Positions of medoids that are given.

    Returns:
        Distinct positions, none of them fixed; fewer where there are fewer points.

    Raises:
        InvalidInput: Fewer than one medoid is wanted.
    """
    if n_medoids < 1:
        raise InvalidInput(f"k-medoids needs at least 1 medoid to choose, got {n_medoids}")
    given = np.zeros(0, dtype=np.int64) if fixed is None else np.asarray(fixed, dtype=np.int64)
    free = np.setdiff1d(np.arange(len(points)), given)
    if len(free) <= n_medoids:
        return free
    if len(free) > _MEDOID_SAMPLE:
        rng = np.random.default_rng(seed)
        free = np.sort(rng.choice(free, max(_MEDOID_SAMPLE, n_medoids), replace=False))
    exact = np.asarray(points, dtype=np.float64)
    between = cdist(exact[free], exact[free])
    to_given = cdist(exact[free], exact[given]).min(axis=1, initial=np.inf)
    medoids = _first_medoids(exact[free], n_medoids, to_given, seed)
    for _ in range(_MEDOID_STEPS):
        away = between[:, medoids]
        nearest = np.where(away.min(axis=1) <= to_given, away.argmin(axis=1), -1)
        nearest[medoids] = np.arange(len(medoids))
        moved = medoids.copy()
        for at in range(len(medoids)):
            members = np.flatnonzero(nearest == at)
            moved[at] = members[between[np.ix_(members, members)].sum(axis=1).argmin()]
        if np.array_equal(moved, medoids):
            break
        medoids = moved
    return np.sort(free[medoids])


def _first_medoids(
    points: Float[np.ndarray, "n d"], wanted: int, away: Float[np.ndarray, " n"], seed: int
) -> Int[np.ndarray, " k"]:
    """Take the points nearest the centres of k-means, then the farthest from all taken."""
    chosen: list[int] = []
    if np.isinf(away).all():
        centres = k_means(points, wanted, seed=seed).centres
        chosen = np.unique(cdist(centres, points).argmin(axis=1)).tolist()
    nearest = np.minimum(away, cdist(points, points[chosen]).min(axis=1, initial=np.inf))
    nearest[chosen] = -1.0
    while len(chosen) < wanted:
        best = int(nearest.argmax())
        chosen.append(best)
        nearest = np.minimum(nearest, cdist(points, points[[best]])[:, 0])
        nearest[chosen] = -1.0
    return np.array(chosen, dtype=np.int64)
