"""What spreading marks needs to know of a slice set: a few centres a slice, and how they vary together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist

from engine.attention.presets import check_option, check_range
from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.kernel import covariance_of
from engine.slicing.slice_set import SliceSet, halves

CLASS_RULES = ("auto", "together", "apart")


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagationConfig:
    """How marks spread.

    Attributes:
        length: How far, in standard deviations of the map; above 0.
        noise: Variance of a mark's own error, where the function's variance is 1; above 0.
        centres: Centres that represent a slice (of one class), at least 1.
        classes: `apart`: marks spread inside a predicted class alone; `together`; `auto`: apart
            where there are more than two classes.
    """

    length: float = 0.15
    noise: float = 0.1
    centres: int = 4
    classes: str = "auto"

    def __post_init__(self) -> None:
        check_range("propagation.length", self.length, low=0, open_low=True)
        check_range("propagation.noise", self.noise, low=0, open_low=True)
        check_range("propagation.centres", self.centres, low=1)
        check_option("propagation.classes", self.classes, CLASS_RULES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkingMap:
    """What spreading needs to know of a slice set; made once a version, small enough to store.

    Attributes:
        centres: Places on the map, scaled so that its standard deviation is 1.
        owner: The slice of each centre, as a place in the set's slices.
        classes: The class of each centre; all 0 where classes are together.
        weights: The share of the slice's images that the centre stands for.
        covariance: Of the slices' means of the function.
        sizes: Images of each slice.
        origin: The map's mean, before scaling.
        scale: The map's standard deviation.
        config: How marks spread.
    """

    centres: Float[np.ndarray, "r 2"]
    owner: Int[np.ndarray, " r"]
    classes: Int[np.ndarray, " r"]
    weights: Float[np.ndarray, " r"]
    covariance: Float[np.ndarray, "k k"]
    sizes: Int[np.ndarray, " k"]
    origin: Float[np.ndarray, " 2"]
    scale: float
    config: PropagationConfig


def marking_map(
    slices: SliceSet,
    coordinates: Float[np.ndarray, "m 2"],
    predicted: Int[np.ndarray, " m"],
    config: PropagationConfig | None = None,
) -> MarkingMap:
    """Prepare a slice set for spreading.

    Args:
        slices: The set.
        coordinates: As plotted, of the set's images, finite.
        predicted: Their predicted classes, from 0.
        config: How marks spread; the defaults if left out.

    Returns:
        The map; only its slices matter, not their order.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: A coordinate is not finite.
    """
    chosen = config or PropagationConfig()
    if not len(coordinates) == len(predicted) == len(slices.rows):
        raise MisalignedRows(
            f"{len(coordinates)} coordinates and {len(predicted)} predictions for "
            f"{len(slices.rows)} images"
        )
    if not np.isfinite(coordinates).all():
        raise InvalidInput("spreading marks needs finite coordinates; lay the map out again")
    origin, scale = _frame(coordinates)
    points = (coordinates.astype(np.float64) - origin) / scale
    classes = classes_for(predicted, chosen)
    found: list[tuple[np.ndarray, int, int, float]] = []
    index, sizes = slices.index(), slices.sizes()
    order = np.lexsort((classes, index))
    key = index[order] * (int(classes.max(initial=0)) + 1) + classes[order]
    for part in np.split(order, np.flatnonzero(np.diff(key)) + 1):
        owner, label = int(index[part[0]]), int(classes[part[0]])
        found += [
            (middle, owner, label, n / int(sizes[owner]))
            for middle, n in _centres(points[part], chosen.centres)
        ]
    centres = np.array([middle for middle, *_ in found]).reshape(-1, 2)
    owners = np.array([owner for _, owner, *_ in found], dtype=np.int64)
    labels = np.array([label for *_, label, _ in found], dtype=np.int64)
    weights = np.array([weight for *_, weight in found], dtype=np.float64)
    return MarkingMap(
        centres=centres,
        owner=owners,
        classes=labels,
        weights=weights,
        covariance=_covariance(centres, owners, labels, weights, chosen.length),
        sizes=sizes,
        origin=origin,
        scale=scale,
        config=chosen,
    )


def _frame(coordinates: Float[np.ndarray, "m 2"]) -> tuple[Float[np.ndarray, " 2"], float]:
    """Give the mean and one standard deviation for both axes: a turned map is the same map."""
    exact = coordinates.astype(np.float64)
    spread = float(np.sqrt(exact.var(axis=0).mean()))
    return exact.mean(axis=0), spread if spread > 0 else 1.0


def classes_for(
    predicted: Int[np.ndarray, " m"], config: PropagationConfig
) -> Int[np.ndarray, " m"]:
    """Give the classes that marks do not cross: the predicted ones, or one for all."""
    n = len(np.unique(predicted))
    apart = config.classes == "apart" or (config.classes == "auto" and n > 2)
    return predicted.astype(np.int64) if apart else np.zeros(len(predicted), dtype=np.int64)


def _centres(
    points: Float[np.ndarray, "s 2"], wanted: int
) -> list[tuple[Float[np.ndarray, " 2"], int]]:
    """Represent points by the means of some parts, halving the most spread part each time."""
    parts = [points]
    while len(parts) < wanted:
        spreads = [float(part.var(axis=0).sum()) * len(part) for part in parts]
        widest = int(np.argmax(spreads))
        second = halves(parts[widest])
        if not second.any():
            break
        part = parts.pop(widest)
        parts += [part[~second], part[second]]
    return [(part.mean(axis=0), len(part)) for part in parts]


def _covariance(
    centres: Float[np.ndarray, "r 2"],
    owner: Int[np.ndarray, " r"],
    classes: Int[np.ndarray, " r"],
    weights: Float[np.ndarray, " r"],
    length: float,
) -> Float[np.ndarray, "k k"]:
    """Give the covariance of slices' means, class by class."""
    k = int(owner.max(initial=-1)) + 1
    out = np.zeros((k, k))
    for label in np.unique(classes).tolist():
        own = np.flatnonzero(classes == label)
        between = covariance_of(cdist(centres[own], centres[own], "sqeuclidean"), length)
        share = shares(owner[own], weights[own], k)
        out += share @ between @ share.T
    return 0.5 * (out + out.T)


def shares(
    owner: Int[np.ndarray, " r"], weights: Float[np.ndarray, " r"], k: int
) -> Float[np.ndarray, "k r"]:
    """Give the matrix that takes values at centres to their slices' means.

    Args:
        owner: The slice of each centre, as a place in the set's slices.
        weights: The share of the slice's images that each stands for.
        k: How many slices there are.
    """
    share = np.zeros((k, len(owner)))
    share[owner, np.arange(len(owner))] = weights
    return share
