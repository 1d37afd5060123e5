"""Find the spurious cue that draws attention away in a class, wherever else it stands.

Screening by scores asks of each image whether attention rests on the core. Where attention is wrong
for one reason, such as a sticker, the answers say more: what sets the images judged wrong apart
from the others of their class is the cue itself, and it can then be found in images of every class,
also where the classifier does not look at it. Curation can then hold it equally often in all
classes, instead of dropping every image that shows it, after which a classifier knows nothing of it
and may read it either way.

This goes beyond SLIM (3.3), which keeps images above a score. On sets where attention is wrong for
many reasons no such cue is found, and held-out answers say so: then nothing is made of it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from engine.attention.presets import check_range
from engine.errors import InvalidInput, MisalignedRows
from engine.randomness import generator

_CHUNK = 65_536
_REPEATS = 3
"""Random foldings of the answers that an agreement is the mean of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CueConfig:
    """When a cue is believed, and how its detector is fitted.

    Attributes:
        agreement: Balanced accuracy on held-out answers from which a cue is believed, in [0.5, 1].
        least: Answers of each kind, and images of each kind by score, that a class must have.
        folds: Folds of the held-out check, and of the detection inside the class itself.
        c: Inverse strength of the detector's regularisation.
    """

    agreement: float = 0.85
    least: int = 3
    folds: int = 5
    c: float = 1e-3

    def __post_init__(self) -> None:
        check_range("cues.agreement", self.agreement, low=0.5, high=1)
        check_range("cues.least", self.least, low=2)
        check_range("cues.folds", self.folds, low=2)
        check_range("cues.c", self.c, low=0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cues:
    """Which spurious cue each image shows.

    Attributes:
        shown: 0 for none, 1 + c for the cue that draws attention away in class c.
        agreements: Of each class: how well held-out answers are told by what an image shows, in
            [0, 1] (balanced accuracy); NaN where the class has too few answers of one kind.
        believed: Classes whose agreement was high enough.
        notes: What was found, in sentences.
    """

    shown: Int64[np.ndarray, " m"]
    agreements: Float64[np.ndarray, " c"]
    believed: Bool[np.ndarray, " c"]
    notes: tuple[str, ...] = ()


def find_cues(
    features: Float[np.ndarray, "m d"],
    classes: Int[np.ndarray, " m"],
    scores: Float[np.ndarray, " m"],
    answers: Int[np.ndarray, " m"],
    config: CueConfig | None = None,
    *,
    seed: int,
    class_names: Sequence[str] = (),
) -> Cues:
    """Find what sets images of wrong attention apart in their class, and where else it stands.

    In each class a logistic regression on the standardised features tells images scored below one
    half from the others. It is believed if the same regression, fitted on answers alone, tells
    held-out answers of the class apart. Images of other classes are judged by the regression on
    the whole class, images of the class itself by one that has not seen them.

    Args:
        features: Features of the images (global average pooling), finite.
        classes: Their classes, from 0.
        scores: P(core) of each image, in [0, 1].
        answers: CORE (1), SPURIOUS (0), or UNLABELED (-1) for each image.
        config: When a cue is believed; the defaults if left out.
        seed: Of the folds.
        class_names: For the notes; `class 0` and so on if left out.

    Returns:
        The cues; where an image shows several, the one that is clearest.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: A feature is not finite.
    """
    chosen = config or CueConfig()
    if not len(features) == len(classes) == len(scores) == len(answers):
        raise MisalignedRows("features, classes, scores and answers must describe the same images")
    if not np.isfinite(features).all():
        raise InvalidInput("some features are not finite; check the classifier's weights for NaN")
    n_classes = int(classes.max(initial=-1)) + 1
    agreements = np.full(n_classes, np.nan)
    evidence = np.full((len(classes), n_classes), -np.inf)
    for c in range(n_classes):
        inside = classes == c
        asked = np.flatnonzero(inside & (answers >= 0))
        wrong = scores[inside] < 0.5
        rng = generator(seed, f"cues {c}")
        agreements[c] = _agreement(features[asked], answers[asked] == 0, chosen, rng)
        if not agreements[c] >= chosen.agreement:
            continue
        if min(int(wrong.sum()), int((~wrong).sum())) < max(chosen.least, chosen.folds):
            continue
        detector = _Detector(features[inside], wrong, chosen.c)
        evidence[~inside, c] = detector.evidence(features, np.flatnonzero(~inside))
        evidence[inside, c] = _held_out(features[inside], wrong, chosen, rng)
    clearest = evidence.max(axis=1, initial=-np.inf)
    shown = np.zeros(len(classes), dtype=np.int64)
    found = clearest > 0
    shown[found] = evidence[found].argmax(axis=1) + 1
    believed = np.isfinite(evidence).any(axis=0)
    notes = _notes(shown, classes, agreements, believed, class_names)
    return Cues(shown=shown, agreements=agreements, believed=believed, notes=notes)


class _Detector:
    """A regression that tells images with wrong attention from the others of one class."""

    def __init__(
        self, features: Float[np.ndarray, "p d"], wrong: Bool[np.ndarray, " p"], c: float
    ) -> None:
        exact = features.astype(np.float64)
        self._scaler = StandardScaler(copy=False).fit(exact)
        self._model = LogisticRegression(C=c, class_weight="balanced", max_iter=1_000)
        with warnings.catch_warnings():
            # half a step from the optimum tells images apart all the same
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._scaler.transform(exact), wrong)  # in place

    def evidence(
        self, features: Float[np.ndarray, "p d"], at: Int[np.ndarray, " q"]
    ) -> Float64[np.ndarray, " q"]:
        """Give the log-odds that images show the cue, both kinds being equally frequent."""
        found = np.zeros(len(at))
        for start in range(0, len(at), _CHUNK):
            part = self._scaler.transform(features[at[start : start + _CHUNK]].astype(np.float64))
            found[start : start + _CHUNK] = self._model.decision_function(part)
        return found


