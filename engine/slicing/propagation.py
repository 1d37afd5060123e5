"""From marks on a few slices to a score for every slice and image, while somebody waits.

The attention score is taken for a smooth random function over the map, known to be .5 on average,
and a mark for a slightly uncertain look at the *mean* of that function over a slice's images. What
is then expected everywhere is the solution of as many linear equations as there are marks
(regression by a Gaussian process; kriging, from areas to points). Against spreading along a graph of nearest neighbours
(Zhou et al. 2004; AttributionScanner, A-IV) this has three merits: one mark is enough, for what is
far from all marks stays at .5; the doubt that is left says which slice to look at next; and the
cost depends on slices, not on images.

Single images can be marked as well; each is a look at the function where the image lies.

The covariance of two places (`kernel`) reaches from half to four times `length`, so that first
marks reach far and later ones correct near by. Slices are represented by a few centres each. numpy
and scipy alone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist

from engine.errors import MisalignedRows
from engine.slicing.image_marks import NO_IMAGE_MARKS, ImageMarks
from engine.slicing.kernel import covariance_of, field_of
from engine.slicing.marking_map import MarkingMap, classes_for, shares
from engine.slicing.marks import Marks, stated
from engine.slicing.slice_set import SliceSet

DECIDED_BELOW = 0.4
"""Where spreading decides: the farther slices stay between .4 and .6 after a single mark."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Looks:
    """All that was stated: of q - p slices, then of p images.

    Attributes:
        places: The slices, as places in the set's slices.
        values: What each look saw.
        shared: Covariance of every slice's mean with each look.
        own: Covariance of the looks, with their own error.
    """

    places: Int[np.ndarray, " s"]
    values: Float[np.ndarray, " q"]
    shared: Float[np.ndarray, "k q"]
    own: Float[np.ndarray, "q q"]

    def solved(self, targets: Float[np.ndarray, "q t"]) -> Float[np.ndarray, "q t"]:
        """Solve own x = targets."""
        found: np.ndarray = np.linalg.solve(self.own, targets)
        return found


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


def _looked(slices: SliceSet, marks: Marks, prepared: MarkingMap, images: ImageMarks) -> _Looks:
    """Gather all looks and how they vary together."""
    places, values = _check(slices, marks, prepared)
    reach = _reach(prepared, images)
    same = images.classes[:, None] == images.classes
    near = covariance_of(cdist(images.places, images.places, "sqeuclidean"), prepared.config.length)
    own = np.block(
        [
            [prepared.covariance[np.ix_(places, places)], reach[places]],
            [reach[places].T, np.where(same, near, 0.0)],
        ]
    )
    error = prepared.config.noise / np.concatenate([np.ones(len(places)), images.counts])
    return _Looks(
        places=places,
        values=np.concatenate([values, images.values]),
        shared=np.concatenate([prepared.covariance[:, places], reach], axis=1),
        own=own + np.diag(error),
    )


def _reach(prepared: MarkingMap, images: ImageMarks) -> Float[np.ndarray, "k p"]:
    """Give the covariance of slices' means with the function at single images, class by class."""
    out = np.zeros((len(prepared.sizes), len(images.places)))
    for label in np.unique(images.classes).tolist():
        here = np.flatnonzero(images.classes == label)
        own = np.flatnonzero(prepared.classes == label)
        between = covariance_of(
            cdist(prepared.centres[own], images.places[here], "sqeuclidean"),
            prepared.config.length,
        )
        share = shares(prepared.owner[own], prepared.weights[own], len(prepared.sizes))
        out[:, here] = share @ between
    return out


