from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Cancelled, InvalidInput, MisalignedRows
from engine.labeling.budget import (
    ConsistencyCurve,
    authors_elbow,
    candidate_budgets,
    consistency_curve,
    elbow,
    propose_budget,
)


def test_the_elbow_is_farthest_from_the_chord():
    assert elbow([1, 2, 3, 4, 5], [0.0, 0.8, 0.9, 0.95, 1.0]) == 1
    assert elbow([2, 3, 4, 5, 6], [100, 60, 12, 11, 10]) == 2


def test_a_straight_or_flat_or_single_curve_has_no_bend():
    assert elbow([1, 2, 3], [1, 2, 3]) == 0
    assert elbow([1, 2, 3], [5, 5, 5]) == 0
    assert elbow([4], [1]) == 0
    with pytest.raises(InvalidInput, match="as many x as y"):
        elbow([], [])


@given(
    y=st.lists(st.integers(-100, 100), min_size=3, max_size=9),
    stretch=st.sampled_from([0.25, 2.0, 1024.0]),
)
def test_units_do_not_move_the_elbow(y, stretch):
    x = np.arange(len(y), dtype=float)
    up = np.array(y, dtype=float)

    assert elbow(x * stretch, up * stretch) == elbow(x, up)
    assert elbow(x, -up) == elbow(x, up)


def test_the_authors_elbow_needs_an_error_for_each_option():
    with pytest.raises(InvalidInput, match="3 errors for 4 options"):
        authors_elbow([3, 2, 1])


def test_clusters_that_are_alike_agree_and_others_do_not():
    points = np.array([[0.0, 0], [0, 1], [90, 0], [90, 1]])
    vectors = np.array([[1.0, 0], [2, 0], [0, 1], [0, 3]])
    maps = np.array([[[1.0, 0]], [[0, 1.0]], [[1.0, 1.0]], [[2.0, 2.0]]])
    classes = np.zeros(4, dtype=int)

    curve = consistency_curve(points, vectors, maps, classes, [2, 1, 4], seed=0)

    assert curve.budgets.tolist() == [1, 2, 4]
    # six pairs: of vectors two agree wholly; of maps one, and four by the root of a half
    np.testing.assert_allclose(curve.features, [2 / 6, 1, 1], atol=1e-12)
    np.testing.assert_allclose(curve.attention, [(1 + 4 * 0.5**0.5) / 6, 0.5, 1], atol=1e-12)


def test_pairs_inside_clusters_are_averaged_as_written_out(rng):
    points = rng.normal(size=(30, 2))
    vectors = rng.normal(size=(30, 5)).astype(np.float32)
    maps = rng.random((30, 3, 3)).astype(np.float32)
    classes = np.arange(30) % 3

    curve = consistency_curve(points, vectors, maps, classes, [3], seed=0)

    cosines = []
    for label in range(3):
        part = vectors[classes == label].astype(float)
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        products = unit @ unit.T
        cosines.append(products[~np.eye(10, dtype=bool)].mean())
    assert curve.features[0] == pytest.approx(np.mean(cosines), abs=1e-9)


def test_a_dead_map_agrees_with_nothing():
    maps = np.zeros((2, 1, 2))

    curve = consistency_curve(
        np.zeros((2, 2)), np.ones((2, 3)), maps, np.zeros(2, int), [1], seed=0
    )

    assert curve.attention.tolist() == [0]


def test_many_images_are_measured_on_a_sample(rng):
    n = 20_500
    points = rng.normal(size=(n, 1))
    maps, classes = np.ones((n, 1, 1)), np.zeros(n, int)

    curve = consistency_curve(points, np.sign(points), maps, classes, [1, 2], seed=0)

    assert curve.features[0] == pytest.approx(0, abs=0.01)
    assert curve.features[1] > 0.95


def test_proposals_stay_inside_their_bounds():
    rising = np.array([0.0, 0.8, 0.9, 0.95, 1.0])
    curve = ConsistencyCurve(
        budgets=np.array([10, 20, 30, 40, 50]), attention=rising, features=rising
    )

    assert propose_budget(curve) == 20
    assert propose_budget(curve, lowest=24) == 24
    assert propose_budget(curve, lowest=24, highest=12) == 12


def test_candidates_rise_and_fit():
    assert candidate_budgets(2400, 2)[0] == 8
    assert candidate_budgets(2400, 2)[-1] == 240
    assert candidate_budgets(1_000_000, 2)[-1] == 400
    assert candidate_budgets(3, 2) == (3,)
    assert list(candidate_budgets(500, 3)) == sorted(set(candidate_budgets(500, 3)))


def test_progress_is_told_and_may_stop_the_work(rng):
    told = []

    def watch(done, total):
        told.append((done, total))
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        consistency_curve(
            rng.normal(size=(9, 2)),
            rng.normal(size=(9, 3)),
            rng.random((9, 2, 2)),
            np.zeros(9, dtype=int),
            [1, 2, 3],
            seed=0,
            on_progress=watch,
        )

    assert told == [(1, 3), (2, 3)]


def test_a_curve_needs_images_that_belong_together(rng):
    with pytest.raises(InvalidInput, match="numbers of clusters to try"):
        consistency_curve(
            np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 1, 1)), np.zeros(2, int), [], seed=0
        )
    with pytest.raises(MisalignedRows):
        unwrap(consistency_curve)(
            np.zeros((2, 2)), np.zeros((3, 2)), np.zeros((2, 1, 1)), np.zeros(2, int), [1], seed=0
        )
