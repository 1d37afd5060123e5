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
from engine.models.probing import entered_of, probe, tried

_LONGEST_HEAD = 8
"""More learned layers than this behind the last feature map: it has little to do with the logits."""

_ROWS = (
    nn.Flatten,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveMaxPool1d,
    nn.AvgPool1d,
    nn.LPPool1d,
    nn.MaxPool1d,
)
"""Layers whose output `n d k` has a row for each feature; read as tokens, it would be d of them."""

_NOT_FEATURES = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.Softmax,
    nn.Unflatten,
    Permute,
    *_ROWS,
)
"""Layers behind the last features that may still have a grid: no target for attention maps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    """A layer that gave features on a grid.

    Attributes:
        name: Its dotted name.
        output: What it gave.
        layout: Where the grid lies in that.
        learned_before: Learned layers run before it, those with features on a grid left out.
    """

    name: str
    output: torch.Tensor
    layout: GridLayout
    learned_before: int

    @property
    def width(self) -> int:
        """How many features a cell has."""
        return int(self.layout.to_grid(self.output).shape[1])


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What ran, in the order that it finished.

    Attributes:
        gave_grids: Layers that gave features on a grid, once for each time they did.
        latest: What every layer gave when it last ran.
        rows: Outputs that are no tokens, though they have the shape of some.
        learned: Learned layers run that gave no features on a grid.
        entered: What the last linear layer read.
        left: What it gave.
    """

    gave_grids: list[_Candidate] = field(default_factory=list)
    latest: dict[str, object] = field(default_factory=dict)
    rows: list[torch.Tensor] = field(default_factory=list)
    learned: int = 0
    entered: torch.Tensor | None = None
    left: object = None

    @property
    def candidates(self) -> list[_Candidate]:
        """Those whose output is their last: what `capture` would take of them."""
        return [one for one in self.gave_grids if self.latest[one.name] is one.output]

    def watch(self, name: str, part: nn.Module, output: object, *, prefix: int | None) -> None:
        """Note what a layer gave.

        Args:
            name: Its dotted name.
            part: The layer.
            output: What it gave.
            prefix: Tokens of no place.
        """
        self.latest[name] = output
        layout = layout_of(output, prefix=prefix)
        if layout is not None and isinstance(output, torch.Tensor):
            if isinstance(part, _ROWS):
                self.rows.append(output)
            elif (
                not isinstance(part, _NOT_FEATURES)
                and not any(output is row for row in self.rows)
                and _is_square(layout.to_grid(output))
            ):
                self.gave_grids.append(
                    _Candidate(name=name, output=output, layout=layout, learned_before=self.learned)
                )
                return
        self.learned += next(part.parameters(recurse=False), None) is not None


def find_target_layer(module: nn.Module, input_size: int, *, name: str = "") -> str:
    """Find the layer that holds the last features with a spatial grid that the logits read.

    It is the last to give a square grid of more than one cell. Pooling, layers that do nothing
    and layers that run again later and then give something else are left out; of several modules
    that give that very tensor, it is the outermost. A vision transformer that decides by its
    class token no longer reads the other tokens behind its last attention: there it is the last
    layer of the same width whose patches still move the logits, the normalisation in front of
    that attention.

    Args:
        module: The network; it runs once on a made picture, in evaluation mode.
        input_size: Side of the picture, pixels.
        name: What to call the network in errors; empty: its class.

    Returns:
        The layer's dotted name.

    Raises:
        InvalidInput: If the network cannot run such a picture, no layer gives features on a grid,
            or the last that does is far from the logits.
    """
    name = name or type(module).__name__
    with (
        evaluating(module),
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        _watching(module) as seen,
    ):
        picture = probe(module, input_size)[:1].requires_grad_().clone()
        logits = tried(module, picture, name=name)
        candidates = seen.candidates
        if not candidates:
            raise InvalidInput(
                f"{name} has no layer with a spatial feature map at "
                f"{input_size} px; use larger pictures, another network, or name the layer"
            )
        last = _last_read(seen, candidates, logits)
    behind = seen.learned - candidates[-1].learned_before
    if behind > _LONGEST_HEAD:
        raise InvalidInput(
            f"the last feature map of {name}, {last.name!r}, is {behind} learned layers away from "
            "the logits, so it hardly decides them; use another network, or name the layer"
        )
    holders = [c.name for c in candidates if c.output is last.output]
    return min(holders, key=lambda holder: holder.count("."))


def _last_read(seen: _Seen, given: list[_Candidate], logits: torch.Tensor) -> _Candidate:
    """Give the last candidate, as wide as the last of all, whose cells are read further on."""
    last = given[-1]
    # What the last linear layer reads, not what it makes of it: a fresh one may be all zeros.
    read = seen.entered if seen.entered is not None and seen.left is logits else logits
    candidates = [c for c in given if c.width == last.width and c.output.requires_grad]
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
    """Collect every layer that gives features on a grid; all of them are differentiated."""
    seen = _Seen()
    prefix = prefix_tokens(module)
    names = {part: name for name, part in module.named_modules() if name}

    def watch(
        part: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], output: object
    ) -> None:
        if isinstance(part, nn.Linear):
            seen.entered, seen.left = entered_of(inputs, keywords), output
        seen.watch(names[part], part, output, prefix=prefix)

    def enter(_part: nn.Module, _inputs: object) -> None:
        torch.set_grad_enabled(True)  # a network may have turned it off for its backbone

    handles = [part.register_forward_hook(watch, with_kwargs=True) for part in names]
    handles += [part.register_forward_pre_hook(enter) for part in names]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _is_square(grid: torch.Tensor) -> bool:
    height, width = grid.shape[2:]
    return height == width > 1
