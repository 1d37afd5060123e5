"""The retraining routes: which rows are fitted, which choose the regularisation, and the fit.

Every route that refits the last layer goes through `retrain_head`, so that a comparison of routes
differs in nothing but the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int, Int64, Shaped

from engine.data.groups import GroupIndex
from engine.data.manifest import Split
from engine.errors import InvalidInput
from engine.evaluation.accuracy import training_weights
from engine.labeling.shares import largest_remainder
from engine.progress import Progress, ignore_progress
from engine.training.judging import judge_by_cross_validation, judge_on_other_rows
from engine.training.last_layer import Head, LastLayerConfig, fit_head, require_every_class
from engine.training.regularisation import RegularisationChoice, pick_regularisation


class Route(StrEnum):
    """Which rows a head is fitted on. All but SLIM_VAL choose C on val, SLIM_VAL inside its own."""

    ERM = "erm"
    """All of train: what nobody's answers are needed for."""
    RANDOM_SUBSET = "random_subset"
    """As many rows of train as the curated subset has, at random."""
    CLASS_BALANCED = "class_balanced"
    """As many, every class the same number."""
    SLIM_TR = "slim_tr"
    """The subset curated from train."""
    SLIM_VAL = "slim_val"
    """The subset curated from val."""


DRAWN = (Route.RANDOM_SUBSET, Route.CLASS_BALANCED)
CURATED = {Route.SLIM_TR: Split.TRAIN, Route.SLIM_VAL: Split.VALIDATION}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RouteRows:
    """The rows of one route.

    Attributes:
        route: The route.
        fit: Rows to fit, ascending.
        choose: Rows whose plain average chooses C: all of val. None for cross-validation inside
            `fit`: SLIM_VAL, and every route of a data set that has no val.
    """

    route: Route
    fit: Int64[np.ndarray, " m"]
    choose: Int64[np.ndarray, " v"] | None


def rows_of_route(
    route: Route,
    labels: Int[np.ndarray, " n"],
    splits: Shaped[np.ndarray, " n"],
    *,
    curated: Int[np.ndarray, " m"] | None = None,
    size: int = 0,
    rng: np.random.Generator | None = None,
) -> RouteRows:
    """Say which rows a route fits and which choose for it. No route ever touches test.

    Args:
        route: The route.
        labels: Classes of all rows of the manifest.
        splits: Splits of all rows: "train", "val" or "test".
        curated: The curated subset, of train for SLIM_TR and of val for SLIM_VAL.
        size: How many rows RANDOM_SUBSET and CLASS_BALANCED draw: the curated subset's size.
        rng: Where those two draw from.

    Returns:
        The rows.

    Raises:
        InvalidInput: What the route needs is missing, a curated row is of another split, or more
            rows are asked for than train holds.
    """
    train = np.flatnonzero(splits == Split.TRAIN.value)
    choose = np.flatnonzero(splits == Split.VALIDATION.value)
    if route in CURATED:
        fit = _curated_rows(route, splits, curated)
    elif route in DRAWN:
        fit = _drawn_rows(route, labels, train, size, rng)
    else:
        fit = train
    return RouteRows(
        route=route,
        fit=np.sort(fit).astype(np.int64),
        choose=None if route is Route.SLIM_VAL or not len(choose) else choose.astype(np.int64),
    )


def _curated_rows(
    route: Route, splits: Shaped[np.ndarray, " n"], curated: Int[np.ndarray, " m"] | None
) -> Int[np.ndarray, " m"]:
    if curated is None or len(curated) == 0:
        raise InvalidInput(f"route {route} needs a curated subset, got none; draw one first")
    split = CURATED[route].value
    strays = curated[splits[curated] != split]
    if len(strays):
        raise InvalidInput(
            f"route {route} fits rows of {split}, but {len(strays)} of {len(curated)} curated rows "
            f"are not, e.g. row {int(strays[0])} of {splits[strays[0]]}; curate {split}"
        )
    return curated


