from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.even_layout import (
    EvenConfig,
    even_layout,
    power_cells,
    tile_areas,
    tile_middles,
)
from engine.slicing.polygons import overlap_area

BOX = np.array([2.0, 1.0])


def test_two_seeds_share_a_rectangle_at_the_line_between():
    left, right = power_cells(np.array([[0.5, 0.5], [1.5, 0.5]]), np.zeros(2), BOX)

    assert tile_areas([left, right]) == pytest.approx([1.0, 1.0])
    assert left[:, 0].max() == pytest.approx(1.0)


def test_power_moves_the_line():
    # |x-a|² - p = |x-b|²: the line moves by p over twice the seeds' distance
    left, right = power_cells(np.array([[0.5, 0.5], [1.5, 0.5]]), np.array([0.4, 0.0]), BOX)

    assert left[:, 0].max() == pytest.approx(1.2)
    assert right[:, 0].min() == pytest.approx(1.2)


def test_one_slice_has_everything():
    (tile,) = even_layout(np.array([[3.0, 4.0]]), EvenConfig(aspect=2.0))

    assert tile_areas([tile]) == pytest.approx([2.0])


def test_tiles_even_out_and_stay_where_their_slices_are():
    centres = np.random.default_rng(0).normal(0, 1, (50, 2)) ** 3

    tiles = even_layout(centres)

    areas = tile_areas(tiles)
    assert areas.max() / areas.min() < 3
    middles = tile_middles(tiles)
    for axis in (0, 1):
        assert np.corrcoef(np.argsort(np.argsort(centres[:, axis])), middles[:, axis])[0, 1] > 0.9


def test_weights_are_areas():
    rng = np.random.default_rng(1)
    weights = rng.uniform(1, 5, 30)

    areas = tile_areas(even_layout(rng.normal(0, 1, (30, 2)), weights=weights))

    wanted = 1.5 * weights / weights.sum()
    assert np.abs(areas / wanted - 1).mean() < 0.15
    assert np.corrcoef(areas, weights)[0, 1] > 0.95


def test_a_weight_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match="above 0"):
        even_layout(np.zeros((2, 2)), weights=np.array([1.0, 0.0]))
    with pytest.raises(MisalignedRows):
        unwrap(even_layout)(np.zeros((2, 2)), weights=np.array([1.0]))
    with pytest.raises(InvalidInput, match="finite"):
        even_layout(np.array([[np.nan, 0.0]]))


@given(st.integers(0, 2**31 - 1), st.integers(1, 25), st.booleans(), st.sampled_from([0, 1, 6]))
@settings(max_examples=15, deadline=None)
def test_tiles_cover_the_rectangle_and_never_overlap(seed, k, weighted, decimals):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2, (k, 2)).round(decimals)  # some in the same place
    weights = rng.uniform(0.1, 10, k) if weighted else None

    tiles = even_layout(centres, EvenConfig(aspect=1.5, steps=8), weights=weights)

    assert len(tiles) == k
    assert (tile_areas(tiles) > 0).all()
    assert tile_areas(tiles).sum() == pytest.approx(1.5, abs=1e-9)
    every = np.concatenate(tiles)
    assert (every >= -1e-9).all()
    assert (every <= np.array([1.5, 1.0]) + 1e-9).all()
    shared = [overlap_area(one, other) for at, one in enumerate(tiles) for other in tiles[:at]]
    assert sum(shared) < 1e-9
