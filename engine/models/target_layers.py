"""Which layer attention maps are made from, where nobody names one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torchvision.ops import Permute

from engine.errors import InvalidInput
from engine.models.grids import GridLayout, layout_of, prefix_tokens
from engine.models.modes import evaluating
from engine.models.probing import logits_of, probe

_LONGEST_HEAD = 8
"""More learned layers than this behind the last feature map: it has little to do with the logits."""

_NOT_FEATURES = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.Softmax,
    Permute,
)
"""Layers behind the last features that may still have a grid: no target for attention maps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    """A layer that gave features on a grid, its output, and where the grid lies in it."""

    name: str
    output: torch.Tensor
    layout: GridLayout

    @property
    def width(self) -> int:
        """How many features a cell has."""
        return int(self.layout.to_grid(self.output).shape[1])


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What ran, in the order that it finished.

    Attributes:
        candidates: Layers that gave features on a grid.
        learned_since: Learned layers run since the last of them.
        entered: What the last linear layer read.
        left: What it gave.
    """

    candidates: list[_Candidate] = field(default_factory=list)
    learned_since: int = 0
    entered: torch.Tensor | None = None
    left: object = None


def find_target_layer(module: nn.Module, input_size: int) -> str:
    """Find the layer that holds the last features with a spatial grid that the logits read.

    It is the last to give a square grid of more than one cell, pooling and layers that do
    nothing left out; of several modules that give that very tensor, the outermost. A vision
    transformer that decides by its class token no longer reads the other tokens behind its last
    attention: there it is the last layer of the same width whose patches still move the logits,
    the normalisation in front of that attention.

    Args:
        module: The network; it runs once on a made picture, in evaluation mode.
        input_size: Side of the picture, pixels.

    Returns:
        The layer's dotted name.

    Raises:
        InvalidInput: If no layer gives features on a grid, or the last that does is far from the
            logits.
    """
    with (
        evaluating(module),
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        _watching(module) as seen,
    ):
        logits = logits_of(module(probe(module, input_size)[:1].requires_grad_().clone()))
        if not seen.candidates:
            raise InvalidInput(
                f"{type(module).__name__} has no layer with a spatial feature map at "
                f"{input_size} px; use larger pictures, another network, or name the layer"
            )
        last = _last_read(seen, logits)
    if seen.learned_since > _LONGEST_HEAD:
        raise InvalidInput(
            f"the last feature map of {type(module).__name__}, {last.name!r}, is "
            f"{seen.learned_since} learned layers away from the logits, so it hardly decides "
            "them; use another network, or name the layer"
        )
    holders = [c.name for c in seen.candidates if c.output is last.output]
    return min(holders, key=lambda name: name.count("."))


def _last_read(seen: _Seen, logits: torch.Tensor) -> _Candidate:
    """Give the last candidate, as wide as the last of all, whose cells are read further on."""
    last = seen.candidates[-1]
    # What the last linear layer reads, not what it makes of it: a fresh one may be all zeros.
    read = seen.entered if seen.entered is not None and seen.left is logits else logits
    candidates = [c for c in seen.candidates if c.width == last.width and c.output.requires_grad]
    if not read.requires_grad or not candidates:
        return last
    # Unlike weights, lest the gradients of equal parts cancel.
    mixed = (read * torch.linspace(1, 2, read.numel()).view(read.shape).to(read)).sum()
    gradients: tuple[torch.Tensor | None, ...] = torch.autograd.grad(
        mixed, [c.output for c in candidates], allow_unused=True
    )
    for candidate, gradient in zip(reversed(candidates), reversed(gradients), strict=True):
        if gradient is not None and bool(candidate.layout.to_grid(gradient).any()):
            return candidate
    return last


@contextmanager
def _watching(module: nn.Module) -> Iterator[_Seen]:
    """Collect every layer that gives features on a grid."""
    seen = _Seen()
    prefix = prefix_tokens(module)
    names = {part: name for name, part in module.named_modules() if name}

    def watch(part: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        if isinstance(part, nn.Linear):
            seen.entered, seen.left = inputs[0], output
        layout = layout_of(output, prefix=prefix)
        is_learned = next(part.parameters(recurse=False), None) is not None
        if (
            layout is not None
            and isinstance(output, torch.Tensor)
            and not isinstance(part, _NOT_FEATURES)
            and _is_square(layout.to_grid(output))
        ):
            seen.candidates.append(_Candidate(name=names[part], output=output, layout=layout))
            seen.learned_since = 0
        elif is_learned:
            seen.learned_since += 1

    handles = [part.register_forward_hook(watch) for part in names]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _is_square(grid: torch.Tensor) -> bool:
    height, width = grid.shape[2:]
    return height == width > 1
