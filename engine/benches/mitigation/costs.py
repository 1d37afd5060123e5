"""What each route costs: answers about attention, group labels, and rows trained on."""

from collections.abc import Sequence

import numpy as np

from engine.benches.mitigation.figures import Json
from engine.benches.mitigation.laboratory import Experiment
from engine.data.manifest import Split
from engine.pipeline.routes import route_rows
from engine.training.retraining import ON_VALIDATION, Need, Route

ANSWERED = (Route.SLIM_TR, Route.CORM, Route.CRAYON)
"""Routes that people's answers about training images serve."""
STAGES = {Need.SUBSET: "subset", Need.SUBSET_VAL: "subset_val"}


def costs_of(route: str, experiments: Sequence[Experiment]) -> Json:
    """Give a route's costs; rows are the mean over the seeds.

    Args:
        route: The route.
        experiments: Its runs, one a seed.

    Returns:
        `labels`: answers about attention and group labels needed beside the classes; `training`:
        rows fitted, their share of train, how often they are passed, and data x epochs, where 1 is
        as much data as train holds. A head's convex fit counts as one pass, JTT trains twice.
    """
    way, first = Route(route), experiments[0]
    manifest, config = first.subject.manifest, first.config.pipeline
    n_train = len(manifest.rows_of(Split.TRAIN))
    asked = ""
    if config.screening.rule != "none":
        asked = "queries" if way in ANSWERED else ""
        if way is Route.SLIM_VAL:
            asked = "queries_val" if config.validation.budget else "queries"
    answers = len(np.asarray(first.load(asked).rows)) if asked else 0
    split = Split.VALIDATION if way in ON_VALIDATION else Split.TRAIN
    rows = float(np.mean([rows_fitted(way, experiment) for experiment in experiments]))
    passes = 2 if way is Route.JTT else 1
    if config.retraining.mode == "finetune":
        passes *= config.fine_tuning.epochs
    return {
        "labels": {
            "attention": answers,
            "groups": len(manifest.rows_of(split)) if way.uses_groups else 0,
        },
        "training": {
            "rows": rows,
            "of_train": rows / n_train,
            "passes": passes,
            "data_x_epochs": rows * passes / n_train,
        },
    }


def rows_fitted(route: Route, experiment: Experiment) -> int:
    """Give how many rows a route fits."""
    needed = ["manifest", *(STAGES[need] for need in route.needs if need in STAGES)]
    inputs = {name: experiment.load(name) for name in needed}
    return len(route_rows(route, inputs, experiment.config.pipeline.seed).fit)
