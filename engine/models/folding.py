"""Batch normalisation folded into the convolutions before it, for a network that only looks.

At rest a batch normalisation multiplies and shifts each channel by fixed numbers, which the
convolution before it can do with its own weights. The normalisation's pass over memory falls away
then: `gazecheck bench attention` tells what that saves, `gazecheck bench precision` what it changes.
"""

import copy
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from engine.models.capture import capture
from engine.models.classifier import Classifier
from engine.models.devices import usable_device
from engine.models.modes import evaluating
from engine.models.probing import entered_of, logits_of, probe

_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
_NORMALISATIONS = (nn.BatchNorm2d, BatchNormAct2d)
_TOLERANCE = 1e-4
"""How far logits or activations may move, relative to the largest of them. Rounding alone moved
logits by 2e-6 or less in eight architectures that were tried."""


def ready_to_look(classifier: Classifier, device: torch.device | str) -> Classifier:
    """Copy a classifier for passes over many pictures: folded, on a device, channels last.

    Args:
        classifier: It is left as found, also where it lives.
        device: Where to compute.

    Returns:
        The same classifier with a network of its own, as `folded` makes it.

    Raises:
        InvalidInput: If this machine cannot compute there.
    """
    place = usable_device(device)
    module = folded(classifier).to(device=place)
    return replace(classifier, module=module.to(memory_format=torch.channels_last))


def folded(classifier: Classifier) -> nn.Module:
    """Copy a classifier's network, with the batch normalisation of convolutions folded into them.

    Pairs are found by running the network: a normalisation that reads the very tensor which a
    convolution gave, each run once. Whether the rest of the network reads that tensor too no
    hook can tell, so logits and the target layer's output are compared afterwards. A network in
    which they moved, or which asks the normalisation itself for something, is copied as it is.

    Args:
        classifier: It is left as found.

    Returns:
        A network of its own in evaluation mode, with the same names of layers, the target layer's
        output and the logits equal up to rounding.
    """
    plain = copy.deepcopy(classifier.module).eval()
    size, layer = classifier.preprocessing.size, classifier.target_layer
    pairs = _pairs(plain, size, layer)
    if not pairs:
        return plain
    lighter = copy.deepcopy(plain)
    for convolution, normalisation in pairs:
        _fold(lighter, convolution, normalisation)
    return lighter if _agree(plain, lighter, size, layer) else plain


@dataclass(slots=True, eq=False)
class _Run:
    """What one forward pass showed of each layer."""

    given: dict[int, tuple[str, torch.Tensor, int]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def count(self, name: str) -> None:
        self.times[name] = self.times.get(name, 0) + 1

    def gave(self, name: str, output: torch.Tensor) -> None:
        """Keep a convolution's output, so that no later tensor has its identity."""
        self.count(name)
        self.given[id(output)] = (name, output, output._version)

    def read(self, name: str, entered: torch.Tensor | None) -> None:
        """Pair a normalisation with the convolution whose untouched output it reads."""
        self.count(name)
        convolution, _, version = self.given.get(id(entered), ("", None, -1))
        if convolution and entered is not None and version == entered._version:
            self.pairs.append((convolution, name))


def _pairs(module: nn.Module, size: int, target_layer: str) -> list[tuple[str, str]]:
    """Find (convolution, normalisation) by name, where the target is not in between."""
    run = _Run()
    with _watching(module, run), torch.no_grad():
        module(probe(module, size)[:1])
    return [
        (convolution, normalisation)
        for convolution, normalisation in run.pairs
        if run.times[convolution] == run.times[normalisation] == 1 and convolution != target_layer
    ]


@contextmanager
def _watching(module: nn.Module, run: _Run) -> Iterator[None]:
    """Hook the layers that could be folded; layers that carry hooks of others are left alone."""
    with ExitStack() as stack:
        for name, part in module.named_modules():
            if part._forward_hooks or part._forward_pre_hooks:
                continue
            if type(part) in _CONVOLUTIONS:
                handle = part.register_forward_hook(
                    lambda _part, _given, output, name=name: run.gave(name, output)
                )
            elif type(part) in _NORMALISATIONS and part.running_var is not None:
                handle = part.register_forward_pre_hook(
                    lambda _part, given, named, name=name: run.read(name, entered_of(given, named)),
                    with_kwargs=True,
                )
            else:
                continue
            stack.callback(handle.remove)
        yield


def _fold(module: nn.Module, convolution: str, normalisation: str) -> None:
    """Give a convolution the weights of both, and put what is left in the other's place."""
    before, after = module.get_submodule(convolution), module.get_submodule(normalisation)
    assert isinstance(before, nn.Conv2d)
    assert isinstance(after, nn.BatchNorm2d)
    weight, bias = fuse_conv_bn_weights(
        before.weight.double(),
        _double(before, "bias"),
        _double(after, "running_mean"),
        _double(after, "running_var"),
        after.eps,
        _double(after, "weight"),
        _double(after, "bias"),
    )
    dtype = before.weight.dtype
    before.weight, before.bias = nn.Parameter(weight.to(dtype)), nn.Parameter(bias.to(dtype))
    left = ("drop", "act") if isinstance(after, BatchNormAct2d) else ()
    rest = OrderedDict((name, after.get_submodule(name)) for name in left)
    module.set_submodule(normalisation, nn.Sequential(rest))


def _double(module: nn.Module, name: str) -> Any:
    """Give numbers of a layer in float64; None where it goes without."""
    value = getattr(module, name)
    return None if value is None else value.double()


def _agree(plain: nn.Module, lighter: nn.Module, size: int, layer: str) -> bool:
    """Tell whether logits and the target layer's output stayed where they were."""
    expected = _looked(plain, size, layer)
    try:
        found = _looked(lighter, size, layer)
    except AttributeError:  # the network reads numbers of a normalisation that is gone
        return False
    return all(
        bool((before - after).abs().max() <= _TOLERANCE * before.abs().max())
        for before, after in zip(expected, found, strict=True)
    )


def _looked(module: nn.Module, size: int, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Give logits and the target layer's output on made pictures."""
    with evaluating(module), torch.inference_mode(), capture(module, layer) as taken:
        logits = logits_of(module(probe(module, size)))
        return logits, taken.output
