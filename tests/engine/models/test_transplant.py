from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import ModelMismatch
from engine.models.architectures import build_module
from engine.models.classifier import head_of, make_classifier
from engine.models.transplant import fold_head, with_head


def _classifier(architecture="gazecheck/small_cnn", n_classes=2):
    return make_classifier(
        build_module(architecture, n_classes).eval(),
        architecture=architecture,
        preprocessing=Preprocessing(size=64),
        class_names=tuple("abc"[:n_classes]),
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_folded_head_gives_the_standardised_models_decisions(n_classes):
    rng = np.random.default_rng(0)
    rows = 1 if n_classes == 2 else n_classes
    features, coef = rng.normal(2, 3, (20, 7)), rng.normal(size=(rows, 7))
    intercept, mean, std = rng.normal(size=rows), rng.normal(size=7), rng.uniform(0.5, 2, 7)
    decision = (features - mean) / std @ coef.T + intercept

    folded = fold_head(nn.Linear(7, n_classes), coef=coef, intercept=intercept, mean=mean, std=std)
    logits = features @ folded.weight.numpy().T + folded.bias.numpy()

    if n_classes == 2:
        np.testing.assert_allclose(logits[:, 1] - logits[:, 0], decision[:, 0], atol=1e-12)
    else:
        np.testing.assert_allclose(logits, decision, atol=1e-12)


def test_a_head_of_another_shape_is_refused():
    zeros, ones = np.zeros(7), np.ones(7)

    with pytest.raises(ModelMismatch, match="3 classes on 7 features does not fit"):
        fold_head(
            nn.Linear(7, 2), coef=np.zeros((3, 7)), intercept=np.zeros(3), mean=zeros, std=ones
        )


def test_a_transplanted_head_decides_and_the_given_classifier_does_not_change():
    classifier = _classifier()
    before = classifier.module.head.weight.clone()
    weight, bias = torch.randn(2, 48), torch.randn(2)
    images = torch.randn(4, 3, 32, 32)

    changed: Any = with_head(classifier, weight, bias)
    weight_as_given = weight.clone()
    features = classifier.module.features(images).mean(dim=(2, 3))

    torch.testing.assert_close(changed.module(images), features @ weight.T + bias)
    assert torch.equal(classifier.module.head.weight, before)
    changed.module.head.weight.data.zero_()
    assert torch.equal(weight, weight_as_given)


def test_float64_weights_keep_the_networks_own_type():
    changed: Any = with_head(_classifier(), torch.zeros(2, 48).double(), torch.zeros(2).double())

    assert changed.module.head.weight.dtype == torch.float32
    assert changed.module.head.bias.dtype == torch.float32


@pytest.mark.parametrize("architecture", ["torchvision/mobilenet_v3_small", "timm/convnext_atto"])
def test_a_head_on_anything_but_averages_is_replaced_too(architecture):
    classifier = _classifier(architecture)
    head: Any = head_of(classifier)
    weight, bias = torch.randn(2, head.in_features), torch.randn(2)
    images, read = torch.randn(3, 3, 64, 64), []
    handle = head.register_forward_pre_hook(lambda _part, inputs: read.append(inputs[0]))
    with torch.no_grad():
        classifier.module(images)
    handle.remove()

    changed = with_head(classifier, weight, bias)

    with torch.no_grad():
        torch.testing.assert_close(changed.module(images), read[0] @ weight.T + bias)


def test_a_network_without_a_last_linear_layer_is_refused():
    classifier = _classifier("torchvision/squeezenet1_1")

    with pytest.raises(ModelMismatch, match="fine-tune it instead"):
        with_head(classifier, torch.zeros(2, 512), torch.zeros(2))


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ModelMismatch, match=r"\(2, 47\) does not fit"):
        with_head(_classifier(), torch.zeros(2, 47), torch.zeros(2))
