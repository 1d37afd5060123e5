"""Our maps against pytorch-grad-cam's and captum's, on photographs.

Compared before anyone's scaling, since pytorch-grad-cam's differs from ours: it stretches a map on
the grid with 1e-7 added to its largest value, enlarges it with OpenCV, and stretches it again.
One test below follows it to its very end.
"""

from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam as peers
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from engine.attribution.eigen_cam import first_component
from engine.attribution.method import attribution_method
from engine.attribution.scaling import min_max
from engine.attribution.score_cam import ScoreCam
from engine.models.capture import capture, layer_named
from engine.models.classifier import Classifier
from tests.engine.attribution.networks import network, photographs, transformer

TARGETS = torch.tensor([0, 2, 1, 2])

NETWORKS = {
    "resnet": lambda: network("torchvision/resnet18", 64),
    "resnet, early layer": lambda: network("torchvision/resnet18", 64, target_layer="layer2"),
    "mobilenet": lambda: network("torchvision/mobilenet_v3_small", 64),
    "efficientnet": lambda: network("timm/tf_efficientnet_lite0", 64),
    "convnext": lambda: network("timm/convnext_atto", 64),
    "vit": lambda: transformer("vit"),
    "swin": lambda: transformer("torchvision_swin"),
}

PEERS = {
    "grad_cam": peers.GradCAM,
    "grad_cam_plus_plus": peers.GradCAMPlusPlus,
    "hires_cam": peers.HiResCAM,
    "x_grad_cam": peers.XGradCAM,
    "layer_cam": peers.LayerCAM,
}


def _layout(classifier: Classifier) -> Any:
    size = classifier.preprocessing.size
    with torch.no_grad(), capture(classifier.module, classifier.target_layer) as taken:
        classifier.module(torch.zeros(1, 3, size, size))
        return taken.layout.to_grid


def _peer(kind: type, classifier: Classifier) -> Any:
    return kind(
        model=classifier.module,
        target_layers=[layer_named(classifier.module, classifier.target_layer)],
        reshape_transform=_layout(classifier),
    )


def _raw(cam: Any, images: torch.Tensor) -> np.ndarray:
    """A peer's map after its ReLU and before its scaling."""
    wanted = [ClassifierOutputTarget(target) for target in TARGETS.tolist()]
    outputs = cam.activations_and_grads(images)
    if cam.uses_gradients:
        sum(target(output) for target, output in zip(wanted, outputs, strict=True)).backward()
    given = cam.activations_and_grads
    raw = cam.get_cam_image(
        images,
        cam.target_layers[0],
        wanted,
        given.activations[0].detach().numpy(),
        given.gradients[0].numpy() if cam.uses_gradients else None,
        False,
    )
    positive: np.ndarray = np.maximum(raw, 0)
    return positive


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", PEERS)
def test_gradient_methods_agree_with_pytorch_grad_cam(name, method):
    if (method, name) == ("x_grad_cam", "mobilenet"):
        pytest.skip("its channels sum to less than the 1e-7 that pytorch-grad-cam adds to the sum")
    classifier = NETWORKS[name]()
    images = photographs(classifier.preprocessing.size)
    if method == "grad_cam_plus_plus":
        # pytorch-grad-cam adds 1e-6 to a denominator of squared gradients; ours needs nothing.
        # Larger gradients make its addition small enough to compare.
        with torch.no_grad():
            list(classifier.module.parameters())[-2].mul_(1e3)

    ours = attribution_method(method)(classifier, images, TARGETS).numpy()

    with _peer(PEERS[method], classifier) as cam:
        theirs = _raw(cam, images)
    loose = method == "grad_cam_plus_plus"
    assert theirs.max() > 0
    np.testing.assert_allclose(
        ours, theirs, rtol=1e-3, atol=(5e-3 if loose else 1e-4) * theirs.max()
    )


def test_the_whole_way_of_pytorch_grad_cam_ends_where_ours_does():
    classifier = network("torchvision/resnet18", 96)
    images = photographs(96)
    wanted = [ClassifierOutputTarget(target) for target in TARGETS.tolist()]

    with _peer(peers.GradCAM, classifier) as cam:
        theirs = cam(input_tensor=images, targets=wanted)
    on_grid = min_max(attribution_method("grad_cam")(classifier, images, TARGETS))
    ours = min_max(
        torch.nn.functional.interpolate(on_grid[:, None], size=(96, 96), mode="bilinear")[:, 0]
    )

    # 1e-7 beside a largest value of about 1e-1, and OpenCV's interpolation in fixed places
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet", "convnext", "vit", "swin"])
def test_eigen_cam_is_pytorch_grad_cams_up_to_the_sign(name):
    classifier = NETWORKS[name]()
    images = photographs(classifier.preprocessing.size)
    with attribution_method("eigen_cam").observing(classifier) as observe:
        seen = observe(images)

    ours = first_component(seen.activations).numpy()

    theirs = peers.eigen_cam.get_2d_projection(seen.activations.numpy())
    for mine, other in zip(ours, theirs, strict=True):
        sign = np.sign((mine * other).sum())
        np.testing.assert_allclose(mine, sign * other, atol=1e-3 * np.abs(other).max())
    np.testing.assert_allclose(seen.maps(TARGETS), np.maximum(ours, 0), atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["vit", "efficientnet, early layer"])
def test_score_cam_agrees_with_pytorch_grad_cam(name):
    early = network("timm/tf_efficientnet_lite0", 64, target_layer="blocks.1")
    classifier = transformer("vit") if name == "vit" else early
    images = photographs(classifier.preprocessing.size)

    # it enlarges with aligned corners, which the paper's authors do not
    ours = ScoreCam(align_corners=True)(classifier, images, TARGETS).numpy()

    with _peer(peers.ScoreCAM, classifier) as cam:
        theirs = _raw(cam, images)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * theirs.max())


@pytest.mark.filterwarnings("ignore::UserWarning")  # of captum's own conversions
@pytest.mark.parametrize("name", ["resnet", "mobilenet", "efficientnet"])
def test_grad_cam_agrees_with_captum(name):
    classifier = NETWORKS[name]()
    images = photographs(classifier.preprocessing.size)

    ours = attribution_method("grad_cam")(classifier, images, TARGETS)

    layer = layer_named(classifier.module, classifier.target_layer)
    theirs = LayerGradCam(classifier.module, layer).attribute(
        images, TARGETS, relu_attributions=True
    )
    torch.testing.assert_close(
        ours, theirs[:, 0].detach(), rtol=1e-4, atol=1e-5 * float(theirs.max())
    )
