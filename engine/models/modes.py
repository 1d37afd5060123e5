"""Use a network for looking only, and leave it exactly as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


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
