"""GradCAM: which places of the last features speak for a class."""

import torch
from jaxtyping import Float

from engine.attribution.gradient_cam import GradientCam, weighted_sum


class GradCam(GradientCam):
    """GradCAM at a classifier's target layer, ReLU'd and otherwise unscaled.

    With a the target layer's output and g the gradient of one logit for it,
    `alpha_k = mean_ij g_k,ij` and `A = ReLU(sum_k alpha_k a_k)`. Behind global average pooling
    and one linear layer W this is `alpha_k = W_ck / (h w)`: no backward pass, and the map before
    its ReLU sums to the logit less its bias. Any other head is differentiated from the target
    layer up only.

    References:
        Selvaraju et al., ICCV 2017, equations 1 and 2.
    """

    def combine(
        self,
        activations: Float[torch.Tensor, "n d h w"],
        gradients: Float[torch.Tensor, "n d #h #w"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Weigh each channel by its gradient's mean over the grid."""
        return weighted_sum(activations, gradients.mean(dim=(2, 3)))
