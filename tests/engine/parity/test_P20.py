"""P20: group means with the training sizes of Waterbirds (methods.md, section 8)."""

import numpy as np
import pytest

from engine.data.groups import GroupIndex
from engine.evaluation.accuracy import evaluate
from engine.evaluation.predictions import Predictions

ACCURACIES = (0.99, 0.70, 0.60, 0.97)
TRAIN_SIZES = np.array([3498, 184, 56, 1057])
NAMES = ("landbird-land", "landbird-water", "waterbird-land", "waterbird-water")


def test_P20_worst_mean_and_train_weighted():
    wrong = np.concatenate([np.arange(100) >= round(100 * share) for share in ACCURACIES])
    groups = np.repeat(np.arange(4), 100)
    labels = groups // 2
    predictions = Predictions(
        rows=np.arange(400), logits=np.eye(2, dtype=np.float32)[labels ^ wrong], labels=labels
    )

    found = evaluate(predictions, GroupIndex(names=NAMES, groups=groups), TRAIN_SIZES)

    assert found.worst_group == 0.60
    assert found.worst_group_name == "waterbird-land"
    assert found.group_mean == pytest.approx(0.815, abs=1e-12)
    assert found.train_weighted == pytest.approx(0.9699082377476538, abs=1e-12)
