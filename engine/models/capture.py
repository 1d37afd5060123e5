"""Take a layer's output out of a forward pass; no hook outlives its block."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from engine.errors import InvalidInput, UnknownOption
from engine.models.grids import GridLayout, layout_of, prefix_tokens


@dataclass(slots=True, kw_only=True)
class Captured:
    """What the layer gave in the last forward pass; `prefix` tokens of it are of no place.

    The tensor itself is kept, not a copy: where the network goes on to change it in place (a
    functional ReLU behind DenseNet's last normalisation), `activations` is what the rest of the
    network sees, which is what an attention map must be made from.
    """

    layer: str
    prefix: int | None = None
    _output: Any = field(default=None)

    @property
    def activations(self) -> torch.Tensor:
        """The layer's output as the network left it, on its grid: `n d h w`.

        Raises:
            InvalidInput: If the layer did not run, or gave something without a spatial grid.
        """
        return self.layout.to_grid(self._output)

    @property
    def output(self) -> torch.Tensor:
        """The layer's output as it is, tokens as tokens.

        Raises:
            InvalidInput: If the layer did not run, or gave something without a spatial grid.
        """
        _ = self.layout
        output: torch.Tensor = self._output
        return output

    @property
    def layout(self) -> GridLayout:
        """Where the grid lies in the layer's output.

        Raises:
            InvalidInput: If the layer did not run, or gave something without a spatial grid.
        """
        if self._output is None:
            raise InvalidInput(
                f"layer {self.layer!r} takes no part in a prediction; "
                "name a layer that runs in evaluation mode"
            )
        layout = layout_of(self._output, prefix=self.prefix)
        if layout is None:
            shape = tuple(getattr(self._output, "shape", ())) or type(self._output).__name__
            raise InvalidInput(
                f"layer {self.layer!r} gives {shape}, not a feature map (n, d, h, w) and not "
                "tokens of a square grid; name a convolutional layer or a transformer's block"
            )
        return layout

    def keep(self, output: object) -> None:
        """Remember the output of a forward pass, in place of an earlier one."""
        self._output = output

    def forget(self) -> None:
        """Let the tensor go, so that a layer that does not run is noticed."""
        self._output = None


@contextmanager
def capture(module: nn.Module, layer: str) -> Iterator[Captured]:
    """Watch one layer.

    Args:
        module: The network.
        layer: Dotted name of one of its modules.

    Yields:
        What the layer gave last; filled by each forward pass inside the block.

    Raises:
        UnknownOption: If the network has no such layer.
    """
    taken = Captured(layer=layer, prefix=prefix_tokens(module))

    def watch(_module: nn.Module, _inputs: object, output: object) -> None:
        taken.keep(output)

    handle = layer_named(module, layer).register_forward_hook(watch)
    try:
        yield taken
    finally:
        handle.remove()


@contextmanager
def cut(module: nn.Module, layer: str) -> Iterator[Captured]:
    """Watch one layer and start the gradient's graph at its output.

    With frozen parameters nothing below the layer is recorded, so that a backward pass costs
    what lies above the layer and no more. The network goes on with a copy of a detached leaf:
    a copy, because a network may change the tensor in place, which a leaf would refuse. Where
    the network itself has turned recording off before the layer (a backbone that its author
    froze with `torch.no_grad`), it is on again from the copy to the end of that block.

    Args:
        module: The network, its parameters frozen (`engine.models.modes.evaluating`).
        layer: Dotted name of one of its modules.

    Yields:
        What the layer gave last; `output` can be differentiated for.

    Raises:
        UnknownOption: If the network has no such layer.
    """
    taken = Captured(layer=layer, prefix=prefix_tokens(module))
    entered_recording = False

    def enter(_module: nn.Module, _inputs: object) -> None:
        nonlocal entered_recording
        entered_recording = torch.is_grad_enabled()

    def restart(_module: nn.Module, _inputs: object, output: object) -> object:
        if not isinstance(output, torch.Tensor):
            taken.keep(output)
            return output
        if entered_recording:
            torch.set_grad_enabled(True)  # the end of the network's own block undoes it
        fresh = output.detach().requires_grad_().clone()
        taken.keep(fresh)
        return fresh

    handles = [
        layer_named(module, layer).register_forward_hook(restart),
        module.register_forward_pre_hook(enter),
    ]
    try:
        yield taken
    finally:
        for handle in handles:
            handle.remove()


def layer_named(module: nn.Module, layer: str) -> nn.Module:
    """Find a layer by its dotted name.

    Args:
        module: The network.
        layer: A name as `named_modules` gives it, e.g. `layer4.2`.

    Returns:
        The layer.

    Raises:
        UnknownOption: If there is none; the message offers near names.
    """
    layers: dict[str, nn.Module] = dict(module.named_modules())
    layers.pop("", None)
    if layer in layers:
        return layers[layer]
    near = difflib.get_close_matches(layer, layers, n=3, cutoff=0.5)
    outermost = [name for name in layers if "." not in name]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownOption(f"unknown layer {layer!r}; {hint}outermost layers: {', '.join(outermost)}")
