"""Other last layers on one backbone, convolutional or not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.attention.extraction import ExtractionConfig, extract
from engine.attention.heads import LinearHead, head_features, maps_under_heads
from engine.errors import InvalidInput
from engine.models.classifier import head_of
from engine.models.transplant import with_head
from tests.engine.attribution.networks import transformer


@pytest.fixture(params=["small_cnn", "vit", "torchvision_swin"])
def subject(request, small_manifest, small_classifier):
    """A classifier of the manifest's two classes."""
    if request.param == "small_cnn":
        return small_classifier
    classifier = transformer(request.param)
    head: Any = head_of(classifier)
    weight, bias = head.weight[:2].detach().clone(), head.bias[:2].detach().clone()
    head.weight, head.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    head.out_features = 2
    return replace(classifier, class_names=small_manifest.class_names)


def _heads(classifier, n):
    head: Any = head_of(classifier)
    rng = np.random.default_rng(0)
    return [
        LinearHead(weight=rng.normal(size=(2, head.in_features)), bias=rng.normal(size=2))
        for _ in range(n)
    ]


def test_features_times_the_head_are_the_logits(small_manifest, subject):
    rows = np.array([3, 0, 11])
    head: Any = head_of(subject)

    features = head_features(small_manifest, subject, rows, ExtractionConfig(batch_size=2))
    given = extract(small_manifest, subject, ExtractionConfig())

    np.testing.assert_allclose(features, given.features[rows], atol=1e-5)
    logits = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    np.testing.assert_allclose(logits, given.logits[rows], atol=1e-4)


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam"])
def test_maps_under_a_head_are_those_of_the_network_with_that_head(small_manifest, subject, method):
    heads = _heads(subject, 2)
    rows = np.array([5, 2, 7, 1])
    config = ExtractionConfig(batch_size=3, method=method)

    predicted, maps = maps_under_heads(small_manifest, subject, heads, rows, config)

    for at, head in enumerate(heads):
        changed = with_head(subject, torch.from_numpy(head.weight), torch.from_numpy(head.bias))
        expected = extract(small_manifest, changed, config)
        assert predicted[at].tolist() == expected.logits[rows].argmax(axis=1).tolist()
        scale = expected.maps_predicted.max()
        np.testing.assert_allclose(
            maps[at], expected.maps_predicted[rows], rtol=1e-3, atol=1e-4 * scale
        )


def test_a_method_without_a_gradient_is_refused(small_manifest, subject):
    with pytest.raises(InvalidInput, match="eigen_cam makes its maps of no gradient"):
        maps_under_heads(
            small_manifest,
            subject,
            _heads(subject, 1),
            np.array([0]),
            ExtractionConfig(method="eigen_cam"),
        )
