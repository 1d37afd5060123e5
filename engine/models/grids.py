"""Where the spatial grid lies in a layer's output: channels first, channels last, or tokens.

Convolutional networks give `n d h w`. Swin gives `n h w d`. A vision transformer gives one row of
features per token, `n t d`: some tokens of no place first (class, distillation, registers), then
one per patch, row by row.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

CHANNELS_FIRST, CHANNELS_LAST, TOKENS = "channels first", "channels last", "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridLayout:
    """How to read a layer's output as features on a grid.

    Attributes:
        kind: `channels first`, `channels last` or `tokens`.
        prefix: Tokens before the first patch's, at least 0; `tokens` alone has any.
    """

    kind: str = CHANNELS_FIRST
    prefix: int = 0

    def to_grid(self, output: torch.Tensor) -> Float[torch.Tensor, "n d h w"]:
        """Give a layer's output, or a gradient for it, as features on the grid.

        Args:
            output: As the layer gave it.

        Returns:
            A view of the same memory, prefix tokens left out.
        """
        if self.kind == TOKENS:
            patches = output[:, self.prefix :]
            side = math.isqrt(patches.shape[1])
            return patches.reshape(len(patches), side, side, -1).permute(0, 3, 1, 2)
        return output.permute(0, 3, 1, 2) if self.kind == CHANNELS_LAST else output


def layout_of(output: object, *, prefix: int | None = None) -> GridLayout | None:
    """Read a layout off the shape of a layer's output.

    Pictures are square here, so a grid is two equal sides next to each other, or a square number
    of tokens behind the prefix. Where all three sides of an output are equal, channels are first.

    Args:
        output: Whatever the layer gave.
        prefix: Tokens of no place; None takes the fewest that leave a square number.

    Returns:
        The layout; None for an output without a grid.
    """
    if not isinstance(output, torch.Tensor):
        return None
    if output.ndim == 4:
        _, first, second, third = output.shape
        last = first == second > 1 and second != third
        return GridLayout(kind=CHANNELS_LAST if last else CHANNELS_FIRST)
    if output.ndim != 3 or output.shape[1] < 1:
        return None
    tokens = output.shape[1]
    # The patches behind the prefix make a square.
    candidates = [prefix] if prefix is not None else range(min(tokens, _LONGEST_PREFIX + 1))
    for candidate in candidates:
        patches = tokens - candidate
        if patches > 0 and math.isqrt(patches) ** 2 == patches:
            return GridLayout(kind=TOKENS, prefix=candidate)
    return None


_LONGEST_PREFIX = 2
"""A class token and one of distillation; networks with more of them say so."""


def prefix_tokens(module: nn.Module) -> int | None:
    """Say how many tokens of no place a network puts before its patches.

    Args:
        module: The network.

    Returns:
        The number as timm and torchvision note it; None where the network does not say.
    """
    noted = getattr(module, "num_prefix_tokens", None)
    if isinstance(noted, int):
        return noted
    return 1 if isinstance(getattr(module, "class_token", None), nn.Parameter) else None
