"""Masks and noisy pictures of chosen images as a ZIP to take away."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Int
from PIL import Image

from engine.data.csv_text import csv_writer
from engine.data.images import image_batches
from engine.data.staging import staged_file
from engine.pipeline.mending import NOISE
from engine.pipeline.run import Run
from engine.progress import Progress, ignore_progress
from engine.randomness import integer_seed
from engine.training.corruption import add_noise, noise_draws, noise_masks


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
    seed = integer_seed(run.config.seed, NOISE)
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
    with staged_file(path) as staging, staging.open("wb") as file:
        return write_noise(run, order, file, on_progress)
