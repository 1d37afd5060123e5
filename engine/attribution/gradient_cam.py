"""What GradCAM and its kin share: one gradient, and activations weighed by it."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float

from engine.attribution.observation import (
    GridMethod,
    Observation,
    Observer,
    forward_passes,
)
from engine.models.classifier import Classifier


class GradientCam(GridMethod):
    """A class activation map from the target layer's output and one logit's gradient for it."""

    @abstractmethod
    def combine(
        self,
        activations: Float[torch.Tensor, "n d h w"],
        gradients: Float[torch.Tensor, "n d #h #w"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Weigh activations by gradients.

        Args:
            activations: The target layer's output.
            gradients: Of one logit per image; one cell where they are equal in all cells.

        Returns:
            Maps before their ReLU.
        """

    @contextmanager
    def observing(self, classifier: Classifier) -> Iterator[Observer]:
        """Make a network ready for forward passes that also give maps.

        Args:
            classifier: The classifier; modes, hooks and parameters are as found afterwards.

        Yields:
            A function from preprocessed pictures to an `Observation`.
        """
        with forward_passes(classifier) as run:

            def observe(images: torch.Tensor) -> Observation:
                seen = run(images)

                def maps(targets: torch.Tensor) -> torch.Tensor:
                    gradients = seen.gradient(targets)
                    with torch.inference_mode():
                        return self.combine(seen.activations, gradients).relu_()

                return seen.observed(maps)

            yield observe


def weighted_sum(
    activations: Float[torch.Tensor, "n d h w"], weights: Float[torch.Tensor, "n d"]
) -> Float[torch.Tensor, "n h w"]:
    """Sum channels, each times its weight.

    Args:
        activations: The target layer's output.
        weights: One per channel.

    Returns:
        `sum_k w_k a_k`.
    """
    # One row of features per cell: with channels last a matrix product reads it as it lies.
    cells = activations.permute(0, 2, 3, 1).flatten(1, 2)
    return torch.bmm(cells, weights.unsqueeze(2)).squeeze(2).view(-1, *activations.shape[2:])
