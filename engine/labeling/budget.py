"""How many images to ask about: more clusters agree more inside, up to an elbow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from engine.attention.clustering import k_means
from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.queries import share_budget
from engine.progress import Progress, ignore_progress
from engine.randomness import generator, integer_seed

_AUTHORS_OPTIONS = (2, 3, 4, 5)
_MOST_QUERIES = 400
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConsistencyCurve:
    """How alike images of one cluster are, by the number of clusters.

    Attributes:
        budgets: Numbers of clusters in all, rising.
        attention: Mean cosine of two attention maps of one cluster, in [0, 1].
        features: Mean cosine of two feature vectors of one cluster, in [-1, 1].
    """

    budgets: Int[np.ndarray, " b"]
    attention: Float[np.ndarray, " b"]
    features: Float[np.ndarray, " b"]


def candidate_budgets(n_rows: int, n_classes: int, *, points: int = 10) -> tuple[int, ...]:
    """Give numbers of queries worth trying: from four a class to a tenth of the images, or 400.

    Args:
        n_rows: Images that may be asked about.
        n_classes: Classes among them.
        points: Numbers wanted; fewer come back where they coincide.

    Returns:
        Rising numbers, each at least 1, none above `n_rows`.
    """
    low = max(1, min(4 * n_classes, n_rows))
    high = max(low, min(n_rows // 10, _MOST_QUERIES))
    return tuple(np.unique(np.geomspace(low, high, points).round().astype(int)).tolist())


def consistency_curve(
    coordinates: Float[np.ndarray, "m k"],
    vectors: Float[np.ndarray, "m d"],
    maps: Float[np.ndarray, "m h w"],
    classes: Int[np.ndarray, " m"],
    budgets: Sequence[int],
    *,
    seed: int,
    on_progress: Progress = ignore_progress,
) -> ConsistencyCurve:
    """Measure how alike clusters are inside, for several numbers of clusters (SLIM, figure 4).

    Clusters are made as for queries: k-means per class, the number shared equally. The cosine is
    the mean over all pairs of one cluster, clusters weighing by their size; a cluster of one
    image has no pair and does not count. Of more than 20,000 images a random sample is measured.

    Args:
        coordinates: Of the images in the attention space.
        vectors: Their attention-weighted features.
        maps: Their attention maps, non-negative, live.
        classes: Their classes, from 0.
        budgets: Numbers of clusters to try.
        seed: Of the clusters.
        on_progress: Told after each number.

    Returns:
        The two curves.

    Raises:
        InvalidInput: There are no images or no numbers to try.
        MisalignedRows: The arrays differ in length.
    """
    if len(budgets) == 0 or len(coordinates) == 0:
        raise InvalidInput("a consistency curve needs images, and numbers of clusters to try")
    if not len(coordinates) == len(vectors) == len(maps) == len(classes):
        raise MisalignedRows("coordinates, vectors, maps and classes differ in length")
    tried = np.unique(np.asarray(budgets, dtype=np.int64))
    if len(classes) > _SAMPLE:
        some = consistency_sample(len(classes), seed)
        coordinates, vectors = coordinates[some], vectors[some]
        maps, classes = maps[some], classes[some]
    flat = _unit(maps.reshape(len(maps), -1))
    features = _unit(vectors)
    curves = np.empty((2, len(tried)))
    for at, budget in enumerate(tried.tolist()):
        labels = _clusters_per_class(coordinates, classes, budget, seed)
        curves[0, at] = _mean_cosine(flat, labels)
        curves[1, at] = _mean_cosine(features, labels)
        on_progress(at + 1, len(tried))
    return ConsistencyCurve(budgets=tried, attention=curves[0], features=curves[1])


def consistency_sample(n_rows: int, seed: int) -> Int[np.ndarray, " s"]:
    """Draw the images that a consistency curve is measured on.

    Args:
        n_rows: Images there are.
        seed: Of the curve.

    Returns:
        Positions, rising: 20,000 of them, or all.
    """
    if n_rows <= _SAMPLE:
        return np.arange(n_rows)
    drawn = generator(seed, "consistency sample").choice(n_rows, _SAMPLE, replace=False)
    return np.sort(drawn)


def _unit(vectors: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
    """Scale vectors to length 1; those of length 0 stay."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    unit: np.ndarray = exact / np.where(lengths > 0, lengths, 1.0)
    return unit


