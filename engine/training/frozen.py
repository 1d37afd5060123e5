"""Passes of a network that is not trained: what its last layers read of some pictures."""

from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import torch
from jaxtyping import Float32, Int

from engine.attention.extraction import ExtractionConfig
from engine.attention.prefetching import batches_ahead
from engine.attribution.observation import ForwardPass, forward_passes
from engine.data.manifest import ImageManifest
from engine.models.classifier import Classifier
from engine.models.folding import ready_to_look
from engine.progress import Progress, ignore_progress

Change = Callable[[torch.Tensor, slice], torch.Tensor]
"""Changes normalised pictures, told where among the rows they stand."""


def passes(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    change: Change | None = None,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Iterator[ForwardPass]:
    """Run a network over some pictures, batch by batch.

    Args:
        manifest: The pictures.
        classifier: The network; it is left as found, also where it lives.
        rows: The rows wanted.
        config: Precision, batch size and workers.
        change: Changes the pictures first; nothing if left out.
        device: Where to compute, as torch names it.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Yields:
        What the network said and saw, in the order of the rows.

    Raises:
        ManifestError: A picture cannot be read.
    """
    batches = batches_ahead(
        manifest,
        rows,
        classifier.preprocessing,
        batch_size=config.batch_size,
        workers=config.workers,
    )
    done = 0
    light = ready_to_look(classifier, device)
    with forward_passes(light, differentiated=False) as run, closing(batches):
        for batch in batches:
            part = slice(done, done + len(batch.rows))
            images = batch.images if change is None else change(batch.images, part)
            images = images.to(device, memory_format=torch.channels_last)
            with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bf16"):
                seen = run(images)
            yield seen
            done = part.stop
            on_progress(done, len(rows))


def frozen_features(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    change: Change | None = None,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Float32[np.ndarray, "m f"]:
    """Give what the network's last linear layer reads, for some rows.

    Args:
        manifest: The pictures.
        classifier: The network.
        rows: The rows wanted.
        config: Precision, batch size and workers.
        change: Changes the pictures first; nothing if left out.
        device: Where to compute, as torch names it.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        Features in the order of `rows`; no column where there is no row.
    """
    found = np.zeros((0, 0), dtype=np.float32)
    done = 0
    for seen in passes(
        manifest, classifier, rows, config, change=change, device=device, on_progress=on_progress
    ):
        if not done:
            found = np.empty((len(rows), seen.features.shape[1]), dtype=np.float32)
        found[done : done + len(seen.features)] = seen.features.cpu().numpy()
        done += len(seen.features)
    return found


def frozen_activations(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Float32[np.ndarray, "m d h w"]:
    """Give the target layer's output on its grid, for some rows.

    Args:
        manifest: The pictures.
        classifier: The network.
        rows: The rows wanted, at least one.
        config: Precision, batch size and workers.
        device: Where to compute, as torch names it.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        Activations in the order of `rows`.
    """
    found = [
        seen.activations.cpu().numpy()
        for seen in passes(
            manifest, classifier, rows, config, device=device, on_progress=on_progress
        )
    ]
    return np.concatenate(found).astype(np.float32)
