"""The retraining routes: what each may know, which rows it fits, which choose, and the fit.

Every route that refits the last layer goes through `retrain_head`, so that a comparison of routes
differs in nothing but the rows and the way to fit.
"""

from collections.abc import Mapping, Sequence
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
from engine.training.group_dro import require_groups
from engine.training.judging import (
    HeadFit,
    fit_plain,
    judge_by_cross_validation,
    judge_on_other_rows,
)
from engine.training.last_layer import Head, LastLayerConfig, require_every_class
from engine.training.regularisation import RegularisationChoice, pick_regularisation


class Need(StrEnum):
    """What a route reads beside pictures, features, labels and splits."""

    SUBSET = "subset"
    """The subset curated from train, or its size."""
    SUBSET_VAL = "subset_val"
    """The subset curated from val."""
    GROUPS = "groups"
    """True groups."""
    SCREENING = "screening"
    """Which training images the screening holds suspect."""
    ANSWERS = "answers"
    """People's answers, and the maps that they are about."""


class Route(StrEnum):
    """Which rows are fitted, and how. C or the epoch goes by the plain average of val.

    SLIM_VAL and DFR fit rows of val themselves and choose C by cross-validation inside them.
    """

    ERM = "erm"
    """All of train: what nobody's answers are needed for."""
    RANDOM_SUBSET = "random_subset"
    """As many rows of train as the curated subset has, at random."""
    CLASS_BALANCED = "class_balanced"
    """As many, every class the same number."""
    GROUP_SUBSET_ORACLE = "group_subset_oracle"
    """As many asked of the true groups in equal shares; a group that holds less gives all."""
    SLIM_TR = "slim_tr"
    """The subset curated from train."""
    SLIM_VAL = "slim_val"
    """The subset curated from val."""
    DFR = "dfr"
    """All of val, every true group cut to the smallest (Kirichenko et al., ICLR 2023)."""
    GROUP_DRO = "group_dro"
    """All of train for the worst true group's loss (Sagawa et al., ICLR 2020)."""
    JTT = "jtt"
    """All of train, a first model's errors counting more (Liu et al., ICML 2021)."""
    CORM = "corm"
    """All of train, noise on the attention of suspect images (AttributionScanner)."""
    CRAYON = "crayon"
    """All of train, the answers as a loss on attention (Lee et al., 2024)."""

    @property
    def needs(self) -> frozenset[Need]:
        """What the route reads beside pictures, features, labels and splits."""
        return _NEEDS.get(self, frozenset())

    @property
    def uses_groups(self) -> bool:
        """Whether the route is told true groups; no other ever sees them."""
        return Need.GROUPS in self.needs


