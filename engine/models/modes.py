"""Use a network for looking only, and leave it exactly as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn


@contextmanager
def placed(module: nn.Module, device: torch.device | str) -> Iterator[nn.Module]:
    """Have a module on a device for the length of the block, and put it back where it was.

    `Module.to` moves in place; the caller's network would stay on the device after an exception,
    out of memory for one.

    Args:
        module: The network, all of it on one device; one without numbers stays where it is.
        device: Where to compute.

    Yields:
        The same module.
    """
    was = next((each.device for each in chain(module.parameters(), module.buffers())), None)
    try:
        yield module.to(device)
    finally:
        if was is not None:
            module.to(was)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[nn.Module]:
    """Put a module in evaluation mode with frozen parameters for the length of the block.

    Every submodule's own mode and every parameter's own `requires_grad` come back afterwards,
    also after an exception. BatchNorm in training mode would couple the images of a batch, and
    a parameter that requires a gradient would make torch record the whole network.

    Args:
        module: The network.

    Yields:
        The same module.
    """
    modes = [(part, part.training) for part in module.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        module.eval()
        module.requires_grad_(False)
        yield module
    finally:
        for part, training in modes:
            part.training = training
        for parameter, requires_grad in trainable:
            parameter.requires_grad_(requires_grad)
