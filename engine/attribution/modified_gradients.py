"""Back-propagation with other rules: guided, deconvolution, relevance."""

import torch
from jaxtyping import Float, Int

from engine.attribution.pixel_method import LogitsOnly, PixelMethod
from engine.errors import InvalidInput
from engine.models.classifier import Classifier


class GuidedBackprop(PixelMethod):
    """Back-propagation that lets only positive gradients through active ReLUs.

    Only ReLUs that are layers of their own are changed; smooth activations are left alone.

    References:
        Springenberg et al., ICLR Workshop 2015.
    """

    def attribute(
        self,
        network: LogitsOnly,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
        classifier: Classifier,
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the guided gradient."""
        from captum import attr

        del classifier
        attributed: torch.Tensor = attr.GuidedBackprop(network).attribute(images, targets)
        return attributed


class Deconvolution(PixelMethod):
    """Back-propagation that lets only positive gradients through, whatever the forward pass.

    References:
        Zeiler and Fergus, ECCV 2014.
    """

    def attribute(
        self,
        network: LogitsOnly,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
        classifier: Classifier,
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the deconvolved gradient."""
        from captum import attr

        del classifier
        attributed: torch.Tensor = attr.Deconvolution(network).attribute(images, targets)
        return attributed


class LrpEpsilon(PixelMethod):
    """Layer-wise relevance propagation with the epsilon rule.

    References:
        Bach et al., PLOS ONE 10(7) (2015), equation 58.
    """

    def attribute(
        self,
        network: LogitsOnly,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
        classifier: Classifier,
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the relevance of each pixel.

        Raises:
            InvalidInput: If a layer of the network has no rule, or is used more than once.
        """
        from captum import attr

        try:
            attributed: torch.Tensor = attr.LRP(network).attribute(images, targets)
        except (TypeError, RuntimeError) as error:
            raise InvalidInput(
                f"{classifier.architecture} has a layer without a rule for relevance ({error}); "
                "take integrated_gradients"
            ) from error
        return attributed
