import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engine.attribution.scaling import complement, is_dead, min_max, sum_to_one, upsample

signed_maps = arrays(
    np.float32,
    array_shapes(min_dims=3, max_dims=3, max_side=5),
    elements=st.floats(-1e6, 1e6, width=32),
).map(torch.from_numpy)
positive_maps = arrays(
    np.float32,
    array_shapes(min_dims=3, max_dims=3, max_side=5),
    elements=st.floats(0, 2.0**100, width=32),
).map(torch.from_numpy)


@settings(deadline=None)
@given(signed_maps)
def test_min_max_spans_zero_to_one_or_is_zero(maps):
    scaled = min_max(maps)

    assert scaled.isfinite().all()
    for before, after in zip(maps, scaled, strict=True):
        assert after.min() == 0
        assert after.max() == (1 if before.max() > before.min() else 0)


@settings(deadline=None)
@given(signed_maps)
def test_the_complement_is_high_where_the_map_is_low(maps):
    torch.testing.assert_close(complement(maps), 1 - min_max(maps))


@settings(deadline=None)
@given(positive_maps)
def test_weights_sum_to_one_whatever_the_map(maps):
    weights = sum_to_one(maps)

    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=(1, 2)), torch.ones(len(maps)))


@settings(deadline=None)
@given(positive_maps, st.floats(0.25, 4, width=32))
def test_weights_do_not_depend_on_the_maps_scale(maps, factor):
    torch.testing.assert_close(sum_to_one(maps * factor), sum_to_one(maps))


@settings(deadline=None)
@given(signed_maps)
def test_nothing_is_changed_in_place(maps):
    before = maps.clone()

    min_max(maps)
    complement(maps)
    sum_to_one(maps.abs())

    assert torch.equal(maps, before)


def test_tiny_and_huge_maps_keep_their_proportions():
    maps = torch.tensor([[[1e-38, 3e-38]], [[1e38, 3e38]]])

    torch.testing.assert_close(sum_to_one(maps), torch.tensor([[[0.25, 0.75]]]).expand(2, 1, 2))


def test_a_map_without_positive_evidence_is_dead():
    maps = torch.tensor([[[0.0, 0.0]], [[0.0, 1e-15]], [[0.0, 1e-30]]])

    assert is_dead(maps).tolist() == [True, False, True]


def test_a_ramp_is_enlarged_without_aligning_corners():
    ramp = torch.tensor([[[0.0, 1.0]]])

    enlarged = upsample(ramp, (1, 4))

    torch.testing.assert_close(enlarged, torch.tensor([[[0.0, 0.25, 0.75, 1.0]]]))


@pytest.mark.parametrize("size", [(7, 7), (14, 9)])
def test_a_constant_map_stays_constant_when_enlarged(size):
    torch.testing.assert_close(
        upsample(torch.full((2, 3, 3), 0.4), size), torch.full((2, *size), 0.4)
    )