def _clusters_per_class(
    coordinates: Float[np.ndarray, "m k"], classes: Int[np.ndarray, " m"], budget: int, seed: int
) -> Int[np.ndarray, " m"]:
    """Cluster each class alone, and number the clusters through."""
    labels = np.zeros(len(classes), dtype=np.int64)
    sizes = np.bincount(classes)
    following = 0
    for class_index, share in enumerate(share_budget(sizes, budget).tolist()):
        members = np.flatnonzero(classes == class_index)
        if len(members) == 0:
            continue
        stage = f"consistency {budget} {class_index}"
        found = k_means(coordinates[members], max(1, share), seed=integer_seed(seed, stage))
        labels[members] = found.labels + following
        following += len(found.centres)
    return labels


def _mean_cosine(unit: Float[np.ndarray, "m d"], labels: Int[np.ndarray, " m"]) -> float:
    """Average the cosine of all pairs inside clusters; 1 where no cluster has a pair."""
    m, n_clusters = len(labels), int(labels.max()) + 1
    member = sparse.csr_array((np.ones(m), (labels, np.arange(m))), shape=(n_clusters, m))
    sums = member @ unit
    own = member @ np.square(unit).sum(axis=1)
    sizes = np.bincount(labels, minlength=n_clusters).astype(np.float64)
    paired = sizes > 1
    if not paired.any():
        return 1.0
    pairs = np.where(paired, sizes * (sizes - 1), 1.0)
    cosine = (np.square(sums).sum(axis=1) - own) / pairs
    return float(np.average(cosine[paired], weights=sizes[paired]))


def elbow(
    x: Sequence[float] | Sequence[int] | np.ndarray, y: Sequence[float] | Sequence[int] | np.ndarray
) -> int:
    """Find where a curve bends most: the point farthest from the chord of its ends.

    Both axes are scaled to [0, 1] first (as Kneedle does, Satopää et al. 2011), so units do not
    matter; curves that rise and curves that fall are both served.

    Args:
        x: Rising values.
        y: The curve there.

    Returns:
        The index of the elbow; the first of equally far points, and 0 for a straight line.

    Raises:
        InvalidInput: There is no point, or the lengths differ.
    """
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(across) == 0 or len(across) != len(up):
        raise InvalidInput(f"an elbow needs as many x as y, got {len(across)} and {len(up)}")
    width, height = across[-1] - across[0], up[-1] - up[0]
    extent = float(np.ptp(up))
    if width <= 0 or extent <= 0:
        return 0
    away = np.abs((up - up[0]) / extent - (across - across[0]) / width * height / extent)
    farthest = int(np.round(away, 12).argmax())
    return farthest if away[farthest] > 1e-12 else 0


def authors_elbow(
    errors: Sequence[float] | Sequence[int] | np.ndarray, options: Sequence[int] = _AUTHORS_OPTIONS
) -> int:
    """Choose k as the authors' code does: one past the largest second difference.

    With four options it can answer only the second or the third of them.

    Args:
        errors: Sum of squared errors for each option.
        options: The numbers of clusters tried, at least three.

    Returns:
        The chosen option.

    Raises:
        InvalidInput: The lengths differ or are below three.
    """
    if len(errors) != len(options) or len(options) < 3:
        raise InvalidInput(
            f"the authors' elbow needs an error for each of at least 3 options, got "
            f"{len(errors)} errors for {len(options)} options"
        )
    bend = np.diff(np.diff(np.asarray(errors, dtype=np.float64)))
    return options[int(bend.argmax()) + 1]


def propose_budget(curve: ConsistencyCurve, *, lowest: int = 1, highest: int | None = None) -> int:
    """Propose a number of queries: the elbow of the mean of both curves, kept inside bounds.

    Args:
        curve: How alike clusters are inside.
        lowest: The least number to propose.
        highest: The most to propose; it wins over `lowest`.

    Returns:
        A number of queries.
    """
    both = [_scaled(values) for values in (curve.attention, curve.features)]
    proposal = int(curve.budgets[elbow(curve.budgets, np.mean(both, axis=0))])
    proposal = max(proposal, lowest)
    return proposal if highest is None else min(proposal, highest)


def _scaled(values: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Scale a curve to [0, 1]; a flat one to 0."""
    extent = float(np.ptp(values))
    scaled: np.ndarray = (values - values.min()) / (extent if extent > 0 else 1.0)
    return scaled
