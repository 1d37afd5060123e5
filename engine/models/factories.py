"""Networks of one's own, by `module:factory`: only those that the machine's owner has listed.

Naming a Python module runs it. So nothing is imported unless its full name stands in the
environment variable `GAZECHECK_FACTORIES`, which whoever can upload settings or weights cannot set.
"""

import importlib
import os
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from engine.errors import InvalidInput, UnknownOption

FACTORIES_VARIABLE = "GAZECHECK_FACTORIES"


def is_factory(architecture: str) -> bool:
    """Say whether an architecture's name is of the form `module:factory`."""
    return ":" in architecture and "/" not in architecture


def listed_factories() -> tuple[str, ...]:
    """Give the names that may be imported: comma-separated in `GAZECHECK_FACTORIES`."""
    listed = os.environ.get(FACTORIES_VARIABLE, "").split(",")
    return tuple(name.strip() for name in listed if name.strip())


def build_from_factory(architecture: str, n_classes: int) -> nn.Module:
    """Import a listed factory and let it build a network.

    Args:
        architecture: `package.module:factory`; the factory is called with the number of classes.
        n_classes: How many logits.

    Returns:
        What the factory gave, in float32 and without the wrapping of `torch.compile`.

    Raises:
        UnknownOption: If the name is not listed, or the module has no such factory.
        InvalidInput: If the module cannot be imported, the factory fails, or what it gives is no
            torch module with weights of its own.
    """
    if architecture not in listed_factories():
        raise UnknownOption(
            f"{architecture!r} is not on this machine's list of factories, so it was not "
            f"imported; whoever runs the machine adds it to {FACTORIES_VARIABLE}"
        )
    factory = _factory(architecture)
    try:
        module = factory(n_classes)
    except Exception as error:
        raise InvalidInput(
            f"{architecture} failed for {n_classes} classes ({type(error).__name__}: {error}); "
            "it is called with the number of classes alone"
        ) from error
    if not isinstance(module, nn.Module):
        raise InvalidInput(
            f"{architecture} gave {type(module).__name__}, not a torch module; "
            "let it return the network"
        )
    return _plain(module, architecture)


def _plain(module: nn.Module, architecture: str) -> nn.Module:
    """Give a network whose layers can be watched and changed, in float32."""
    module = getattr(module, "_orig_mod", module)
    if isinstance(module, torch.jit.ScriptModule):
        raise InvalidInput(
            f"{architecture} gave a TorchScript program, whose layers cannot be watched; "
            "let it return the torch module that the program was made from"
        )
    parameters = list(module.parameters())
    if not parameters:
        raise InvalidInput(
            f"{architecture} gave {type(module).__name__} without parameters; "
            "let it return a network with weights"
        )
    if any(is_lazy(parameter) for parameter in parameters):
        raise InvalidInput(
            f"{architecture} gave {type(module).__name__} with lazy layers, whose weights have "
            "no shape yet; run it on a picture before it is returned"
        )
    return module.float()


def _factory(architecture: str) -> Callable[[int], object]:
    module_name, _, name = architecture.partition(":")
    try:
        found = importlib.import_module(module_name)
    except Exception as error:
        raise InvalidInput(
            f"{module_name} cannot be imported ({type(error).__name__}: {error}); "
            "install it where Gazecheck runs"
        ) from error
    factory: Callable[[int], object] | None = getattr(found, name, None)
    if not callable(factory):
        raise UnknownOption(
            f"{module_name} has no factory {name!r}; "
            "name a function of it that takes the number of classes"
        )
    return factory
