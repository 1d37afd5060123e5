"""From a few answers to a score for every image. numpy and scipy only, so a web page may preview it.

Label spreading (Zhou et al. 2004) in closed form, with three repairs of the usual library
behaviour: a place where nothing arrives has a score (the prior) and says so instead of NaN; one
answer alone moves what is near it and leaves the rest at the prior; answers may be shares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.attention.presets import check_option, check_range, preset_options
from engine.errors import InvalidInput, MisalignedRows, NotEnoughLabels
from engine.labeling.aggregation import AttentionLabels
from engine.labeling.graph import AffinityGraph, kernel_graph, median_gamma, neighbour_graph
from engine.labeling.votes import AttentionLabel

KERNELS = ("knn", "rbf")
OUTPUTS = ("distribution", "predict_proba")
SCALINGS = ("axis", "scalar")

_ARRIVES = 1e-10
"""Mass below this share of the largest answer is what the solver cannot tell from nothing."""

_ENOUGH = 0.95
"""Share of a class's images that answers should reach; below it, the scores come with a warning."""

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"kernel": "rbf", "alpha": 0.2, "prior_weight": 0.0},
    "authors": {
        "kernel": "rbf",
        "gamma": (10.0, 5.0),
        "alpha": 1e-6,
        "standardise_by": "scalar",
        "prior_weight": 0.0,
        "output": "predict_proba",
        "rescale": True,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadingConfig:
    """How answers spread.

    Attributes:
        kernel: `knn` (sparse, any number of images) or `rbf` (all pairs).
        k: Neighbours of each place under `knn`, at least 1.
        alpha: Share of a score that comes from the neighbours, strictly between 0 and 1.
        gamma: Of `rbf`: none (the median heuristic), one for all classes, or one for each; the
            last serves further classes, with a warning.
        per_class: Spread inside each class alone.
        standardise: Bring coordinates to mean 0 and variance 1 first.
        standardise_by: `axis`, or `scalar`: one mean and one deviation over all entries (authors).
        prior: Score where nothing arrives, in [0, 1].
        prior_weight: Mass of the prior, where one answer's is 1; at least 0.
        output: `distribution` (the spread answers), or `predict_proba`: smoothed once more, as
            scikit-learn's method of that name does, so that answered images do not keep theirs.
        rescale: Stretch each class's scores over [0, 1] (authors); no change where all are equal.
    """

    kernel: str = "knn"
    k: int = 15
    alpha: float = 0.5
    gamma: tuple[float, ...] = ()
    per_class: bool = True
    standardise: bool = True
    standardise_by: str = "axis"
    prior: float = 0.5
    prior_weight: float = 1e-6
    output: str = "distribution"
    rescale: bool = False

    def __post_init__(self) -> None:
        check_option("spreading.kernel", self.kernel, KERNELS)
        check_option("spreading.output", self.output, OUTPUTS)
        check_option("spreading.standardise_by", self.standardise_by, SCALINGS)
        check_range("spreading.k", self.k, low=1)
        check_range("spreading.alpha", self.alpha, low=0, high=1, open_low=True, open_high=True)
        check_range("spreading.prior", self.prior, low=0, high=1)
        check_range("spreading.prior_weight", self.prior_weight, low=0)
        for gamma in self.gamma:
            check_range("spreading.gamma", gamma, low=0, open_low=True)

    @classmethod
    def preset(cls, name: str) -> "SpreadingConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionScores:
    """How probable it is that the attention is on the core, for every image.

    Attributes:
        scores: P(core) in [0, 1], never NaN; the prior where nothing arrived.
        known: False where nothing arrived.
        warnings: What a reader of the scores must be told, in sentences.
    """

    scores: Float[np.ndarray, " m"]
    known: Bool[np.ndarray, " m"]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)


def build_graph(
    coordinates: Float[np.ndarray, "n d"], config: SpreadingConfig, *, class_index: int = 0
) -> AffinityGraph:
    """Make the graph that answers spread along; it may serve many spreadings.

    Args:
        coordinates: Of the images, finite, at least one row.
        config: Kernel, neighbours, gamma, scaling.
        class_index: Whose gamma to take, where there is one for each class; the last where there
            is none for this one.

    Returns:
        The graph.

    Raises:
        InvalidInput: A coordinate is not finite, there are no images, or too many for the dense
            kernel.
    """
    if len(coordinates) == 0 or not np.isfinite(coordinates).all():
        raise InvalidInput(
            f"spreading needs finite coordinates of at least one image, got {len(coordinates)} "
            f"images, {int((~np.isfinite(coordinates)).any(axis=1).sum())} of them not finite"
        )
    points = _standardised(coordinates.astype(np.float64), config)
    if config.kernel == "knn":
        return neighbour_graph(points, config.k)
    return kernel_graph(points, _gamma(points, config, class_index))


