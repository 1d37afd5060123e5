"""CAM: the class activation map that all others generalise."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float

from engine.attribution.gradient_cam import GradientCam, weighted_sum
from engine.attribution.observation import Observer
from engine.errors import InvalidInput
from engine.models.classifier import Classifier, pooled_head_of


class Cam(GradientCam):
    """CAM, `A = ReLU(sum_k W_ck a_k)`, for networks that end in pooling and one linear layer.

    The paper's map keeps its negative cells; here a ReLU follows, as for every map that features
    are pooled by. GradCAM is this map over the number of cells.

    References:
        Zhou et al., CVPR 2016, equation 2.
    """

    def combine(
        self,
        activations: Float[torch.Tensor, "n d h w"],
        gradients: Float[torch.Tensor, "n d #h #w"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Weigh each channel by the last layer's weight: its gradient times the cells."""
        cells = activations.shape[2] * activations.shape[3]
        return weighted_sum(activations, gradients.mean(dim=(2, 3)) * cells)

    @contextmanager
    def observing(self, classifier: Classifier) -> Iterator[Observer]:
        """As for every method, where the network has the form that CAM is defined for.

        Raises:
            InvalidInput: If it does not end in global average pooling and one linear layer.
        """
        if pooled_head_of(classifier) is None:
            raise InvalidInput(
                f"{classifier.architecture} does not end in global average pooling of "
                f"{classifier.target_layer} and one linear layer, so it has no CAM; take grad_cam"
            )
        with super().observing(classifier) as observe:
            yield observe
