import numpy as np
import pytest
import torch
from captum import attr

from engine.attention.extraction import ExtractionConfig
from engine.attribution.method import (
    GRID_METHODS,
    METHODS,
    PIXEL_METHODS,
    AttributionMethod,
    attribution_method,
    grid_method,
)
from engine.attribution.noisy_gradients import (
    MeanSquaredGrad,
    SmoothGrad,
    SmoothGradSquared,
    VarGrad,
)
from engine.attribution.perturbations import KernelShap, Lime, Occlusion
from engine.attribution.pixel_gradients import IntegratedGradients
from engine.errors import InvalidInput, UnknownOption
from tests.engine.attribution.networks import network, photographs

TARGETS = torch.tensor([0, 2, 1, 2])


def _quick(name: str) -> AttributionMethod:
    small = {
        "smooth_grad": SmoothGrad(copies=4),
        "smooth_grad_squared": SmoothGradSquared(copies=4),
        "mean_squared_grad": MeanSquaredGrad(copies=4),
        "var_grad": VarGrad(copies=4),
        "integrated_gradients": IntegratedGradients(steps=8),
        "lime": Lime(samples=30, segments=4),
        "kernel_shap": KernelShap(samples=30, segments=4),
    }
    return small.get(name, attribution_method(name))


@pytest.mark.parametrize("name", PIXEL_METHODS)
def test_maps_have_the_pictures_size_and_a_batch_gives_what_images_give_alone(classifier, name):
    images = photographs(32)
    weights = {key: value.clone() for key, value in classifier.module.state_dict().items()}

    together = _quick(name)(classifier, images, TARGETS)

    alone = [_quick(name)(classifier, images[i : i + 1], TARGETS[i : i + 1]) for i in range(4)]
    assert together.shape == (4, 32, 32)
    assert together.isfinite().all()
    assert together.abs().max() > 0
    assert not together.requires_grad
    # rounding may flip a ReLU or the winner of a pooling, which moves single pixels
    torch.testing.assert_close(
        together, torch.cat(alone), rtol=1e-3, atol=2e-2 * float(together.abs().max())
    )
    assert not any(part._forward_hooks for part in classifier.module.modules())
    for key, value in classifier.module.state_dict().items():
        assert torch.equal(value, weights[key])


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("saliency", lambda m, x: attr.Saliency(m).attribute(x, TARGETS)),
        ("input_x_gradient", lambda m, x: attr.InputXGradient(m).attribute(x, TARGETS)),
        ("guided_backprop", lambda m, x: attr.GuidedBackprop(m).attribute(x, TARGETS)),
        ("deconvolution", lambda m, x: attr.Deconvolution(m).attribute(x, TARGETS)),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_maps_are_captums_summed_over_channels(classifier, name, peer):
    for part in classifier.module.modules():
        if isinstance(part, torch.nn.ReLU):
            part.inplace = False
    images = photographs(32)

    maps = attribution_method(name)(classifier, images, TARGETS)

    expected = peer(classifier.module.eval(), images.clone().requires_grad_()).sum(dim=1)
    torch.testing.assert_close(maps, expected.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("baseline", ["black", "zero", "mean"])
def test_integrated_gradients_sum_to_what_the_logit_rose_by(classifier, baseline):
    images = photographs(32)
    method = IntegratedGradients(steps=200, baseline=baseline)

    maps = method(classifier, images, TARGETS)

    with torch.no_grad():
        reached = classifier.module(images).gather(1, TARGETS[:, None])[:, 0]
        starts = method.starts(images, classifier.preprocessing)
        started = classifier.module(starts).gather(1, TARGETS[:, None])[:, 0]
    np.testing.assert_allclose(maps.sum(dim=(1, 2)), reached - started, atol=0.02)


def test_the_variance_is_the_mean_square_less_the_squared_mean(classifier):
    images = photographs(32)
    square = MeanSquaredGrad(copies=5)(classifier, images, TARGETS)
    squared = SmoothGradSquared(copies=5)(classifier, images, TARGETS)

    variance = VarGrad(copies=5)(classifier, images, TARGETS)

    torch.testing.assert_close(variance, square - squared, rtol=1e-3, atol=1e-6)


def test_occlusion_falls_where_only_one_place_counts():
    class Corner(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = torch.nn.Conv2d(3, 3, 1)

        def forward(self, images):
            return self.features(images)[:, :, :8, :8].mean(dim=(2, 3))

    classifier = network("gazecheck/small_cnn", 32)
    only = type(classifier)(
        module=Corner(),
        architecture="gazecheck/small_cnn",
        target_layer="features",
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
    )

    (map_,) = Occlusion()(only, torch.randn(1, 3, 32, 32), torch.tensor([0]))

    assert map_[:8, :8].abs().max() > 0
    torch.testing.assert_close(map_[12:, 12:], torch.zeros(20, 20))


def test_a_layer_without_a_rule_for_relevance_is_refused():
    classifier = network("timm/convnext_atto", 64)

    with pytest.raises(InvalidInput, match="layer without a rule for relevance"):
        attribution_method("lrp_epsilon")(classifier, photographs(64), TARGETS)


@pytest.mark.parametrize("name", PIXEL_METHODS)
def test_curation_refuses_maps_of_pixels(classifier, name):
    with pytest.raises(InvalidInput, match=f"{name} gives maps of pixels.*take one of grad_cam"):
        ExtractionConfig(method=name)
    with pytest.raises(InvalidInput, match="gives maps of pixels, for showing"):
        attribution_method(name).observing(classifier)


def test_every_method_keeps_the_protocol():
    for name, method in METHODS.items():
        assert isinstance(method, AttributionMethod)
        assert method.on_grid == (name in GRID_METHODS)
    assert grid_method("layer_cam") is GRID_METHODS["layer_cam"]


def test_an_unknown_baseline_is_refused():
    with pytest.raises(UnknownOption, match="unknown baseline 'blak'; did you mean black"):
        IntegratedGradients(baseline="blak")
