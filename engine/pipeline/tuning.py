"""Training all layers by every route, on the one loop."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int, Int64

from engine.data.groups import GroupIndex
from engine.data.manifest import ImageManifest
from engine.errors import InvalidInput
from engine.models.classifier import Classifier, head_of
from engine.models.transplant import fold_head, with_head
from engine.pipeline.config import PipelineConfig
from engine.pipeline.pipeline import Inputs
from engine.pipeline.routes import answers, flagged, objects_of, route_rows, subset_weights
from engine.pipeline.sources import backbone
from engine.progress import Progress
from engine.randomness import integer_seed
from engine.training.corruption import NoisyAttention
from engine.training.frozen import frozen_features
from engine.training.jtt import repeated_errors
from engine.training.loop import FineTuneConfig, fine_tune, predict_classes
from engine.training.objectives import AttentionFeedback, WorstGroup
from engine.training.retraining import CURATED, Route, RouteRows, retrain_head, rows_of_route
from engine.training.sampling import Accompanied, Weighted, balanced_weights


def blind(manifest: ImageManifest) -> ImageManifest:
    """Give a manifest without groups, regions and pairs: what a training may know.

    Args:
        manifest: The data set.

    Returns:
        The same pictures and labels.
    """
    records = (
        replace(r, group=None, mask=None, spurious_mask=None, box=None, pair=None)
        for r in manifest.records
    )
    return replace(manifest, records=tuple(records))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """One training of all layers, before it begins.

    Attributes:
        start: The network to start from.
        rows: Rows to fit and rows to choose the epoch on.
        config: How to train.
        options: Objective, sampler and alteration, where not the loop's own.
    """

    start: Classifier
    rows: RouteRows
    config: FineTuneConfig
    options: Mapping[str, Any]


def tune_route(
    config: PipelineConfig, route: Route, inputs: Inputs, progress: Progress
) -> Classifier:
    """Train all layers by a route.

    Args:
        config: All settings.
        route: The route.
        inputs: The loaded stages of `engine.pipeline.routes.route_inputs`.
        progress: Told after each batch.

    Returns:
        The trained classifier.

    Raises:
        InvalidInput: What the route needs is missing, such as true groups.
        NotEnoughLabels: Nobody answered, or a class has no row.
    """
    plan = _plan(config, route, inputs)
    if route is Route.JTT:
        plan = _with_repeated_errors(config, plan, inputs, progress)
    if route is Route.DFR:
        return _refit_on_val(config, plan, inputs, progress)
    return _tuned(config, route, plan, inputs, progress)


def _tuned(
    config: PipelineConfig, route: Route, plan: _Plan, inputs: Inputs, progress: Progress
) -> Classifier:
    none = np.zeros(0, dtype=np.int64)
    tuned, _history = fine_tune(
        plan.start,
        blind(inputs["manifest"]),
        plan.rows.fit,
        plan.rows.choose if plan.rows.choose is not None else none,
        plan.config,
        **plan.options,
        seed=integer_seed(config.seed, f"route {route}"),
        device=config.device,
        on_progress=progress,
    )
    return tuned


def _plan(config: PipelineConfig, route: Route, inputs: Inputs) -> _Plan:
    """Say from where, on what, and what for a route trains."""
    manifest, start = inputs["manifest"], inputs["classifier"]
    rows = route_rows(route, inputs, config.seed)
    how, settings = config.fine_tuning, config.retraining
    # answers are about the judged network, which CRAYON mends; the others start afresh
    if config.classifier.pretrained != "none" and route is not Route.CRAYON:
        start = backbone(config.classifier, manifest, config.seed)
    frozen = replace(how, train_batch_norm=False)
    if route is Route.GROUP_DRO:
        groups = GroupIndex.of(manifest)
        objective = WorstGroup(
            groups=groups.groups, counts=groups.counts(rows.fit), config=settings.group_dro
        )
        sampler = Weighted(weights=balanced_weights(groups.groups[rows.fit]))
        options = {"objective": objective, "sampler": sampler}
        return _Plan(start=start, rows=rows, config=how, options=options)
    if route is Route.CORM:
        spurious = flagged(inputs)
        noise = NoisyAttention(
            rows=spurious,
            maps=np.asarray(inputs["extraction"].maps_true)[spurious],
            preprocessing=start.preprocessing,
            config=settings.corm,
        )
        return _Plan(start=start, rows=rows, config=frozen, options={"alteration": noise})
    if route is Route.CRAYON:
        options = _feedback_options(config, inputs, rows.fit)
        return _Plan(start=start, rows=rows, config=frozen, options=options)
    if route in CURATED:
        sampler = Weighted(weights=subset_weights(route, inputs))
        return _Plan(start=start, rows=rows, config=how, options={"sampler": sampler})
    return _Plan(start=start, rows=rows, config=how, options={})


def _feedback_options(
    config: PipelineConfig, inputs: Inputs, fit: Int64[np.ndarray, " m"]
) -> dict[str, Any]:
    """Give CRAYON's objective, and a sampler that puts answered images into every batch."""
    asked, is_core = answers(config, inputs)
    crayon = config.retraining.crayon
    position = np.full(len(inputs["manifest"]), -1, dtype=np.int64)
    position[asked] = np.arange(len(asked))
    objective = AttentionFeedback(
        layer=inputs["classifier"].target_layer,
        references=np.asarray(inputs["extraction"].maps_true)[asked],
        position=position,
        is_core=is_core,
        yes_weight=crayon.strength * crayon.yes_weight,
        no_weight=crayon.strength * crayon.no_weight,
    )
    companions: Int[np.ndarray, " c"] = np.flatnonzero(position[fit] >= 0)
    return {
        "objective": objective,
        "sampler": Accompanied(companions=companions, each=crayon.each),
    }


