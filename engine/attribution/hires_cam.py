"""HiResCAM: each place weighed by its own gradient, never by an average over places."""

import torch
from jaxtyping import Float

from engine.attribution.gradient_cam import GradientCam


class HiResCam(GradientCam):
    """HiResCAM, `A = ReLU(sum_k g_k * a_k)`, unscaled.

    Equal to GradCAM behind global average pooling and one linear layer. Elsewhere it shows only
    places that the logit was really raised by, where GradCAM's averaging can light up others.

    References:
        Draelos and Carin, arXiv 2011.08891, section 3.2.
    """

    def combine(
        self,
        activations: Float[torch.Tensor, "n d h w"],
        gradients: Float[torch.Tensor, "n d #h #w"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Sum channels, each cell times its own gradient."""
        return (activations * gradients).sum(dim=1)
