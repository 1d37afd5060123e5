"""P7: the noise of exported pictures; that of pictures in training is in training/test_corruption."""

import numpy as np
import pytest

from engine.curation.core_masks import noise_image


def test_P07_std_and_clipped_share_of_grey_and_untouched_core():
    grey = np.full((512, 512, 3), 128, dtype=np.uint8)
    core = np.zeros((512, 512), dtype=np.float32)
    core[:256] = 1.0

    noisy = noise_image(grey, core, np.random.default_rng(0))

    assert (noisy[:256] == 128).all()
    assert noisy[256:].std() / 255 == pytest.approx(0.239862, abs=1.5e-3)
    clipped = ((noisy[256:] == 0) | (noisy[256:] == 255)).mean()
    assert clipped == pytest.approx(0.0455, abs=2e-3)
