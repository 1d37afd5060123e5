"""Read the attention weights of a transformer while it runs, whichever way it computes them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@runtime_checkable
class AttentionStep(Protocol):
    """One layer's attention, and how shares of it go back to the layer's input."""

    def start(self, prefix: int) -> Float[torch.Tensor, "n t"]:
        """Give the shares to begin with: all to the class token, or even over the grid."""
        ...

    def back(self, shares: Float[torch.Tensor, "n t"]) -> Float[torch.Tensor, "n t"]:
        """Hand each token's share to the tokens that it attended to."""
        ...

    def spread(self, shares: Float[torch.Tensor, "n t"]) -> Float[torch.Tensor, "n u"]:
        """Hand the shares of a later, coarser layer to this layer's tokens."""
        ...

    def places(self, shares: Float[torch.Tensor, "n t"], prefix: int) -> torch.Tensor:
        """Give the shares of the tokens that are places, `n h w`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GlobalStep:
    """Attention between all tokens, averaged over heads."""

    weights: Float[torch.Tensor, "n t t"]

    def start(self, prefix: int) -> Float[torch.Tensor, "n t"]:
        """Give all to the first token where there is a prefix, even shares elsewhere."""
        n, tokens = self.weights.shape[:2]
        shares = self.weights.new_zeros(n, tokens)
        if prefix:
            shares[:, 0] = 1.0
        else:
            shares += 1.0 / tokens
        return shares

    def back(self, shares: Float[torch.Tensor, "n t"]) -> Float[torch.Tensor, "n t"]:
        """Hand shares to the tokens attended to."""
        return torch.bmm(shares[:, None], self.weights)[:, 0]

    def spread(self, shares: Float[torch.Tensor, "n t"]) -> Float[torch.Tensor, "n u"]:
        """Leave shares as they are: every layer has the same tokens."""
        return shares

    def places(
        self, shares: Float[torch.Tensor, "n t"], prefix: int
    ) -> Float[torch.Tensor, "n h w"]:
        """Leave the prefix out and lay the patches on their grid."""
        patches = shares[:, prefix:]
        side = math.isqrt(patches.shape[1])
        return patches.reshape(-1, side, side)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowedStep:
    """Attention inside shifted windows of a grid, averaged over heads.

    Attributes:
        weights: Per picture and window.
        members: Which cell of the grid, read row by row, stands where in each window; -1: padding.
        grid: Height and width.
    """

    weights: Float[torch.Tensor, "n v m m"]
    members: torch.Tensor
    grid: tuple[int, int]

    def start(self, prefix: int) -> Float[torch.Tensor, "n t"]:
        """Give every cell the same."""
        del prefix  # windows hold places alone
        cells = self.grid[0] * self.grid[1]
        return self.weights.new_full((len(self.weights), cells), 1.0 / cells)

    def back(self, shares: Float[torch.Tensor, "n t"]) -> Float[torch.Tensor, "n t"]:
        """Hand shares to the cells attended to inside each window; padding keeps none."""
        padded = torch.cat([shares, shares.new_zeros(len(shares), 1)], dim=1)
        inside = padded[:, self.members]  # -1 is the zero at the end
        handed = torch.einsum("nvi,nvij->nvj", inside, self.weights)
        result = torch.zeros_like(padded)
        index = torch.where(self.members < 0, shares.shape[1], self.members)
        result.index_add_(1, index.flatten(), handed.flatten(1))
        handed_on: torch.Tensor = result[:, :-1]
        return handed_on

    def spread(self, shares: Float[torch.Tensor, "n t"]) -> Float[torch.Tensor, "n u"]:
        """Share a merged cell's part evenly between the cells it was merged from."""
        height, width = self.grid
        if shares.shape[1] == height * width:
            return shares
        merged = shares.reshape(-1, -(-height // 2), -(-width // 2))
        doubled = merged.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2) / 4
        return doubled[:, :height, :width].flatten(1)

    def places(
        self, shares: Float[torch.Tensor, "n t"], prefix: int
    ) -> Float[torch.Tensor, "n h w"]:
        """Lay the shares on the grid."""
        del prefix
        return shares.reshape(-1, *self.grid)


@contextmanager
def attention_steps(module: nn.Module) -> Iterator[list[AttentionStep]]:
    """Collect every layer's attention, in the order the layers run.

    Read where it is computed: as a softmax over a square of tokens, inside torch's fused
    attention, or inside its multi-head attention.

    Args:
        module: The network, in evaluation mode.

    Yields:
        The steps; grows with every forward pass inside the block.
    """
    steps: list[AttentionStep] = []
    windows: list[_Windows] = []

    def enter(part: nn.Module, inputs: tuple[Any, ...]) -> None:
        grid = inputs[0]
        if grid.ndim == 4:
            windows[:] = [_Windows.of(part, (grid.shape[1], grid.shape[2]))]

    def record(weights: torch.Tensor) -> None:
        averaged = weights.float().mean(dim=1)
        if windows:
            steps.append(windows[0].step(averaged))
        else:
            steps.append(GlobalStep(weights=averaged))

    windowed = [
        p for p in module.modules() if hasattr(p, "window_size") and hasattr(p, "shift_size")
    ]
    handles = [part.register_forward_pre_hook(enter) for part in windowed]
    try:
        with _Reading(record):
            yield steps
    finally:
        for handle in handles:
            handle.remove()


class _Reading(TorchFunctionMode):
    """Hand every attention matrix that torch computes to a function."""

    def __init__(self, record: Callable[[torch.Tensor], None]) -> None:
        super().__init__()
        self.record = record

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Read the weights of the three ways to compute attention; pass all else on."""
        given = dict(kwargs or {})
        if func is functional.scaled_dot_product_attention:
            self.record(_fused_weights(*args, **given))
        elif func is functional.multi_head_attention_forward:
            given |= {"need_weights": True, "average_attn_weights": False}
            output, weights = func(*args, **given)
            self.record(weights)
            return output, None
        result = func(*args, **given)
        if func in _SOFTMAXES and _is_attention(result):
            self.record(result)
        return result


_SOFTMAXES = (functional.softmax, torch.softmax, torch.Tensor.softmax)


def _is_attention(weights: torch.Tensor) -> bool:
    return weights.ndim == 4 and weights.shape[2] == weights.shape[3] > 1


def _fused_weights(
    query: torch.Tensor,
    key: torch.Tensor,
    _value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[torch.Tensor, "n heads t t"]:
    """Compute the weights that fused attention keeps to itself."""
    del dropout_p, is_causal, enable_gqa  # evaluation mode, and no order between places
    scores = query @ key.mT * (scale if scale is not None else query.shape[-1] ** -0.5)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(dim=-1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Windows:
    """How a Swin layer cuts its grid into windows."""

    members: torch.Tensor
    grid: tuple[int, int]

    @classmethod
    def of(cls, part: nn.Module, grid: tuple[int, int]) -> "_Windows":
        sides = _pair(part.window_size)
        shifts = _pair(part.shift_size)
        padded = tuple(-(-length // side) * side for length, side in zip(grid, sides, strict=True))
        # A window as large as the grid is not shifted.
        moved = [
            -shift if side < length else 0
            for shift, side, length in zip(shifts, sides, padded, strict=True)
        ]
        cells = torch.arange(grid[0] * grid[1]).view(grid)
        # timm's blocks shift and then pad, torchvision's attention pads and then shifts.
        shifts_first = hasattr(part, "attn")
        places = torch.full(padded, -1)
        places[: grid[0], : grid[1]] = cells.roll(moved, dims=(0, 1)) if shifts_first else cells
        if not shifts_first:
            places = places.roll(moved, dims=(0, 1))
        rows, columns = padded[0] // sides[0], padded[1] // sides[1]
        cut = places.view(rows, sides[0], columns, sides[1]).permute(0, 2, 1, 3)
        return cls(members=cut.reshape(rows * columns, -1), grid=grid)

    def step(self, averaged: Float[torch.Tensor, "nv m m"]) -> WindowedStep:
        return WindowedStep(
            weights=averaged.reshape(-1, len(self.members), *averaged.shape[1:]),
            members=self.members.to(averaged.device),
            grid=self.grid,
        )


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, second = value
    return int(first), int(second)
