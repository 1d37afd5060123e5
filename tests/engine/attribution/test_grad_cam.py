import pytest
import torch

from engine.attribution.grad_cam import GradCam
from engine.data.images import Preprocessing
from engine.errors import InvalidInput
from engine.models.architectures import build_module
from engine.models.capture import capture
from engine.models.classifier import Classifier, make_classifier, pooled_head_of
from engine.models.modes import evaluating
from engine.models.probing import logits_of


def plain_grad_cam(
    classifier: Classifier, images: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """The textbook's way: one full graph, and one backward pass for each image alone."""
    maps = []
    for image, target in zip(images, targets, strict=True):
        with (
            evaluating(classifier.module),
            capture(classifier.module, classifier.target_layer) as c,
        ):
            logits = logits_of(classifier.module(image[None].clone().requires_grad_()))
            (gradient,) = torch.autograd.grad(logits[0, target], c.activations)
            alpha = gradient.mean(dim=(2, 3), keepdim=True)
            maps.append((alpha * c.activations).sum(dim=1).relu().detach())
    return torch.cat(maps)


ARCHITECTURES = [
    "torchvision/resnet18",
    "torchvision/densenet121",
    "torchvision/mobilenet_v2",
    "torchvision/mobilenet_v3_small",
    "torchvision/regnet_y_400mf",
    "torchvision/googlenet",
    "torchvision/squeezenet1_1",
    "timm/tf_efficientnet_lite0",
    "timm/mobilenetv3_small_100",
    "timm/densenet121",
    "timm/convnext_atto",
    "timm/regnetx_002",
    "timm/resnetv2_50",
]
LARGE_ARCHITECTURES = [
    "torchvision/vgg11",
    "torchvision/convnext_tiny",
    "torchvision/inception_v3",
    "torchvision/resnet50",
]


@pytest.mark.parametrize(
    "architecture",
    [*ARCHITECTURES, *(pytest.param(a, marks=pytest.mark.slow) for a in LARGE_ARCHITECTURES)],
)
def test_every_architecture_agrees_with_full_differentiation(architecture):
    size = 107 if architecture == "torchvision/inception_v3" else 64
    classifier = make_classifier(
        build_module(architecture, 4, seed=7).eval(),
        architecture=architecture,
        preprocessing=Preprocessing(size=size),
        class_names=("a", "b", "c", "d"),
    )
    images = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 3, 1])

    maps = GradCam()(classifier, images, targets)

    expected = plain_grad_cam(classifier, images, targets)
    assert expected.max() > 0
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-5 * float(expected.max()))


@pytest.mark.parametrize("layer", ["features.3", "features.7", "features.4"])
def test_earlier_layers_agree_with_full_differentiation(classifier, layer):
    # features.4 is a convolution whose output a later in-place ReLU does not touch; features.3
    # and features.7 are poolings in the middle: all three take the gradient's way.
    earlier = make_classifier(
        classifier.module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        target_layer=layer,
    )
    images, targets = torch.randn(3, 3, 32, 32), torch.tensor([2, 0, 1])

    maps = GradCam()(earlier, images, targets)

    assert pooled_head_of(earlier) is None
    expected = plain_grad_cam(earlier, images, targets)
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-5 * float(expected.max()))


def test_the_map_before_its_relu_sums_to_the_logit_less_its_bias(classifier):
    # Selvaraju et al. 2017: with a non-negative head every cell's evidence is non-negative.
    head = classifier.module.head
    head.weight.data.abs_()
    images, targets = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])

    with GradCam().observing(classifier) as observe:
        seen = observe(images)
        maps = seen.maps(targets)

    chosen = seen.logits.gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(maps.sum(dim=(1, 2)) + head.bias[targets], chosen)


@pytest.mark.parametrize("architecture", ["gazecheck/small_cnn", "torchvision/mobilenet_v3_small"])
def test_a_batch_gives_what_its_images_give_alone(architecture):
    classifier = make_classifier(
        build_module(architecture, 3).train(),
        architecture=architecture,
        preprocessing=Preprocessing(size=64),
        class_names=("a", "b", "c"),
    )
    images, targets = torch.randn(5, 3, 64, 64), torch.tensor([0, 1, 2, 1, 0])

    together = GradCam()(classifier, images, targets)

    alone = [GradCam()(classifier, images[i : i + 1], targets[i : i + 1]) for i in range(5)]
    scale = float(together.max())
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("layer", ["features", "features.3"], ids=["closed form", "gradient"])
def test_the_network_is_left_as_found(classifier, layer):
    module = classifier.module.train()
    module.features[1].eval()
    module.head.bias.requires_grad_(False)
    before = [part.training for part in module.modules()]
    trainable = [parameter.requires_grad for parameter in module.parameters()]
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    images = torch.randn(2, 3, 32, 32)
    given = images.clone()
    named = make_classifier(
        module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        target_layer=layer,
    )

    GradCam()(named, images, torch.tensor([0, 1]))

    assert [part.training for part in module.modules()] == before
    assert [parameter.requires_grad for parameter in module.parameters()] == trainable
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())
    assert torch.equal(images, given)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, weights[name])


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("layer", ["features", "features.3"], ids=["closed form", "gradient"])
def test_the_callers_gradient_mode_does_not_matter(classifier, context, layer):
    named = make_classifier(
        classifier.module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        target_layer=layer,
    )
    images, targets = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    expected = plain_grad_cam(named, images, targets)

    with context():
        maps = GradCam()(named, images, targets)

    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-6)
    assert not maps.requires_grad


@pytest.mark.parametrize("layer", ["features", "features.3"], ids=["closed form", "gradient"])
def test_maps_of_several_classes_come_from_one_forward_pass(classifier, layer):
    named = make_classifier(
        classifier.module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        target_layer=layer,
    )
    images = torch.randn(2, 3, 32, 32)
    calls = []
    handle = classifier.module.register_forward_hook(lambda *_: calls.append(1))

    with GradCam().observing(named) as observe:
        calls.clear()
        seen = observe(images)
        first, second = seen.maps(torch.tensor([0, 1])), seen.maps(torch.tensor([2, 2]))
    handle.remove()

    assert len(calls) == 1
    assert not torch.equal(first, second)
    torch.testing.assert_close(second, GradCam()(named, images, torch.tensor([2, 2])))


def test_a_layer_that_the_logits_do_not_depend_on_is_refused():
    class Beside(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.beside = torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(3, 4, 1)
            self.head = torch.nn.Linear(4, 2)

        def forward(self, images):
            self.beside(images)
            return self.head(self.used(images).amax(dim=(2, 3)))

    classifier = make_classifier(
        Beside(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=8),
        class_names=("a", "b"),
        target_layer="beside",
    )

    with pytest.raises(InvalidInput, match="do not depend on the target layer"):
        GradCam()(classifier, torch.randn(1, 3, 8, 8), torch.tensor([0]))
