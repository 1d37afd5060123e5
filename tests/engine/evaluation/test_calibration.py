from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss, roc_auc_score

from engine.errors import InvalidInput, MisalignedRows
from engine.evaluation.calibration import calibrate


@pytest.fixture
def rng():
    return np.random.default_rng(20_240)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
@settings(deadline=None)
def test_figures_are_those_of_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(n), 1)
    truth = rng.permutation(np.arange(n) % 2)

    found = calibrate(scores, truth)

    assert found.brier == pytest.approx(brier_score_loss(truth, scores))
    assert found.log_loss == pytest.approx(log_loss(truth, np.clip(scores, 1e-6, 1 - 1e-6)))
    assert found.auroc == pytest.approx(roc_auc_score(truth, scores))
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, scores >= 0.5))
    assert sum(b.n for b in found.bins) == found.n == n


def test_calibrated_scores_have_a_small_error_and_overconfident_ones_a_large_one(rng):
    p = rng.random(20_000)
    truth = (rng.random(20_000) < p).astype(int)

    assert calibrate(p, truth).ece < 0.02
    assert calibrate(np.round(p), truth).ece > 0.2
    assert calibrate(np.round(p), truth).accuracy == calibrate(p, truth).accuracy
    third = calibrate(p, truth).bins[2]
    assert third.low == 0.2
    assert third.interval is not None
    assert third.core_share is not None
    assert third.interval[0] < third.core_share < third.interval[1]


def test_images_without_score_or_truth_take_no_part():
    found = calibrate(np.array([0.9, np.nan, 0.2, 0.4]), np.array([1, 1, 0, -1]), n_bins=2)

    assert (found.n, found.accuracy, found.auroc) == (2, 1, 1)
    assert [b.n for b in found.bins] == [1, 1]
    assert found.ece == pytest.approx((0.1 + 0.2) / 2)
    assert found.bins[1].mean_score == 0.9


def test_one_kind_alone_cannot_be_sorted():
    found = calibrate(np.array([0.9, 1.0]), np.array([1, 1]))

    assert (found.auroc, found.balanced_accuracy) == (None, None)
    assert "one kind" in found.reason
    assert found.bins[0].mean_score is None
    assert found.bins[0].interval is None


def test_what_cannot_be_held_against_the_truth_is_refused():
    with pytest.raises(MisalignedRows, match="2 scores for the truth of 1"):
        unwrap(calibrate)(np.array([0.5, 0.5]), np.array([1]))
    with pytest.raises(InvalidInput, match="got 0 images"):
        calibrate(np.array([0.5]), np.array([-1]))
    with pytest.raises(InvalidInput, match=r"got \[2\]"):
        calibrate(np.array([0.5]), np.array([2]))