def _standardised(
    points: Float[np.ndarray, "n d"], config: SpreadingConfig
) -> Float[np.ndarray, "n d"]:
    """Bring coordinates to mean 0 and variance 1, by axis or all together."""
    if not config.standardise:
        return points
    axis = 0 if config.standardise_by == "axis" else None
    spread = np.std(points, axis=axis)
    moved: np.ndarray = (points - np.mean(points, axis=axis)) / np.where(spread > 0, spread, 1.0)
    return moved


def _gamma(points: Float[np.ndarray, "n d"], config: SpreadingConfig, class_index: int) -> float:
    """Choose the kernel's gamma for one class."""
    if not config.gamma:
        return median_gamma(points)
    return config.gamma[min(class_index, len(config.gamma) - 1)]


def spread_masses(
    graph: AffinityGraph,
    core: Float[np.ndarray, " n"],
    spurious: Float[np.ndarray, " n"],
    config: SpreadingConfig,
) -> AttentionScores:
    """Spread answers given as masses; one answer alone is enough.

    The score is (f_core + w pi) / (f_core + f_spurious + w), with f what arrives, pi the prior
    and w its weight: near a single answer it leans that way, far from all it is pi.

    Args:
        graph: Of the images.
        core: How much each image was answered as core; one sure answer is 1, none is 0.
        spurious: The same for spurious.
        config: alpha, prior, output, rescaling.

    Returns:
        A score for each image, in the graph's order.

    Raises:
        MisalignedRows: The masses are not of the graph's images.
        InvalidInput: A mass is negative or not finite.
    """
    if not len(core) == len(spurious) == len(graph.site_of):
        raise MisalignedRows(
            f"the graph has {len(graph.site_of)} images, but {len(core)} core and "
            f"{len(spurious)} spurious masses are given"
        )
    given = np.stack([core, spurious]).astype(np.float64)
    if not (np.isfinite(given).all() and (given >= 0).all()):
        raise InvalidInput("answers' masses must be finite and not negative")
    core_arrived, spurious_arrived = (
        graph.spread(np.bincount(graph.site_of, column, graph.n_sites), config.alpha)
        for column in given
    )
    least = 0.0 if config.kernel == "rbf" else _ARRIVES * float(given.max(initial=0.0))
    total = core_arrived + spurious_arrived
    known = total > least
    if config.output == "predict_proba":
        share = np.where(known, 1.0 / np.where(known, total, 1.0), 0.0)
        core_arrived = graph.smooth(core_arrived * share)
        total = core_arrived + graph.smooth(spurious_arrived * share)
        known = total > 0
    weight = config.prior_weight
    anchored = (core_arrived + weight * config.prior) / np.where(known, total + weight, 1.0)
    scores = np.where(known, np.clip(anchored, 0.0, 1.0), config.prior)
    if config.rescale:
        scores = _stretched(scores, known)
    return AttentionScores(scores=scores[graph.site_of], known=known[graph.site_of])


def _stretched(
    scores: Float[np.ndarray, " s"], known: Bool[np.ndarray, " s"]
) -> Float[np.ndarray, " s"]:
    """Stretch the known scores over [0, 1], unless they are all equal."""
    if not known.any():
        return scores
    low, high = float(scores[known].min()), float(scores[known].max())
    if high <= low:
        return scores
    return np.where(known, (scores - low) / (high - low), scores)


def spread_labels(
    coordinates: Float[np.ndarray, "m d"],
    labels: AttentionLabels,
    classes: Int[np.ndarray, " m"],
    config: SpreadingConfig | None = None,
    *,
    class_names: Sequence[str] = (),
) -> AttentionScores:
    """Give every image a score, from the labels of a few (SLIM, section 3.3).

    A class whose answers are all of one kind gets that answer wherever it arrives, and a class
    without answers the prior; both are said in the warnings, and so is a class that the answers
    reach less than 95 % of. (The authors' code scores a class of one kind 1 even when every answer
    was no.)

    Args:
        coordinates: Of the images in the attention space.
        labels: Of the same images, in the same order.
        classes: Of the same images, from 0.
        config: How; the defaults if left out.
        class_names: For the warnings; `class 0` and so on if left out.

    Returns:
        Scores in the images' order.

    Raises:
        NotEnoughLabels: No image is labelled, or all labels are of one kind.
        MisalignedRows: The arrays differ in length.
    """
    chosen = config or SpreadingConfig()
    if not len(coordinates) == len(labels) == len(classes):
        raise MisalignedRows(
            f"coordinates, labels and classes must describe the same images, got "
            f"{len(coordinates)}, {len(labels)} and {len(classes)}"
        )
    _check_enough(labels)
    scores = np.full(len(classes), chosen.prior)
    known = np.zeros(len(classes), dtype=bool)
    parts = np.unique(classes).tolist() if chosen.per_class else [None]
    warnings = _gamma_warnings(chosen, parts, class_names)
    for part in parts:
        members = np.arange(len(classes)) if part is None else np.flatnonzero(classes == part)
        found = _spread_part(coordinates[members], labels.restricted_to(members), chosen, part)
        scores[members], known[members] = found.scores, found.known
        name = _name(part, class_names)
        warnings.extend(f"{name}: {warning}" for warning in found.warnings)
    return AttentionScores(scores=scores, known=known, warnings=tuple(warnings))


