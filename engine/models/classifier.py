"""A classifier: its network, the layer that attention maps are made from, and its classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from engine.data.images import Preprocessing
from engine.errors import InvalidInput, ModelMismatch
from engine.models.capture import capture, layer_named
from engine.models.modes import evaluating
from engine.models.probing import entered_of, logits_of, probe, tried
from engine.models.target_layers import find_target_layer

_TOLERANCE = 1e-4
"""Relative error up to which a head counts as global average pooling and one linear layer."""

_COUPLING = 1e-3
"""Relative change of a picture's logits from which on they count as depending on its batch.
Rounding alone stays a hundred times below."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """A network over a data set's classes.

    Attributes:
        module: The network: normalised pictures `n 3 H W` to logits `n c`.
        architecture: Its name, as `engine.models.architectures.build_module` takes it.
        target_layer: Dotted name of the layer whose output attention maps are made from;
            channels first, channels last or tokens (`engine.models.grids`).
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
        The classifier, tried on made pictures.

    Raises:
        UnknownOption: If there is no layer of that name.
        InvalidInput: If the network cannot run pictures of that size, the layer gives no feature
            map, or the logits are not finite or depend on the batch.
        ModelMismatch: If the network has another number of logits than there are classes.
    """
    layer = target_layer or find_target_layer(module, preprocessing.size, name=architecture)
    classifier = Classifier(
        module=module,
        architecture=architecture,
        target_layer=layer,
        preprocessing=preprocessing,
        class_names=class_names,
    )
    _check_trial(classifier)
    return classifier


def _check_trial(classifier: Classifier) -> None:
    """Refuse a network whose answers to made pictures are of no use."""
    module, name = classifier.module, classifier.architecture
    with (
        evaluating(module),
        torch.inference_mode(),
        capture(module, classifier.target_layer) as taken,
    ):
        pictures = probe(module, classifier.preprocessing.size)
        together = tried(module, pictures, name=name)
        _ = taken.activations
        check_classes(together, classifier.class_names)
        if not together.isfinite().all():
            raise InvalidInput(f"{name} gives NaN or infinite logits; check the weights")
        alone = tried(module, pictures[:1], name=name)
    change = (alone - together[:1]).abs().max()
    is_precise = together.dtype in {torch.float32, torch.float64}
    if is_precise and not change <= _COUPLING * together.abs().max():
        raise InvalidInput(
            f"{name} gives a picture other logits alone than among others, by "
            f"{float(change):.2g}; give its BatchNorm layers track_running_stats=True, and let "
            "nothing be drawn at random in evaluation mode"
        )


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


def head_of(classifier: Classifier) -> nn.Linear | None:
    """Give the linear layer whose output is the logits, whatever it reads.

    Tried, not read from the code: on made pictures the last linear layer to run must give the
    logits, from one vector per picture. That vector is what a refitted head is fitted on: the
    globally averaged features of most convolutional networks, the class token of a vision
    transformer, normalised averages in Swin or ConvNeXt.

    Args:
        classifier: The classifier; its modules and hooks are left as found.

    Returns:
        The layer, or None where the logits come from anything else.
    """
    head, _ = _tried_head(classifier)
    return head


def pooled_head_of(classifier: Classifier) -> nn.Linear | None:
    """Give the linear layer behind global average pooling, where the network ends so.

    On made pictures the linear layer's input must be the plain mean of the target layer's
    output, and its output the logits. Then GradCAM has a closed form and needs no backward pass.

    Args:
        classifier: The classifier; its modules and hooks are left as found.

    Returns:
        The layer, or None where anything else stands between features and logits.
    """
    head, is_pooled = _tried_head(classifier)
    return head if is_pooled else None


def _tried_head(classifier: Classifier) -> tuple[nn.Linear | None, bool]:
    """Give the layer that makes the logits, and whether it reads the target layer's mean."""
    module = classifier.module
    with (
        evaluating(module),
        torch.inference_mode(),
        capture(module, classifier.target_layer) as taken,
        _watching_linear(module) as calls,
    ):
        logits = logits_of(module(probe(module, classifier.preprocessing.size)))
        pooled = taken.activations.mean(dim=(2, 3))
        if not calls:
            return None, False
        linear, entered, left = calls[-1]
        plainly = functional.linear(entered, linear.weight, linear.bias)
    if entered.ndim != 2 or not (_agree(left, logits) and _agree(left, plainly)):
        return None, False
    return linear, _agree(entered, pooled)


def _agree(given: torch.Tensor, expected: torch.Tensor) -> bool:
    if given.shape != expected.shape:
        return False
    error = (given - expected).abs().max()
    return bool(error <= _TOLERANCE * expected.abs().max())


@contextmanager
def _watching_linear(
    module: nn.Module,
) -> Iterator[list[tuple[nn.Linear, torch.Tensor, torch.Tensor]]]:
    """Collect (layer, input, output) of every linear layer, in the order they run."""
    calls: list[tuple[nn.Linear, torch.Tensor, torch.Tensor]] = []

    def watch(
        part: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: torch.Tensor
    ) -> None:
        entered = entered_of(inputs, named)
        # always linear: the hook is put on linear layers only
        if isinstance(part, nn.Linear) and entered is not None:
            calls.append((part, entered, output))

    linears = [part for part in module.modules() if isinstance(part, nn.Linear)]
    handles = [part.register_forward_hook(watch, with_kwargs=True) for part in linears]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