def _drawn_rows(
    route: Route,
    labels: Int[np.ndarray, " n"],
    train: Int[np.ndarray, " t"],
    size: int,
    rng: np.random.Generator | None,
) -> Int[np.ndarray, " m"]:
    if rng is None:
        raise InvalidInput(f"route {route} draws rows and needs a generator, got none")
    if not 0 < size <= len(train):
        raise InvalidInput(
            f"route {route} cannot draw {size} of the {len(train)} rows of train; "
            f"ask for 1 to {len(train)}"
        )
    if route is Route.RANDOM_SUBSET:
        return rng.choice(train, size=size, replace=False)
    pools = [train[labels[train] == c] for c in np.unique(labels[train])]
    capacities = np.array([len(pool) for pool in pools], dtype=np.int64)
    counts = largest_remainder(np.ones(len(pools)), size, capacities)
    drawn = [rng.choice(p, size=int(n), replace=False) for p, n in zip(pools, counts, strict=True)]
    return np.concatenate(drawn)


def retrain_head(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    fit_rows: Int[np.ndarray, " m"],
    choose_rows: Int[np.ndarray, " v"] | None,
    config: LastLayerConfig,
    *,
    objects: Int[np.ndarray, " n"] | None = None,
    groups: GroupIndex | None = None,
    train_counts: Int[np.ndarray, " g"] | None = None,
    class_names: Sequence[str] = (),
    on_progress: Progress = ignore_progress,
) -> Head:
    """Choose C and fit the last layer: the one function that every head route goes through.

    C is chosen by the plain average accuracy, on `choose_rows` or by cross-validation inside
    `fit_rows` with folds of whole objects; ties go to the stronger regularisation. Groups never
    take part; where they are known, what they would have chosen is told beside it. Nothing is
    drawn: the same rows give the same head.

    Args:
        features: Raw features of all rows of the manifest.
        labels: Classes of all rows.
        fit_rows: Rows to fit.
        choose_rows: Rows that choose C; None for cross-validation inside `fit_rows`.
        config: The grid, the rule, the penalty. A grid of one value is taken as given.
        objects: The object of each row of the manifest; None: each row is its own.
        groups: The data's groups, with `train_counts` for the information beside the choice.
        train_counts: Training rows of each group.
        class_names: All classes; each needs a row to fit.
        on_progress: Told after each fit; may raise `Cancelled`.

    Returns:
        The head, with its choice.

    Raises:
        NotEnoughLabels: There are no rows to fit, one class only, or a class has none.
        InvalidInput: `choose_rows` is empty or shares rows with `fit_rows`.
    """
    n_classes = len(class_names) or int(labels.max(initial=-1)) + 1
    require_every_class(labels[fit_rows], n_classes, class_names)
    fit = (features[fit_rows], labels[fit_rows])
    grid = tuple(sorted(set(config.c_grid)))
    if len(grid) == 1:
        given = RegularisationChoice(C=grid[0], how="given", rule=config.rule, c_grid=grid)
        return replace(fit_head(*fit, config, grid[0], class_names=class_names), choice=given)
    if choose_rows is None:
        offered, how = fit_rows, "cross_validation"
        own = None if objects is None else objects[fit_rows]
        judgement = judge_by_cross_validation(*fit, own, grid, config, on_progress=on_progress)
    else:
        _check_choose_rows(fit_rows, choose_rows)
        offered, how = choose_rows, "validation"
        choose = (features[choose_rows], labels[choose_rows])
        judgement = judge_on_other_rows(
            fit, choose, grid, config, class_names=class_names, on_progress=on_progress
        )
    judged = offered[judgement.positions]
    weights = None
    if groups is not None and train_counts is not None:
        weights = training_weights(groups.groups[judged], train_counts)
    choice = pick_regularisation(
        judgement.hits,
        grid,
        how=how,
        rule=config.rule,
        objects=None if objects is None else objects[judged],
        train_weights=weights,
        notes=judgement.notes,
    )
    head = judgement.heads.get(choice.C)
    if head is None:
        head = fit_head(*fit, config, choice.C, class_names=class_names)
    return replace(head, choice=choice)


def _check_choose_rows(fit_rows: Int[np.ndarray, " m"], choose_rows: Int[np.ndarray, " v"]) -> None:
    if len(choose_rows) == 0:
        raise InvalidInput(
            "0 rows to choose C on; name rows of val, or none at all to cross-validate inside the "
            "fitted rows"
        )
    shared = np.intersect1d(fit_rows, choose_rows)
    if len(shared):
        raise InvalidInput(
            f"{len(shared)} rows are both fitted and asked to choose C, e.g. row {int(shared[0])}; "
            "name other rows, or none at all to cross-validate inside the fitted rows"
        )
