"""A classifier: its network, the layer that attention maps are made from, and its classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import InvalidInput, ModelMismatch
from engine.models.capture import capture, layer_named
from engine.models.modes import evaluating

_TOLERANCE = 1e-4
"""Relative error up to which a head counts as global average pooling and one linear layer."""

_LONGEST_HEAD = 8
"""More learned layers than this behind the last feature map: not a convolutional network."""

_NOT_FEATURES = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.Softmax,
)
"""Layers behind the last features that may still have a grid: no target for attention maps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """A convolutional network over a data set's classes.

    Attributes:
        module: The network: normalised pictures `n 3 H W` to logits `n c`.
        architecture: Its name, as `engine.models.architectures.build_module` takes it.
        target_layer: Dotted name of the layer whose output attention maps are made from.
        preprocessing: What a picture goes through before the network.
        class_names: One name per logit, in the logits' order.
    """

    module: nn.Module
    architecture: str
    target_layer: str
    preprocessing: Preprocessing
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        layer_named(self.module, self.target_layer)
        if len(self.class_names) < 2:
            raise InvalidInput(
                f"a classifier needs at least 2 classes, got {list(self.class_names)}; "
                "check the labels of the manifest"
            )


def make_classifier(
    module: nn.Module,
    *,
    architecture: str,
    preprocessing: Preprocessing,
    class_names: tuple[str, ...],
    target_layer: str | None = None,
) -> Classifier:
    """Put a classifier together, finding the target layer where none is named.

    Args:
        module: The network.
        architecture: Its name.
        preprocessing: What pictures go through before it.
        class_names: One name per logit.
        target_layer: The layer for attention maps; None looks for the last features.

    Returns:
        The classifier, tried once on made pictures.

    Raises:
        UnknownOption: If there is no layer of that name.
        InvalidInput: If the layer gives no feature map.
        ModelMismatch: If the network has another number of logits than there are classes.
    """
    layer = target_layer or find_target_layer(module, preprocessing.size)
    classifier = Classifier(
        module=module,
        architecture=architecture,
        target_layer=layer,
        preprocessing=preprocessing,
        class_names=class_names,
    )
    with evaluating(module), torch.inference_mode(), capture(module, layer) as taken:
        logits = logits_of(module(_probe(module, preprocessing.size)))
        _ = taken.activations
    check_classes(logits, class_names)
    return classifier


def check_classes(logits: torch.Tensor, class_names: tuple[str, ...]) -> None:
    """Refuse logits that do not have one column per class.

    Args:
        logits: What a network gave, `n c`.
        class_names: The classes of the data set.

    Raises:
        ModelMismatch: If the counts differ.
    """
    if logits.ndim != 2 or logits.shape[1] != len(class_names):
        raise ModelMismatch(
            f"the network gives logits of shape {tuple(logits.shape)}, but there are "
            f"{len(class_names)} classes ({', '.join(class_names[:5])}…); "
            "use a classifier trained on these classes"
        )


def logits_of(output: object) -> torch.Tensor:
    """Give the logits of a network's output.

    Inception and GoogLeNet give a named tuple with auxiliary logits while training; some
    networks give a dictionary.

    Args:
        output: Whatever the network returned.

    Returns:
        The main logits, `n c`.

    Raises:
        InvalidInput: If there are none to be found.
    """
    if isinstance(output, dict):
        output = output.get("logits", output.get("out"))
    elif not isinstance(output, torch.Tensor):
        output = getattr(output, "logits", output)
    if not isinstance(output, torch.Tensor):
        raise InvalidInput(
            f"the network returned {type(output).__name__}, not a tensor of logits; "
            "wrap it so that it does"
        )
    return output


