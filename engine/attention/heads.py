"""Features for fitting last layers, and where several last layers on one backbone look.

Heads on one frozen backbone share every activation, so that one forward pass serves all of them.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int64

from engine.attention.extraction import ExtractionConfig
from engine.attention.prefetching import batches_ahead
from engine.attribution.grad_cam import GradCam
from engine.attribution.gradient_cam import GradientCam
from engine.attribution.method import grid_method
from engine.attribution.observation import ForwardPass, forward_passes
from engine.data.manifest import ImageManifest
from engine.errors import InvalidInput, ModelMismatch
from engine.models.classifier import Classifier, head_of
from engine.models.folding import ready_to_look
from engine.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearHead:
    """A last layer on what the network's own one reads: `logits = features @ weight.T + bias`."""

    weight: Float[np.ndarray, "c d"]
    bias: Float[np.ndarray, " c"]


@dataclass(slots=True, kw_only=True, eq=False)
class _Filled:
    """An array that is filled batch by batch, so that nothing is held twice."""

    n_rows: int
    axis: int
    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    done: int = 0

    def take(self, batch: torch.Tensor) -> None:
        part = batch.cpu().numpy()
        if not self.done:
            shape = list(part.shape)
            shape[self.axis] = self.n_rows
            self.values = np.empty(shape, dtype=part.dtype)
        place = (slice(None),) * self.axis
        self.values[(*place, slice(self.done, self.done + part.shape[self.axis]))] = part
        self.done += part.shape[self.axis]


def _passes(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    take: Callable[[ForwardPass], None],
    on_progress: Progress,
    device: str,
    *,
    differentiated: bool = False,
) -> None:
    """Run the network over some rows and hand each batch's forward pass to `take`."""
    batches = batches_ahead(
        manifest,
        rows,
        classifier.preprocessing,
        batch_size=config.batch_size,
        workers=config.workers,
    )
    done = 0
    light = ready_to_look(classifier, device)
    with forward_passes(light, differentiated=differentiated) as run, closing(batches):
        for batch in batches:
            images = batch.images.to(device, memory_format=torch.channels_last)
            with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bf16"):
                seen = run(images)
            take(seen)
            done += len(batch.rows)
            on_progress(done, len(rows))


def head_features(
    manifest: ImageManifest,
    classifier: Classifier,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Float32[np.ndarray, "m d"]:
    """Give what the network's last linear layer reads, for some rows.

    Args:
        manifest: The data set.
        classifier: The network; what its last layer makes of the features takes no part.
        rows: The rows wanted.
        config: Precision, batch size and workers.
        device: `cpu` or `cuda`.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        Features in the order of `rows`; averages over the target layer's grid where the network
        has no such layer.

    Raises:
        ManifestError: A picture cannot be read.
    """
    found = _Filled(n_rows=len(rows), axis=0)
    _passes(
        manifest,
        classifier,
        rows,
        config,
        lambda seen: found.take(seen.features),
        on_progress,
        device,
    )
    return found.values.astype(np.float32, copy=False)


def class_maps_under_heads(
    manifest: ImageManifest,
    classifier: Classifier,
    heads: Sequence[LinearHead],
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> tuple[Int64[np.ndarray, "r m"], Float32[np.ndarray, "r m c h w"]]:
    """Give every class's attention map under several heads on one backbone, in one pass.

    Behind global average pooling the gradient of a logit is the head's weight over the number of
    cells; elsewhere the features are differentiated along that weight.

    Args:
        manifest: The data set.
        classifier: The network; must end in one linear layer.
        heads: r last layers of as many classes.
        rows: The rows wanted.
        config: Precision, batch size, workers, and the method: GradCAM or one of its kin.
        device: `cpu` or `cuda`.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        The predicted class for each head and row, and the raw map of each class.

    Raises:
        ModelMismatch: The network does not end so.
        InvalidInput: The method makes its maps of no gradient.
        ManifestError: A picture cannot be read.
    """
    return _under_heads(
        manifest, classifier, heads, rows, config, on_progress, device, only_predicted=False
    )


def _under_heads(
    manifest: ImageManifest,
    classifier: Classifier,
    heads: Sequence[LinearHead],
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    on_progress: Progress,
    device: str,
    *,
    only_predicted: bool,
) -> tuple[Int64[np.ndarray, "r m"], np.ndarray]:
    """Give predictions, and the maps of every class or of the predicted one alone."""
    method = _method_under_heads(classifier, config)
    stacked = np.stack([head.weight for head in heads]).astype(np.float32)  # (r, c, d)
    weights = torch.from_numpy(stacked).to(device)
    biases = torch.from_numpy(np.stack([h.bias for h in heads]).astype(np.float32)).to(device)
    predicted, maps = (_Filled(n_rows=len(rows), axis=1) for _ in range(2))

    def take(seen: ForwardPass) -> None:
        logits = torch.einsum("nd,rcd->rnc", seen.features, weights) + biases[:, None]
        classes = logits.argmax(dim=2)
        found = _maps_along(seen, method, weights)
        if only_predicted:
            found = torch.take_along_dim(found, classes[:, :, None, None, None], dim=2)[:, :, 0]
        predicted.take(classes)
        maps.take(found)

    _passes(manifest, classifier, rows, config, take, on_progress, device, differentiated=True)
    return predicted.values.astype(np.int64), maps.values.astype(np.float32, copy=False)


def _method_under_heads(classifier: Classifier, config: ExtractionConfig) -> GradientCam:
    """Give the method that one pass can follow under several heads, or refuse."""
    if head_of(classifier) is None:
        msg = (
            f"{classifier.architecture} does not end in one linear layer, so there are no maps "
            "under other heads; fine-tune instead"
        )
        raise ModelMismatch(msg)
    method = grid_method(config.method)
    if not isinstance(method, GradientCam):
        msg = (
            f"{config.method} makes its maps of no gradient, so one pass cannot serve several "
            "heads; set extraction.method to grad_cam, or evaluation.attention to false"
        )
        raise InvalidInput(msg)
    return method


def _maps_along(
    seen: ForwardPass, method: GradientCam, weights: Float[torch.Tensor, "r c d"]
) -> Float[torch.Tensor, "r n c h w"]:
    """Give the map of each head's each class from one forward pass."""
    n = len(seen.features)
    along_first = seen.gradient_along(weights[0, 0].expand(n, -1))
    if isinstance(method, GradCam) and along_first.shape[2:] == (1, 1):
        # The gradient is the weight over the number of cells: one product for all heads.
        cells = seen.activations.shape[2] * seen.activations.shape[3]
        return torch.einsum("ndhw,rcd->rnchw", seen.activations, weights / cells).relu()
    maps = [
        method.combine(seen.activations, seen.gradient_along(vector.expand(n, -1))).relu()
        for vector in weights.flatten(0, 1)
    ]
    grid = seen.activations.shape[2:]
    return torch.stack(maps).reshape(*weights.shape[:2], n, *grid).transpose(1, 2)


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

    Args:
        manifest: The data set.
        classifier: The network; must end in one linear layer.
        heads: r last layers of as many classes.
        rows: The rows wanted.
        config: Precision, batch size, workers, and the method: GradCAM or one of its kin.
        device: `cpu` or `cuda`.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        The predicted class and the raw map, for each head and row.

    Raises:
        ModelMismatch: The network does not end so.
        InvalidInput: The method makes its maps of no gradient.
        ManifestError: A picture cannot be read.
    """
    return _under_heads(
        manifest, classifier, heads, rows, config, on_progress, device, only_predicted=True
    )
