"""Change parts of the picture and see what the network says: occlusion, LIME, KernelSHAP."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from engine.attribution.pixel_method import LogitsOnly, PixelMethod
from engine.models.architectures import drawn_from
from engine.models.classifier import Classifier

_PICTURES_AT_ONCE = 32
_RIDGE = 1.0


@dataclass(frozen=True, kw_only=True)
class Occlusion(PixelMethod):
    """How much the logit falls when a square is covered by the data's mean colour.

    Attributes:
        windows: Squares along a side of the picture.
        overlap: Squares move by their side over this.

    References:
        Zeiler and Fergus, ECCV 2014, section 4.2.
    """

    windows: int = 8
    overlap: int = 2

    def attribute(
        self,
        network: LogitsOnly,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
        classifier: Classifier,
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the mean fall of the logit over the squares that cover a pixel."""
        from captum import attr

        del classifier
        side = max(1, images.shape[2] // self.windows)
        step = max(1, side // self.overlap)
        with torch.no_grad():
            attributed: torch.Tensor = attr.Occlusion(network).attribute(
                images.detach(),
                sliding_window_shapes=(3, side, side),
                strides=(3, step, step),
                target=targets,
            )
        return attributed / 3  # the three channels of a pixel are covered together


@dataclass(frozen=True, kw_only=True)
class Surrogate(PixelMethod):
    """The weights of a linear model of the network around one picture, whose parts are squares.

    Attributes:
        segments: Squares along a side of the picture; 7 gives 49, near the 50 of Debugging Tests.
        samples: Pictures with some squares covered.
        seed: Decides which squares.
    """

    segments: int = 7
    samples: int = 1000
    seed: int = 0

    @abstractmethod
    def explain(
        self,
        network: LogitsOnly,
        image: Float[torch.Tensor, "1 3 H W"],
        target: int,
        squares: Int[torch.Tensor, "1 1 H W"],
    ) -> Float[torch.Tensor, "1 3 H W"]:
        """Fit the model around one picture.

        Args:
            network: Gives logits.
            image: The picture.
            target: The class asked about.
            squares: Which square each pixel belongs to.

        Returns:
            Each pixel's weight, which is its square's.
        """

    def attribute(
        self,
        network: LogitsOnly,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
        classifier: Classifier,
    ) -> Float[torch.Tensor, "n 3 H W"]:
        """Give the weight of each pixel's square."""
        del classifier
        height, width = images.shape[2:]
        rows = torch.arange(height, device=images.device) * self.segments // height
        columns = torch.arange(width, device=images.device) * self.segments // width
        squares = (rows[:, None] * self.segments + columns)[None, None]
        found = []
        for image, target in zip(images.detach(), targets.tolist(), strict=True):
            # Each picture draws from the seed anew, so that a batch gives what images give alone.
            with drawn_from(self.seed), torch.no_grad():
                found.append(self.explain(network, image[None], target, squares))
        return torch.cat(found).float() / 3


class Lime(Surrogate):
    """LIME with squares as the picture's parts; a ridge of 1, as the authors' package has it.

    References:
        Ribeiro, Singh and Guestrin, KDD 2016.
    """

    def explain(
        self,
        network: LogitsOnly,
        image: Float[torch.Tensor, "1 3 H W"],
        target: int,
        squares: Int[torch.Tensor, "1 1 H W"],
    ) -> Float[torch.Tensor, "1 3 H W"]:
        """Fit a ridge regression, near pictures counting more.

        A sparse one would be all zeros where logits move by less than its penalty.
        """
        from captum import attr
        from captum._utils.models.linear_model import SkLearnRidge

        attributed: torch.Tensor = attr.Lime(
            network, interpretable_model=SkLearnRidge(alpha=_RIDGE)
        ).attribute(
            image,
            target=target,
            feature_mask=squares,
            n_samples=self.samples,
            perturbations_per_eval=_PICTURES_AT_ONCE,
        )
        return attributed


class KernelShap(Surrogate):
    """KernelSHAP with squares as the picture's parts.

    References:
        Lundberg and Lee, NeurIPS 2017, theorem 2.
    """

    def explain(
        self,
        network: LogitsOnly,
        image: Float[torch.Tensor, "1 3 H W"],
        target: int,
        squares: Int[torch.Tensor, "1 1 H W"],
    ) -> Float[torch.Tensor, "1 3 H W"]:
        """Fit a linear model under the Shapley kernel."""
        from captum import attr

        attributed: torch.Tensor = attr.KernelShap(network).attribute(
            image,
            target=target,
            feature_mask=squares,
            n_samples=self.samples,
            perturbations_per_eval=_PICTURES_AT_ONCE,
        )
        return attributed
