"""What spreading marks needs to know of a slice set: a few centres a slice, and how they vary together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist

from engine.attention.presets import check_option, check_range
from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.kernel import covariance_of
from engine.slicing.slice_set import SliceSet, halves, unchanged

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
    *,
    before: tuple[SliceSet, MarkingMap] | None = None,
) -> MarkingMap:
    """Prepare a slice set for spreading.

    Args:
        slices: The set.
        coordinates: As plotted, of the set's images, finite.
        predicted: Their predicted classes, from 0.
        config: How marks spread; the defaults if left out.
        before: An earlier version of the set and its map, made of the same coordinates and
            predictions; what it says of slices that are unchanged is taken over.

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
    known = _known(slices, before, chosen)
    made = [
        known.centres[at] if at in known.centres else _stand_ins(points, classes, part, chosen)
        for at, part in enumerate(slices.parts)
    ]
    owners = np.repeat(np.arange(len(made)), [len(one) for one in made])
    table = np.concatenate([np.zeros((0, 4)), *made])
    centres, labels, weights = table[:, :2], table[:, 2].astype(np.int64), table[:, 3]
    covariance = known.covariance
    fresh = np.array([at not in known.centres for at in range(len(made))], dtype=bool)
    rows = _covariance(centres, owners, labels, weights, chosen.length, fresh)
    covariance[fresh], covariance[:, fresh] = rows, rows.T
    return MarkingMap(
        centres=centres,
        owner=owners,
        classes=labels,
        weights=weights,
        covariance=0.5 * (covariance + covariance.T),
        sizes=slices.sizes(),
        origin=origin,
        scale=scale,
        config=chosen,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What an earlier map says of slices that are unchanged.

    Attributes:
        centres: By place in the new set: x, y, class and weight of each centre.
        covariance: Of the new set's slices; 0 where it is not known.
    """

    centres: dict[int, Float[np.ndarray, "_ 4"]]
    covariance: Float[np.ndarray, "k k"]


def _known(
    slices: SliceSet, before: tuple[SliceSet, MarkingMap] | None, config: PropagationConfig
) -> _Known:
    covariance = np.zeros((len(slices), len(slices)))
    if before is None or before[1].config != config:
        return _Known(centres={}, covariance=covariance)
    old, found = before
    there, here = unchanged(old, slices)
    covariance[np.ix_(here, here)] = found.covariance[np.ix_(there, there)]
    table = np.column_stack([found.centres, found.classes, found.weights])
    parts = np.split(table, np.searchsorted(found.owner, np.arange(1, len(old))))
    centres = {at: parts[place] for place, at in zip(there.tolist(), here.tolist(), strict=True)}
    return _Known(centres=centres, covariance=covariance)


def _stand_ins(
    points: Float[np.ndarray, "m 2"],
    classes: Int[np.ndarray, " m"],
    members: Int[np.ndarray, " s"],
    config: PropagationConfig,
) -> Float[np.ndarray, "_ 4"]:
    """Represent a slice, class by class: x, y, class and weight of each centre."""
    own, labels = points[members], classes[members]
    return np.array(
        [
            (*middle, label, n / len(members))
            for label in np.unique(labels).tolist()
            for middle, n in _centres(own[labels == label], config.centres)
        ]
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
    wanted: Bool[np.ndarray, " k"],
) -> Float[np.ndarray, "w k"]:
    """Give the covariance of some slices' means with those of all, class by class."""
    out = np.zeros((int(wanted.sum()), len(wanted)))
    for label in np.unique(classes[wanted[owner]]).tolist():
        own = np.flatnonzero(classes == label)
        share = shares(owner[own], weights[own], len(wanted))
        near = wanted[owner[own]]
        between = covariance_of(cdist(centres[own[near]], centres[own], "sqeuclidean"), length)
        out += share[np.ix_(wanted, near)] @ between @ share.T
    return out


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
