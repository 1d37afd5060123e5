from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.data.groups import GroupIndex
from engine.data.resampling import upsample
from engine.errors import Cancelled, InvalidInput
from engine.evaluation.localization import (
    aiou_ratio,
    attention_precision,
    binary_iou,
    localize,
    mass_inside,
    scale_to_unit,
    soft_iou,
)

MAPS = arrays(np.float64, (5, 6), elements=st.floats(0, 1, width=32))
REGIONS = arrays(np.bool_, (5, 6))
MEASURES = [mass_inside, attention_precision, soft_iou, binary_iou]


@pytest.mark.parametrize("size", [(14, 21), (7, 7), (3, 2), (1, 1), (50, 8)])
@pytest.mark.parametrize("shape", [(7, 7), (1, 1), (2, 5)])
def test_upsampling_is_torchs_bilinear_without_aligned_corners(shape, size):
    grid = np.random.default_rng(0).random(shape)

    expected = torch.nn.functional.interpolate(
        torch.from_numpy(grid)[None, None], size=size, mode="bilinear", align_corners=False
    )

    assert upsample(grid, size) == pytest.approx(expected[0, 0].numpy(), abs=1e-12)


def test_a_map_of_bytes_is_upsampled_too():
    assert upsample(np.array([[0, 200]], dtype=np.uint8), (1, 4)).tolist() == [[0, 50, 150, 200]]


@pytest.mark.parametrize("measure", MEASURES)
@given(attention=MAPS, region=REGIONS)
def test_measures_are_shares_and_edit_nothing(measure, attention, region):
    kept = attention.copy(), region.copy()

    value = measure(attention, region)

    assert value is None or 0 <= value <= 1 + 1e-12
    assert np.array_equal(attention, kept[0])
    assert np.array_equal(region, kept[1])


@pytest.mark.parametrize("measure", MEASURES)
@given(attention=MAPS, region=REGIONS)
def test_mirroring_map_and_region_together_changes_nothing(measure, attention, region):
    value = measure(attention, region)
    mirrored = measure(attention[:, ::-1], region[:, ::-1])

    assert mirrored == (None if value is None else pytest.approx(value))


@given(attention=MAPS, region=REGIONS)
def test_inside_and_outside_share_the_mass(attention, region):
    inside = mass_inside(attention, region)

    if inside is not None:
        assert inside + (mass_inside(attention, ~region) or 0) == pytest.approx(1)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_map_that_is_the_region_scores_one(measure):
    region = np.eye(4, dtype=bool)

    assert measure(region.astype(float), region) == 1.0


def test_what_is_undefined_is_none():
    dark, nowhere = np.zeros((2, 2)), np.zeros((2, 2), dtype=bool)

    assert mass_inside(dark, ~nowhere) is None
    assert attention_precision(dark + 0.5, ~nowhere) is None
    assert soft_iou(dark, nowhere) is None
    assert binary_iou(dark, nowhere) is None
    assert aiou_ratio(dark, dark[None], ~nowhere) is None


def test_the_threshold_of_the_binary_iou_is_strict():
    assert binary_iou(np.array([[0.5, 0.6]]), np.array([[True, True]])) == 0.5


def test_the_threshold_of_the_precision_is_not_strict():
    assert attention_precision(np.array([[0.8, 0.8]]), np.array([[True, False]])) == 0.5


def test_equal_overlaps_give_a_ratio_of_one_half():
    region = np.array([[True, False]])
    attention = np.array([[0.7, 0.2]])

    assert aiou_ratio(attention, np.stack([attention, attention * 0]), region) == 0.5


def test_a_ratio_needs_another_class():
    with pytest.raises(InvalidInput, match="0 other maps"):
        aiou_ratio(np.ones((1, 1)), np.ones((0, 1, 1)), np.ones((1, 1), dtype=bool))


