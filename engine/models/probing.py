"""Try a network on made pictures, and read its logits whatever form they come in."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from engine.errors import EngineError, InvalidInput


def probe(module: nn.Module, size: int) -> Float[torch.Tensor, "3 3 {size} {size}"]:
    """Make three pictures that no preprocessing would give: noise, loud noise, dark noise.

    Args:
        module: The network; its first parameter decides type and device.
        size: Side of the pictures, pixels.

    Returns:
        The same pictures at every call.

    Raises:
        InvalidInput: If the network has no parameters.
    """
    like = next(module.parameters(), None)
    if like is None:
        raise InvalidInput(
            f"{type(module).__name__} has no parameters, so it is no network that was trained; "
            "give one with weights"
        )
    noise = np.random.default_rng(0).standard_normal((3, 3, size, size))
    scale = np.asarray([1.0, 3.0, 0.5]).reshape(3, 1, 1, 1)
    shift = np.asarray([0.0, 0.0, -1.0]).reshape(3, 1, 1, 1)
    return torch.from_numpy(scale * noise + shift).to(device=like.device, dtype=like.dtype)


def tried(
    module: nn.Module, images: Float[torch.Tensor, "n 3 H W"], *, name: str
) -> Float[torch.Tensor, "..."]:
    """Run a network that may not be made for such pictures.

    Args:
        module: The network.
        images: Pictures as `probe` makes them.
        name: What to call the network in errors.

    Returns:
        The main logits.

    Raises:
        InvalidInput: If the network fails, or returns no logits.
    """
    try:
        output = module(images)
    except EngineError:
        raise
    except Exception as error:  # whatever a network may raise
        said = str(error).strip().split("\n")[0].rstrip(".")
        raise InvalidInput(
            f"{name} cannot run pictures of {images.shape[-1]} px "
            f"({type(error).__name__}{': ' if said else ''}{said}); "
            "set classifier.image_size to a size that it takes, or choose another architecture"
        ) from error
    return logits_of(output)


def entered_of(positional: Sequence[object], keywords: Mapping[str, object]) -> torch.Tensor | None:
    """Give the tensor that a layer was called with, by place or by name.

    Args:
        positional: A hook's positional arguments.
        keywords: A hook's keyword arguments.

    Returns:
        The first argument; None where it is no tensor.
    """
    entered = next(iter((*positional, *keywords.values())), None)
    return entered if isinstance(entered, torch.Tensor) else None


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
