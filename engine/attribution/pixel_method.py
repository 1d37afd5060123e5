"""What methods share whose maps have the picture's own size: they are for showing.

captum computes them. It is imported where it is used and not before, since it draws in a plotting
library that takes seconds to load and that nothing else needs.
"""

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import nn

from engine.attribution.observation import Observer
from engine.errors import InvalidInput
from engine.models.classifier import Classifier
from engine.models.modes import evaluating
from engine.models.probing import logits_of

Logits = Callable[[torch.Tensor], torch.Tensor]


class PixelMethod(ABC):
    """A method whose maps have one value per pixel.

    Such maps are looked at; they cannot weigh features of a coarser grid, so that curation
    refuses them. Attributions of the three channels are summed; they may be negative.
    """

    on_grid: ClassVar[bool] = False

    @abstractmethod
    def attribute(
        self,
        network: "LogitsOnly",
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
        classifier: Classifier,
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Attribute one logit per image to the values of its pixels.

        Args:
            network: Gives logits, in evaluation mode with frozen parameters; private to this
                call.
            images: Preprocessed pictures that record gradients.
            targets: The class asked about, per image.
            classifier: Whose network it is.

        Returns:
            One value per pixel and channel.
        """

    def __call__(
        self,
        classifier: Classifier,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
    ) -> Float[torch.Tensor, "n H W"]:
        """Give one raw map per image, of the picture's size.

        Args:
            classifier: The classifier; left as found.
            images: Preprocessed pictures.
            targets: The class asked about, per image.

        Returns:
            Attributions, summed over channels, unscaled.

        Raises:
            InvalidInput: If the method is not defined for a layer of the network.
        """
        network = LogitsOnly(copy.deepcopy(classifier.module))
        with _quietly(), evaluating(network), torch.inference_mode(mode=False), torch.enable_grad():
            given = images.detach().clone().requires_grad_()
            attributed = self.attribute(network, given, targets, classifier)
        return attributed.detach().sum(dim=1)

    def observing(self, classifier: Classifier) -> AbstractContextManager[Observer]:
        """Refuse: a map of pixels weighs no features.

        Raises:
            InvalidInput: Always.
        """
        del classifier
        raise InvalidInput(
            f"{type(self).__name__} gives maps of pixels, for showing; features are weighed by "
            "maps on their own grid: take grad_cam"
        )


class LogitsOnly(nn.Module):
    """A network that gives logits and nothing beside, and changes no activation in place."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        for part in self.modules():
            # Hooks that rewrite gradients cannot follow a tensor that is overwritten.
            if isinstance(getattr(part, "inplace", None), bool):
                setattr(part, "inplace", False)  # noqa: B010  modules do not declare it

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Give the main logits."""
        return logits_of(self.network(images))


@contextmanager
def _quietly() -> Iterator[None]:
    """Hear nothing of captum's notes on hooks that it sets and takes off again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
