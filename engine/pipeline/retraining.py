"""The last stages: a classifier per route, where each looks, and how good each is."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from engine.artifacts import codecs
from engine.artifacts.recipe import canonical_json
from engine.attention.extraction import extract
from engine.attention.heads import LinearHead
from engine.data.groups import GroupIndex
from engine.data.manifest import ImageManifest, Split
from engine.data.regions import object_region, spurious_region
from engine.errors import InvalidInput
from engine.evaluation.accuracy import Evaluation, evaluate
from engine.evaluation.localization import Localization, localize
from engine.evaluation.predictions import Predictions
from engine.evaluation.report import evaluation_to_json
from engine.models.checkpoints import load_classifier, save_classifier
from engine.models.classifier import Classifier, head_of
from engine.models.transplant import fold_head, with_head
from engine.pipeline.config import PipelineConfig
from engine.pipeline.executors import Executor, LocalExecutor
from engine.pipeline.mapping import HeadMapsWork, gathered
from engine.pipeline.pipeline import Inputs, Stage
from engine.pipeline.routes import (
    fit_route,
    helper_stages,
    objects_of,
    route_inputs,
    route_settings,
)
from engine.pipeline.tuning import tune_route
from engine.progress import Progress, ignore_progress
from engine.randomness import generator
from engine.training.last_layer import Head
from engine.training.retraining import DRAWN, Route


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadMaps:
    """Predicted-class attention maps of the evaluated rows under each route's head.

    Attributes:
        rows: The evaluated rows of the manifest.
        maps: One map per route and row; no rows where the data set names no regions.
    """

    rows: Int64[np.ndarray, " m"]
    maps: Float32[np.ndarray, "r k h w"]


BEFORE = "before"
REPORT_FILE = "report.json"
_ROWS_AT_ONCE = 65_536


def retraining_stages(config: PipelineConfig, executor: Executor | None = None) -> list[Stage]:
    """Give a stage per route, one for where the new heads look, and the evaluation.

    Args:
        config: All settings.
        executor: Where stages that go over the pictures are computed; here if left out.

    Returns:
        The stages in order.
    """
    where = executor or LocalExecutor()
    stages = [*helper_stages(config, where)]
    stages += [_route(config, Route(name)) for name in config.retraining.routes]
    looks = (
        [_attention(config, where)] if config.evaluation.attention and _heads_only(config) else []
    )
    return [*stages, *looks, _evaluation(config)]


def route_stage(route: str) -> str:
    """Give the name of a route's stage."""
    return f"retraining_{route}"


def _heads_only(config: PipelineConfig) -> bool:
    return config.retraining.mode == "head"


def _route(config: PipelineConfig, route: Route) -> Stage:
    if _heads_only(config):
        return Stage(
            name=route_stage(route),
            kind="retraining",
            version=1,
            inputs=route_inputs(config, route),
            config=route_settings(config, route),
            seeded=route in DRAWN,
            compute=lambda inputs, progress: fit_route(config, route, inputs, progress),
            load=lambda folder: codecs.load(Head, folder),
        )
    return Stage(
        name=route_stage(route),
        kind="retraining",
        version=1,
        inputs=route_inputs(config, route),
        config=route_settings(config, route),
        seeded=True,
        compute=lambda inputs, progress: tune_route(config, route, inputs, progress),
        save=save_classifier,
        load=load_classifier,
    )


def linear_head(head: Head) -> LinearHead:
    """Give a fitted head as one linear layer on raw features: `W' = coef / std` and so on."""
    weight = head.coef / head.std
    bias = head.intercept - head.coef @ (head.mean / head.std)
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearHead(weight=weight, bias=bias)


def classifier_with(reference: Classifier, head: Head) -> Classifier:
    """Put a fitted head into a copy of the reference classifier.

    Raises:
        ModelMismatch: The network does not end in pooling and one linear layer.
    """
    linear = head_of(reference)
    if linear is None:
        msg = (
            f"{reference.architecture} has no plain linear head to replace; set retraining.mode to "
            "finetune"
        )
        raise InvalidInput(msg)
    folded = fold_head(
        linear, coef=head.coef, intercept=head.intercept, mean=head.mean, std=head.std
    )
    return with_head(reference, folded.weight.float(), folded.bias.float())


def _evaluated_rows(config: PipelineConfig, manifest: ImageManifest) -> Int64[np.ndarray, " m"]:
    return manifest.rows_of(config.evaluation.split)


def _masked(manifest: ImageManifest, rows: Int64[np.ndarray, " m"]) -> bool:
    records = (manifest.records[row] for row in rows)
    return any(r.mask or r.box or r.spurious_mask for r in records)


