"""ScoreCAM: channels weighed by what the network says of the picture seen through them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch.nn import functional

from engine.attribution.gradient_cam import weighted_sum
from engine.attribution.observation import (
    ForwardPass,
    GridMethod,
    Observation,
    Observer,
    forward_passes,
)
from engine.attribution.scaling import min_max, upsample
from engine.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class ScoreCam(GridMethod):
    """ScoreCAM, `A = ReLU(sum_k softmax_k(f_c(x * s(a_k))) a_k)`, unscaled; no gradients.

    s enlarges a channel to the picture and stretches it to [0, 1]. The logit of the black picture
    that the paper subtracts cancels in the softmax. A forward pass per channel: dear, but one set
    of passes serves every class.

    Attributes:
        pictures_at_once: Masked pictures in one forward pass.
        align_corners: How channels are enlarged; True only to compare with code that does so.

    References:
        Wang et al., CVPR Workshops 2020, equations 5 to 8.
    """

    pictures_at_once: int = 64
    align_corners: bool = False

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
                            found.append(self._scores(seen, images))
                        chosen = found[0].gather(
                            2, targets[:, None, None].expand(-1, found[0].shape[1], 1)
                        )
                        weights = chosen.squeeze(2).softmax(dim=1)
                        return weighted_sum(seen.activations, weights).relu_()

                return seen.observed(maps)

            yield observe

    def _scores(
        self, seen: ForwardPass, images: Float[torch.Tensor, "n 3 H W"]
    ) -> Float[torch.Tensor, "n d c"]:
        """Give the logits of each picture seen through each channel."""
        n, channels = seen.activations.shape[:2]
        at_once = max(1, self.pictures_at_once // n)
        scores = []
        for start in range(0, channels, at_once):
            part = seen.activations[:, start : start + at_once]
            masks = self._masks(part, (images.shape[2], images.shape[3]))
            masked = images[:, None] * masks[:, :, None]
            scores.append(seen.logits_for(masked.flatten(0, 1)).reshape(n, part.shape[1], -1))
        return torch.cat(scores, dim=1)

    def _masks(
        self, channels: Float[torch.Tensor, "n b h w"], size: tuple[int, int]
    ) -> Float[torch.Tensor, "n b H W"]:
        flat = channels.flatten(0, 1)
        if self.align_corners:
            enlarged = functional.interpolate(
                flat[:, None], size=size, mode="bilinear", align_corners=True
            )[:, 0]
        else:
            enlarged = upsample(flat, size)
        return min_max(enlarged).reshape(*channels.shape[:2], *size)
