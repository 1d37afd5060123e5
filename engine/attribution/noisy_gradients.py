"""Gradients of noisy copies of a picture: SmoothGrad and what else is made of them."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from engine.attribution.pixel_method import LogitsOnly, PixelMethod
from engine.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class NoisyGradients(PixelMethod):
    """A summary of the gradients of noisy copies.

    All pictures of one size see the same noise, scaled by their own range, so that a batch gives
    what its images give alone.

    Attributes:
        copies: Noisy copies of each picture.
        noise: Standard deviation as a share of the picture's range (largest less least value).
        seed: Decides the noise.
    """

    copies: int = 50
    noise: float = 0.15
    seed: int = 0

    @abstractmethod
    def summarise(
        self, mean: Float[torch.Tensor, "n 3 H W"], mean_square: Float[torch.Tensor, "n 3 H W"]
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Make one map of the copies' gradients.

        Args:
            mean: Mean of the gradient over copies.
            mean_square: Mean of its square.

        Returns:
            The map.
        """

    def attribute(
        self,
        network: LogitsOnly,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
        classifier: Classifier,
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Summarise gradients of copies with noise."""
        from captum import attr

        del classifier
        gradient = attr.Saliency(network)
        generator = torch.Generator().manual_seed(self.seed)
        pictures = images.detach()
        spread = pictures.amax(dim=(1, 2, 3)) - pictures.amin(dim=(1, 2, 3))
        sums = torch.zeros_like(pictures)
        squares = torch.zeros_like(pictures)
        for _ in range(self.copies):
            noise = torch.randn(pictures.shape[1:], generator=generator).to(pictures)
            copy = pictures + self.noise * spread[:, None, None, None] * noise
            found = gradient.attribute(copy.requires_grad_(), targets, abs=False).detach()
            sums += found
            squares += found.square()
        return self.summarise(sums / self.copies, squares / self.copies)


class SmoothGrad(NoisyGradients):
    """The mean of the copies' gradients, signed.

    References:
        Smilkov et al., arXiv 1706.03825.
    """

    def summarise(
        self, mean: Float[torch.Tensor, "n 3 H W"], mean_square: Float[torch.Tensor, "n 3 H W"]
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the mean."""
        del mean_square
        return mean


class SmoothGradSquared(NoisyGradients):
    """The square of the mean gradient: SGradSQ as Debugging Tests prints it."""

    def summarise(
        self, mean: Float[torch.Tensor, "n 3 H W"], mean_square: Float[torch.Tensor, "n 3 H W"]
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the squared mean."""
        del mean_square
        return mean.square()


class MeanSquaredGrad(NoisyGradients):
    """The mean of the squared gradients, which others call SmoothGrad-Squared.

    References:
        Hooker et al., NeurIPS 2019, section 4.
    """

    def summarise(
        self, mean: Float[torch.Tensor, "n 3 H W"], mean_square: Float[torch.Tensor, "n 3 H W"]
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the mean square."""
        del mean
        return mean_square


class VarGrad(NoisyGradients):
    """The variance of the copies' gradients, over all copies (not over one less).

    References:
        Adebayo et al., ICLR Workshop 2018.
    """

    def summarise(
        self, mean: Float[torch.Tensor, "n 3 H W"], mean_square: Float[torch.Tensor, "n 3 H W"]
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the variance."""
        return (mean_square - mean.square()).clamp(min=0)
