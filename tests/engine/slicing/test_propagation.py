import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.kernel import field_by_grid, field_of
from engine.slicing.marking_map import PropagationConfig, marking_map
from engine.slicing.marks import Mark, MarkKind
from engine.slicing.propagation import image_scores, next_slices, slice_scores
from engine.slicing.slice_set import first_set

CORE, SPURIOUS = Mark(kind=MarkKind.CORE), Mark(kind=MarkKind.SPURIOUS)


def chain(n_slices=5, per_slice=6, gap=1.0, classes=None, **settings):
    """Slices side by side along a line."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_slices), per_slice)
    points = np.stack([labels * gap, np.zeros(len(labels))], axis=1)
    points += rng.normal(0, 0.05, points.shape)
    predicted = np.zeros(len(labels), dtype=np.int64) if classes is None else classes[labels]
    slices = first_set(np.arange(len(labels)), labels)
    prepared = marking_map(slices, points, predicted, PropagationConfig(**settings))
    return slices, points, predicted, prepared


def second_writing(points, labels, marked, values, length, noise):
    """A Gaussian process seen through slice means, with every image for its own centre."""
    scaled = points / np.sqrt(points.var(axis=0).mean())
    squares = cdist(scaled, scaled, "sqeuclidean")
    kernel = np.mean([np.exp(-squares / (2 * (length * f) ** 2)) for f in (0.5, 1, 2, 4)], axis=0)
    share = np.stack([(labels == m) / (labels == m).sum() for m in marked])
    seen = share @ kernel @ share.T + noise * np.eye(len(marked))
    return 0.5 + 0.5 * kernel @ share.T @ np.linalg.solve(seen, 2 * np.array(values) - 1)


def test_scores_are_those_of_a_gaussian_process_over_all_images():
    slices, points, predicted, prepared = chain(centres=100)
    marks = {0: CORE, 3: SPURIOUS}

    found = image_scores(slices, marks, prepared, points, predicted)

    expected = second_writing(points, slices.assignment, [0, 3], [1.0, 0.0], 0.15, 0.1)
    inside = ~np.isin(slices.assignment, [0, 3])
    assert found[inside] == pytest.approx(np.clip(expected, 0, 1)[inside], abs=1e-9)


def test_a_few_centres_stand_for_a_slice():
    slices, points, _, prepared = chain(per_slice=40)
    marks = {0: CORE, 3: SPURIOUS}

    found = slice_scores(slices, marks, prepared).scores

    exact = second_writing(points, slices.assignment, [0, 3], [1.0, 0.0], 0.15, 0.1)
    means = [exact[slices.members(number)].mean() for number in (1, 2, 4)]
    assert found[[1, 2, 4]] == pytest.approx(means, abs=0.01)


def test_without_marks_every_score_is_one_half():
    slices, points, predicted, prepared = chain()

    assert (slice_scores(slices, {}, prepared).scores == 0.5).all()
    assert (slice_scores(slices, {}, prepared).doubt == 1.0).all()
    assert (image_scores(slices, {}, prepared, points, predicted) == 0.5).all()


@pytest.mark.parametrize(("mark", "sign"), [(CORE, 1), (SPURIOUS, -1)])
def test_one_mark_moves_what_is_near_and_leaves_what_is_far(mark, sign):
    slices, points, predicted, prepared = chain(n_slices=8)

    found = slice_scores(slices, {0: mark}, prepared)

    assert found.scores[0] == (1.0 if mark is CORE else 0.0)
    assert sign * (found.scores[1] - 0.5) > 0.02
    assert np.abs(found.scores[5:] - 0.5).max() < 0.01
    assert found.doubt[0] == 0.0
    assert found.doubt[0] < found.doubt[1] < found.doubt[2] < found.doubt[3]
    near = image_scores(slices, {0: mark}, prepared, points, predicted)[slices.members(0)]
    assert (sign * (near - 0.5) > 0.3).all()


def test_wrong_labels_say_nothing_about_attention():
    slices, points, predicted, prepared = chain()
    marks = {2: Mark(kind=MarkKind.WRONG_LABELS)}

    assert (image_scores(slices, marks, prepared, points, predicted) == 0.5).all()
    assert not slice_scores(slices, marks, prepared).stated.any()


def test_a_score_by_hand_is_kept_against_its_neighbours():
    slices, _, _, prepared = chain(gap=0.1)
    marks = {0: SPURIOUS, 1: Mark(kind=MarkKind.CORE, score=0.8), 2: SPURIOUS}

    found = slice_scores(slices, marks, prepared)

    assert found.scores[:3].tolist() == [0.0, 0.8, 0.0]
    assert found.stated.tolist() == [True, True, True, False, False]


def test_marks_stay_inside_a_predicted_class_where_there_are_more_than_two():
    classes = np.array([0, 1, 2, 0, 1])
    slices, points, predicted, prepared = chain(gap=0.01, classes=classes)

    found = slice_scores(slices, {0: CORE}, prepared).scores

    assert found[[1, 2, 4]] == pytest.approx([0.5, 0.5, 0.5], abs=1e-12)
    assert found[3] > 0.53
    images = image_scores(slices, {0: CORE}, prepared, points, predicted)
    assert (images[predicted != 0] == 0.5).all()


def test_marks_cross_between_two_classes_unless_they_are_kept_apart():
    slices, points, predicted, together = chain(gap=0.01, classes=np.array([0, 1, 0, 1, 0]))
    apart = marking_map(slices, points, predicted, PropagationConfig(classes="apart"))

    assert slice_scores(slices, {0: CORE}, together).scores[1] > 0.55
    assert slice_scores(slices, {0: CORE}, apart).scores[1] == 0.5


def test_the_grid_gives_what_the_sum_gives():
    rng = np.random.default_rng(3)
    points, centres = rng.normal(0, 1, (4000, 2)), rng.normal(0, 1, (60, 2))
    strength = rng.normal(0, 1, 60)
    squares = cdist(points, centres, "sqeuclidean")
    kernel = np.mean([np.exp(-squares / (2 * (0.15 * f) ** 2)) for f in (0.5, 1, 2, 4)], axis=0)

    found = field_by_grid(points, centres, strength, 0.15)

    assert np.abs(found - kernel @ strength).max() < 2e-3 * np.abs(strength).max()


def test_far_outliers_do_not_blur_the_sum_of_very_many_points():
    rng = np.random.default_rng(4)
    points = np.concatenate([rng.normal(0, 1, (30_000, 2)), [[90.0, 0.0], [0.0, -80.0]]])
    centres, strength = points[:20], rng.normal(0, 1, 20)
    assert len(points) * len(centres) > 500_000

    found = field_of(points, centres, strength, 0.15)

    squares = cdist(points, centres, "sqeuclidean")
    kernel = np.mean([np.exp(-squares / (2 * (0.15 * f) ** 2)) for f in (0.5, 1, 2, 4)], axis=0)
    assert np.abs(found - kernel @ strength).max() < 1e-9


def test_what_is_proposed_first_takes_most_variance_from_all_images():
    slices, _, _, prepared = chain(n_slices=9, gap=0.3)
    covariance = prepared.covariance

    left = [
        np.trace(covariance - np.outer(row, row) / (row[at] + 0.1))
        for at, row in enumerate(covariance)
    ]

    assert next_slices(slices, {}, prepared) == (int(np.argmin(left)),)


def test_what_carries_any_mark_is_not_proposed_again():
    slices, _, _, prepared = chain(n_slices=9, gap=0.3)
    marks = {4: CORE, 8: Mark(kind=MarkKind.WRONG_LABELS)}

    assert sorted(next_slices(slices, {}, prepared, wanted=9)) == list(range(9))
    assert sorted(next_slices(slices, marks, prepared, wanted=9)) == [0, 1, 2, 3, 5, 6, 7]
    assert next_slices(slices, {4: CORE}, prepared)[0] not in (3, 4, 5)  # not beside what is known


def test_all_marked_leaves_nothing_to_propose():
    slices, _, _, prepared = chain()

    assert next_slices(slices, dict.fromkeys(range(5), CORE), prepared, wanted=3) == ()


def test_a_map_of_another_version_is_refused():
    slices, _, _, prepared = chain()
    other = first_set(slices.rows, np.minimum(slices.assignment, 3))

    with pytest.raises(MisalignedRows, match="prepared for another version"):
        slice_scores(other, {}, prepared)
    with pytest.raises(InvalidInput, match="slice 9 is marked"):
        slice_scores(slices, {9: CORE}, prepared)


def marked_maps(draw):
    """Draw a map with marks; no strategy, as beartype draws random items to check."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31 - 1)))
    n, k = draw(st.integers(4, 40)), draw(st.integers(1, 6))
    _, labels = np.unique(rng.integers(0, k, n), return_inverse=True)
    points = rng.normal(0, 1, (n, 2)).round(draw(st.sampled_from([0, 1, 8])))
    predicted = rng.integers(0, draw(st.integers(1, 4)), n)
    slices = first_set(np.arange(n), labels)
    kinds = st.sampled_from([*MarkKind])
    chosen = draw(st.dictionaries(st.sampled_from(slices.numbers), kinds, max_size=len(slices)))
    marks = {number: Mark(kind=kind) for number, kind in chosen.items()}
    return slices, points, predicted, marks