def slice_scores(
    slices: SliceSet,
    marks: Marks,
    prepared: MarkingMap,
    images: ImageMarks = NO_IMAGE_MARKS,
) -> SliceScores:
    """Spread marks to all slices.

    Args:
        slices: The set that the map was prepared for.
        marks: Of its slices; with none of slices and of images, every score is .5.
        prepared: From `marking_map`.
        images: What was stated of single images, from `image_marks`.

    Returns:
        Scores and doubt, in the order of the set's slices.

    Raises:
        MisalignedRows: The map was prepared for another set.
        InvalidInput: The marks are not of this set.
    """
    looks = _looked(slices, marks, prepared, images)
    places, shared = looks.places, looks.shared
    pull = looks.solved(np.concatenate([looks.values[:, None] * 2 - 1, shared.T], axis=1))
    scores = np.clip(0.5 + 0.5 * shared @ pull[:, 0], 0.0, 1.0)
    variance = np.diag(prepared.covariance) - (shared * pull[:, 1:].T).sum(axis=1)
    full = np.maximum(np.diag(prepared.covariance), 1e-300)
    known = np.zeros(len(scores), dtype=bool)
    known[places] = True
    scores[places] = looks.values[: len(places)]
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
    images: ImageMarks = NO_IMAGE_MARKS,
) -> Float[np.ndarray, " m"]:
    """Spread marks to all images.

    Inside a slice marked core no image falls below .5, inside one marked spurious none rises
    above: near another kind of slice they are less sure, but a person has decided. An image that
    was itself marked has the score that was stated of it, whatever its slice's mark.

    Args:
        slices: The set that the map was prepared for.
        marks: Of its slices.
        prepared: From `marking_map`.
        coordinates: Those that it was prepared with.
        predicted: Those that it was prepared with.
        images: What was stated of single images, from `image_marks`.

    Returns:
        P(attention is correct) of each image, in [0, 1].

    Raises:
        MisalignedRows: The arrays are not of the set's images.
        InvalidInput: The marks are not of this set.
    """
    looks = _looked(slices, marks, prepared, images)
    if not len(coordinates) == len(predicted) == len(slices.rows):
        raise MisalignedRows(
            f"{len(coordinates)} coordinates and {len(predicted)} predictions for "
            f"{len(slices.rows)} images"
        )
    places, q = looks.places, len(looks.places)
    pull = looks.solved(looks.values[:, None] * 2 - 1)[:, 0]
    of_slices = np.zeros(len(prepared.sizes))
    of_slices[places] = pull[:q]
    field = _spread(
        np.concatenate([prepared.centres, images.places]),
        np.concatenate([prepared.classes, images.classes]),
        np.concatenate([prepared.weights * of_slices[prepared.owner], pull[q:]]),
        (coordinates.astype(np.float64) - prepared.origin) / prepared.scale,
        classes_for(predicted, prepared.config),
        prepared.config.length,
    )
    index = slices.index()
    low, high = np.zeros(len(prepared.sizes)), np.ones(len(prepared.sizes))
    values = looks.values[:q]
    low[places[values > 0.5]], high[places[values < 0.5]] = 0.5, 0.5
    scores: np.ndarray = np.clip(0.5 + 0.5 * field, low[index], high[index])
    scores[images.members] = images.scores
    return scores


def _spread(
    centres: Float[np.ndarray, "r 2"],
    classes: Int[np.ndarray, " r"],
    strength: Float[np.ndarray, " r"],
    points: Float[np.ndarray, "m 2"],
    own: Int[np.ndarray, " m"],
    length: float,
) -> Float[np.ndarray, " m"]:
    """Sum the centres' influence at each image of their class."""
    field = np.zeros(len(points))
    active = np.flatnonzero(strength != 0)
    for label in np.unique(classes[active]).tolist():
        pulling = active[classes[active] == label]
        here = slice(None) if (own == label).all() else np.flatnonzero(own == label)
        field[here] = field_of(points[here], centres[pulling], strength[pulling], length)
    return field


def _check(
    slices: SliceSet, marks: Marks, prepared: MarkingMap
) -> tuple[Int[np.ndarray, " q"], Float[np.ndarray, " q"]]:
    if not np.array_equal(prepared.sizes, slices.sizes()):
        raise MisalignedRows(
            f"the marking map was prepared for another version of the slices than "
            f"{slices.version}; prepare it again"
        )
    return stated(slices, marks)


def next_slices(
    slices: SliceSet,
    marks: Marks,
    prepared: MarkingMap,
    images: ImageMarks = NO_IMAGE_MARKS,
    *,
    wanted: int = 1,
) -> tuple[int, ...]:
    """Say which slices to look at next: those whose mark would remove most doubt.

    A slice's worth is the variance that marking it takes from all slices, weighed by their images
    and by how open their score still is. Slices that carry any mark are not proposed.

    Args:
        slices: The set that the map was prepared for.
        marks: Of its slices.
        prepared: From `marking_map`.
        images: What was stated of single images, from `image_marks`.
        wanted: How many; each as if those before it were marked with what is expected of them.

    Returns:
        Numbers of slices, the most useful first; fewer where fewer are unmarked.

    Raises:
        MisalignedRows: The map was prepared for another set.
        InvalidInput: The marks are not of this set.
    """
    looks, noise = _looked(slices, marks, prepared, images), prepared.config.noise
    targets = np.concatenate([looks.values[:, None] * 2 - 1, looks.shared.T], axis=1)
    pull = looks.solved(targets)
    mean = looks.shared @ pull[:, 0]
    covariance = prepared.covariance - looks.shared @ pull[:, 1:]
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
