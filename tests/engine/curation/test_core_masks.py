from inspect import unwrap

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from engine.curation.core_masks import (
    CoreMaskConfig,
    make_core_masks,
    noise_image,
    render_mask,
)
from engine.data.resampling import upsample
from engine.errors import InvalidInput, MisalignedRows

SIDES = st.integers(1, 9)


@given(h=SIDES, w=SIDES, height=st.integers(1, 40), width=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_grids_are_enlarged_as_torch_does(h, w, height, width):
    grid = np.random.default_rng(h * 100 + w).random((h, w))

    found = upsample(grid, (height, width))

    expected = functional.interpolate(
        torch.from_numpy(grid)[None, None], (height, width), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(found, expected[0, 0].numpy(), atol=1e-12)


def test_a_rendered_mask_spans_zero_to_one_at_image_size():
    mask = np.array([[0.2, 0.4], [0.6, 1.0]], dtype=np.float32)

    found = render_mask(mask, (4, 4))

    assert found.min() == 0
    assert found.max() == 1
    assert found[0, 0] == 0
    assert found[3, 3] == 1
    np.testing.assert_allclose(found[0], [0, 0.0625, 0.1875, 0.25], atol=1e-6)


def test_a_binary_mask_is_core_at_the_threshold_and_above():
    mask = np.array([[0.0, 1.0]], dtype=np.float32)

    found = render_mask(mask, (1, 5), CoreMaskConfig(kind="binary", threshold=0.5))

    assert found.tolist() == [[0, 0, 1, 1, 1]]


def test_masks_are_maps_over_their_peak_and_a_dead_map_keeps_everything():
    maps = np.array([[[0, 2], [4, 1]], [[0, 0], [0, 0]]], dtype=np.float32)

    found = make_core_masks(maps, np.array([5, 9]))

    np.testing.assert_allclose(found.masks[0], [[0, 0.5], [1, 0.25]])
    assert (found.masks[1] == 1).all()
    assert found.dead.tolist() == [False, True]
    assert (render_mask(found.masks[1], (8, 8)) == 1).all()
    assert len(make_core_masks(maps[:0], np.zeros(0, int))) == 0


def test_pixels_that_are_core_stay_bit_identical(rng):
    image = rng.integers(0, 256, (16, 12, 3), dtype=np.uint8)
    core = np.zeros((16, 12), dtype=np.float32)
    core[4:9] = 1

    found = noise_image(image, core, rng)

    np.testing.assert_array_equal(found[4:9], image[4:9])
    assert (found[core == 0] != image[core == 0]).mean() > 0.9


def test_every_grey_survives_a_mask_of_ones(rng):
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)

    found = noise_image(image, np.ones((16, 16), np.float32), rng)

    np.testing.assert_array_equal(found, image)


def test_noise_is_added_to_values_in_zero_to_one_and_clamped():
    image = np.full((400, 400, 3), 128, dtype=np.uint8)

    found = noise_image(image, np.zeros((400, 400), np.float32), np.random.default_rng(0)) / 255.0

    # a normal of deviation .25 about .5, clamped: methods.md P7
    assert found.std() == pytest.approx(0.239862, abs=2e-3)
    assert ((found == 0) | (found == 1)).mean() == pytest.approx(0.0455, abs=2e-3)


def test_half_a_core_has_half_the_noise():
    image = np.full((300, 300, 3), 128, dtype=np.uint8)
    half = np.full((300, 300), 0.5, np.float32)

    found = noise_image(image, half, np.random.default_rng(0), sigma=0.2) / 255.0

    assert found.std() == pytest.approx(0.1, abs=1e-3)


def test_no_noise_changes_nothing(rng):
    image = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)

    found = noise_image(image, np.zeros((5, 5), np.float32), rng, sigma=0.0)

    np.testing.assert_array_equal(found, image)


def test_what_does_not_fit_is_refused(rng):
    image = np.zeros((4, 4, 3), dtype=np.uint8)

    with pytest.raises(MisalignedRows, match="does not fit a picture"):
        unwrap(noise_image)(image, np.zeros((2, 2), np.float32), rng)
    with pytest.raises(InvalidInput, match=r"must lie in \[0, 1\]"):
        noise_image(image, np.full((4, 4), 2.0, np.float32), rng)
    with pytest.raises(InvalidInput, match="sigma"):
        noise_image(image, np.zeros((4, 4), np.float32), rng, sigma=-1.0)
    with pytest.raises(InvalidInput, match="finite and at least 0"):
        make_core_masks(np.full((1, 2, 2), -1.0), np.array([0]))
    with pytest.raises(MisalignedRows, match="1 attention maps for 2 rows"):
        unwrap(make_core_masks)(np.ones((1, 2, 2)), np.array([0, 1]))
    with pytest.raises(InvalidInput, match="at least one pixel"):
        upsample(np.ones((2, 2)), (0, 4))
