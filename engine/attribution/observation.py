"""One forward pass, and what attribution methods need from it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import nn

from engine.errors import InvalidInput
from engine.models.capture import Captured, capture, cut
from engine.models.classifier import Classifier, head_of, pooled_head_of
from engine.models.modes import evaluating
from engine.models.probing import logits_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observation:
    """One forward pass: what the network said, what it saw, and maps for any targets.

    Attributes:
        logits: Before any softmax, float32.
        activations: The target layer's output as the rest of the network sees it, on its grid,
            float32.
        features: What the network's last linear layer reads, float32; the activations' mean over
            the grid where the network has no such layer.
        maps: Gives the raw maps, after their ReLU, of one class per image. To be called before
            the next forward pass.
    """

    logits: Float[torch.Tensor, "n c"]
    activations: Float[torch.Tensor, "n d h w"]
    features: Float[torch.Tensor, "n f"]
    maps: Callable[[Int[torch.Tensor, " n"]], Float[torch.Tensor, "n h w"]]


Observer = Callable[[Float[torch.Tensor, "n 3 H W"]], Observation]


class GridMethod(ABC):
    """An attribution method whose maps lie on the target layer's grid."""

    on_grid: ClassVar[bool] = True

    @abstractmethod
    def observing(self, classifier: Classifier) -> AbstractContextManager[Observer]:
        """Make a network ready for forward passes that also give maps.

        Args:
            classifier: The classifier; modes, hooks and parameters are as found afterwards.

        Returns:
            Gives, when entered, a function from preprocessed pictures to an `Observation`.

        Raises:
            InvalidInput: If the method is not defined for this network.
        """

    def __call__(
        self,
        classifier: Classifier,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Give the raw map of one class per image.

        Args:
            classifier: The classifier; modes, hooks and parameters are left as found.
            images: Preprocessed pictures.
            targets: The class asked about, per image.

        Returns:
            Maps of values at least 0, on the target layer's grid.

        Raises:
            InvalidInput: If the target layer gives no features on a grid, the logits do not
                depend on it, or the method is not defined for this network.
        """
        with self.observing(classifier) as observe:
            return observe(images).maps(targets)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForwardPass:
    """One forward pass, before a method has made a map of it.

    Attributes:
        logits: Before any softmax, float32.
        activations: The target layer's output on its grid, float32.
        features: As in `Observation`.
        gradient: Gives the gradient of one logit per image for the activations. Behind global
            average pooling and one linear layer it is the same in every cell: h = w = 1.
        gradient_along: Gives the gradient of `features . v` for the activations, for one vector v
            per image: what another last layer's weight would make of the same pass.
        logits_for: Gives the logits of other pictures of the same size, without any gradient.
    """

    logits: Float[torch.Tensor, "n c"]
    activations: Float[torch.Tensor, "n d h w"]
    features: Float[torch.Tensor, "n f"]
    gradient: Callable[[torch.Tensor], torch.Tensor]
    gradient_along: Callable[[torch.Tensor], torch.Tensor]
    logits_for: Callable[[torch.Tensor], torch.Tensor]

    def observed(self, maps: Callable[[torch.Tensor], torch.Tensor]) -> Observation:
        """Give the observation of this pass, with maps by some method.

        Args:
            maps: Gives raw maps of one class per image.

        Returns:
            The observation.
        """
        return Observation(
            logits=self.logits,
            activations=self.activations,
            features=self.features,
            maps=maps,
        )


Runner = Callable[[torch.Tensor], ForwardPass]


@contextmanager
def forward_passes(classifier: Classifier, *, differentiated: bool = True) -> Iterator[Runner]:
    """Make a network ready for forward passes.

    Where the network ends in global average pooling and one linear layer, gradients have a
    closed form and nothing is recorded; elsewhere the graph starts at the target layer, so that
    a backward pass costs what lies above it and no more.

    Args:
        classifier: The classifier; modes, hooks and parameters are as found afterwards.
        differentiated: False: gradients will not be asked for, and nothing is recorded.

    Yields:
        A function from preprocessed pictures to a `ForwardPass`.
    """
    pooled_head = pooled_head_of(classifier)
    head = pooled_head or head_of(classifier)
    is_closed = pooled_head is not None or not differentiated
    watch = capture if is_closed else cut
    with (
        evaluating(classifier.module),
        watch(classifier.module, classifier.target_layer) as taken,
        _entering(head if pooled_head is None else None) as entered,
    ):
        network = _Network(module=classifier.module, taken=taken, entered=entered)
        if not is_closed:
            yield network.differentiated
        elif pooled_head is None:
            yield network.plain
        else:
            yield _closed_form(network, pooled_head)


@contextmanager
def _entering(head: nn.Linear | None) -> Iterator[list[torch.Tensor]]:
    """Keep what the last linear layer reads; keep nothing where there is none."""
    entered: list[torch.Tensor] = []

    def watch(_part: nn.Module, inputs: tuple[Any, ...]) -> None:
        entered[:] = [inputs[0]]

    handles = [] if head is None else [head.register_forward_pre_hook(watch)]
    try:
        yield entered
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Network:
    """A network that is being watched."""

    module: nn.Module
    taken: Captured
    entered: list[torch.Tensor]

    def plain(self, images: torch.Tensor) -> ForwardPass:
        """Run without recording anything."""
        self.taken.forget()
        with torch.inference_mode():
            logits = logits_of(self.module(images)).float()
            activations = self.taken.activations.float()
            features = self._features(activations)
        return ForwardPass(
            logits=logits,
            activations=activations,
            features=features,
            gradient=_no_gradient,
            gradient_along=_no_gradient,
            logits_for=self._logits_for,
        )

    def differentiated(self, images: torch.Tensor) -> ForwardPass:
        """Run, recording from the target layer up."""
        self.taken.forget()
        with torch.inference_mode(mode=False), torch.enable_grad():
            logits = logits_of(self.module(images)).float()
        output, layout = self.taken.output, self.taken.layout
        activations = layout.to_grid(output.detach()).float()

        entered = self.entered[0] if self.entered else None

        def gradient(targets: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode(mode=False):
                # The sum over images of one chosen logit each: in evaluation mode no image's
                # logits depend on another image, so that every image gets its own gradient.
                chosen = logits.gather(1, targets.unsqueeze(1)).sum()
                return layout.to_grid(_gradient(chosen, output)).float()

        def gradient_along(vectors: torch.Tensor) -> torch.Tensor:
            if entered is None:
                raise InvalidInput(
                    "the network has no last linear layer, so none can take its place"
                )
            with torch.inference_mode(mode=False), torch.enable_grad():
                return layout.to_grid(_gradient((entered.float() * vectors).sum(), output)).float()

        return ForwardPass(
            logits=logits.detach(),
            activations=activations,
            features=self._features(activations),
            gradient=gradient,
            gradient_along=gradient_along,
            logits_for=self._logits_for,
        )

    def _features(self, activations: torch.Tensor) -> torch.Tensor:
        if self.entered:
            return self.entered[0].detach().float()
        return activations.mean(dim=(2, 3))

    def _logits_for(self, images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return logits_of(self.module(images)).float()


def _closed_form(network: _Network, head: nn.Linear) -> Runner:
    """Run a network whose gradient is its head's weight over the number of cells."""

    def run(images: torch.Tensor) -> ForwardPass:
        seen = network.plain(images)
        cells = seen.activations.shape[2] * seen.activations.shape[3]

        def gradient_along(vectors: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                return (vectors.float() / cells)[:, :, None, None]

        return replace(
            seen,
            gradient=lambda targets: gradient_along(head.weight[targets]),
            gradient_along=gradient_along,
        )

    return run


def _no_gradient(_targets: torch.Tensor) -> torch.Tensor:
    raise InvalidInput("this forward pass was not recorded; ask for gradients when making it ready")


def _gradient(chosen: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    message = "the logits do not depend on the target layer; name a layer on the way to them"
    if not chosen.requires_grad:
        raise InvalidInput(message)
    found: tuple[torch.Tensor | None, ...] = torch.autograd.grad(
        chosen, output, retain_graph=True, allow_unused=True
    )
    if found[0] is None:
        raise InvalidInput(message)
    return found[0]
