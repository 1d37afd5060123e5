"""The subset that the scores so far would give."""

from inspect import unwrap

import numpy as np
import pytest

from engine.curation.preview import SubsetPreviewConfig, jaccard, preview_subset
from engine.errors import InvalidInput, MisalignedRows


def test_good_scores_are_kept_and_cells_are_shared_equally():
    # two classes of ten; class 1 has two good images, which is its floor of a fifth
    scores = np.array([0.9] * 8 + [0.1] * 2 + [0.9] * 2 + [0.1] * 8)
    classes = np.repeat([0, 1], 10)
    environments = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0, 0] + [0] * 10)

    found = preview_subset(scores, classes, environments, SubsetPreviewConfig(fraction=0.3), seed=1)

    assert found.kept.tolist() == (scores >= 0.5).tolist()
    # six of twenty: three for each class, but class 1 has two; of the four of class 0 two from
    # each environment
    assert found.chosen[:6].sum() == 2
    assert found.chosen[6:8].sum() == 2
    assert found.chosen[10:12].sum() == 2
    assert not found.chosen[~found.kept].any()


def test_the_best_fifth_of_a_class_is_kept_whatever_its_scores():
    scores = np.array([0.1, 0.3, 0.2, 0.0, 0.05])

    found = preview_subset(scores, np.zeros(5, dtype=int), np.zeros(5, dtype=int))

    assert found.kept.tolist() == [False, True, False, False, False]
    assert found.chosen.tolist() == found.kept.tolist()


def test_the_same_scores_give_the_same_subset_and_one_change_moves_few():
    rng = np.random.default_rng(5)
    scores, classes = rng.random(400), rng.integers(0, 3, 400)
    environments = rng.integers(0, 4, 400)
    before = preview_subset(scores, classes, environments, seed=2).chosen
    again = preview_subset(scores, classes, environments, seed=2).chosen
    flipped = scores.copy()
    flipped[np.flatnonzero(before)[0]] = 0.0
    after = preview_subset(flipped, classes, environments, seed=2).chosen

    assert (before == again).all()
    assert before.sum() == 80
    # the one goes, another of its cell comes
    assert (before != after).sum() == 2
    assert jaccard(before, after) == pytest.approx(79 / 81)


def test_jaccard_by_hand():
    a, b = np.array([True, True, False]), np.array([False, True, True])

    assert jaccard(a, b) == pytest.approx(1 / 3)
    assert jaccard(a, a) == 1.0
    assert jaccard(np.zeros(2, dtype=bool), np.zeros(2, dtype=bool)) == 1.0


def test_other_images_and_none_are_refused():
    with pytest.raises(MisalignedRows):
        unwrap(preview_subset)(np.zeros(2), np.zeros(3, dtype=int), np.zeros(2, dtype=int))
    with pytest.raises(InvalidInput):
        preview_subset(np.zeros(0), np.zeros(0, dtype=int), np.zeros(0, dtype=int))
