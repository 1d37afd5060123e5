"""Fitting the settings to the data: what a split lacks is left out or judged elsewhere, and said."""

from dataclasses import replace

import numpy as np

from engine.data.manifest import ImageManifest, Split
from engine.errors import InvalidInput
from engine.pipeline.config import PipelineConfig
from engine.training.retraining import ON_VALIDATION, Route


def settled(
    config: PipelineConfig, manifest: ImageManifest
) -> tuple[PipelineConfig, tuple[str, ...]]:
    """Leave out what a data set has no images for.

    Without test images classifiers are judged on those of val, and what is fitted to them is left
    out. SLIM_Val is left out where val holds no image of a class: its head could never say it. A
    setting whose change would leave nothing to do stays.

    Args:
        config: What was asked for.
        manifest: The data set.

    Returns:
        The settings to work with, and a sentence for each change.
    """
    notes: list[str] = []
    routes = config.retraining.routes
    split = config.evaluation.split
    n_val = len(manifest.rows_of(Split.VALIDATION))
    if split == Split.TEST and n_val and not len(manifest.rows_of(Split.TEST)):
        split = Split.VALIDATION.value
        routes = tuple(route for route in routes if route not in ON_VALIDATION)
        notes.append(
            f"There are no test images: classifiers are judged on the {n_val} images of val, which "
            "also choose settings, so figures may be too good. No head is fitted to them."
        )
    missing = _missing_in_val(manifest)
    if Route.SLIM_VAL in routes and missing:
        routes = tuple(route for route in routes if route != Route.SLIM_VAL)
        notes.append(f"Route slim_val is left out: val holds no image of {', '.join(missing)}.")
    if not routes or not notes:
        return config, ()
    return replace(
        config,
        retraining=replace(config.retraining, routes=routes),
        evaluation=replace(config.evaluation, split=split),
    ), tuple(notes)


def require_judges(config: PipelineConfig, manifest: ImageManifest) -> None:
    """Refuse a data set without images to judge on, before anything is asked or trained.

    Args:
        config: From `settled`.
        manifest: The data set.

    Raises:
        InvalidInput: The split of the evaluation has no image.
    """
    split = config.evaluation.split
    if len(manifest.rows_of(split)):
        return
    there = [f"{len(manifest.rows_of(one))} of {one}" for one in Split if one != split]
    other = Split.TEST if split == Split.VALIDATION else Split.VALIDATION
    else_ = f", or set evaluation.split to {other}" if len(manifest.rows_of(other)) else ""
    raise InvalidInput(
        f"there are no {split} images to judge classifiers on, only {' and '.join(there)}; give the "
        f"data set some{else_}"
    )


def _missing_in_val(manifest: ImageManifest) -> list[str]:
    """Name the classes that train holds and val does not."""
    labels = manifest.labels
    there = {
        split: set(np.unique(labels[manifest.rows_of(split)]).tolist())
        for split in (Split.TRAIN, Split.VALIDATION)
    }
    lacking = sorted(there[Split.TRAIN] - there[Split.VALIDATION])
    return [manifest.class_names[index] for index in lacking]
