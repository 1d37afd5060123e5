"""Single images that people marked: looks of their own, never overruled, beside marks of slices."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from engine.errors import InvalidInput
from engine.slicing.image_marks import MOST_LOOKS, image_marks
from engine.slicing.marking_map import PropagationConfig, marking_map
from engine.slicing.marks import Mark, MarkKind
from engine.slicing.propagation import image_scores, next_slices, slice_scores
from engine.slicing.slice_set import first_set

CORE, SPURIOUS = Mark(kind=MarkKind.CORE), Mark(kind=MarkKind.SPURIOUS)


def chain(n_slices=5, per_slice=6, classes=None):
    """Slices side by side along a line, every image a centre of its own."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_slices), per_slice)
    points = np.stack([labels * 1.0, np.zeros(len(labels))], axis=1)
    points += rng.normal(0, 0.05, points.shape)
    predicted = np.zeros(len(labels), dtype=np.int64) if classes is None else classes[labels]
    slices = first_set(np.arange(len(labels)), labels)
    return slices, points, predicted, marking_map(
        slices, points, predicted, PropagationConfig(centres=100)
    )  # fmt: skip


def test_marked_images_enter_as_looks_beside_the_marks_of_slices():
    slices, points, predicted, prepared = chain()
    said = {7: CORE, 20: SPURIOUS}
    marks = {0: CORE}

    images = image_marks(said, prepared, points, predicted)
    found = image_scores(slices, marks, prepared, points, predicted, images)

    scaled = points / np.sqrt(points.var(axis=0).mean())
    squares = cdist(scaled, scaled, "sqeuclidean")
    kernel = np.mean([np.exp(-squares / (2 * (0.15 * f) ** 2)) for f in (0.5, 1, 2, 4)], axis=0)
    share = np.stack(
        [(slices.assignment == 0) / 6.0, np.arange(30) == 7, np.arange(30) == 20]
    ).astype(float)
    seen = share @ kernel @ share.T + 0.1 * np.eye(3)
    expected = 0.5 + 0.5 * kernel @ share.T @ np.linalg.solve(seen, np.array([1.0, 1.0, -1.0]))
    free = np.setdiff1d(np.flatnonzero(slices.assignment != 0), [7, 20])
    assert found[free] == pytest.approx(np.clip(expected, 0, 1)[free], abs=1e-9)
    assert found[[7, 20]].tolist() == [1.0, 0.0]
    means = slice_scores(slices, marks, prepared, images).scores
    assert means[1] == pytest.approx(expected[slices.members(1)].mean(), abs=1e-9)


def test_one_marked_image_moves_its_neighbours_and_leaves_what_is_far():
    slices, points, predicted, prepared = chain(n_slices=8)

    images = image_marks({0: SPURIOUS}, prepared, points, predicted)
    found = slice_scores(slices, {}, prepared, images)

    assert found.scores[0] < 0.3
    assert np.abs(found.scores[5:] - 0.5).max() < 0.01
    assert not found.stated.any()
    assert found.doubt[0] < found.doubt[1] < found.doubt[2]


def test_an_image_is_not_overruled_by_the_mark_of_its_slice():
    slices, points, predicted, prepared = chain()

    images = image_marks({1: CORE}, prepared, points, predicted)
    found = image_scores(slices, {0: SPURIOUS}, prepared, points, predicted, images)

    assert found[1] == 1.0
    assert (found[[0, 2, 3, 4, 5]] <= 0.5).all()
    assert slice_scores(slices, {0: SPURIOUS}, prepared, images).scores[0] == 0.0


def test_marked_images_stay_inside_their_predicted_class():
    slices, points, predicted, prepared = chain(classes=np.array([0, 1, 2, 0, 1]))

    images = image_marks({0: CORE}, prepared, points, predicted)
    found = image_scores(slices, {}, prepared, points, predicted, images)

    assert (found[predicted != 0] == 0.5).all()


def test_where_images_were_marked_no_slice_is_proposed_before_an_unknown_one():
    slices, points, predicted, prepared = chain()
    said = dict.fromkeys(range(6, 12), CORE)

    images = image_marks(said, prepared, points, predicted)

    assert next_slices(slices, {}, prepared, images, wanted=5)[-1] == 1


def test_very_many_images_are_seen_in_groups_of_one_score():
    rng = np.random.default_rng(1)
    points = rng.normal(0, 1, (3000, 2))
    predicted = np.zeros(3000, dtype=np.int64)
    slices = first_set(np.arange(3000), (points[:, 0] > 0).astype(np.int64))
    prepared = marking_map(slices, points, predicted)
    said = {at: CORE if points[at, 1] > 0 else SPURIOUS for at in range(3000)}

    images = image_marks(said, prepared, points, predicted)
    found = image_scores(slices, {}, prepared, points, predicted, images)

    assert len(images.places) <= MOST_LOOKS
    assert images.counts.sum() == 3000
    assert found.tolist() == [said[at].says for at in range(3000)]
    few = image_marks(dict.fromkeys(range(MOST_LOOKS), CORE), prepared, points, predicted)
    assert (few.counts == 1).all()


@pytest.mark.parametrize("index", [30, -1])
def test_what_is_no_image_of_the_map_is_refused(index):
    _, points, predicted, prepared = chain()

    with pytest.raises(InvalidInput, match=f"image {index} is marked, but the map has 30"):
        image_marks({0: CORE, index: CORE}, prepared, points, predicted)


def test_nothing_stated_is_nothing_looked_at():
    _, points, predicted, prepared = chain()

    assert len(image_marks({}, prepared, points, predicted).members) == 0
    silent = {3: Mark(kind=MarkKind.WRONG_LABELS)}
    assert len(image_marks(silent, prepared, points, predicted).members) == 0
