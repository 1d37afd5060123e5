"""From marks on a few slices to a score for every slice and image, while somebody waits.

The attention score is taken for a smooth random function over the map, known to be .5 on average,
and a mark for a slightly uncertain look at the *mean* of that function over a slice's images. What
is then expected everywhere is the solution of as many linear equations as there are marks
(regression by a Gaussian process; kriging, from areas to points). Against spreading along a graph of nearest neighbours
(Zhou et al. 2004; AttributionScanner, A-IV) this has three merits: one mark is enough, for what is
far from all marks stays at .5; the doubt that is left says which slice to look at next; and the
cost depends on slices, not on images.

The covariance of two places is the mean of four Gaussians, from half to four times `length`, so
that first marks reach far and later ones correct near by. Slices are represented by a few centres
each, and over many images the function is made on a grid and interpolated. numpy and scipy alone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import map_coordinates
from scipy.spatial.distance import cdist

from engine.attention.presets import check_option, check_range
from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.marks import Marks, stated
from engine.slicing.slice_set import SliceSet, halves, unchanged

CLASS_RULES = ("auto", "together", "apart")
_SCALES = (0.5, 1.0, 2.0, 4.0)
_CELLS_A_LENGTH = 6.0
_MOST_CELLS = 384
_DIRECT = 500_000
"""Pairs of image and centre up to which the function is computed image by image."""


DECIDED_BELOW = 0.4
"""Where spreading decides: the farther slices stay between .4 and .6 after a single mark."""


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceScores:
    """What marks say of every slice.

    Attributes:
        scores: P(attention is correct), mean over the slice's images, in [0, 1]; what a person
            stated, where one did.
        doubt: Standard deviation left, in [0, 1]: 1 where no mark reaches.
        stated: True where a person stated the score.
    """

    scores: Float[np.ndarray, " k"]
    doubt: Float[np.ndarray, " k"]
    stated: np.ndarray


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


def _kernel(squares: np.ndarray, length: float) -> np.ndarray:
    """Give the covariance of places by their squared distance."""
    out = np.zeros_like(squares)
    for factor in _SCALES:
        out += np.exp(squares * (-0.5 / (length * factor) ** 2))
    return out / len(_SCALES)


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
        share = np.zeros((len(wanted), len(own)))
        share[owner[own], np.arange(len(own))] = weights[own]
        near = wanted[owner[own]]
        between = _kernel(cdist(centres[own[near]], centres[own], "sqeuclidean"), length)
        out += share[np.ix_(wanted, near)] @ between @ share.T
    return out


def slice_scores(slices: SliceSet, marks: Marks, prepared: MarkingMap) -> SliceScores:
    """Spread marks to all slices.

    Args:
        slices: The set that the map was prepared for.
        marks: Of its slices; with none, every score is .5.
        prepared: From `marking_map`.

    Returns:
        Scores and doubt, in the order of the set's slices.

    Raises:
        MisalignedRows: The map was prepared for another set.
        InvalidInput: The marks are not of this set.
    """
    places, values = _check(slices, marks, prepared)
    shared = prepared.covariance[:, places]
    pull = _solved(prepared, places, np.concatenate([values[:, None] * 2 - 1, shared.T], axis=1))
    scores = np.clip(0.5 + 0.5 * shared @ pull[:, 0], 0.0, 1.0)
    variance = np.diag(prepared.covariance) - (shared * pull[:, 1:].T).sum(axis=1)
    full = np.maximum(np.diag(prepared.covariance), 1e-300)
    known = np.zeros(len(scores), dtype=bool)
    known[places] = True
    scores[places] = values
    doubt = np.sqrt(np.clip(variance / full, 0.0, 1.0))
    return SliceScores(scores=scores, doubt=np.where(known, 0.0, doubt), stated=known)


def spurious_slices(slices: SliceSet, found: SliceScores) -> tuple[int, ...]:
    """Give the numbers of the slices that are spurious once marks have spread.

    Args:
        slices: The set that was scored.
        found: From `slice_scores`.

    Returns:
        Slices with a score below `DECIDED_BELOW`, in the set's order. What lies between that and
        one half is undecided: one mark draws slices that it hardly reaches to either side of .5.
    """
    low = np.asarray(found.scores) < DECIDED_BELOW
    return tuple(
        number for number, is_low in zip(slices.numbers, low.tolist(), strict=True) if is_low
    )


def image_scores(
    slices: SliceSet,
    marks: Marks,
    prepared: MarkingMap,
    coordinates: Float[np.ndarray, "m 2"],
    predicted: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    """Spread marks to all images.

    Inside a slice marked core no image falls below .5, inside one marked spurious none rises
    above: near another kind of slice they are less sure, but a person has decided.

    Args:
        slices: The set that the map was prepared for.
        marks: Of its slices.
        prepared: From `marking_map`.
        coordinates: Those that it was prepared with.
        predicted: Those that it was prepared with.

    Returns:
        P(attention is correct) of each image, in [0, 1].

    Raises:
        MisalignedRows: The arrays are not of the set's images.
        InvalidInput: The marks are not of this set.
    """
    places, values = _check(slices, marks, prepared)
    if not len(coordinates) == len(predicted) == len(slices.rows):
        raise MisalignedRows(
            f"{len(coordinates)} coordinates and {len(predicted)} predictions for "
            f"{len(slices.rows)} images"
        )
    pull = np.zeros(len(prepared.sizes))
    pull[places] = _solved(prepared, places, values[:, None] * 2 - 1)[:, 0]
    strength = prepared.weights * pull[prepared.owner]
    field = np.zeros(len(coordinates))
    if len(places):
        points = (coordinates.astype(np.float64) - prepared.origin) / prepared.scale
        classes = classes_for(predicted, prepared.config)
        active = np.flatnonzero(strength != 0)
        for label in np.unique(prepared.classes[active]).tolist():
            own = active[prepared.classes[active] == label]
            here = slice(None) if (classes == label).all() else np.flatnonzero(classes == label)
            field[here] = _field(
                points[here], prepared.centres[own], strength[own], prepared.config.length
            )
    scores = np.clip(0.5 + 0.5 * field, 0.0, 1.0)
    index = slices.index()
    low, high = np.zeros(len(prepared.sizes)), np.ones(len(prepared.sizes))
    low[places[values > 0.5]], high[places[values < 0.5]] = 0.5, 0.5
    bounded: np.ndarray = np.clip(scores, low[index], high[index])
    return bounded


def _check(
    slices: SliceSet, marks: Marks, prepared: MarkingMap
) -> tuple[Int[np.ndarray, " q"], Float[np.ndarray, " q"]]:
    if not np.array_equal(prepared.sizes, slices.sizes()):
        raise MisalignedRows(
            f"the marking map was prepared for another version of the slices than "
            f"{slices.version}; prepare it again"
        )
    return stated(slices, marks)


def _solved(
    prepared: MarkingMap, places: Int[np.ndarray, " q"], targets: Float[np.ndarray, "q t"]
) -> Float[np.ndarray, "q t"]:
    """Solve (K + noise I) x = targets for the marked slices."""
    own = prepared.covariance[np.ix_(places, places)]
    solved: np.ndarray = np.linalg.solve(own + prepared.config.noise * np.eye(len(places)), targets)
    return solved


def _field(
    points: Float[np.ndarray, "n 2"],
    centres: Float[np.ndarray, "r 2"],
    strength: Float[np.ndarray, " r"],
    length: float,
) -> Float[np.ndarray, " n"]:
    """Sum the centres' influence at each point, directly or by way of a grid."""
    if len(points) * len(centres) <= _DIRECT:
        direct: np.ndarray = _kernel(cdist(points, centres, "sqeuclidean"), length) @ strength
        return direct
    return field_by_grid(points, centres, strength, length)