def _with_repeated_errors(
    config: PipelineConfig, plan: _Plan, inputs: Inputs, progress: Progress
) -> _Plan:
    """Train a first network shortly, and name what it gets wrong more often."""
    jtt, manifest = config.retraining.jtt, inputs["manifest"]
    short = replace(
        plan,
        rows=replace(plan.rows, choose=None),
        config=replace(plan.config, epochs=jtt.identification_epochs),
    )
    first = _tuned(config, Route.ERM, short, inputs, progress)
    wrong = predict_classes(first, manifest, plan.rows.fit) != manifest.labels[plan.rows.fit]
    fit = repeated_errors(plan.rows.fit, wrong, jtt.repeats)
    return replace(plan, rows=replace(plan.rows, fit=fit))


def _refit_on_val(
    config: PipelineConfig, plan: _Plan, inputs: Inputs, progress: Progress
) -> Classifier:
    """Train by ERM on train, then the last layer on group-balanced val, as DFR is defined."""
    manifest = inputs["manifest"]
    erm = replace(plan, rows=rows_of_route(Route.ERM, manifest.labels, manifest.splits))
    tuned = _tuned(config, Route.ERM, erm, inputs, progress)
    linear = head_of(tuned)
    if linear is None:
        raise InvalidInput(
            f"{tuned.architecture} does not end in one linear layer, so route dfr has nothing to "
            "refit; take another route, or another architecture"
        )
    objects, fit = objects_of(manifest), plan.rows.fit
    head = retrain_head(
        frozen_features(manifest, tuned, fit, config.extraction, device=config.device),
        manifest.labels[fit],
        np.arange(len(fit)),
        None,
        config.last_layer,
        objects=None if objects is None else objects[fit],
        class_names=manifest.class_names,
    )
    folded = fold_head(
        linear, coef=head.coef, intercept=head.intercept, mean=head.mean, std=head.std
    )
    return with_head(tuned, folded.weight.float(), folded.bias.float())
