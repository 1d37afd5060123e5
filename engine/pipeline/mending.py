"""Retraining on what a lead marked: noise on spurious slices (CoRM), or corrected labels.

Every arm refits the last layer by one recipe on frozen features; only the training pictures and
labels differ. Judged with noise off the core and on it: by true regions where the data set has
them, else by the attention, turned round in spurious slices, and then called estimated.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int
from PIL import Image

from engine.attention.presets import check_range
from engine.data.csv_text import csv_writer
from engine.data.images import image_batches
from engine.data.manifest import ImageManifest, Split
from engine.data.regions import object_region
from engine.errors import InvalidInput
from engine.evaluation.sensitivity import CoreSensitivity, core_sensitivity
from engine.pipeline.run import Run
from engine.progress import Progress, ignore_progress
from engine.randomness import integer_seed
from engine.training.corruption import (
    CormConfig,
    add_noise,
    corrupted_features,
    noise_draws,
    noise_masks,
)
from engine.training.last_layer import Head, LastLayerConfig, fit_head
from engine.training.sensitivity import (
    Core,
    EstimatedCores,
    Side,
    core_of_regions,
    noisy_features,
)

FIGURES = ("clean", "core", "spurious", "rcs")
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
    corm: CormConfig = field(default_factory=CormConfig)
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
        each arm's figures.

    Raises:
        EngineError: The classifier has no linear head, or a picture cannot be read.
    """
    manifest = run.load("manifest")
    rows = manifest.rows_of(order.split)
    if not len(rows):
        raise InvalidInput(f"there are no images in {order.split.value}; choose another split")
    masks, core = _cores(run, manifest, rows, order)
    noisy = [] if core is None else _noisy(run, rows, core, order)
    arms: dict[str, Any] = {}
    for arm in order.arms:
        run.watcher.stage_started(f"retraining: {arm.name}", cached=False)
        head = _fitted(run, manifest, arm, order)
        arms[arm.name] = {
            **_figures(_judged(run, manifest, head, rows, noisy)),
            "noisy_images": len(arm.noisy),
            "relabelled": len(arm.labels),
            "left_out": len(arm.left_out),
        }
    return {
        "split": order.split.value,
        "images": len(rows),
        "masks": masks,
        "sigma": order.corm.sigma,
        "draws": order.draws,
        "c": run.config.classifier.c,
        "seed": run.config.seed,
        "mode": "head",
        "arms": arms,
    }


def _cores(
    run: Run, manifest: ImageManifest, rows: Int[np.ndarray, " m"], order: MendingOrder
) -> tuple[str, Core | None]:
    """Give where the core of each judged picture is, and whether that is known or estimated."""
    records = [manifest.records[row] for row in rows.tolist()]
    if all(record.mask is not None or record.box is not None for record in records):
        return TRUE, core_of_regions(lambda row: object_region(manifest, row))
    if order.spurious is None:
        return NONE, None
    maps = np.asarray(run.load("extraction").maps_predicted)[rows]
    return ESTIMATED, EstimatedCores(rows=rows, maps=maps, spurious=order.spurious)


def _noisy(
    run: Run, rows: Int[np.ndarray, " m"], core: Core, order: MendingOrder
) -> list[dict[Side, Float32[np.ndarray, "m d"]]]:
    """Give frozen features of the judged pictures under each draw of noise."""
    found = []
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


def _fitted(run: Run, manifest: ImageManifest, arm: Arm, order: MendingOrder) -> Head:
    """Fit the last layer on an arm's pictures and labels."""
    extraction, config = run.load("extraction"), run.config
    train = np.setdiff1d(manifest.rows_of(Split.TRAIN), arm.left_out)
    features = np.asarray(extraction.features)[train].copy()
    labels = manifest.labels[train].copy()
    for row, label in arm.labels.items():
        labels[train == row] = label
    live = ~np.asarray(extraction.dead_predicted)
    noisy = np.intersect1d(arm.noisy[live[arm.noisy]], train) if len(arm.noisy) else arm.noisy
    if len(noisy):
        made = corrupted_features(
            manifest,
            run.load("classifier"),
            noisy,
            np.asarray(extraction.maps_predicted)[noisy],
            order.corm,
            config.extraction,
            seed=integer_seed(config.seed, "corruption of slices"),
            device=config.device,
            on_progress=run.watcher.progress,
        ).features
        if order.corm.beside:
            features = np.concatenate([features, made])
            labels = np.concatenate([labels, labels[np.searchsorted(train, noisy)]])
        else:
            features[np.searchsorted(train, noisy)] = made
    return fit_head(
        features,
        labels,
        LastLayerConfig(class_balanced=False),
        config.classifier.c,
        class_names=manifest.class_names,
    )


