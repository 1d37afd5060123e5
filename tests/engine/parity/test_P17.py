"""P17 and P17b: DFR's last layer, and its way back into the network (methods.md, section 8)."""

import numpy as np
import pytest
import torch
from torch import nn

from engine.models.transplant import fold_head
from engine.training.last_layer import LastLayerConfig, fit_head


def drawn() -> tuple[np.ndarray, np.ndarray]:
    # the reference values were made with numpy's legacy generator
    random = np.random.RandomState(0)
    features = random.randn(60, 3)
    return features, (features[:, 0] + 0.3 * random.randn(60) > 0).astype(np.int64)


def test_P17_l1_by_liblinear():
    features, labels = drawn()
    config = LastLayerConfig(penalty="l1", class_balanced=False)

    head = fit_head(features, labels, config, 0.1)

    assert head.coef == pytest.approx(np.array([[0.9295646748946346, 0.0, 0.0]]), abs=1e-3)
    assert head.intercept == pytest.approx(np.array([0.0]), abs=1e-3)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_P17b_the_folded_head_is_the_decision_function(penalty):
    features, labels = drawn()
    head = fit_head(features, labels, LastLayerConfig(penalty=penalty), 0.1)
    layer = nn.Linear(3, 2)

    folded = fold_head(
        layer, coef=head.coef, intercept=head.intercept, mean=head.mean, std=head.std
    )
    with torch.no_grad():
        layer.weight.copy_(folded.weight)
        layer.bias.copy_(folded.bias)
        logits = layer(torch.from_numpy(features).float()).numpy()

    difference = logits[:, 1] - logits[:, 0]
    assert np.abs(difference - head.decision_function(features)[:, 0]).max() < 1e-6


def test_P17b_holds_for_more_than_two_classes():
    features, labels = drawn()
    labels = labels + (features[:, 1] > 0.5)
    head = fit_head(features, labels, LastLayerConfig(), 0.1)

    folded = fold_head(
        nn.Linear(3, 3), coef=head.coef, intercept=head.intercept, mean=head.mean, std=head.std
    )

    logits = torch.from_numpy(features) @ folded.weight.T + folded.bias
    assert np.abs(logits.numpy() - head.decision_function(features)).max() < 1e-6
