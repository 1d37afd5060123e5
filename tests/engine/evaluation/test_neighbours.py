from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from engine.errors import InvalidInput, MisalignedRows
from engine.evaluation.neighbours import compare_spaces, earth_movers_distances


@pytest.fixture
def rng():
    return np.random.default_rng(20_240)


def blob(top, left, size=7):
    grid = np.zeros((1, size, size))
    grid[0, top : top + 2, left : left + 2] = 1.0
    return grid


def test_P22_opposite_corners_are_a_diagonal_apart():
    found = earth_movers_distances(blob(0, 0), blob(5, 5))

    assert found[0] == pytest.approx(7.071068, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(deadline=None, max_examples=20)
def test_it_is_an_assignment_where_maps_are_heaps_of_equal_grains(seed, n_grains):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, [4, 5], (2, n_grains, 2))
    maps = np.zeros((2, 4, 5))
    for at, grains in enumerate((first, second)):
        np.add.at(maps[at], (grains[:, 0], grains[:, 1]), 1.0)
    between = cdist(first, second)
    least = between[linear_sum_assignment(between)].sum() / n_grains

    found = earth_movers_distances(maps[:1] * 3.5, maps[1:])

    assert found[0] == pytest.approx(least, abs=1e-9)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=15)
def test_it_is_a_metric_and_batches_change_nothing(seed):
    rng = np.random.default_rng(seed)
    maps = rng.random((3, 3, 4)) * (rng.random((3, 3, 4)) < 0.7) + 1e-3
    a, b, c = maps[:1], maps[1:2], maps[2:]

    together = earth_movers_distances(
        np.concatenate([a, b, a, a, b]), np.concatenate([b, c, c, a, a])
    )
    ab, bc, ac, aa, ba = together

    assert ab == pytest.approx(earth_movers_distances(a, b)[0], abs=1e-9)
    assert ab == pytest.approx(ba, abs=1e-9)
    assert ac <= ab + bc + 1e-9
    assert aa == 0
    moved = np.roll(np.pad(a, ((0, 0), (0, 2), (0, 0))), 2, axis=1)
    assert earth_movers_distances(np.pad(a, ((0, 0), (0, 2), (0, 0))), moved)[0] <= 2 + 1e-9


def test_maps_that_weigh_nothing_are_refused():
    with pytest.raises(InvalidInput, match="leave images with a dead map out"):
        earth_movers_distances(np.zeros((1, 2, 2)), np.ones((1, 2, 2)))
    with pytest.raises(MisalignedRows):
        unwrap(earth_movers_distances)(np.ones((1, 2, 2)), np.ones((1, 3, 2)))


def test_a_space_of_like_maps_beats_random_pairs(rng):
    kinds = np.arange(40) % 2
    maps = np.concatenate([blob(0, 0) if kind else blob(5, 5) for kind in kinds])
    maps[3] = 0.0
    vectors = np.eye(2)[kinds] + 0.01 * rng.normal(size=(40, 2))
    spaces = {"attention": kinds[:, None] + 0.1 * rng.random((40, 1)), "noise": rng.random((40, 2))}
    told = []

    found = compare_spaces(
        spaces,
        vectors,
        maps,
        n_images=20,
        n_neighbors=3,
        on_progress=lambda done, total: told.append((done, total)),
    )

    near = found.spaces["attention"]
    assert (near.distance, near.similarity, near.n_pairs) == (0, 1, 60)
    assert near.cosine > 0.99
    assert found.spaces["noise"].distance > 1
    assert found.random.similarity < 0.9
    assert (found.n_images, found.n_dead) == (20, 1)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_impossible_comparisons_are_refused(rng):
    maps, vectors = np.ones((4, 2, 2)), rng.random((4, 3))
    with pytest.raises(InvalidInput, match="got 4"):
        compare_spaces({"a": vectors}, vectors, maps, n_neighbors=4)
    with pytest.raises(MisalignedRows, match=r"\[3, 4\]"):
        unwrap(compare_spaces)({"a": vectors[:3]}, vectors, maps)
