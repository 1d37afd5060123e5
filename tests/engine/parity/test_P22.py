"""P22: the distance of two maps minds places; that of their histograms of values does not."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from engine.evaluation.neighbours import earth_movers_distances


def test_P22_blobs_in_opposite_corners():
    first, second = np.zeros((1, 7, 7)), np.zeros((1, 7, 7))
    first[0, :2, :2] = 1.0
    second[0, 5:, 5:] = 1.0

    distance = earth_movers_distances(first, second)

    assert distance[0] == pytest.approx(7.071068, abs=1e-6)
    assert wasserstein_distance(first.ravel(), second.ravel()) == 0.0