def _held_out(
    features: Float[np.ndarray, "p d"],
    wrong: Bool[np.ndarray, " p"],
    config: CueConfig,
    rng: np.random.Generator,
) -> Float64[np.ndarray, " p"]:
    """Judge each image by a detector that was fitted without it."""
    n_folds = min(config.folds, int(wrong.sum()), int((~wrong).sum()))
    folds = np.zeros(len(wrong), dtype=np.int64)
    for kind in (True, False):
        members = np.flatnonzero(wrong == kind)
        folds[members] = rng.permutation(len(members)) % n_folds
    evidence = np.zeros(len(wrong))
    for fold in range(n_folds):
        held = folds == fold
        detector = _Detector(features[~held], wrong[~held], config.c)
        evidence[held] = detector.evidence(features, np.flatnonzero(held))
    return evidence


def _agreement(
    features: Float[np.ndarray, "q d"],
    wrong: Bool[np.ndarray, " q"],
    config: CueConfig,
    rng: np.random.Generator,
) -> float:
    """Give the balanced accuracy on held-out answers; NaN where there are too few of a kind."""
    if min(int(wrong.sum()), int((~wrong).sum())) < config.least:
        return float("nan")
    found = []
    for _ in range(_REPEATS):
        said = _held_out(features, wrong, config, rng) > 0
        found.append((said[wrong].mean() + (~said[~wrong]).mean()) / 2)
    return float(np.mean(found))


def _notes(
    shown: Int[np.ndarray, " m"],
    classes: Int[np.ndarray, " m"],
    agreements: Float[np.ndarray, " c"],
    believed: Bool[np.ndarray, " c"],
    class_names: Sequence[str],
) -> tuple[str, ...]:
    """Say in which classes a cue was found, and how many images of each class show it."""
    names = [
        class_names[c] if c < len(class_names) else f"class {c}" for c in range(len(agreements))
    ]
    notes = []
    for c in np.flatnonzero(believed).tolist():
        places = [
            f"{int(((shown == c + 1) & (classes == other)).sum())} of "
            f"{int((classes == other).sum())} images of {name}"
            for other, name in enumerate(names)
        ]
        notes.append(
            f"in {names[c]} one cue draws attention away (held-out answers agree to "
            f"{agreements[c]:.0%}); {', '.join(places)} show it"
        )
    return tuple(notes)
