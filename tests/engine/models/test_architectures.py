from typing import Any

import pytest
import torch

from engine.errors import InvalidInput, UnknownOption
from engine.models.architectures import build_module, drawn_from, known_architectures


@pytest.mark.parametrize(
    "architecture", ["gazecheck/small_cnn", "torchvision/resnet18", "timm/resnet18"]
)
def test_every_family_builds_with_the_asked_number_of_classes(architecture):
    module = build_module(architecture, 5).eval()

    assert module(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("architecture", "hint"),
    [
        ("torchvision/resnet51", "did you mean"),
        ("timm/tf_eficientnet_lite0", "timm/tf_efficientnet_lite0"),
        ("resnet50", "torchvision/resnet50"),
        ("gazecheck/smal_cnn", "gazecheck/small_cnn"),
        ("torchvision/fasterrcnn_resnet50_fpn", "no such classifier"),
        ("", "write gazecheck/small_cnn"),
    ],
)
def test_an_unknown_architecture_is_refused_with_near_names(architecture, hint):
    with pytest.raises(UnknownOption) as refusal:
        build_module(architecture, 2)

    assert repr(architecture) in str(refusal.value)
    assert hint in str(refusal.value)


def test_fewer_than_two_classes_are_refused():
    with pytest.raises(InvalidInput, match="at least 2 classes, got 1"):
        build_module("gazecheck/small_cnn", 1)


def test_a_seed_decides_the_weights_and_nothing_else():
    before = torch.random.get_rng_state()

    first: Any = build_module("gazecheck/small_cnn", 2, seed=3)
    again: Any = build_module("gazecheck/small_cnn", 2, seed=3)
    other: Any = build_module("gazecheck/small_cnn", 2, seed=4)

    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_the_global_generator_comes_back_after_a_failure():
    before = torch.random.get_rng_state()

    with pytest.raises(RuntimeError), drawn_from(1):
        torch.rand(-1)

    assert torch.equal(torch.random.get_rng_state(), before)


def test_known_architectures_hold_classifiers_of_every_family():
    names = known_architectures()

    assert {"gazecheck/small_cnn", "torchvision/resnet50", "timm/tf_efficientnet_lite0"} <= {*names}
    assert "torchvision/fasterrcnn_resnet50_fpn" not in names
    assert list(names) == sorted(names)
