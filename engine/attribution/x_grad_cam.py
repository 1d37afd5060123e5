"""XGradCAM: channels weighed by the gradient where they are active."""

import torch
from jaxtyping import Float

from engine.attribution.gradient_cam import GradientCam, weighted_sum


class XGradCam(GradientCam):
    """XGradCAM, unscaled.

    `alpha_k = sum_ij g_k,ij a_k,ij / sum_ij a_k,ij`: the average of a channel's gradient with its
    own activation as weight, which makes the channels' shares add up to the logit. Equal to
    GradCAM, up to the number of cells, where gradients are equal in all cells. A channel whose
    activations sum to 0 weighs nothing.

    References:
        Fu et al., BMVC 2020, equation 8.
    """

    def combine(
        self,
        activations: Float[torch.Tensor, "n d h w"],
        gradients: Float[torch.Tensor, "n d #h #w"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Weigh each channel by its gradient, averaged where the channel is active."""
        total = activations.sum(dim=(2, 3))
        moved = (activations * gradients).sum(dim=(2, 3))
        # Signed features may sum to next to nothing, and the quotient to next to anything.
        floor = _LEAST_SHARE * activations.abs().sum(dim=(2, 3))
        is_active = total.abs() > floor
        weights = torch.where(is_active, moved / torch.where(is_active, total, 1.0), 0.0)
        return weighted_sum(activations, weights)


_LEAST_SHARE = 1e-6
"""Of a channel's size that its sum must reach: float32 knows a sum no better."""
