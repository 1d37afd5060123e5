import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.progress import ignore_progress
from engine.training.judging import judge_by_cross_validation, object_folds
from engine.training.last_layer import LastLayerConfig

CONFIG = LastLayerConfig(c_grid=(0.01, 1.0), folds=4)
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), min_size=1, max_size=40)


def judge(features, labels, objects):
    return judge_by_cross_validation(
        features, labels, objects, CONFIG.c_grid, CONFIG, on_progress=ignore_progress
    )


def blobs(n=40):
    labels = np.arange(n) % 2
    return np.random.default_rng(0).normal(size=(n, 3)) + labels[:, None], labels


@given(ROWS, st.integers(2, 6))
def test_no_object_is_split_and_no_fold_is_empty(rows, n_folds):
    labels, objects = (np.array(column) for column in zip(*rows, strict=True))

    folds = object_folds(labels, objects, n_folds)

    assert all(len(set(folds[objects == thing])) == 1 for thing in set(objects))
    assert set(folds) == set(range(min(n_folds, len(set(objects)))))


@given(ROWS, st.randoms(use_true_random=False))
def test_folds_do_not_depend_on_the_order_of_the_rows(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    labels, objects = (np.array(column) for column in zip(*rows, strict=True))

    folds = object_folds(labels, objects, 4)

    assert object_folds(labels[order], objects[order], 4).tolist() == folds[order].tolist()


def test_every_fold_holds_its_share_of_every_class():
    labels = np.array([0] * 40 + [1] * 20)

    folds = object_folds(labels, np.arange(60), 5)

    assert [np.bincount(labels[folds == fold]).tolist() for fold in range(5)] == [[8, 4]] * 5


def test_every_row_is_judged_once_by_heads_that_never_saw_its_object():
    features, labels = blobs()

    judged = judge(features, labels, np.arange(40) // 4)

    assert judged.positions.tolist() == list(range(40))
    assert judged.hits.shape == (2, 40)
    assert judged.notes == ()
    assert not judged.heads


def test_an_object_that_gives_itself_away_is_not_learnt_by_heart():
    # each object has a feature of its own, which tells its label to whoever saw it
    labels = np.repeat(np.arange(20) % 2, 4)
    features = np.repeat(np.eye(20), 4, axis=0)

    whole = judge(features, labels, np.repeat(np.arange(20), 4))
    single = judge(features, labels, None)

    assert whole.hits[1].mean() < 0.6
    assert single.hits[1].mean() > 0.9


@pytest.mark.parametrize(
    "objects", [np.zeros(40, dtype=int), np.arange(40) % 2], ids=["one for all", "one a class"]
)
def test_an_object_that_covers_everything_falls_back_to_rows_and_says_so(objects):
    features, labels = blobs()

    judged = judge(features, labels, objects)

    assert len(judged.positions) == 40
    assert judged.notes == (
        "too few objects for folds of whole objects: C chosen on folds of single rows",
    )


def test_rows_of_a_class_that_the_other_folds_lack_are_left_out():
    features, labels = blobs()
    labels[labels == 0] = np.where(np.arange(20) < 4, 2, 0)
    objects = np.where(labels == 2, 99, np.arange(40))

    judged = judge(features, labels, objects)

    assert set(labels[judged.positions]) == {0, 1}
    assert len(judged.positions) == 36


def test_one_row_a_class_leaves_nothing_to_judge():
    features, labels = blobs(2)

    judged = judge(features, labels, None)

    assert len(judged.positions) == 0
    assert judged.notes == (
        "too few rows to choose C: the strongest regularisation of the grid taken",
    )
