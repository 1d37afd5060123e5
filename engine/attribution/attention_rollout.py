"""Attention rollout: where a transformer's attention comes from, layer upon layer."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch.nn import functional

from engine.attribution.attention_weights import AttentionStep, attention_steps
from engine.attribution.observation import GridMethod, Observation, Observer, forward_passes
from engine.errors import InvalidInput
from engine.models.classifier import Classifier
from engine.models.grids import prefix_tokens


class AttentionRollout(GridMethod):
    """Attention rollout through a vision transformer or Swin; the same map for every class.

    Each layer's attention, averaged over heads, is mixed half and half with the residual path;
    the layers are then followed from the last to the first: r <- r (A + I) / 2. r starts at the
    class token where there is one, and evenly over the grid elsewhere. In Swin a layer's
    attention stays inside its shifted windows, and a merged cell's share goes in equal parts to
    the four it was merged from. The shares of the first layer's cells are then summed into the
    target layer's grid.

    Raises:
        InvalidInput: If the network has no attention between places.

    References:
        Abnar and Zuidema, ACL 2020, equation 1. Swin: our extension.
    """

    @contextmanager
    def observing(self, classifier: Classifier) -> Iterator[Observer]:
        """Make a network ready; nothing is differentiated."""
        prefix = prefix_tokens(classifier.module) or 0
        with forward_passes(classifier, differentiated=False) as run:

            def observe(images: torch.Tensor) -> Observation:
                with attention_steps(classifier.module) as steps:
                    seen = run(images)
                if not steps:
                    raise InvalidInput(
                        f"{classifier.architecture} has no attention between places to follow; "
                        "take grad_cam"
                    )
                grid = (seen.activations.shape[2], seen.activations.shape[3])
                with torch.inference_mode():
                    map_ = _rolled_out(steps, prefix, grid)
                return seen.observed(lambda _targets: map_.clone())

            yield observe


def _rolled_out(
    steps: list[AttentionStep], prefix: int, grid: tuple[int, int]
) -> Float[torch.Tensor, "n h w"]:
    """Follow attention from the last layer to the first."""
    last = steps[-1]
    shares = last.start(prefix)
    for step, before in zip(reversed(steps), [*reversed(steps[:-1]), None], strict=True):
        shares = (step.back(shares) + shares) / 2
        if before is not None:
            shares = before.spread(shares)
    first = steps[0]
    cells = first.places(shares, prefix)
    # From averages over a cell to sums, so that the map sums to the share of the patches.
    scale = cells.shape[1] * cells.shape[2] / (grid[0] * grid[1])
    return functional.adaptive_avg_pool2d(cells[:, None], grid)[:, 0] * scale
