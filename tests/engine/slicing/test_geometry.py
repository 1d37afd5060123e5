import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attention.clustering import k_means
from engine.errors import MisalignedRows
from engine.slicing.geometry import ShapeConfig, shared_area, slice_shapes
from engine.slicing.polygons import area, centroid, convex_hull, cut, distance_to, overlap_area
from engine.slicing.slice_set import first_set, lasso, merge, split

SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])


def test_polygons_by_hand():
    assert area(SQUARE) == 4.0
    assert centroid(SQUARE).tolist() == [1.0, 1.0]
    assert overlap_area(SQUARE, SQUARE + 1) == pytest.approx(1.0)
    assert overlap_area(SQUARE, SQUARE + np.array([2, 0])) == 0.0
    assert overlap_area(SQUARE, SQUARE / 2 + 0.5) == pytest.approx(1.0)
    assert area(cut(SQUARE, np.array([1.0, 0.0]), 0.5)) == pytest.approx(1.0)
    assert len(cut(SQUARE, np.array([1.0, 0.0]), -0.5)) == 0
    assert distance_to(SQUARE, np.array([1.0, 1.0])) == 0.0
    assert distance_to(SQUARE, np.array([5.0, 6.0])) == 5.0
    assert distance_to(np.array([[1.0, 1.0]]), np.array([4.0, 5.0])) == 5.0


def test_points_on_a_line_have_no_hull():
    assert convex_hull(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])) is None
    assert convex_hull(np.array([[0.0, 0.0], [1.0, 1.0]])) is None


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_overlap_is_what_sampling_finds(seed):
    rng = np.random.default_rng(seed)
    hulls = [convex_hull(rng.normal(shift, 1, (8, 2))) for shift in (0.0, 0.7)]
    first, second = (hull for hull in hulls if hull is not None)
    samples = rng.uniform(-5, 6, (4000, 2))

    def inside(hull):
        side = np.roll(hull, -1, axis=0) - hull
        away = samples[:, None] - hull
        return (side[:, 0] * away[..., 1] - side[:, 1] * away[..., 0] >= 0).all(axis=1)

    sampled = 121 * (inside(first) & inside(second)).mean()

    assert overlap_area(first, second) == pytest.approx(overlap_area(second, first), abs=1e-9)
    assert overlap_area(first, second) == pytest.approx(sampled, abs=0.8)


def test_slices_of_k_means_are_one_hull_each_and_do_not_overlap():
    points = np.random.default_rng(0).normal(0, 1, (400, 2))
    slices = first_set(np.arange(400), k_means(points, 20, seed=0).labels)

    shapes = slice_shapes(slices, points)

    assert shared_area(shapes) == 0.0
    assert {len(shape.hulls) + len(shape.discs) for shape in shapes} == {1}
    assert [shape.number for shape in shapes] == list(slices.numbers)


def test_the_farthest_images_stay_outside_their_hull():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 1, (99, 2)), [[100.0, 100.0]]])
    slices = first_set(np.arange(100), np.zeros(100, dtype=int))

    trimmed = slice_shapes(slices, points)[0]
    whole = slice_shapes(slices, points, ShapeConfig(trimmed=0.0))[0]

    assert trimmed.trimmed == 3
    assert area(trimmed.hulls[0]) < 1.0
    assert whole.trimmed == 0
    assert area(whole.hulls[0]) > 80.0


def test_slices_without_area_are_discs_that_leave_room():
    points = np.array([[0, 0], [10, 0], [10.1, 0], [0, 10], [1, 10], [2, 10]], dtype=float)
    slices = first_set(np.arange(6), np.array([0, 1, 2, 3, 3, 3]))

    shapes = slice_shapes(slices, points, ShapeConfig(disc=0.1))

    assert [len(shape.discs) for shape in shapes] == [1, 1, 1, 1]
    assert [shape.discs[0].radius for shape in shapes] == pytest.approx([1.01, 0.05, 0.05, 1.01])
    assert shapes[3].discs[0].centre.tolist() == [1.0, 10.0]


def test_a_slice_inside_another_takes_that_one_apart():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, 300)
    ring = 5 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(0, 0.1, (300, 2))
    points = np.concatenate([ring, rng.normal(0, 0.5, (100, 2))])
    slices = first_set(np.arange(400), np.repeat([0, 1], [300, 100]))

    ring_shape, middle = slice_shapes(slices, points)

    assert shared_area([ring_shape, middle]) == 0.0
    assert len(ring_shape.hulls) > 1
    assert len(middle.hulls) == 1


def test_a_slice_that_falls_into_crumbs_is_one_disc():
    rng = np.random.default_rng(2)
    points = rng.uniform(0, 1, (400, 2))
    slices = first_set(np.arange(400), rng.integers(0, 2, 400))

    shapes = slice_shapes(slices, points, ShapeConfig(most_pieces=5))

    assert shared_area(shapes) == 0.0
    assert all(len(shape.hulls) + len(shape.discs) <= 5 for shape in shapes)


def test_a_slice_scattered_over_all_others_is_given_up_before_it_cuts_them_to_pieces():
    points = np.random.default_rng(4).normal(0, 1, (600, 2))
    before = first_set(np.arange(600), k_means(points, 12, seed=0).labels)
    after = lasso(before, np.arange(0, 600, 5))

    shapes = slice_shapes(after, points, ShapeConfig(most_pieces=6))

    assert shared_area(shapes) == 0
    scattered = shapes[-1]
    assert (len(scattered.hulls), len(scattered.discs)) == (0, 1)
    assert sum(len(shape.hulls) + len(shape.discs) for shape in shapes[:-1]) <= 2 * 12


def test_coordinates_of_other_images_are_refused():
    with pytest.raises(MisalignedRows):
        slice_shapes(first_set(np.arange(2), np.array([0, 1])), np.zeros((3, 2)))


@given(st.integers(0, 2**31 - 1), st.integers(5, 60), st.sampled_from([0, 1, 6]))
@settings(max_examples=15, deadline=None)
def test_overlap_is_0_for_every_set_that_people_can_make(seed, n, decimals):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 2, (n, 2)).round(decimals)
    slices = first_set(np.arange(n), k_means(points, min(6, n), seed=0).labels)
    for _ in range(3):
        verb = rng.integers(0, 3)
        number = int(rng.choice(slices.numbers))
        if verb == 0 and len(slices) > 1:
            other = int(rng.choice([one for one in slices.numbers if one != number]))
            slices = merge(slices, [number, other])
        elif verb == 1 and len(np.unique(points[slices.members(number)], axis=0)) > 1:
            slices = split(slices, number, points)
        else:
            inside = np.flatnonzero(rng.random(n) < 0.3)
            slices = lasso(slices, inside if len(inside) else np.array([0]))

    shapes = slice_shapes(slices, points)

    assert shared_area(shapes) < 1e-8
    assert all(shape.hulls or shape.discs for shape in shapes)
    assert all(disc.radius >= 0 for shape in shapes for disc in shape.discs)
