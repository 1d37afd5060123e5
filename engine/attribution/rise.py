"""RISE: what the network says of the picture seen through random masks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch.nn import functional

from engine.attribution.observation import (
    ForwardPass,
    GridMethod,
    Observation,
    Observer,
    forward_passes,
)
from engine.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class Rise(GridMethod):
    """RISE, `S_c = sum_m p_c(x * M_m) M_m / (N E[M])`, averaged over the cells of the grid.

    The network's inside is never looked at: it works for any classifier. All pictures see the
    same masks, and each mask comes with its mirror image, so that a mirrored picture gives a
    mirrored map. The map's floor is the share of the class that any mask leaves: stretch it
    before reading it.

    Attributes:
        masks: How many; the paper takes 4,000 to 8,000.
        cells: Sides of the coarse masks.
        keep: Probability that a cell of a mask lets the picture through.
        seed: Decides the masks.
        pictures_at_once: Masked pictures in one forward pass.

    References:
        Petsiuk, Das and Saenko, BMVC 2018, equations 4 to 6 and section 3.2.
    """

    masks: int = 512
    cells: int = 7
    keep: float = 0.5
    seed: int = 0
    pictures_at_once: int = 64

    @contextmanager
    def observing(self, classifier: Classifier) -> Iterator[Observer]:
        """Make a network ready; nothing is differentiated."""
        with forward_passes(classifier, differentiated=False) as run:

            def observe(images: torch.Tensor) -> Observation:
                seen = run(images)
                found: list[torch.Tensor] = []

                def maps(targets: torch.Tensor) -> torch.Tensor:
                    with torch.inference_mode():
                        if not found:
                            found.append(self._all_classes(seen, images))
                        return found[0][torch.arange(len(targets)), targets]

                return seen.observed(maps)

            yield observe

    def draw_masks(self, size: int) -> Float[torch.Tensor, "m {size} {size}"]:
        """Draw smooth masks, the second half the mirror images of the first.

        Args:
            size: Side in pixels.

        Returns:
            Values in [0, 1]; the same at every call.
        """
        half = -(-self.masks // 2)
        generator = torch.Generator().manual_seed(self.seed)
        shape = (half, 1, self.cells, self.cells)
        coarse = (torch.rand(shape, generator=generator) < self.keep).float()
        # Enlarged by a cell more than needed, then cut out at a random place.
        side = -(-size // self.cells)
        large = functional.interpolate(
            coarse, size=(self.cells + 1) * side, mode="bilinear", align_corners=False
        )[:, 0]
        places = torch.randint(0, side, (half, 2), generator=generator).tolist()
        cut = [
            mask[top : top + size, left : left + size]
            for mask, (top, left) in zip(large, places, strict=True)
        ]
        drawn = torch.stack(cut)
        return torch.cat([drawn, drawn.flip(2)])

    def _all_classes(
        self, seen: ForwardPass, images: Float[torch.Tensor, "n 3 s s"]
    ) -> Float[torch.Tensor, "n c h w"]:
        n = len(images)
        masks = self.draw_masks(images.shape[2]).to(images)
        grid = (seen.activations.shape[2], seen.activations.shape[3])
        coarse = functional.adaptive_avg_pool2d(masks[:, None], grid)[:, 0]
        sums = torch.zeros(n, seen.logits.shape[1], *grid, device=images.device)
        at_once = max(1, self.pictures_at_once // n)
        for start in range(0, len(masks), at_once):
            part = masks[start : start + at_once]
            masked = images[:, None] * part[None, :, None]
            shares = seen.logits_for(masked.flatten(0, 1)).softmax(dim=1).reshape(n, len(part), -1)
            sums += torch.einsum("nmc,mhw->nchw", shares, coarse[start : start + at_once])
        return sums / (len(masks) * self.keep)
