"""What each route's stage reads, which settings its key depends on, and how a head is fitted."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Int64

from engine.artifacts import codecs
from engine.attention.extraction import Extraction
from engine.data.groups import GroupIndex
from engine.data.manifest import ImageManifest, Split
from engine.errors import InvalidInput
from engine.evaluation.bootstrap import number_objects
from engine.models.classifier import pooled_head_of
from engine.pipeline.config import PipelineConfig
from engine.pipeline.executors import Executor
from engine.pipeline.mapping import CorruptionWork, gathered
from engine.pipeline.pipeline import Inputs, Stage
from engine.progress import Progress
from engine.randomness import generator, integer_seed
from engine.training.corruption import CorruptedFeatures, flagged_rows
from engine.training.crayon import Feedback, FeedbackFit, answered_rows
from engine.training.frozen import frozen_activations
from engine.training.group_dro import RobustFit
from engine.training.jtt import UpweightedFit, error_set
from engine.training.judging import HeadFit, WeightedFit, fit_plain
from engine.training.last_layer import Head
from engine.training.retraining import (
    CURATED,
    Need,
    Route,
    RouteRows,
    best_head,
    retrain_head,
    rows_of_route,
)

CORRUPTION, FEEDBACK = "corruption", "feedback"
_OF_NEED = {
    Need.SUBSET: ("subset",),
    Need.SUBSET_VAL: ("subset_val",),
    Need.SCREENING: ("space", "screening"),
    Need.ANSWERS: ("labels",),
}
"""Stages that give what a route needs; true groups stand in the manifest."""


def objects_of(manifest: ImageManifest) -> Int64[np.ndarray, " n"] | None:
    """Number the objects that the manifest names, one per row; None where it names none."""
    names = [record.object_id for record in manifest.records]
    return None if all(name is None for name in names) else number_objects(names)


def route_inputs(config: PipelineConfig, route: Route) -> tuple[str, ...]:
    """Name the stages that a route reads.

    Args:
        config: Heads alone or all layers, and what answers CRAYON reads.
        route: The route.

    Returns:
        Names of stages, each once.
    """
    heads = config.retraining.mode == "head"
    if heads and route is Route.CORM:
        return ("manifest", "extraction", CORRUPTION)
    if heads and route is Route.CRAYON:
        return ("manifest", "extraction", FEEDBACK)
    needed = tuple(name for need in sorted(route.needs) for name in _OF_NEED.get(need, ()))
    if heads:
        return ("manifest", "extraction", *needed)
    seen = ("extraction",) if route in (Route.CORM, Route.CRAYON) else ()
    spread = ("space", "scores") if route is Route.CRAYON and _spreads(config) else ()
    return ("manifest", "classifier", *seen, *needed, *spread)


def route_settings(config: PipelineConfig, route: Route) -> dict[str, Any]:
    """Give the settings that a route's result depends on, beside its inputs.

    Args:
        config: All settings.
        route: The route.

    Returns:
        A JSON value.
    """
    settings: dict[str, Any] = {"route": route.value, "mode": config.retraining.mode}
    own = getattr(config.retraining, route.value, None)
    if own is not None:
        settings[route.value] = codecs.to_json(own)
    if config.retraining.mode == "head" or route is Route.DFR:
        settings["last_layer"] = codecs.to_json(config.last_layer)
    if config.retraining.mode == "head":
        return settings
    if route is Route.DFR:  # its head is fitted to features
        settings["precision"] = config.extraction.precision
    return {
        **settings,
        "fine_tuning": codecs.to_json(config.fine_tuning),
        "architecture": config.classifier.architecture,
        "pretrained": config.classifier.pretrained,
        "image_size": config.classifier.image_size,
    }


def _spreads(config: PipelineConfig) -> bool:
    return config.retraining.crayon.answers == "spread"


def helper_stages(config: PipelineConfig, executor: Executor) -> list[Stage]:
    """Give the stages that prepare what heads of single routes are fitted to."""
    if config.retraining.mode != "head":
        return []
    routes = config.retraining.routes
    corruption = [_corruption(config, executor)] if Route.CORM in routes else []
    return [*corruption, *([_feedback(config)] if Route.CRAYON in routes else [])]


def _corruption(config: PipelineConfig, executor: Executor) -> Stage:
    def compute(inputs: Inputs, progress: Progress) -> CorruptedFeatures:
        extraction: Extraction = inputs["extraction"]
        rows = flagged(inputs)
        work = CorruptionWork(
            manifest=inputs["manifest"],
            classifier=inputs["classifier"],
            rows=rows,
            maps=np.asarray(extraction.maps_true)[rows],
            corm=config.retraining.corm,
            config=config.extraction,
            seed=integer_seed(config.seed, CORRUPTION),
            device=config.device,
        )
        found = gathered(
            executor,
            work,
            len(rows),
            config.extraction.batch_size,
            progress,
            device=config.device,
        )
        nothing = np.zeros((0, 0), dtype=np.float32)
        return CorruptedFeatures(rows=rows, features=found.get("features", nothing))

    return Stage(
        name=CORRUPTION,
        kind=CORRUPTION,
        version=1,
        inputs=("manifest", "classifier", "extraction", "space", "screening"),
        config={"sigma": config.retraining.corm.sigma, "precision": config.extraction.precision},
        seeded=True,
        compute=compute,
        load=lambda folder: codecs.load(CorruptedFeatures, folder),
    )


def flagged(inputs: Inputs) -> Int[np.ndarray, " k"]:
    """Give the training images whose attention is suspect, of those with a live map."""
    rows = np.asarray(inputs["space"].rows)
    train = rows[inputs["manifest"].splits[rows] == Split.TRAIN.value]
    dead = np.asarray(inputs["extraction"].dead_true)[train]
    return flagged_rows(train, np.asarray(inputs["screening"].suspect), dead)


def _feedback(config: PipelineConfig) -> Stage:
    crayon = config.retraining.crayon

    def compute(inputs: Inputs, progress: Progress) -> Feedback:
        if pooled_head_of(inputs["classifier"]) is None:
            raise InvalidInput(
                f"{inputs['classifier'].architecture} does not end in global average pooling and "
                "one linear layer, so route crayon cannot look through a new head; set "
                "retraining.mode to finetune"
            )
        rows, is_core = answers(config, inputs)
        return Feedback(
            rows=rows,
            is_core=is_core,
            references=np.asarray(inputs["extraction"].maps_true)[rows],
            activations=frozen_activations(
                inputs["manifest"],
                inputs["classifier"],
                rows,
                config.extraction,
                device=config.device,
                on_progress=progress,
            ),
        )

    spread = ("space", "scores") if _spreads(config) else ()
    return Stage(
        name=FEEDBACK,
        kind=FEEDBACK,
        version=1,
        inputs=("manifest", "classifier", "extraction", "labels", *spread),
        config={
            "answers": crayon.answers,
            "spread_images": crayon.spread_images if _spreads(config) else 0,
            "precision": config.extraction.precision,
        },
        compute=compute,
        load=lambda folder: codecs.load(Feedback, folder),
    )


def answers(
    config: PipelineConfig, inputs: Inputs
) -> tuple[Int[np.ndarray, " q"], Bool[np.ndarray, " q"]]:
    """Give the training images that carry an answer, and True for yes."""
    manifest = inputs["manifest"]
    scores = None
    if _spreads(config):
        known = np.asarray(inputs["scores"].known)
        scores = np.full(len(manifest), np.nan)
        spread = np.asarray(inputs["scores"].scores, dtype=np.float64)
        scores[np.asarray(inputs["space"].rows)] = np.where(known, spread, np.nan)
    return answered_rows(
        np.asarray(inputs["labels"].labels),
        np.asarray(manifest.splits == Split.TRAIN.value),
        ~np.asarray(inputs["extraction"].dead_true),
        config.retraining.crayon,
        scores=scores,
    )


def route_rows(route: Route, inputs: Inputs, seed: int) -> RouteRows:
    """Say which rows a route fits and which choose.

    Args:
        route: The route.
        inputs: The loaded stages of `route_inputs`.
        seed: The run's seed.

    Returns:
        The rows.

    Raises:
        InvalidInput: What the route needs is missing, such as true groups.
    """
    manifest = inputs["manifest"]
    curated, size = None, 0
    if Need.SUBSET_VAL in route.needs:
        curated = np.asarray(inputs["subset_val"].rows)
    elif Need.SUBSET in route.needs:
        curated = np.asarray(inputs["subset"].rows)
        size = len(curated)
    return rows_of_route(
        route,
        manifest.labels,
        manifest.splits,
        curated=curated,
        size=size,
        groups=GroupIndex.of(manifest).groups if route.uses_groups else None,
        rng=generator(seed, f"route {route}"),
    )


def subset_weights(route: Route, inputs: Inputs) -> Float[np.ndarray, " m"]:
    """Give how much each row of a curated subset counts, in ascending order of the rows."""
    subset = inputs["subset_val" if Need.SUBSET_VAL in route.needs else "subset"]
    order = np.argsort(np.asarray(subset.rows), kind="stable")
    return np.asarray(subset.weights)[order]


def fit_route(config: PipelineConfig, route: Route, inputs: Inputs, progress: Progress) -> Head:
    """Fit a route's head on frozen features.

    Args:
        config: All settings.
        route: The route.
        inputs: The loaded stages of `route_inputs`.
        progress: Told after each fit.

    Returns:
        The head, with how its settings were chosen.

    Raises:
        InvalidInput: What the route needs is missing, such as true groups.
        NotEnoughLabels: A class has no row to fit, or nobody answered.
    """
    rows = route_rows(route, inputs, config.seed)
    table = _table(inputs)
    if route is Route.CORM:
        table, rows = _corrupted(config, inputs, table, rows)
    ways = _ways(config, route, inputs, table, rows)
    heads = [
        _retrained(config, inputs, table, rows, way, _part(progress, index, len(ways)))
        for index, (way, _note) in enumerate(ways)
    ]
    return best_head(heads, [note for _way, note in ways])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """What heads are fitted to, one entry a row.

    Attributes:
        features: Of the frozen network.
        labels: Classes.
        objects: For folds; None where the manifest names none.
        groups: For what is told beside the choice of C, and for routes that use them.
    """

    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    objects: Int[np.ndarray, " n"] | None
    groups: GroupIndex


def _table(inputs: Inputs) -> _Table:
    manifest = inputs["manifest"]
    return _Table(
        features=np.asarray(inputs["extraction"].features),
        labels=manifest.labels,
        objects=objects_of(manifest),
        groups=GroupIndex.of(manifest),
    )


def _retrained(
    config: PipelineConfig,
    inputs: Inputs,
    table: _Table,
    rows: RouteRows,
    fit_with: HeadFit,
    progress: Progress,
) -> Head:
    groups, train = table.groups, inputs["manifest"].rows_of(Split.TRAIN)
    return retrain_head(
        table.features,
        table.labels,
        rows.fit,
        rows.choose,
        config.last_layer,
        objects=table.objects,
        groups=None if groups.is_empty else groups,
        train_counts=None if groups.is_empty else groups.counts(train),
        class_names=inputs["manifest"].class_names,
        fit_with=fit_with,
        on_progress=progress,
    )


def _ways(
    config: PipelineConfig, route: Route, inputs: Inputs, table: _Table, rows: RouteRows
) -> list[tuple[HeadFit, str]]:
    """Give the ways to fit that the plain average chooses among, and what to note for each."""
    settings = config.retraining
    if route is Route.GROUP_DRO:
        way = RobustFit(groups=table.groups.groups[rows.fit], config=settings.group_dro)
        return [(way, f"for the worst of {len(np.unique(way.groups))} true groups")]
    if route is Route.JTT:
        wrong = error_set(
            table.features[rows.fit],
            table.labels[rows.fit],
            config.last_layer,
            settings.jtt,
            class_names=inputs["manifest"].class_names,
        )
        told = f"{int(wrong.sum())} of {len(wrong)} rows in the error set"
        return [
            (UpweightedFit(errors=wrong, up_weight=weight), f"{told}, each counts {weight:g} times")
            for weight in settings.jtt.up_weights
        ]
    if route is Route.CRAYON:
        return _crayon_ways(config, inputs[FEEDBACK], table.labels, rows)
    if route in CURATED:
        return [(WeightedFit(weights=subset_weights(route, inputs)), "")]
    return [(fit_plain, "")]


def _crayon_ways(
    config: PipelineConfig,
    feedback: Feedback,
    labels: Int[np.ndarray, " n"],
    rows: RouteRows,
) -> list[tuple[HeadFit, str]]:
    held = replace(feedback, activations=np.array(feedback.activations))
    no = int((~np.asarray(feedback.is_core)).sum())
    told = f"{len(feedback.rows) - no} images with yes and {no} with no"
    return [
        (
            FeedbackFit(
                feedback=held,
                labels=labels[np.asarray(feedback.rows)],
                route_labels=labels[rows.fit],
                strength=strength,
                config=config.retraining.crayon,
            ),
            f"{told}, attention weighs {strength:g}",
        )
        for strength in config.retraining.crayon.strengths
    ]


def _corrupted(
    config: PipelineConfig, inputs: Inputs, table: _Table, rows: RouteRows
) -> tuple[_Table, RouteRows]:
    """Put the corrupted copies in place of the flagged images, or as further rows beside them."""
    copies: CorruptedFeatures = inputs[CORRUPTION]
    of = np.asarray(copies.rows)
    if not len(of):
        return table, rows
    if not config.retraining.corm.beside:
        changed = np.array(table.features)
        changed[of] = copies.features
        return replace(table, features=changed), rows
    n = len(table.labels)
    # a copy and its original must fall into one fold
    objects = np.arange(n) if table.objects is None else table.objects
    groups = table.groups
    doubled = _Table(
        features=np.concatenate([table.features, copies.features]),
        labels=np.concatenate([table.labels, table.labels[of]]),
        objects=np.concatenate([objects, objects[of]]),
        groups=replace(groups, groups=np.concatenate([groups.groups, groups.groups[of]])),
    )
    further = np.arange(n, n + len(of))
    return doubled, replace(rows, fit=np.concatenate([rows.fit, further]))


def _part(progress: Progress, index: int, parts: int) -> Progress:
    """Count the progress of one part of several equal ones."""
    return lambda done, total: progress(index * total + done, parts * total)