def _judged(
    run: Run,
    manifest: ImageManifest,
    head: Head,
    rows: Int[np.ndarray, " m"],
    noisy: Sequence[Mapping[Side, Float32[np.ndarray, "m d"]]],
) -> CoreSensitivity | float:
    truths = manifest.labels[rows]
    clean = _classes(head, np.asarray(run.load("extraction").features)[rows])
    if not noisy:
        return float((clean == truths).mean())
    off, on = (
        [_classes(head, one[side]) for one in noisy] for side in (Side.OFF_CORE, Side.ON_CORE)
    )
    return core_sensitivity(truths, clean, off, on)


def _classes(head: Head, features: Float32[np.ndarray, "m d"]) -> Int[np.ndarray, " m"]:
    found: np.ndarray = head.logits(features).argmax(axis=1)
    return found


def _figures(found: CoreSensitivity | float) -> dict[str, float | None]:
    if isinstance(found, float):
        return {"clean": round(found, 5), "core": None, "spurious": None, "rcs": None}
    return {name: round(float(getattr(found, name)), 5) for name in FIGURES}


# ---- noise to take away --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoiseOrder:
    """Whose pictures to write under noise.

    Attributes:
        rows: Rows of the manifest, rising.
        sigma: Of the noise, on pictures in [0, 1].
        about: Column to a text for each row, written beside the files' names.
    """

    rows: Int[np.ndarray, " k"]
    sigma: float = 0.25
    about: Mapping[str, Sequence[str]] = field(default_factory=dict)


def write_noise(
    run: Run, order: NoiseOrder, target: BinaryIO, on_progress: Progress = ignore_progress
) -> int:
    """Write masks and noisy pictures as a ZIP, a batch of pictures in memory at a time.

    Pictures have the size of the network's input, for that is what retraining sees; where
    attention has no positive evidence the mask is empty and the picture as it was.

    Args:
        run: Of the project.
        order: Whose pictures.
        target: Where the ZIP goes.
        on_progress: Told (pictures done, pictures in all); may raise `Cancelled`.

    Returns:
        The number of pictures.
    """
    manifest, classifier = run.load("manifest"), run.load("classifier")
    maps = np.asarray(run.load("extraction").maps_predicted)
    seen = classifier.preprocessing
    mean = np.array(seen.mean, dtype=np.float32)[:, None, None]
    std = np.array(seen.std, dtype=np.float32)[:, None, None]
    seed = integer_seed(run.config.seed, "corruption of slices")
    table = io.StringIO(newline="")
    lines = csv_writer(table)
    lines.writerow(["row", "mask", "noisy", *order.about])
    done = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for batch in image_batches(
            manifest, order.rows, seen, batch_size=run.config.extraction.batch_size
        ):
            own = order.rows[done : done + len(batch.rows)]
            masks = noise_masks(maps[own], seen.size)
            draws = noise_draws(seed, own.tolist(), seen.size)
            noisy = add_noise(batch.images, masks, draws, seen, sigma=order.sigma)
            for at, row in enumerate(own.tolist()):
                name = f"{row:07d}-{_stem(manifest.records[row].path)}.png"
                archive.writestr(f"masks/{name}", _png(masks[at].numpy()[None]))
                archive.writestr(f"noisy/{name}", _png(_plain(noisy[at], mean, std)))
                more = [str(values[done + at]) for values in order.about.values()]
                lines.writerow([row, f"masks/{name}", f"noisy/{name}", *more])
            done += len(own)
            on_progress(done, len(order.rows))
        archive.writestr("images.csv", table.getvalue())
    return done


def _stem(path: str) -> str:
    """Give a file's name without what another system may not take."""
    kept = [
        letter if letter.isalnum() or letter in "-_" else "_" for letter in PurePosixPath(path).stem
    ]
    return "".join(kept)[:60] or "image"


def _plain(image: torch.Tensor, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    pixels: np.ndarray = image.numpy() * std + mean
    return pixels


def _png(bands: np.ndarray) -> bytes:
    pixels = np.rint(np.clip(bands, 0.0, 1.0) * 255).astype(np.uint8)
    out = io.BytesIO()
    picture = (
        Image.fromarray(pixels[0])
        if len(pixels) == 1
        else Image.fromarray(pixels.transpose(1, 2, 0))
    )
    picture.save(out, "PNG", compress_level=3)
    return out.getvalue()


def write_noise_file(
    run: Run, order: NoiseOrder, path: Path, on_progress: Progress = ignore_progress
) -> int:
    """Write the ZIP to a file, wholly or not at all; see `write_noise`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            n_pictures = write_noise(run, order, file, on_progress)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return n_pictures
