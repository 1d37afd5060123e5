"""Retraining on what a lead marked: noise on spurious slices (CoRM), or corrected labels.

Every arm refits the last layer by one recipe on frozen features; only the training pictures and
labels differ. Judged with noise off the core and on it: by true regions where the data set has
them, else by the attention, turned round in spurious slices, and then called estimated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from engine.attention.presets import check_range
from engine.data.manifest import ImageManifest, Split
from engine.data.regions import object_region, without_object
from engine.errors import InvalidInput
from engine.evaluation.sensitivity import CoreSensitivity
from engine.pipeline.run import Run
from engine.randomness import integer_seed
from engine.training.corruption import CormConfig, corrupted_features
from engine.training.last_layer import Head
from engine.training.noisy_heads import (
    FIGURES,
    MENDING_NOISE,
    NoisyPass,
    fit_under_noise,
    judge_under_noise,
)
from engine.training.sensitivity import (
    Core,
    EstimatedCores,
    Side,
    core_of_regions,
    noisy_features,
)

NOISE = "corruption of slices"
"""What the noise on training pictures is drawn for."""

TRUE, ESTIMATED, NONE = "true", "estimated", "none"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """One way to retrain.

    Attributes:
        name: Its name in the report.
        noisy: Training rows whose pictures have noise where the attention lies, rising.
        labels: Training row to the label that it is trained with in place of its own.
        left_out: Training rows that are not trained with, rising.
    """

    name: str
    noisy: Int[np.ndarray, " k"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    labels: Mapping[int, int] = field(default_factory=dict)
    left_out: Int[np.ndarray, " l"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MendingOrder:
    """What to retrain and how to judge it.

    Attributes:
        arms: The first is what the others are compared with.
        split: Which images judge.
        spurious: Of these, whose slice is spurious; None where they have no slices. Read only
            where no true region is known.
        corm: The noise.
        draws: Draws of noise over the judged pictures.
    """

    arms: tuple[Arm, ...]
    split: Split = Split.TEST
    spurious: Bool[np.ndarray, " m"] | None = None
    corm: CormConfig = MENDING_NOISE
    draws: int = 3

    def __post_init__(self) -> None:
        check_range("draws", self.draws, low=1)


def mend(run: Run, order: MendingOrder) -> dict[str, Any]:
    """Retrain every arm and judge it.

    Args:
        run: Of the project; its watcher is told.
        order: What to retrain.

    Returns:
        A JSON object: masks `true`, `estimated` or `none` (only clean accuracy is given then), and
        each arm's figures. Where masks are estimated, images without any attention are not judged
        and counted as `without_attention`.

    Raises:
        EngineError: The classifier has no linear head, or a picture cannot be read.
    """
    manifest = run.load("manifest")
    rows = manifest.rows_of(order.split)
    if not len(rows):
        raise InvalidInput(f"there are no images in {order.split.value}; choose another split")
    in_all = len(rows)
    masks, core, rows = _cores(run, manifest, rows, order)
    noisy = [] if core is None else _noisy(run, rows, core, order)
    arms: dict[str, Any] = {}
    for arm in order.arms:
        run.watcher.stage_started(f"retraining: {arm.name}", cached=False)
        noised = _noised(run, manifest, arm)
        head = _fitted(run, manifest, arm, noised, order)
        arms[arm.name] = {
            **_figures(_judged(run, manifest, head, rows, noisy)),
            "noisy_images": len(noised),
            "relabelled": len(arm.labels),
            "left_out": len(arm.left_out),
        }
    return {
        "split": order.split.value,
        "images": len(rows),
        "without_attention": in_all - len(rows),
        "masks": masks,
        "sigma": order.corm.sigma,
        "beside": order.corm.beside,
        "draws": order.draws,
        "c": run.config.classifier.c,
        "seed": run.config.seed,
        "mode": "head",
        "arms": arms,
    }


def _cores(
    run: Run, manifest: ImageManifest, rows: Int[np.ndarray, " m"], order: MendingOrder
) -> tuple[str, Core | None, Int[np.ndarray, " j"]]:
    """Give where the core of each picture is, whether that is known, and which can be judged."""
    if not len(without_object(manifest, rows)):
        return TRUE, core_of_regions(lambda row: object_region(manifest, row)), rows
    if order.spurious is None:
        return NONE, None, rows
    extraction = run.load("extraction")
    live = ~np.asarray(extraction.dead_predicted)[rows]
    if not live.any():
        return NONE, None, rows
    maps = np.asarray(extraction.maps_predicted)[rows[live]]
    cores = EstimatedCores(rows=rows[live], maps=maps, spurious=order.spurious[live])
    return ESTIMATED, cores, rows[live]


def _noisy(
    run: Run, rows: Int[np.ndarray, " m"], core: Core, order: MendingOrder
) -> list[NoisyPass]:
    """Give frozen features of the judged pictures under each draw of noise."""
    found: list[NoisyPass] = []
    for draw in range(order.draws):
        run.watcher.stage_started(f"noise on {order.split.value}, draw {draw + 1}", cached=False)
        found.append(
            {
                side: noisy_features(
                    run.load("manifest"),
                    run.load("classifier"),
                    rows,
                    side,
                    core,
                    run.config.extraction,
                    sigma=order.corm.sigma,
                    seed=integer_seed(draw, f"noise {side}"),
                    device=run.config.device,
                    on_progress=run.watcher.progress,
                )
                for side in Side
            }
        )
    return found


def _noised(run: Run, manifest: ImageManifest, arm: Arm) -> Int[np.ndarray, " k"]:
    """Give the training rows whose pictures get noise: flagged, trained with, and looked at."""
    train = np.setdiff1d(manifest.rows_of(Split.TRAIN), arm.left_out)
    live = np.flatnonzero(~np.asarray(run.load("extraction").dead_predicted))
    noised: np.ndarray = np.intersect1d(np.intersect1d(arm.noisy, live), train)
    return noised


def _fitted(
    run: Run,
    manifest: ImageManifest,
    arm: Arm,
    noisy: Int[np.ndarray, " k"],
    order: MendingOrder,
) -> Head:
    """Fit the last layer on an arm's pictures and labels."""
    extraction, config = run.load("extraction"), run.config
    train = np.setdiff1d(manifest.rows_of(Split.TRAIN), arm.left_out)
    labels = manifest.labels.copy()
    for row, label in arm.labels.items():
        labels[row] = label
    made = None
    if len(noisy):
        made = corrupted_features(
            manifest,
            run.load("classifier"),
            noisy,
            np.asarray(extraction.maps_predicted)[noisy],
            order.corm,
            config.extraction,
            seed=integer_seed(config.seed, NOISE),
            device=config.device,
            on_progress=run.watcher.progress,
        )
    return fit_under_noise(
        np.asarray(extraction.features),
        labels,
        train,
        made,
        beside=order.corm.beside,
        c=config.classifier.c,
        class_names=manifest.class_names,
    )


def _judged(
    run: Run,
    manifest: ImageManifest,
    head: Head,
    rows: Int[np.ndarray, " m"],
    noisy: Sequence[NoisyPass],
) -> CoreSensitivity | float:
    truths = manifest.labels[rows]
    clean = np.asarray(run.load("extraction").features)[rows]
    if not noisy:
        return float((head.logits(clean).argmax(axis=1) == truths).mean())
    return judge_under_noise(head, clean, truths, noisy)


def _figures(found: CoreSensitivity | float) -> dict[str, float | None]:
    if isinstance(found, float):
        return {"clean": round(found, 5), "core": None, "spurious": None, "rcs": None}
    return {name: round(float(getattr(found, name)), 5) for name in FIGURES}
