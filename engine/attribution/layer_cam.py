"""LayerCAM: each place weighed by what raises the logit there."""

import torch
from jaxtyping import Float

from engine.attribution.gradient_cam import GradientCam


class LayerCam(GradientCam):
    """LayerCAM, `A = ReLU(sum_k ReLU(g_k) * a_k)`, unscaled.

    References:
        Jiang et al., IEEE Transactions on Image Processing 30 (2021), equations 6 and 7.
    """

    def combine(
        self,
        activations: Float[torch.Tensor, "n d h w"],
        gradients: Float[torch.Tensor, "n d #h #w"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Sum channels, each cell times its gradient where that is positive."""
        return (activations * gradients.relu()).sum(dim=1)
