"""P8: attention scores of a map worked by hand (methods.md, section 8)."""

import numpy as np
import pytest

from engine.evaluation.localization import (
    aiou_ratio,
    attention_precision,
    binary_iou,
    mass_inside,
    soft_iou,
)

ATTENTION = np.array(
    [[0.9, 0.85, 0.1, 0.0], [0.2, 1.0, 0.3, 0.0], [0.0, 0.1, 0.95, 0.4], [0.0, 0.0, 0.0, 0.5]]
)
OTHER = np.array(
    [[0.1, 0.2, 0.9, 0.8], [0.0, 0.1, 1.0, 0.7], [0.3, 0.6, 0.2, 0.1], [0.5, 0.1, 0.0, 0.0]]
)
TRUTH = np.zeros((4, 4), dtype=bool)
TRUTH[:2, :2] = True


def test_P08_attention_precision():
    assert attention_precision(ATTENTION, TRUTH) == pytest.approx(0.7432432432432432, abs=1e-12)


def test_P08_soft_iou():
    assert soft_iou(ATTENTION, TRUTH) == pytest.approx(0.46456692913385833, abs=1e-12)
    assert soft_iou(OTHER, TRUTH) == pytest.approx(0.04347826086956522, abs=1e-12)


def test_P08_aiou_ratio():
    ratio = aiou_ratio(ATTENTION, OTHER[None], TRUTH)

    assert ratio == pytest.approx(0.9144204851752022, abs=1e-12)


def test_P08_binary_iou():
    assert binary_iou(ATTENTION, TRUTH) == pytest.approx(0.6, abs=1e-12)


def test_P08_the_soft_iou_is_the_same_after_every_other_measure():
    """The authors' precision edits the map in place, and their IoU is then .555556."""
    kept = ATTENTION.copy()

    for measure in (attention_precision, binary_iou, mass_inside, soft_iou):
        measure(ATTENTION, TRUTH)
        assert soft_iou(ATTENTION, TRUTH) == pytest.approx(0.46456692913385833, abs=1e-12)

    assert np.array_equal(ATTENTION, kept)