def field_by_grid(
    points: Float[np.ndarray, "n 2"],
    centres: Float[np.ndarray, "r 2"],
    strength: Float[np.ndarray, " r"],
    length: float,
) -> Float[np.ndarray, " n"]:
    """Make the sum on a grid, where a Gaussian is a product of two, and interpolate by splines.

    Args:
        points: Where it is wanted.
        centres: Of the Gaussians.
        strength: Of each.
        length: As in `PropagationConfig`.

    Returns:
        The sum at each point, to about a thousandth of the greatest strength.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    step = max(length / _CELLS_A_LENGTH, float((high - low).max()) / _MOST_CELLS)
    nodes = [low[axis] + step * np.arange(int((high - low)[axis] / step) + 2) for axis in (0, 1)]
    grid = np.zeros((len(nodes[0]), len(nodes[1])))
    for factor in _SCALES:
        across, down = (
            np.exp((nodes[axis][:, None] - centres[:, axis]) ** 2 * (-0.5 / (length * factor) ** 2))
            for axis in (0, 1)
        )
        grid += (across * strength) @ down.T
    at = ((points - low) / step).T
    found: np.ndarray = map_coordinates(grid / len(_SCALES), at, order=3, mode="nearest")
    return found


def next_slices(
    slices: SliceSet, marks: Marks, prepared: MarkingMap, *, wanted: int = 1
) -> tuple[int, ...]:
    """Say which slices to look at next: those whose mark would remove most doubt.

    A slice's worth is the variance that marking it takes from all slices, weighed by their images
    and by how open their score still is. Slices that carry any mark are not proposed.

    Args:
        slices: The set that the map was prepared for.
        marks: Of its slices.
        prepared: From `marking_map`.
        wanted: How many; each as if those before it were marked with what is expected of them.

    Returns:
        Numbers of slices, the most useful first; fewer where fewer are unmarked.

    Raises:
        MisalignedRows: The map was prepared for another set.
        InvalidInput: The marks are not of this set.
    """
    places, values = _check(slices, marks, prepared)
    noise = prepared.config.noise
    shared = prepared.covariance[:, places]
    pull = _solved(prepared, places, np.concatenate([values[:, None] * 2 - 1, shared.T], axis=1))
    mean = shared @ pull[:, 0]
    covariance = prepared.covariance - shared @ pull[:, 1:]
    taken = {at for at, number in enumerate(slices.numbers) if number in marks}
    chosen: list[int] = []
    while len(chosen) < wanted and len(taken) < len(mean):
        variance = np.maximum(np.diag(covariance), 0.0)
        open_still = np.exp(-(mean**2) / (variance + noise))
        worth = (prepared.sizes * open_still) @ covariance**2 / (variance + noise)
        worth[list(taken)] = -1.0
        best = int(worth.argmax())
        chosen.append(best)
        taken.add(best)
        covariance = _seen(covariance, best, noise)
    return tuple(slices.numbers[at] for at in chosen)


def _seen(covariance: Float[np.ndarray, "k k"], at: int, noise: float) -> Float[np.ndarray, "k k"]:
    """Give what is left of the covariance after a look at one slice."""
    left: np.ndarray = covariance - np.outer(covariance[:, at], covariance[at]) / (
        covariance[at, at] + noise
    )
    return left
