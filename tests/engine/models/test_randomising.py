"""Shuffled weights: the same numbers in another order, decided by the seed, nothing else touched."""

import pytest
import torch
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import UnknownOption
from engine.models.architectures import build_module
from engine.models.classifier import head_of, make_classifier
from engine.models.randomising import PARTS, randomised


@pytest.fixture
def classifier():
    return make_classifier(
        build_module("torchvision/resnet18", 3, seed=1).eval(),
        architecture="torchvision/resnet18",
        preprocessing=Preprocessing(size=64),
        class_names=("a", "b", "c"),
    )


def changed(before, after):
    pairs = zip(before.named_parameters(), after.parameters(), strict=True)
    return {name for (name, old), new in pairs if not torch.equal(old, new)}


def test_every_tensor_keeps_its_numbers_and_loses_their_order(classifier):
    made = randomised(classifier, "network", seed=1)

    assert made is not None
    for old, new in zip(classifier.module.parameters(), made.module.parameters(), strict=True):
        assert torch.equal(old.flatten().sort().values, new.flatten().sort().values)
    assert "conv1.weight" in changed(classifier.module, made.module)
    assert all(
        torch.equal(old, new)
        for old, new in zip(classifier.module.buffers(), made.module.buffers(), strict=True)
    )


def test_the_head_alone_is_shuffled(classifier):
    made = randomised(classifier, "head", seed=1)

    assert made is not None
    assert changed(classifier.module, made.module) == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize("part", PARTS)
def test_the_seed_decides_and_no_other_generator_moves(classifier, part):
    kept = {name: value.clone() for name, value in classifier.module.state_dict().items()}
    state = torch.random.get_rng_state()

    first, again, other = (randomised(classifier, part, seed=seed) for seed in (1, 1, 2))

    assert first is not None
    assert again is not None
    assert other is not None
    assert not changed(first.module, again.module)
    assert changed(first.module, other.module)
    assert torch.equal(torch.random.get_rng_state(), state)
    now = classifier.module.state_dict()
    assert all(torch.equal(kept[name], now[name]) for name in kept), "the original is left as found"


def test_logits_that_no_linear_layer_makes_have_no_head():
    module = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = make_classifier(
        module.eval(), architecture="own", preprocessing=Preprocessing(size=32),
        class_names=("a", "b"), target_layer="0",
    )  # fmt: skip

    assert head_of(found) is None
    assert randomised(found, "head", seed=0) is None
    assert randomised(found, "network", seed=0) is not None


def test_an_unknown_part_is_refused(classifier):
    with pytest.raises(UnknownOption, match="'heads'; did you mean head"):
        randomised(classifier, "heads", seed=0)
