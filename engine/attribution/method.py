"""What an attribution method is, and the methods by name.

Raw maps come back from every method: after its own ReLU where it has one, unscaled. Scaling is
the caller's choice (`engine.attribution.scaling`). Methods of `GRID_METHODS` give maps at least 0
on the target layer's grid, which features can be pooled by; methods of `PIXEL_METHODS` give maps
of the picture's size, for showing.
"""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int

from engine.attribution.attention_rollout import AttentionRollout
from engine.attribution.cam import Cam
from engine.attribution.eigen_cam import EigenCam
from engine.attribution.grad_cam import GradCam
from engine.attribution.grad_cam_plus_plus import GradCamPlusPlus
from engine.attribution.hires_cam import HiResCam
from engine.attribution.layer_cam import LayerCam
from engine.attribution.modified_gradients import Deconvolution, GuidedBackprop, LrpEpsilon
from engine.attribution.noisy_gradients import (
    MeanSquaredGrad,
    SmoothGrad,
    SmoothGradSquared,
    VarGrad,
)
from engine.attribution.observation import Observer
from engine.attribution.perturbations import KernelShap, Lime, Occlusion
from engine.attribution.pixel_gradients import (
    Gradient,
    InputXGradient,
    IntegratedGradients,
    Saliency,
)
from engine.attribution.rise import Rise
from engine.attribution.score_cam import ScoreCam
from engine.attribution.x_grad_cam import XGradCam
from engine.errors import InvalidInput, UnknownOption
from engine.models.classifier import Classifier


@runtime_checkable
class AttributionMethod(Protocol):
    """Gives a map of where a classifier looks for a class."""

    @property
    def on_grid(self) -> bool:
        """Whether maps lie on the target layer's grid; otherwise on the picture's pixels."""
        ...

    def __call__(
        self,
        classifier: Classifier,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Give one raw map per image for the class asked about."""
        ...

    def observing(self, classifier: Classifier) -> AbstractContextManager[Observer]:
        """Make the network ready for forward passes that also give maps of any class."""
        ...


GRID_METHODS: dict[str, AttributionMethod] = {
    "grad_cam": GradCam(),
    "cam": Cam(),
    "grad_cam_plus_plus": GradCamPlusPlus(),
    "hires_cam": HiResCam(),
    "x_grad_cam": XGradCam(),
    "layer_cam": LayerCam(),
    "eigen_cam": EigenCam(),
    "score_cam": ScoreCam(),
    "rise": Rise(),
    "attention_rollout": AttentionRollout(),
}

PIXEL_METHODS: dict[str, AttributionMethod] = {
    "saliency": Saliency(),
    "gradient": Gradient(),
    "input_x_gradient": InputXGradient(),
    "integrated_gradients": IntegratedGradients(),
    "smooth_grad": SmoothGrad(),
    "smooth_grad_squared": SmoothGradSquared(),
    "mean_squared_grad": MeanSquaredGrad(),
    "var_grad": VarGrad(),
    "guided_backprop": GuidedBackprop(),
    "deconvolution": Deconvolution(),
    "lrp_epsilon": LrpEpsilon(),
    "occlusion": Occlusion(),
    "lime": Lime(),
    "kernel_shap": KernelShap(),
}

METHODS: dict[str, AttributionMethod] = {**GRID_METHODS, **PIXEL_METHODS}


def attribution_method(name: str) -> AttributionMethod:
    """Give an attribution method by name.

    Args:
        name: A key of `METHODS`.

    Returns:
        The method.

    Raises:
        UnknownOption: If there is none of that name.
    """
    if name not in METHODS:
        raise UnknownOption.of("attribution method", name, METHODS)
    return METHODS[name]


def grid_method(name: str) -> AttributionMethod:
    """Give an attribution method whose maps features can be pooled by.

    Args:
        name: A key of `GRID_METHODS`.

    Returns:
        The method.

    Raises:
        UnknownOption: If there is no method of that name.
        InvalidInput: If its maps are of pixels, for showing.
    """
    method = attribution_method(name)
    if not method.on_grid:
        raise InvalidInput(
            f"{name} gives maps of pixels, for showing; curation weighs features by maps on their "
            f"own grid: take one of {', '.join(GRID_METHODS)}"
        )
    return method
