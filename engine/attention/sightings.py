"""Where a classifier looks on pictures that belong to no manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64

from engine.attribution.method import grid_method
from engine.data.images import to_tensor
from engine.data.pictures import open_picture
from engine.models.classifier import Classifier
from engine.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sightings:
    """What a classifier says about some pictures, and where it looks.

    Attributes:
        predicted: The predicted class of each picture.
        confidence: Softmax probability of that class, in [0, 1].
        maps: The raw attention map of that class, at least 0.
    """

    predicted: Int64[np.ndarray, " p"]
    confidence: Float32[np.ndarray, " p"]
    maps: Float32[np.ndarray, "p h w"]


def look_at(
    classifier: Classifier,
    paths: Sequence[Path],
    *,
    batch_size: int = 16,
    method: str = "grad_cam",
    on_progress: Progress = ignore_progress,
) -> Sightings:
    """Run a classifier on pictures by path.

    Args:
        classifier: The classifier; left as found.
        paths: At least one picture.
        batch_size: Pictures at once.
        method: The attribution method, one that gives maps on the grid.
        on_progress: Told (pictures done, pictures in all); may raise `Cancelled`.

    Returns:
        Predictions and maps in the order of `paths`.

    Raises:
        ManifestError: A picture cannot be decoded.
        InvalidInput: The method is unknown, or gives maps of pixels.
    """
    predicted, confidence, maps = [], [], []
    with grid_method(method).observing(classifier) as observe:
        for start in range(0, len(paths), batch_size):
            part = paths[start : start + batch_size]
            images = torch.stack(
                [to_tensor(open_picture(path), classifier.preprocessing) for path in part]
            )
            seen = observe(images)
            best = seen.logits.softmax(dim=1).max(dim=1)
            predicted.append(best.indices.numpy())
            confidence.append(best.values.numpy())
            maps.append(seen.maps(best.indices).detach().numpy())
            on_progress(start + len(part), len(paths))
    return Sightings(
        predicted=np.concatenate(predicted).astype(np.int64),
        confidence=np.concatenate(confidence).astype(np.float32),
        maps=np.concatenate(maps).astype(np.float32),
    )
