"""EigenCAM: what the last features say most of, whatever the class."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float

from engine.attribution.observation import GridMethod, Observation, Observer, forward_passes
from engine.models.classifier import Classifier


class EigenCam(GridMethod):
    """EigenCAM: the features' first principal component over the grid, ReLU'd.

    The same map for every class: it shows what stands out to the network, not what speaks for a
    class. Features are centred over the grid, as in common code; the paper does not, and its
    first component is then mostly the mean. A principal component has no sign of its own: here it
    is positive where the features are strong.

    References:
        Muhammad and Yeasin, IJCNN 2020, section III.
    """

    @contextmanager
    def observing(self, classifier: Classifier) -> Iterator[Observer]:
        """Make a network ready; nothing is differentiated."""
        with forward_passes(classifier, differentiated=False) as run:

            def observe(images: torch.Tensor) -> Observation:
                seen = run(images)

                def maps(_targets: torch.Tensor) -> torch.Tensor:
                    with torch.inference_mode():
                        return first_component(seen.activations).relu_()

                return seen.observed(maps)

            yield observe


def first_component(
    activations: Float[torch.Tensor, "n d h w"],
) -> Float[torch.Tensor, "n h w"]:
    """Project each cell's features on their first principal axis over the grid.

    Args:
        activations: The target layer's output.

    Returns:
        One value per cell, positive where features are strong; 0 everywhere where all cells are
        alike.
    """
    cells = activations.permute(0, 2, 3, 1).flatten(1, 2)
    centred = cells - cells.mean(dim=1, keepdim=True)
    n_cells, width = cells.shape[1:]
    if n_cells <= width:
        values, vectors = torch.linalg.eigh(centred @ centred.mT)
        projected = vectors[..., -1] * values[..., -1:].clamp(min=0).sqrt()
    else:
        _, vectors = torch.linalg.eigh(centred.mT @ centred)
        projected = (centred @ vectors[..., -1:]).squeeze(-1)
    strength = cells.square().sum(dim=2)
    agreement = (projected * (strength - strength.mean(dim=1, keepdim=True))).sum(dim=1)
    signed = torch.where(agreement[:, None] < 0, -projected, projected)
    return signed.view(-1, *activations.shape[2:])