@given(MAPS)
def test_scaling_fills_the_unit_range_and_a_constant_map_becomes_zero(attention):
    scaled = scale_to_unit(attention)

    assert np.isfinite(scaled).all()
    assert scaled.min() == 0
    assert scaled.max() == (1 if attention.max() > attention.min() else 0)


LEFT = np.array([[True, True, False, False]] * 4)
GRIDS = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
ROWS = np.array([5, 3, 4])
GROUPS = GroupIndex(names=("a", "b", "c"), groups=np.array([0, 0, 0, 1, 1, 0], dtype=np.int64))


def nowhere(row: int) -> None:
    return None


def everywhere_left(row: int) -> np.ndarray:
    return LEFT


on_left = partial(localize, GRIDS, ROWS, object_region=everywhere_left, spurious_region=nowhere)


def test_means_and_worst_groups_are_counted_by_hand():
    mass = on_left(GROUPS).object_mass

    # a row of each map upsampled is 1, .75, .25, 0 or its mirror image; the third map is dead
    assert mass is not None
    assert mass.n == 3
    assert mass.mean == pytest.approx((0.875 + 0.125 + 0) / 3)
    assert dict(mass.groups) == {"a": 0.875, "b": 0.0625, "c": None}
    assert (mass.worst_group, mass.worst_group_name) == (0.0625, "b")


def test_dead_maps_count_as_zero_and_are_told():
    found = on_left(GROUPS)

    assert found.n_dead == 1
    assert "1 dead maps (zero everywhere) count as 0" in found.notes
    assert found.soft_iou is not None
    assert found.soft_iou.n == 3


def test_without_groups_there_are_means_alone():
    mass = on_left(None).object_mass

    assert mass is not None
    assert (mass.worst_group, mass.worst_group_name, mass.groups) == (None, None, ())


def test_the_worst_group_looks_most_at_the_spurious_region():
    found = localize(
        GRIDS, ROWS, GROUPS, object_region=nowhere, spurious_region=everywhere_left
    ).spurious_mass

    assert found is not None
    assert (found.worst_group, found.worst_group_name) == (0.875, "a")


def test_missing_regions_give_none_and_a_note():
    found = localize(GRIDS, ROWS, GROUPS, object_region=nowhere, spurious_region=nowhere)

    assert found.object_mass is None
    assert found.spurious_mass is None
    assert found.notes[:2] == (
        "no object masks: attention on the object is not measured",
        "no spurious regions: attention on them is not measured",
    )


def test_a_picture_with_an_empty_region_is_left_out():
    found = localize(
        GRIDS,
        ROWS,
        GROUPS,
        object_region=lambda row: LEFT & (row == 5),
        spurious_region=lambda row: LEFT & (row < 0),
    )

    assert found.object_mass is not None
    assert found.object_mass.n == 1
    assert found.spurious_mass is None


def test_other_classes_maps_give_the_ratio():
    others = GRIDS[[1, 0, 0]][:, None]

    found = on_left(GROUPS, other_maps=others)

    assert found.aiou_ratio is not None
    # soft IoU of a map on its own side 1.75 / 2.25, on the other .25 / 3.75; the third map is dead
    both = 7 / 9 + 1 / 15
    assert dict(found.aiou_ratio.groups) == {
        "a": pytest.approx(7 / 9 / both),
        "b": pytest.approx(1 / 15 / both / 2),
        "c": None,
    }
    assert on_left(GROUPS).aiou_ratio is None


def test_the_order_of_the_rows_does_not_matter():
    order = [2, 0, 1]

    found = localize(
        GRIDS[order], ROWS[order], GROUPS, object_region=everywhere_left, spurious_region=nowhere
    )

    assert found == on_left(GROUPS)


def test_measuring_edits_no_map_and_can_be_cancelled():
    kept = GRIDS.copy()

    def stop(done: int, total: int) -> None:
        assert total == 3
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        on_left(GROUPS, on_progress=stop)

    assert np.array_equal(GRIDS, kept)
