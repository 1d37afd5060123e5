"""Judge every candidate C on rows that it was not fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from engine.progress import Progress
from engine.training.last_layer import Head, LastLayerConfig, fit_head


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """How each of g candidates did on m rows.

    Attributes:
        positions: Which of the rows offered were judged.
        hits: Whether each candidate classified each judged row rightly; candidates in the order
            of the grid.
        heads: Heads by C, where they were fitted on all the rows to fit.
        notes: What a reader must know.
    """

    positions: Int[np.ndarray, " m"]
    hits: Bool[np.ndarray, "g m"]
    heads: Mapping[float, Head] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@runtime_checkable
class HeadFit(Protocol):
    """A way to fit a last layer with a given C: what routes on frozen features differ in."""

    def __call__(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        config: LastLayerConfig,
        C: float,
        *,
        class_names: Sequence[str],
        positions: Int[np.ndarray, " n"],
    ) -> Head:
        """Fit on some rows.

        Args:
            features: Raw features of the rows to fit.
            labels: Their classes; 0 … in order of the classes present where one is missing.
            config: How to fit.
            C: Inverse strength of the regularisation.
            class_names: All classes; none where some have no row here.
            positions: Where the rows stand among all the rows of the route.

        Returns:
            The head.
        """
        ...


def fit_plain(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    config: LastLayerConfig,
    C: float,
    *,
    class_names: Sequence[str],
    positions: Int[np.ndarray, " n"],  # noqa: ARG001 - as the protocol has it
) -> Head:
    """Fit by logistic regression: empirical risk, every row the same.

    Args:
        features: Raw features of the rows to fit.
        labels: Their classes.
        config: How to fit.
        C: Inverse strength of the regularisation.
        class_names: All classes.
        positions: Not read.

    Returns:
        The head.
    """
    return fit_head(features, labels, config, C, class_names=class_names)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedFit:
    """Fits by logistic regression with a weight for each row, as a balanced subset gives them.

    Attributes:
        weights: One per row of the route, at least 0.
    """

    weights: Float[np.ndarray, " m"]

    def __call__(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        config: LastLayerConfig,
        C: float,
        *,
        class_names: Sequence[str],
        positions: Int[np.ndarray, " n"],
    ) -> Head:
        """Fit; see `HeadFit`."""
        weights = self.weights[positions]
        return fit_head(features, labels, config, C, class_names=class_names, weights=weights)


def judge_on_other_rows(
    fit: tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"]],
    choose: tuple[Float[np.ndarray, "m d"], Int[np.ndarray, " m"]],
    grid: Sequence[float],
    config: LastLayerConfig,
    *,
    class_names: Sequence[str],
    on_progress: Progress,
    fit_with: HeadFit = fit_plain,
) -> Judgement:
    """Fit every candidate on some rows and judge it on others.

    Args:
        fit: Features and labels to fit.
        choose: Features and labels to judge on.
        grid: The candidates.
        config: How to fit.
        class_names: All classes.
        on_progress: Told after each fit.
        fit_with: The route's way to fit.

    Returns:
        The judgement of all the rows to judge on, and the fitted heads.
    """
    heads: dict[float, Head] = {}
    hits = np.zeros((len(grid), len(choose[1])), dtype=bool)
    for g, C in enumerate(grid):
        heads[C] = fit_with(
            *fit, config, C, class_names=class_names, positions=np.arange(len(fit[1]))
        )
        hits[g] = np.argmax(heads[C].logits(choose[0]), axis=1) == choose[1]
        on_progress(g + 1, len(grid))
    return Judgement(positions=np.arange(len(choose[1])), hits=hits, heads=heads)


def judge_by_cross_validation(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    objects: Int[np.ndarray, " n"] | None,
    grid: Sequence[float],
    config: LastLayerConfig,
    *,
    on_progress: Progress,
    fit_with: HeadFit = fit_plain,
) -> Judgement:
    """Judge every candidate on each fold after fitting it on the others, objects kept whole.

    A row whose class the other folds lack cannot be judged and is left out. Where whole objects
    leave nothing to judge (one object covers everything, or a class altogether), single rows are
    dealt to the folds instead, and a note says so.

    Args:
        features: Features of the rows to fit.
        labels: Their classes.
        objects: Their objects; None: each row is its own.
        grid: The candidates.
        config: How to fit, and how many folds.
        on_progress: Told after each fold.
        fit_with: The route's way to fit.

    Returns:
        The judgement; without any judged row where there are too few rows of a class.
    """
    single = np.arange(len(labels))
    if objects is not None:
        folds = object_folds(labels, objects, config.folds)
        judged = _judge_folds(features, labels, folds, grid, config, on_progress, fit_with)
        if len(judged.positions):
            return judged
    folds = object_folds(labels, single, config.folds)
    judged = _judge_folds(features, labels, folds, grid, config, on_progress, fit_with)
    notes = []
    if objects is not None:
        notes.append("too few objects for folds of whole objects: C chosen on folds of single rows")
    if not len(judged.positions):
        notes.append("too few rows to choose C: the strongest regularisation of the grid taken")
    return Judgement(positions=judged.positions, hits=judged.hits, notes=tuple(notes))


def _judge_folds(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    folds: Int[np.ndarray, " n"],
    grid: Sequence[float],
    config: LastLayerConfig,
    on_progress: Progress,
    fit_with: HeadFit,
) -> Judgement:
    hits = np.zeros((len(grid), len(labels)), dtype=bool)
    judged = np.zeros(len(labels), dtype=bool)
    n_folds = int(folds.max(initial=-1)) + 1
    for fold in range(n_folds):
        others = folds != fold
        classes = np.unique(labels[others])
        held = (folds == fold) & np.isin(labels, classes)
        if len(classes) > 1 and held.any():
            code = np.searchsorted(classes, labels)
            for g, C in enumerate(grid):
                head = fit_with(
                    features[others],
                    code[others],
                    config,
                    C,
                    class_names=(),
                    positions=np.flatnonzero(others),
                )
                hits[g, held] = np.argmax(head.logits(features[held]), axis=1) == code[held]
            judged |= held
        on_progress(fold + 1, n_folds)
    return Judgement(positions=np.flatnonzero(judged), hits=hits[:, judged])


def object_folds(
    labels: Int[np.ndarray, " n"], objects: Int[np.ndarray, " n"], n_folds: int
) -> Int64[np.ndarray, " n"]:
    """Deal whole objects to folds so that every fold holds about its share of every class.

    The largest object goes first, each to the fold where the classes then lie most evenly. Nothing
    is drawn, so the folds depend on nothing but labels and objects.

    Args:
        labels: The class of each row.
        objects: The object of each row, any integers; ties in size go by this number.
        n_folds: Folds wanted; fewer objects make fewer folds.

    Returns:
        The fold of each row, in [0, min(n_folds, number of objects)).
    """
    names, of_row = np.unique(objects, return_inverse=True)
    classes, of_label = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (of_row, of_label), 1.0)
    sizes = counts.sum(axis=1)
    filled = np.zeros((min(n_folds, len(names)), len(classes)))
    fold_of = np.zeros(len(names), dtype=np.int64)
    for thing in np.lexsort((np.arange(len(names)), -sizes)):
        fold_of[thing] = _most_even(filled, counts[thing], counts.sum(axis=0))
        filled[fold_of[thing]] += counts[thing]
    return np.asarray(fold_of[of_row])


def _most_even(
    filled: Float64[np.ndarray, "f c"],
    added: Float64[np.ndarray, " c"],
    totals: Float64[np.ndarray, " c"],
) -> int:
    """The fold that after the addition leaves the classes' shares with the least squared sum."""
    before, after = (filled / totals) ** 2, ((filled + added) / totals) ** 2
    growth = (after - before).sum(axis=1)
    return int(np.lexsort((np.arange(len(filled)), filled.sum(axis=1), growth.round(12)))[0])
