"""A few far images do not make all others tiny."""

import numpy as np

from annotation_site.workspace.outlines import central_bounds


def test_far_images_are_left_out_and_counted():
    points = np.random.default_rng(0).normal(0, 1, (1000, 2)).astype(np.float32)
    points[:4] = [[90, 0], [0, 80], [-70, 0], [60, 60]]
    found = central_bounds(points)
    x0, y0, x1, y1 = found["bounds"]
    assert -6 < x0 < x1 < 6
    assert -6 < y0 < y1 < 6
    assert 4 <= found["outside"] <= 5


def test_images_near_each_other_are_all_shown():
    points = np.random.default_rng(1).uniform(0, 1, (1000, 2)).astype(np.float32)
    found = central_bounds(points)
    assert found["outside"] == 0
    np.testing.assert_allclose(found["bounds"][:2], points.min(axis=0), atol=1e-4)
    assert central_bounds(points[:1])["outside"] == 0
