"""Features for fitting last layers, and where several last layers on one backbone look.

Heads on one frozen backbone share every activation, so that one forward pass serves all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int64

from engine.attention.extraction import ExtractionConfig
from engine.attribution.grad_cam import GradCam
from engine.data.images import image_batches
from engine.data.manifest import ImageManifest
from engine.errors import ModelMismatch
from engine.models.classifier import Classifier, head_of
from engine.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearHead:
    """A last layer on globally averaged features: `logits = features @ weight.T + bias`."""

    weight: Float[np.ndarray, "c d"]
    bias: Float[np.ndarray, " c"]


def _passes(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    take: Callable[[int, Float[torch.Tensor, "n d h w"]], None],
    on_progress: Progress,
    device: str,
) -> None:
    """Run the backbone over some rows and hand each batch's activations to `take`."""
    module = classifier.module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = image_batches(
        manifest,
        rows.astype(np.int64),
        classifier.preprocessing,
        batch_size=config.batch_size,
        workers=config.workers,
    )
    done = 0
    with GradCam().observing(classifier) as observe, torch.inference_mode():
        assert module is classifier.module  # `to` moves a module in place
        for batch in batches:
            images = batch.images.to(device, memory_format=torch.channels_last)
            with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bf16"):
                activations = observe(images).activations
            take(done, activations.float())
            done += len(batch.rows)
            on_progress(done, len(rows))


def gap_features(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Float32[np.ndarray, "m d"]:
    """Average the target layer's output over its grid, for some rows.

    Args:
        manifest: The data set.
        classifier: The network; its last layer takes no part.
        rows: The rows wanted.
        config: Precision, batch size and workers.
        device: `cpu` or `cuda`.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        Features in the order of `rows`.

    Raises:
        ManifestError: A picture cannot be read.
    """
    found: list[np.ndarray] = []
    _passes(
        manifest,
        classifier,
        rows,
        config,
        lambda _start, activations: found.append(activations.mean(dim=(2, 3)).cpu().numpy()),
        on_progress,
        device,
    )
    return np.concatenate(found).astype(np.float32)


def maps_under_heads(
    manifest: ImageManifest,
    classifier: Classifier,
    heads: Sequence[LinearHead],
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> tuple[Int64[np.ndarray, "r m"], Float32[np.ndarray, "r m h w"]]:
    """Give the predicted-class attention maps of several heads on one backbone, in one pass.

    GradCAM's closed form: `A = ReLU(sum_k W_ck a_k / (h w))`, see `engine.attribution.grad_cam`.

    Args:
        manifest: The data set.
        classifier: The network; must end in global average pooling and one linear layer.
        heads: r last layers.
        rows: The rows wanted.
        config: Precision, batch size and workers.
        device: `cpu` or `cuda`.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        The predicted class and the raw map, for each head and row.

    Raises:
        ModelMismatch: The network does not end so.
        ManifestError: A picture cannot be read.
    """
    if head_of(classifier) is None:
        msg = (
            f"{classifier.architecture} does not end in global average pooling and one linear "
            "layer, so maps under other heads have no closed form; fine-tune instead"
        )
        raise ModelMismatch(msg)
    weights = [torch.from_numpy(h.weight.astype(np.float32)).to(device) for h in heads]
    biases = [torch.from_numpy(h.bias.astype(np.float32)).to(device) for h in heads]
    predicted: list[np.ndarray] = []
    maps: list[np.ndarray] = []

    def take(_start: int, activations: torch.Tensor) -> None:
        cells = activations.permute(0, 2, 3, 1).flatten(1, 2)  # (n, hw, d)
        pooled = cells.mean(dim=1)
        classes = [(pooled @ w.T + b).argmax(dim=1) for w, b in zip(weights, biases, strict=True)]
        raw = [
            torch.bmm(cells, (w[c] / cells.shape[1]).unsqueeze(2)).squeeze(2)
            for w, c in zip(weights, classes, strict=True)
        ]
        grids = torch.stack(raw).relu().reshape(len(weights), -1, *activations.shape[2:])
        predicted.append(torch.stack(classes).cpu().numpy())
        maps.append(grids.cpu().numpy())

    _passes(manifest, classifier, rows, config, take, on_progress, device)
    return (
        np.concatenate(predicted, axis=1).astype(np.int64),
        np.concatenate(maps, axis=1).astype(np.float32),
    )
