"""What an attribution method is, and the methods by name.

Raw maps come back from every method: after its own ReLU where it has one, unscaled. Scaling is
the caller's choice (`engine.attribution.scaling`).
"""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int

from engine.attribution.grad_cam import GradCam, Observer
from engine.errors import UnknownOption
from engine.models.classifier import Classifier


@runtime_checkable
class AttributionMethod(Protocol):
    """Gives a map of where a classifier looks for a class."""

    def __call__(
        self,
        classifier: Classifier,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Give one raw map per image for the class asked about."""
        ...

    def observing(self, classifier: Classifier) -> AbstractContextManager[Observer]:
        """Make the network ready for forward passes that also give maps of any class."""
        ...


METHODS: dict[str, AttributionMethod] = {"grad_cam": GradCam()}


def attribution_method(name: str) -> AttributionMethod:
    """Give an attribution method by name.

    Args:
        name: A key of `METHODS`.

    Returns:
        The method.

    Raises:
        UnknownOption: If there is none of that name.
    """
    if name not in METHODS:
        raise UnknownOption.of("attribution method", name, METHODS)
    return METHODS[name]
