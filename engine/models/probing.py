"""Try a network on made pictures, and read its logits whatever form they come in."""

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from engine.errors import InvalidInput


def probe(module: nn.Module, size: int) -> Float[torch.Tensor, "3 3 {size} {size}"]:
    """Make three pictures that no preprocessing would give: noise, loud noise, dark noise.

    Args:
        module: The network; its first parameter decides type and device.
        size: Side of the pictures, pixels.

    Returns:
        The same pictures at every call.
    """
    noise = np.random.default_rng(0).standard_normal((3, 3, size, size))
    scale = np.asarray([1.0, 3.0, 0.5]).reshape(3, 1, 1, 1)
    shift = np.asarray([0.0, 0.0, -1.0]).reshape(3, 1, 1, 1)
    like = next(module.parameters())
    return torch.from_numpy(scale * noise + shift).to(device=like.device, dtype=like.dtype)


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