def _attention(config: PipelineConfig, executor: Executor) -> Stage:
    routes = tuple(route_stage(route) for route in config.retraining.routes)

    def compute(inputs: Inputs, progress: Progress) -> HeadMaps:
        manifest = inputs["manifest"]
        rows = _evaluated_rows(config, manifest)
        if not _masked(manifest, rows):
            return HeadMaps(rows=rows, maps=np.zeros((len(routes), 0, 1, 1), dtype=np.float32))
        work = HeadMapsWork(
            manifest=manifest,
            classifier=inputs["classifier"],
            heads=[linear_head(inputs[name]) for name in routes],
            rows=rows,
            config=config.extraction,
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
        maps = np.ascontiguousarray(found["maps"].swapaxes(0, 1))
        return HeadMaps(rows=rows, maps=maps)

    return Stage(
        name="attention",
        kind="attention",
        version=1,
        inputs=("manifest", "classifier", *routes),
        config={
            "split": config.evaluation.split,
            "precision": config.extraction.precision,
            "method": config.extraction.method,
        },
        compute=compute,
        load=lambda folder: codecs.load(HeadMaps, folder),
    )


def _evaluation(config: PipelineConfig) -> Stage:
    routes = tuple(config.retraining.routes)
    looks = ("attention",) if config.evaluation.attention and _heads_only(config) else ()

    def compute(inputs: Inputs, progress: Progress) -> dict[str, Any]:
        return _report(config, inputs, progress)

    def save(report: dict[str, Any], folder: Path) -> None:
        (folder / REPORT_FILE).write_text(canonical_json(report) + "\n")

    return Stage(
        name="evaluation",
        kind="evaluation",
        version=1,
        inputs=("manifest", "classifier", "extraction", *map(route_stage, routes), *looks),
        config=codecs.to_json(config.evaluation),
        seeded=True,
        compute=compute,
        save=save,
        load=lambda folder: codecs.read_json(folder / REPORT_FILE),
    )


def _report(config: PipelineConfig, inputs: Inputs, progress: Progress) -> dict[str, Any]:
    """Evaluate the reference and every route on the same rows."""
    manifest, extraction = inputs["manifest"], inputs["extraction"]
    rows = _evaluated_rows(config, manifest)
    routes = config.retraining.routes
    steps = len(routes) + 1
    measured = config.evaluation.attention and _masked(manifest, rows)
    before_maps = np.asarray(extraction.maps_predicted)[rows]
    reports: dict[str, Any] = {}
    logits = np.asarray(extraction.logits)[rows].astype(np.float32)
    reports[BEFORE] = _judge(config, manifest, rows, logits, before_maps if measured else None)
    progress(1, steps)
    for index, route in enumerate(routes):
        trained = inputs[route_stage(route)]
        if _heads_only(config):
            head = linear_head(trained)
            logits = _logits_of(head, np.asarray(extraction.features), rows)
            maps = np.asarray(inputs["attention"].maps)[index] if measured else None
        else:
            part = rows_only(manifest, rows)
            seen = extract(part, trained, config.extraction, device=config.device)
            logits, maps = seen.logits, seen.maps_predicted if measured else None
        reports[route] = _judge(config, manifest, rows, logits, maps)
        reports[route]["c"] = trained.C if _heads_only(config) else None
        progress(index + 2, steps)
    return {
        "split": config.evaluation.split,
        "before": reports[BEFORE],
        "after": {route: reports[route] for route in routes},
    }


def _logits_of(
    head: LinearHead, features: Float32[np.ndarray, "n d"], rows: Int64[np.ndarray, " m"]
) -> Float32[np.ndarray, "m c"]:
    """Give a head's logits of some rows, some thousands of them at a time."""
    parts = [
        (features[part].astype(np.float64) @ head.weight.T + head.bias).astype(np.float32)
        for part in np.array_split(rows, len(rows) // _ROWS_AT_ONCE + 1)
    ]
    return np.concatenate(parts)


def rows_only(manifest: ImageManifest, rows: Int64[np.ndarray, " m"]) -> ImageManifest:
    """Give a manifest of some rows alone; its rows are positions in `rows`."""
    return replace(manifest, records=tuple(manifest.records[row] for row in rows))


def _judge(
    config: PipelineConfig,
    manifest: ImageManifest,
    rows: Int64[np.ndarray, " m"],
    logits: Float32[np.ndarray, "m c"],
    maps: Float32[np.ndarray, "m h w"] | None,
) -> dict[str, Any]:
    groups = GroupIndex.of(manifest)
    train = manifest.rows_of(Split.TRAIN)
    objects = objects_of(manifest)
    named = GroupIndex.of_classes(manifest) if groups.is_empty else groups
    evaluation: Evaluation = evaluate(
        Predictions(rows=rows, logits=logits, labels=manifest.labels[rows]),
        None if groups.is_empty else groups,
        named.counts(train),
        class_names=manifest.class_names,
        objects=None if objects is None else objects[rows],
        localization=None if maps is None else _localization(manifest, rows, groups, maps),
        rng=generator(config.seed, "evaluation"),
    )
    return evaluation_to_json(evaluation)


def _localization(
    manifest: ImageManifest,
    rows: Int64[np.ndarray, " m"],
    groups: GroupIndex,
    maps: Float32[np.ndarray, "m h w"],
) -> Localization:
    return localize(
        maps,
        rows,
        None if groups.is_empty else groups,
        object_region=lambda row: object_region(manifest, row),
        spurious_region=lambda row: spurious_region(manifest, row),
        on_progress=ignore_progress,
    )
