"""From an architecture's name to a module with freshly drawn weights.

A name has two parts, the family and the family's own name for the network:
`timm/tf_efficientnet_lite0`, `torchvision/resnet50`, `gazecheck/small_cnn`. A network of one's own
is `module:factory`, where the machine's owner has listed it (`engine.models.factories`).
"""

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
import torchvision
from torch import nn

from engine.errors import InvalidInput, UnknownOption
from engine.models.factories import build_from_factory, is_factory
from engine.models.small_cnn import SmallCnn

SMALL_CNN = "gazecheck/small_cnn"


def build_module(architecture: str, n_classes: int, *, seed: int = 0) -> nn.Module:
    """Build a classifier with freshly drawn weights. Nothing is downloaded.

    Args:
        architecture: `timm/<name>`, `torchvision/<name>`, `gazecheck/small_cnn`, or a listed
            `module:factory`.
        n_classes: How many logits, at least 2.
        seed: Decides the weights; torch's global generator is left as it was.

    Returns:
        The module, in training mode as torch builds it.

    Raises:
        UnknownOption: If no such architecture exists; the message offers near names.
        InvalidInput: If there are fewer than 2 classes, or a factory fails.
    """
    if n_classes < 2:
        raise InvalidInput(
            f"a classifier needs at least 2 classes, got {n_classes}; "
            "check the labels of the manifest"
        )
    if is_factory(architecture):
        with drawn_from(seed):
            return build_from_factory(architecture, n_classes)
    family, _, name = architecture.partition("/")
    if family not in _BUILDERS:
        raise UnknownOption(
            f"unknown architecture {architecture!r}; write {SMALL_CNN}, torchvision/<name>, "
            f"timm/<name> or module:factory{_near(architecture)}"
        )
    known, build = _BUILDERS[family]
    if name not in known():
        raise UnknownOption(
            f"unknown architecture {architecture!r}; {family} has no such classifier"
            f"{_near(architecture)}"
        )
    with drawn_from(seed):
        return build(name, n_classes)


def known_architectures() -> tuple[str, ...]:
    """Give every name that `build_module` accepts, sorted."""
    return tuple(
        sorted(f"{family}/{name}" for family, (known, _) in _BUILDERS.items() for name in known())
    )


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Let torch draw from a seed inside the block, and give its global state back after it.

    Layers and dropout draw from torch's global generator and accept no other.

    Args:
        seed: Any integer.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _near(architecture: str) -> str:
    names = known_architectures()
    wanted = architecture.rpartition("/")[2]
    by_short_name = {name.rpartition("/")[2]: name for name in names}
    near = difflib.get_close_matches(wanted, by_short_name, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(by_short_name[name] for name in near)}?" if near else ""


def _build_torchvision(name: str, n_classes: int) -> nn.Module:
    # These two warn unless told whether to draw their own initial weights.
    extra = {"init_weights": True} if name in {"googlenet", "inception_v3"} else {}
    module: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=n_classes, **extra
    )
    return module


def _build_timm(name: str, n_classes: int) -> nn.Module:
    module: nn.Module = timm.create_model(name, pretrained=False, num_classes=n_classes)
    return module


def _build_own(name: str, n_classes: int) -> nn.Module:
    return {"small_cnn": SmallCnn}[name](n_classes)


_Builder = tuple[Callable[[], Any], Callable[[str, int], nn.Module]]

_BUILDERS: dict[str, _Builder] = {
    "gazecheck": (lambda: ("small_cnn",), _build_own),
    "timm": (timm.list_models, _build_timm),
    "torchvision": (
        lambda: torchvision.models.list_models(module=torchvision.models),
        _build_torchvision,
    ),
}