def _name(part: int | None, class_names: Sequence[str]) -> str:
    """Name a class, or all of them together."""
    if part is None:
        return "all classes"
    return class_names[part] if part < len(class_names) else f"class {part}"


def _gamma_warnings(
    config: SpreadingConfig, parts: Sequence[int | None], class_names: Sequence[str]
) -> list[str]:
    """Say which classes the last of several gammas serves for want of their own."""
    n = len(config.gamma)
    served = [part for part in parts if part is not None and part >= n]
    if config.kernel != "rbf" or n < 2 or not served:
        return []
    names = ", ".join(_name(part, class_names) for part in served[:3])
    more = f" and {len(served) - 3} more" if len(served) > 3 else ""
    return [
        f"spreading.gamma has {n} values for {len(parts)} classes, so the last, "
        f"{config.gamma[-1]:g}, serves {names}{more} too; give one value, or one for each class"
    ]


def _check_enough(labels: AttentionLabels) -> None:
    """Refuse labels that cannot tell core from spurious."""
    n_core = int(np.sum(labels.labels == AttentionLabel.CORE))
    n_spurious = int(np.sum(labels.labels == AttentionLabel.SPURIOUS))
    if n_core and n_spurious:
        return
    if not n_core and not n_spurious:
        raise NotEnoughLabels(
            f"none of the {len(labels)} images is labelled: there is no answer of yes or no to "
            "spread; collect answers before closing the round"
        )
    answer, n = ("yes", n_core) if n_core else ("no", n_spurious)
    raise NotEnoughLabels(
        f"all {n} labelled images were answered {answer!r}, so there is nothing to tell apart; "
        "ask more images in another round"
    )


def _spread_part(
    coordinates: Float[np.ndarray, "p d"],
    labels: AttentionLabels,
    config: SpreadingConfig,
    part: int | None,
) -> AttentionScores:
    """Spread inside one class, or over all images together where `part` is None."""
    answered = labels.labels != AttentionLabel.UNLABELED
    n = int(answered.sum())
    if n == 0:
        return AttentionScores(
            scores=np.full(len(labels), config.prior),
            known=np.zeros(len(labels), dtype=bool),
            warnings=(
                f"no image of this class is labelled, so all {len(labels)} have the score "
                f"{config.prior:g}; ask some of them in another round",
            ),
        )
    core = np.where(answered, np.nan_to_num(labels.core_probability), 0.0)
    graph = build_graph(coordinates, config, class_index=part or 0)
    found = spread_masses(graph, core, np.where(answered, 1.0 - core, 0.0), config)
    short = _reach_warnings(found.known, config)
    kinds = np.unique(labels.labels[answered])
    if len(kinds) > 1:
        return replace(found, warnings=short)
    answer = "yes" if kinds[0] == AttentionLabel.CORE else "no"
    return AttentionScores(
        scores=np.where(found.known, float(kinds[0]), config.prior),
        known=found.known,
        warnings=(
            f"all {n} labelled images of this class were answered {answer!r}, so its images have "
            f"the score {int(kinds[0])}; ask more of them in another round to tell them apart",
            *short,
        ),
    )


def _reach_warnings(known: Bool[np.ndarray, " p"], config: SpreadingConfig) -> tuple[str, ...]:
    """Say so where too few images of a class are reached by any answer."""
    reached, n = int(known.sum()), len(known)
    if reached >= _ENOUGH * n:
        return ()
    wider = (
        f"raise spreading.k (now {config.k})" if config.kernel == "knn" else "lower spreading.gamma"
    )
    return (
        f"answers reach only {reached} of {n} images ({100 * reached / n:.1f} %), and the others "
        f"have the score {config.prior:g}; ask about more images in another round, or {wider}",
    )
