from typing import Any

import pytest
import torch
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import InvalidInput, ModelMismatch, UnknownOption
from engine.models.architectures import build_module
from engine.models.classifier import (
    Classifier,
    head_of,
    make_classifier,
    pooled_head_of,
)
from engine.models.probing import logits_of
from engine.models.target_layers import find_target_layer

# architecture, target layer, whether pooling and one linear layer follow it
ARCHITECTURES = [
    ("gazecheck/small_cnn", "features", True),
    ("torchvision/resnet18", "layer4", True),
    ("torchvision/densenet121", "features", True),
    ("torchvision/mobilenet_v2", "features", True),
    ("torchvision/mobilenet_v3_small", "features", False),
    ("torchvision/regnet_y_400mf", "trunk_output", True),
    ("torchvision/efficientnet_b0", "features", True),
    ("torchvision/googlenet", "inception5b", True),
    ("torchvision/alexnet", "features", False),
    ("timm/resnet18", "layer4", True),
    ("timm/tf_efficientnet_lite0", "bn2", True),
    ("timm/mobilenetv3_small_100", "blocks", False),
    ("timm/densenet121", "features", True),
    ("timm/convnext_atto", "stages", False),
    ("timm/regnetx_002", "s4", True),
]


def _classifier(architecture, **changes):
    size = {"torchvision/inception_v3": 107, "torchvision/alexnet": 96}.get(architecture, 64)
    return make_classifier(
        build_module(architecture, 3),
        architecture=architecture,
        preprocessing=Preprocessing(size=size),
        class_names=("a", "b", "c"),
        **changes,
    )


@pytest.mark.parametrize(("architecture", "layer", "is_plain"), ARCHITECTURES)
def test_target_layer_and_head_are_found(architecture, layer, is_plain):
    classifier = _classifier(architecture)

    assert classifier.target_layer == layer
    assert (pooled_head_of(classifier) is not None) == is_plain


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "layer", "is_plain"),
    [
        ("torchvision/inception_v3", "Mixed_7c", True),
        ("torchvision/vgg11", "features", False),
        ("torchvision/convnext_tiny", "features", False),
        ("timm/vgg11", "features", False),
    ],
)
def test_target_layer_and_head_are_found_in_large_networks(architecture, layer, is_plain):
    classifier = _classifier(architecture)

    assert classifier.target_layer == layer
    assert (pooled_head_of(classifier) is not None) == is_plain


def test_looking_leaves_modes_hooks_and_weights_as_found():
    module: Any = build_module("gazecheck/small_cnn", 3).train()
    module.features[1].eval()
    modes = [part.training for part in module.modules()]
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    find_target_layer(module, 32)
    head_of(
        Classifier(
            module=module,
            architecture="gazecheck/small_cnn",
            target_layer="features",
            preprocessing=Preprocessing(size=32),
            class_names=("a", "b", "c"),
        )
    )

    assert [part.training for part in module.modules()] == modes
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_a_named_target_layer_is_kept():
    classifier = _classifier("torchvision/resnet18", target_layer="layer3")

    assert classifier.target_layer == "layer3"
    assert pooled_head_of(classifier) is None
    assert head_of(classifier) is classifier.module.fc


def test_a_target_layer_that_does_not_exist_is_refused():
    with pytest.raises(UnknownOption, match="unknown layer 'layer5'; did you mean"):
        _classifier("torchvision/resnet18", target_layer="layer5")


def test_a_target_layer_without_a_grid_is_refused():
    with pytest.raises(InvalidInput, match="not a feature map"):
        _classifier("torchvision/resnet18", target_layer="fc")


def test_a_network_without_a_grid_is_refused():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))

    with pytest.raises(InvalidInput, match="no layer with a spatial feature map at 16 px"):
        find_target_layer(module, 16)


def test_another_number_of_classes_is_refused():
    with pytest.raises(ModelMismatch, match=r"\(3, 4\), but there are 3 classes"):
        make_classifier(
            build_module("gazecheck/small_cnn", 4),
            architecture="gazecheck/small_cnn",
            preprocessing=Preprocessing(size=32),
            class_names=("a", "b", "c"),
        )


def test_one_class_is_refused():
    with pytest.raises(InvalidInput, match="at least 2 classes"):
        Classifier(
            module=build_module("gazecheck/small_cnn", 2),
            architecture="gazecheck/small_cnn",
            target_layer="features",
            preprocessing=Preprocessing(size=32),
            class_names=("a",),
        )


class _Between(nn.Module):
    """A net with something between the pooled features and the linear layer, or behind it."""

    def __init__(self, before: nn.Module, behind: nn.Module) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3)
        self.before = before
        self.head = nn.Linear(4, 2)
        self.behind = behind

    def forward(self, images):
        pooled = self.before(self.features(images).mean(dim=(2, 3)))
        return self.behind(self.head(pooled))


@pytest.mark.parametrize(
    ("before", "behind", "is_plain"),
    [
        (nn.Identity(), nn.Identity(), True),
        (nn.Dropout(0.5), nn.Identity(), True),
        (nn.LayerNorm(4), nn.Identity(), False),
        (nn.ReLU(), nn.Identity(), False),
        (nn.Linear(4, 4), nn.Identity(), False),
        (nn.Identity(), nn.Softmax(dim=1), False),
    ],
    ids=["nothing", "dropout", "norm", "relu", "hidden", "softmax"],
)
def test_the_head_is_tried_not_assumed(before, behind, is_plain):
    torch.manual_seed(0)
    classifier = Classifier(
        module=_Between(before, behind),
        architecture="gazecheck/small_cnn",
        target_layer="features",
        preprocessing=Preprocessing(size=8),
        class_names=("a", "b"),
    )

    assert (pooled_head_of(classifier) is not None) == is_plain
    assert (head_of(classifier) is not None) == isinstance(behind, nn.Identity)


def test_logits_are_found_in_auxiliary_and_dictionary_outputs():
    logits = torch.zeros(1, 2)
    module = build_module("torchvision/googlenet", 2).train()

    assert logits_of(logits) is logits
    assert logits_of({"logits": logits}) is logits
    assert logits_of(module(torch.zeros(2, 3, 64, 64))).shape == (2, 2)
    with pytest.raises(InvalidInput, match="returned list"):
        logits_of([logits])
