"""Keep the images whose attention is on the core."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.attention.presets import check_option, check_range, preset_options
from engine.curation.cues import CueConfig, Cues
from engine.errors import InvalidInput, MisalignedRows

CHOSEN = "chosen"
RULES = (CHOSEN, "cues", "threshold", "better_half", "median_pooled", "none", "oracle")
_TRIED = tuple(rule for rule in RULES if rule not in (CHOSEN, "oracle"))

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"rule": "median_pooled", "floor": 0.0},
    "authors": {"rule": "median_pooled", "floor": 0.0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningConfig:
    """Which scores are good enough.

    Attributes:
        rule: `chosen` (of the `candidates`, the one whose subset gives the head with the best plain
            average on the validation images), `cues` (every image is kept, and where the answers point to one spurious cue the
            subset holds it equally often in all classes; see `engine.curation.cues`), `threshold`
            (score at least `tau`), `better_half` of each class, `median_pooled`
            (score strictly above the median of all classes together, as the authors do), `none`,
            or `oracle` (every image's own answer stands in place of its score: yes is kept).
        candidates: The rules that `chosen` tries, the preferred one first.
        errors: By how many standard errors of their paired difference on the validation images
            another candidate must beat the first one to be taken in its place.
        tau: Least score kept by `threshold`, in [0, 1]; under `cues`, images below are suspect.
        floor: Least share of a class that is kept whatever the scores, in [0, 1].
        cues: When a cue is believed.
    """

    rule: str = CHOSEN
    candidates: tuple[str, ...] = ("cues", "better_half", "threshold")
    errors: float = 2.0
    tau: float = 0.5
    floor: float = 0.2
    cues: CueConfig = field(default_factory=CueConfig)

    def __post_init__(self) -> None:
        check_option("screening.rule", self.rule, RULES)
        for candidate in self.candidates:
            check_option("screening.candidates", candidate, _TRIED)
        if not self.candidates:
            raise InvalidInput(
                "screening.candidates is empty; name at least one rule, such as threshold"
            )
        check_range("screening.errors", self.errors, low=0)
        check_range("screening.tau", self.tau, low=0, high=1)
        check_range("screening.floor", self.floor, low=0, high=1)

    @classmethod
    def preset(cls, name: str) -> "ScreeningConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screening:
    """What is kept.

    Attributes:
        rule: The rule that was followed.
        kept: True for images kept.
        thresholds: The least score kept in each class; the rule's own threshold where nothing of
            a class is kept, `tau` under `cues`, and 0 for the rule `none`.
        suspect: True for images whose attention seems to be on something spurious: those not
            kept, and under `cues` those that score below `tau`.
        shown: The cue that each image shows, 0 for none, 1 + c for that of class c; all 0 under
            every rule but `cues`.
        warnings: Classes that were nearly or wholly lost, and cues found, in sentences.
    """

    rule: str
    kept: Bool[np.ndarray, " m"]
    thresholds: Float[np.ndarray, " c"]
    suspect: Bool[np.ndarray, " m"]
    shown: Int[np.ndarray, " m"]
    warnings: tuple[str, ...] = ()


def screen(
    scores: Float[np.ndarray, " m"],
    classes: Int[np.ndarray, " m"],
    config: ScreeningConfig | None = None,
    *,
    cues: Cues | None = None,
    class_names: Sequence[str] = (),
) -> Screening:
    """Keep the images that score high enough (SLIM, 3.3; the rule is an option).

    Args:
        scores: P(core) of each image, in [0, 1]; for the rule `oracle` from `scores_of_answers`.
        classes: Their classes, from 0.
        config: The rule, not `chosen`; `cues` if left out.
        cues: What `find_cues` found, for the rule `cues`; none were found if left out.
        class_names: For the warnings; `class 0` and so on if left out.

    Returns:
        What is kept. Of equal scores at the edge of a share, the earlier images are kept.

    Raises:
        MisalignedRows: Scores and classes differ in length.
        InvalidInput: There are no images, a score is NaN, or no single rule is named.
    """
    chosen = config or ScreeningConfig(rule="cues")
    if chosen.rule == CHOSEN:
        raise InvalidInput("screening.rule chosen is settled by a run; screen by one rule here")
    if len(scores) != len(classes):
        raise MisalignedRows(f"{len(scores)} scores for the classes of {len(classes)} images")
    if len(scores) == 0 or np.isnan(scores).any():
        raise InvalidInput(
            f"screening needs a score for each image, got {len(scores)} images, "
            f"{int(np.isnan(scores).sum())} of them without a score"
        )
    n_classes = int(classes.max()) + 1
    kept = np.zeros(len(scores), dtype=bool)
    thresholds = np.zeros(n_classes)
    warnings: list[str] = []
    pooled = float(np.median(scores))
    for class_index in range(n_classes):
        members = np.flatnonzero(classes == class_index)
        passed, edge = _passed(scores[members], chosen, pooled)
        least = int(np.ceil(chosen.floor * len(members) - 1e-9))
        known = class_index < len(class_names)
        name = class_names[class_index] if known else f"class {class_index}"
        warning = _warning(int(passed.sum()), least, len(members), edge, chosen)
        if passed.sum() < least:
            passed = _best(scores[members], least)
        kept[members] = passed
        taken = scores[members][passed]
        by_score = len(taken) and chosen.rule not in ("none", "cues")
        thresholds[class_index] = taken.min() if by_score else edge
        warnings.extend([f"{name}: {warning}"] if warning else [])
    by_cue = chosen.rule == "cues"
    return Screening(
        rule=chosen.rule,
        kept=kept,
        thresholds=thresholds,
        suspect=scores < chosen.tau if by_cue else ~kept,
        shown=cues.shown if by_cue and cues is not None else np.zeros(len(scores), dtype=np.int64),
        warnings=(*warnings, *(cues.notes if by_cue and cues is not None else ())),
    )


def scores_of_answers(
    labels: Int[np.ndarray, " m"], *, split: str = "these images"
) -> Float[np.ndarray, " m"]:
    """Put answers in place of scores: what screening would do if every image were asked about.

    This is an ablation for benchmarks, which have an answer for every image; the answers are data
    like any other, and who gave them is not known here.

    Args:
        labels: Attention labels: CORE (1), SPURIOUS (0), or UNLABELED (-1) where nobody decided.
        split: What to call the images in errors.

    Returns:
        1 for core, 0 for spurious, and one half where undecided: not kept, but the first to be
        taken where a floor asks for more.

    Raises:
        InvalidInput: No image has an answer.
    """
    if not (labels >= 0).any():
        raise InvalidInput(
            f"screening.rule oracle needs an answer for every image, got none for {split}; give "
            "votes on all of them, or take the rule threshold"
        )
    scores: np.ndarray = np.where(labels < 0, 0.5, labels).astype(np.float64)
    return scores


def _passed(
    scores: Float[np.ndarray, " p"], config: ScreeningConfig, pooled: float
) -> tuple[Bool[np.ndarray, " p"], float]:
    """Apply the rule to one class: what passes, and the threshold that was asked for."""
    if config.rule == "threshold":
        return scores >= config.tau, config.tau
    if config.rule == "median_pooled":
        return scores > pooled, pooled
    if config.rule == "oracle":
        return scores > 0.5, 1.0
    if config.rule == "better_half":
        return _best(scores, (len(scores) + 1) // 2), 0.0
    return np.ones(len(scores), dtype=bool), config.tau if config.rule == "cues" else 0.0


def _best(scores: Float[np.ndarray, " p"], n: int) -> Bool[np.ndarray, " p"]:
    """Mark the n highest scores, the earlier of equals first."""
    best = np.zeros(len(scores), dtype=bool)
    best[np.argsort(-scores, kind="stable")[:n]] = True
    return best


def _warning(n_passed: int, least: int, n: int, edge: float, config: ScreeningConfig) -> str:
    """Say what happened to a class of which too little passed, or nothing."""
    if n == 0 or (n_passed >= least and n_passed > 0):
        return ""
    relation = "above" if config.rule == "median_pooled" else "at least"
    found = f"only {n_passed} of {n} images score {relation} {edge:.3g}"
    if least > 0:
        return (
            f"{found}, so the best {least} are kept; ask more images of this class, or lower the "
            "threshold"
        )
    return f"{found}, so nothing of this class is left; set a floor, or lower the threshold"