def find_target_layer(module: nn.Module, input_size: int) -> str:
    """Find the layer that holds the last features with a spatial grid.

    It is the last to give a square feature map of more than one cell, pooling and layers that
    do nothing left out; of several modules that give that very tensor, the outermost.

    Args:
        module: The network; it runs once on a made picture, in evaluation mode.
        input_size: Side of the picture, pixels.

    Returns:
        The layer's dotted name.

    Raises:
        InvalidInput: If no layer gives a feature map, or the last that does is far from the
            logits, as in a vision transformer.
    """
    with evaluating(module), torch.inference_mode(), _watching(module) as seen:
        module(_probe(module, input_size)[:1])
    if not seen.outputs:
        raise InvalidInput(
            f"{type(module).__name__} has no layer with a spatial feature map at "
            f"{input_size} px; use larger pictures, a convolutional network, or name the layer"
        )
    if seen.learned_since > _LONGEST_HEAD:
        raise InvalidInput(
            f"the last feature map of {type(module).__name__}, {seen.outputs[-1][0]!r}, is "
            f"{seen.learned_since} learned layers away from the logits, so this is hardly a "
            "convolutional network; use one, or name the layer"
        )
    last = seen.outputs[-1][1]
    holders = [name for name, output in seen.outputs if output is last]
    return min(holders, key=lambda name: name.count("."))


def head_of(classifier: Classifier) -> nn.Linear | None:
    """Give the linear layer behind global average pooling, where the network ends so.

    Whether it does is tried, not read from the code: on made pictures the linear layer's input
    must be the plain mean of the target layer's output, and its output must be the logits. Then
    GradCAM has a closed form and needs no backward pass.

    Args:
        classifier: The classifier; its modes and hooks are left as found.

    Returns:
        The layer, or None where anything else stands between features and logits.
    """
    module = classifier.module
    with (
        evaluating(module),
        torch.inference_mode(),
        capture(module, classifier.target_layer) as taken,
        _watching_linear(module) as calls,
    ):
        logits = logits_of(module(_probe(module, classifier.preprocessing.size)))
        pooled = taken.activations.mean(dim=(2, 3))
    if not calls:
        return None
    linear, entered, left = calls[-1]
    is_plain = _agree(entered, pooled) and _agree(left, logits)
    return linear if is_plain else None


def _agree(given: torch.Tensor, expected: torch.Tensor) -> bool:
    if given.shape != expected.shape:
        return False
    error = (given - expected).abs().max()
    return bool(error <= _TOLERANCE * expected.abs().max())


def _probe(module: nn.Module, size: int) -> Float[torch.Tensor, "3 3 {size} {size}"]:
    """Make three pictures that no preprocessing would give: noise, loud noise, dark noise."""
    noise = np.random.default_rng(0).standard_normal((3, 3, size, size))
    scale = np.asarray([1.0, 3.0, 0.5]).reshape(3, 1, 1, 1)
    shift = np.asarray([0.0, 0.0, -1.0]).reshape(3, 1, 1, 1)
    like = next(module.parameters())
    return torch.from_numpy(scale * noise + shift).to(device=like.device, dtype=like.dtype)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Feature maps in the order their layers finished, and learned layers run since the last."""

    outputs: list[tuple[str, torch.Tensor]] = field(default_factory=list)
    learned_since: int = 0


@contextmanager
def _watching(module: nn.Module) -> Iterator[_Seen]:
    """Collect (name, output) of every layer that gives a feature map."""
    seen = _Seen()
    names = {part: name for name, part in module.named_modules() if name}

    def watch(part: nn.Module, _inputs: object, output: object) -> None:
        if _is_feature_map(output) and not isinstance(part, _NOT_FEATURES):
            seen.outputs.append((names[part], output))
            seen.learned_since = 0
        elif next(part.parameters(recurse=False), None) is not None:
            seen.learned_since += 1

    handles = [part.register_forward_hook(watch) for part in names]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _is_feature_map(output: object) -> TypeGuard[torch.Tensor]:
    if not isinstance(output, torch.Tensor) or output.ndim != 4:
        return False
    height, width = output.shape[2:]
    return height == width > 1


@contextmanager
def _watching_linear(
    module: nn.Module,
) -> Iterator[list[tuple[nn.Linear, torch.Tensor, torch.Tensor]]]:
    """Collect (layer, input, output) of every linear layer, in the order they run."""
    calls: list[tuple[nn.Linear, torch.Tensor, torch.Tensor]] = []

    def watch(part: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if isinstance(part, nn.Linear):  # always: the hook is put on linear layers only
            calls.append((part, inputs[0], output))

    linears = [part for part in module.modules() if isinstance(part, nn.Linear)]
    handles = [part.register_forward_hook(watch) for part in linears]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
