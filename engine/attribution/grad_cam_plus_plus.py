"""GradCAM++: GradCAM that gives each of several objects of a class its due."""

import torch
from jaxtyping import Float

from engine.attribution.gradient_cam import GradientCam, weighted_sum


class GradCamPlusPlus(GradientCam):
    """GradCAM++, unscaled.

    For the score `exp(logit)` the paper's weights are, up to one positive factor per image,
    `w_k = sum_ij alpha_k,ij ReLU(g_k,ij)` with `alpha = g^2 / (2 g^2 + g^3 sum_ab a_k,ab)`, which
    is `1 / (2 + g sum_ab a_k,ab)` wherever g is not 0. In that form nothing has to be added to
    the denominator, so that maps do not depend on the size of the gradients. The paper's features
    follow a ReLU; where a sum of signed features makes the denominator vanish, the cell weighs
    nothing.

    References:
        Chattopadhay et al., WACV 2018, equations 5, 7 and 19.
    """

    def combine(
        self,
        activations: Float[torch.Tensor, "n d h w"],
        gradients: Float[torch.Tensor, "n d #h #w"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Weigh each channel by its positive gradients, each by its share."""
        total = activations.sum(dim=(2, 3), keepdim=True)
        denominator = 2.0 + gradients * total
        is_safe = denominator.abs() > _LEAST_DENOMINATOR
        alpha = torch.where(is_safe, 1.0 / torch.where(is_safe, denominator, 1.0), 0.0)
        # Broadcast: a gradient that is equal in all cells counts once per cell.
        per_cell = (alpha * gradients.relu()).expand_as(activations)
        return weighted_sum(activations, per_cell.sum(dim=(2, 3)))


_LEAST_DENOMINATOR = 1e-4
"""Of a sum whose first term is 2."""