_NEEDS: Mapping[Route, frozenset[Need]] = {
    Route.RANDOM_SUBSET: frozenset({Need.SUBSET}),
    Route.CLASS_BALANCED: frozenset({Need.SUBSET}),
    Route.GROUP_SUBSET_ORACLE: frozenset({Need.SUBSET, Need.GROUPS}),
    Route.SLIM_TR: frozenset({Need.SUBSET}),
    Route.SLIM_VAL: frozenset({Need.SUBSET_VAL}),
    Route.DFR: frozenset({Need.GROUPS}),
    Route.GROUP_DRO: frozenset({Need.GROUPS}),
    Route.CORM: frozenset({Need.SCREENING}),
    Route.CRAYON: frozenset({Need.ANSWERS}),
}
DRAWN = (Route.RANDOM_SUBSET, Route.CLASS_BALANCED, Route.GROUP_SUBSET_ORACLE, Route.DFR)
"""Routes whose rows are drawn, so that another seed gives others."""
CURATED = {Route.SLIM_TR: Split.TRAIN, Route.SLIM_VAL: Split.VALIDATION}
ON_VALIDATION = (Route.SLIM_VAL, Route.DFR)
"""Routes that fit rows of val, and so choose C inside them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RouteRows:
    """The rows of one route.

    Attributes:
        route: The route.
        fit: Rows to fit, ascending.
        choose: Rows whose plain average chooses C: all of val. None for cross-validation inside
            `fit`: SLIM_VAL, DFR, and every route of a data set that has no val.
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
    groups: Int[np.ndarray, " n"] | None = None,
    rng: np.random.Generator | None = None,
) -> RouteRows:
    """Say which rows a route fits and which choose for it. No route ever touches test.

    Args:
        route: The route.
        labels: Classes of all rows of the manifest.
        splits: Splits of all rows: "train", "val" or "test".
        curated: The curated subset, of train for SLIM_TR and of val for SLIM_VAL.
        size: How many rows RANDOM_SUBSET, CLASS_BALANCED and GROUP_SUBSET_ORACLE draw: the curated
            subset's size.
        groups: True groups of all rows, -1 where unknown; for routes that use groups alone.
        rng: Where routes that draw draw from.

    Returns:
        The rows.

    Raises:
        InvalidInput: What the route needs is missing, groups are given to a route that may not see
            them, a curated row is of another split, or more rows are asked for than train holds.
    """
    if groups is not None and not route.uses_groups:
        raise InvalidInput(f"route {route} may not see true groups; give it none")
    train = np.flatnonzero(splits == Split.TRAIN.value)
    choose = np.flatnonzero(splits == Split.VALIDATION.value)
    if route in CURATED:
        fit = _curated_rows(route, splits, curated)
    elif route.uses_groups:
        pool = choose if route is Route.DFR else train
        fit = _rows_by_group(route, pool, size, groups, rng)
    elif route in DRAWN:
        fit = _drawn_rows(route, labels, train, size, rng)
    else:
        fit = train
    return RouteRows(
        route=route,
        fit=np.sort(fit).astype(np.int64),
        choose=None if route in ON_VALIDATION or not len(choose) else choose.astype(np.int64),
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
        return _one_of_each(labels, train, rng.choice(train, size=size, replace=False), rng)
    pools = [train[labels[train] == c] for c in np.unique(labels[train])]
    capacities = np.array([len(pool) for pool in pools], dtype=np.int64)
    counts = largest_remainder(np.ones(len(pools)), size, capacities)
    drawn = [rng.choice(p, size=int(n), replace=False) for p, n in zip(pools, counts, strict=True)]
    return np.concatenate(drawn)


def _one_of_each(
    labels: Int[np.ndarray, " n"],
    train: Int[np.ndarray, " t"],
    drawn: Int[np.ndarray, " m"],
    rng: np.random.Generator,
) -> Int[np.ndarray, " m"]:
    """Put a row of every class that was missed in place of one of the most frequent class.

    A head could never predict a class without a row. Large classes are never missed, so that a
    draw is as random as can be.
    """
    present = np.unique(labels[train])
    if len(drawn) < len(present):
        return drawn
    taken = drawn.copy()
    for missed in np.setdiff1d(present, labels[taken]):
        most = np.bincount(labels[taken]).argmax()
        taken[rng.choice(np.flatnonzero(labels[taken] == most))] = rng.choice(
            train[labels[train] == missed]
        )
    return taken


def _rows_by_group(
    route: Route,
    pool: Int[np.ndarray, " p"],
    size: int,
    groups: Int[np.ndarray, " n"] | None,
    rng: np.random.Generator | None,
) -> Int[np.ndarray, " m"]:
    """Give all rows that name a group (GROUP_DRO), or a draw that is equal over groups."""
    known = groups if groups is not None else np.full(int(pool.max(initial=-1)) + 1, -1)
    require_groups(known[pool], route)
    pools = [pool[known[pool] == group] for group in np.unique(known[pool]) if group >= 0]
    if route is Route.GROUP_DRO:
        return np.concatenate(pools)
    if rng is None:
        raise InvalidInput(f"route {route} draws rows and needs a generator, got none")
    if route is Route.DFR:
        each = [min(len(p) for p in pools)] * len(pools)
    else:
        if size < 1:
            raise InvalidInput(f"route {route} cannot draw {size} rows; ask for at least 1")
        room = np.full(len(pools), size, dtype=np.int64)
        shares = np.maximum(largest_remainder(np.ones(len(pools)), size, room), 1)
        each = [min(int(share), len(p)) for share, p in zip(shares, pools, strict=True)]
    drawn = [rng.choice(p, size=n, replace=False) for p, n in zip(pools, each, strict=True)]
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
    fit_with: HeadFit = fit_plain,
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
        fit_with: The route's way to fit; positions are those in `fit_rows`.
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
        return replace(_fit_all(fit, config, grid[0], class_names, fit_with), choice=given)
    how = "cross_validation" if choose_rows is None else "validation"
    offered = fit_rows if choose_rows is None else choose_rows
    if choose_rows is None:
        own = None if objects is None else objects[fit_rows]
        judgement = judge_by_cross_validation(
            *fit, own, grid, config, on_progress=on_progress, fit_with=fit_with
        )
    else:
        _check_choose_rows(fit_rows, choose_rows)
        judgement = judge_on_other_rows(
            fit,
            (features[choose_rows], labels[choose_rows]),
            grid,
            config,
            class_names=class_names,
            on_progress=on_progress,
            fit_with=fit_with,
        )
    judged = offered[judgement.positions]
    choice = pick_regularisation(
        judgement.hits,
        grid,
        how=how,
        rule=config.rule,
        objects=None if objects is None else objects[judged],
        train_weights=_train_weights(groups, train_counts, judged),
        notes=judgement.notes,
    )
    head = judgement.heads.get(choice.C)
    if head is None:
        head = _fit_all(fit, config, choice.C, class_names, fit_with)
    return replace(head, choice=choice)


def _train_weights(
    groups: GroupIndex | None,
    train_counts: Int[np.ndarray, " g"] | None,
    judged: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " m"] | None:
    """Weigh judged rows by their groups' shares of training, for what is told beside the choice."""
    if groups is None or train_counts is None:
        return None
    return training_weights(groups.groups[judged], train_counts)


def _fit_all(
    fit: tuple[Float[np.ndarray, "m d"], Int[np.ndarray, " m"]],
    config: LastLayerConfig,
    C: float,
    class_names: Sequence[str],
    fit_with: HeadFit,
) -> Head:
    everyone = np.arange(len(fit[1]))
    return fit_with(*fit, config, C, class_names=class_names, positions=everyone)


def _average_of(choice: RegularisationChoice | None) -> float:
    """Give the plain average of the C that was taken; 0 where nothing was judged."""
    if choice is None or not choice.scores:
        return 0.0
    return choice.scores[choice.c_grid.index(choice.C)]


def best_head(heads: Sequence[Head], notes: Sequence[str]) -> Head:
    """Take the head with the highest plain average among those of several settings.

    Args:
        heads: From `retrain_head`, all judged on the same rows, in the order of preference.
        notes: What was set for each, to be told with the choice; empty for nothing to tell.

    Returns:
        The first of the best; the first of all where nothing was judged.
    """
    best = int(np.argmax([_average_of(head.choice) for head in heads]))
    choice = heads[best].choice
    if choice is None:
        return heads[best]
    told = (*choice.notes, *((notes[best],) if notes[best] else ()))
    return replace(heads[best], choice=replace(choice, notes=told))


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
