"""The ablations, alternatives and curves: which settings each changes, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.benches.mitigation.settings import nested
from engine.pipeline.config import merge
from engine.training.retraining import Route

SLIM = Route.SLIM_TR.value
NO_SCREENING = f"{SLIM}_no_screening"
NO_CELLS = f"{SLIM}_no_cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Settings that differ from the defaults.

    Attributes:
        name: In the report.
        changes: Setting by its dotted name to its value; the rest is as by default.
        about: What it shows, for the page.
        route: The route that is retrained.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    route: str = SLIM

    def table(self) -> dict[str, Any]:
        """Give the changes as nested settings."""
        table: dict[str, Any] = {}
        for switch, value in self.changes.items():
            table = merge(table, nested(switch, value))
        return table


def _switch(name: str, switch: str, value: Any, about: str, route: str = SLIM) -> Variant:
    return Variant(name=name, changes={switch: value}, about=about, route=route)


MAIN_ABLATIONS = (
    _switch(NO_SCREENING, "screening.rule", "none", "cells without any answers"),
    _switch(NO_CELLS, "disentangling.environment_k", 1, "screened, drawn by class alone"),
)
"""Reported among the routes."""

ABLATIONS = (
    _switch("cues", "screening.rule", "cues", "cues balanced, whatever validation prefers"),
    _switch("threshold", "screening.rule", "threshold", "scores below one half are dropped"),
    _switch("unweighted", "subset.weighting", "none", "no weights: capped cells as drawn"),
    _switch("four_clusters", "disentangling.environment_k", 4, "twice the environment clusters"),
    _switch("better_half", "screening.rule", "better_half", "the better half of each class"),
    _switch("oracle_screening", "screening.rule", "oracle", "every image answered"),
    _switch("drawn_by_score", "subset.draw", "by_score", "inside a cell by score squared"),
    _switch("diverse_draw", "subset.draw", "diverse", "inside a cell as far apart as can be"),
    _switch("effective_cells", "allocation.weights", "effective_size", "cells by effective size"),
    _switch("spread_cells", "allocation.weights", "spread_mean", "cells by equations 3 to 6"),
    _switch("core_clusters", "disentangling.core", "clusters", "core clusters over all classes"),
    _switch(
        "class_core_clusters", "disentangling.core", "class_clusters", "core clusters in each class"
    ),
    _switch("elbow_cells", "disentangling.environment_k", 0, "as many clusters as the elbow says"),
    _switch("cells_of_components", "disentangling.on", "components", "cells in 32 dimensions"),
    _switch("cells_of_kept", "disentangling.environment_over", "kept", "cells of kept images"),
    _switch("one_standard_error", "last_layer.rule", "one_standard_error", "a more cautious C"),
    _switch("fifth_of_val", "validation.fraction", 0.2, "slim_val on a fifth of val", "slim_val"),
)
"""One switch each."""


def own_answers(budget: int) -> Variant:
    """Give the ablation that asks about validation images too, as many as the bench's rule allows.

    Args:
        budget: How many.

    Returns:
        The ablation of `slim_val`.
    """
    about = "slim_val on answers about validation images"
    return _switch("own_answers", "validation.budget", budget, about, Route.SLIM_VAL.value)


STRATEGIES = tuple(
    _switch(strategy, "queries.strategy", strategy, "instead of cluster centres")
    for strategy in ("random", "k_medoids", "influence")
)
"""Other ways to pick the images to ask about."""

ALTERNATIVES = (
    Variant(
        name="soft_weights",
        changes={
            "screening.rule": "none",
            "subset.draw": "by_score",
            "allocation.weights": "effective_size",
        },
        about="scores weigh instead of screening",
    ),
)
"""Rules that take the place of several settings at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One setting in steps.

    Attributes:
        name: In the report.
        switch: The setting's dotted name.
        values: Its steps.
        label: The axis, for the page.
        routes: What is retrained at each step.
        beside: Ablations drawn beside it, each with the step's value too.
    """

    name: str
    switch: str
    values: tuple[Any, ...]
    label: str
    routes: tuple[str, ...] = (SLIM,)
    beside: tuple[Variant, ...] = ()

    def steps(self) -> list[tuple[str, Any, Variant]]:
        """Give (series, value, variant) for everything that is to be retrained."""
        found = []
        for value in self.values:
            step = {self.switch: value}
            found += [(r, value, Variant(name=r, changes=step, route=r)) for r in self.routes]
            found += [
                (b.name, value, Variant(name=b.name, changes={**b.changes, **step}, route=b.route))
                for b in self.beside
            ]
        return found


def curves(budget: int) -> tuple[Curve, ...]:
    """Give the curves; the numbers of answers are shares of the default number.

    Args:
        budget: The default number of queries.

    Returns:
        The curves.
    """
    shares = sorted({max(4, round(budget * part)) for part in (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)})
    return (
        Curve(
            name="answers",
            switch="queries.budget",
            values=tuple(shares),
            label="training images asked about",
            beside=MAIN_ABLATIONS[:1],
        ),
        Curve(
            name="subset_size",
            switch="subset.fraction",
            values=(0.05, 0.1, 0.15, 0.2, 0.3, 0.4),
            label="subset, share of train",
            routes=(SLIM, Route.RANDOM_SUBSET.value),
            beside=MAIN_ABLATIONS[:1],
        ),
        Curve(
            name="subset_size_val",
            switch="validation.fraction",
            values=(0.1, 0.2, 0.3, 0.5, 0.7),
            label="subset, share of val",
            routes=(Route.SLIM_VAL.value,),
        ),
        Curve(
            name="strictness",
            switch="crowd.tau",
            values=(0.2, 0.3, 0.4, 0.5),
            label="tau: share of the heat that must lie on the object",
        ),
        Curve(
            name="space_dimension",
            switch="space.dimension",
            values=(2, 4, 8, 16, 32),
            label="dimensions of the attention space",
        ),
        Curve(
            name="strategies",
            switch="queries.budget",
            values=tuple(shares[1::2]),
            label="training images asked about",
            beside=STRATEGIES,
        ),
    )


NOISE_RATES = (0.0, 0.1, 0.2, 0.3)
NOISE_VOTES = (1, 3, 5, 9)


def noise_grid() -> list[tuple[float, int, Variant]]:
    """Give (slip rate, votes a query, variant) for every crowd of the noise figure."""
    return [
        (
            rate,
            votes,
            Variant(
                name=f"noise_{rate:g}_{votes}",
                changes={"crowd.slip_rate": rate, "crowd.votes": votes},
            ),
        )
        for rate in NOISE_RATES
        for votes in NOISE_VOTES
    ]