FLIPPED = {MarkKind.CORE: MarkKind.SPURIOUS, MarkKind.SPURIOUS: MarkKind.CORE}


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_scores_lie_in_their_range_and_people_are_never_overruled(data):
    slices, points, predicted, marks = marked_maps(data.draw)
    prepared = marking_map(slices, points, predicted)

    found = slice_scores(slices, marks, prepared)
    images = image_scores(slices, marks, prepared, points, predicted)

    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert ((found.doubt >= 0) & (found.doubt <= 1)).all()
    assert ((images >= 0) & (images <= 1)).all()
    for at, number in enumerate(slices.numbers):
        mark = marks.get(number)
        if mark is not None and mark.says is not None:
            assert found.scores[at] == mark.says
            own = images[slices.members(number)]
            assert mark.says != 1.0 or (own >= 0.5).all()
            assert mark.says != 0.0 or (own <= 0.5).all()


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_core_and_spurious_are_treated_alike(data):
    slices, points, predicted, marks = marked_maps(data.draw)
    prepared = marking_map(slices, points, predicted)
    turned = {n: Mark(kind=FLIPPED.get(mark.kind, mark.kind)) for n, mark in marks.items()}

    scores = image_scores(slices, marks, prepared, points, predicted)
    other = image_scores(slices, turned, prepared, points, predicted)

    assert scores + other == pytest.approx(np.ones(len(scores)), abs=1e-9)


@given(st.data(), st.floats(0, 6.28), st.floats(0.1, 50))
@settings(max_examples=30, deadline=None)
def test_turning_and_scaling_the_map_changes_nothing(data, angle, factor):
    slices, points, predicted, marks = marked_maps(data.draw)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = factor * points @ turn.T + np.array([3.0, -7.0])
    config = PropagationConfig(centres=1)  # halving a square's corners depends on rounding

    scores = slice_scores(slices, marks, marking_map(slices, points, predicted, config)).scores
    other = slice_scores(slices, marks, marking_map(slices, moved, predicted, config)).scores

    assert scores == pytest.approx(other, abs=1e-6)
