"""k-means as every stage uses it: the same clusters for the same seed, on any number of threads."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from engine.errors import InvalidInput

_MANY_ROWS = 20_000
"""From here on k-means starts three times instead of ten: the starts hardly differ by then."""


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
    finish. Fewer clusters come back where there are fewer distinct points than clusters.

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
        fitted = KMeans(n_clusters, n_init=starts, random_state=seed).fit(exact)
    return _of_labels(exact, fitted.labels_)


def _of_labels(points: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> Clustering:
    """Describe a partition, numbering its clusters without gaps."""
    _, compact = np.unique(labels, return_inverse=True)
    compact = compact.reshape(-1).astype(np.int64)
    sizes = np.bincount(compact)
    sums = np.stack([np.bincount(compact, weights=column) for column in points.T], axis=1)
    centres = sums / sizes[:, None]
    inertia = float(np.square(points - centres[compact]).sum())
    return Clustering(labels=compact, centres=centres, inertia=inertia)
