from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.curation.balancing import balancing_weights
from engine.errors import MisalignedRows


def shares(weights, classes, part):
    """Share of each part in each class, by weight."""
    table = np.zeros((classes.max() + 1, part.max() + 1))
    np.add.at(table, (classes, part), weights)
    return table / table.sum(axis=1, keepdims=True)


def test_two_classes_on_two_environments_by_hand():
    classes = np.repeat([0, 1], [4, 4])
    part = np.array([0, 0, 0, 1, 0, 1, 1, 1])

    weights = balancing_weights(classes, [part])

    # counts 3 and 1 against 1 and 3: both parts get one half in both classes
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2, 2, 2 / 3, 2 / 3, 2 / 3])


def test_a_part_that_is_rare_in_one_class_gets_little():
    classes = np.repeat([0, 1], [100, 100])
    part = np.r_[np.repeat([0, 1], [50, 50]), np.repeat([0, 1], [98, 2])]

    weights = balancing_weights(classes, [part])

    found = shares(weights, classes, part)
    common = 1 / np.mean(1 / (np.array([[50, 50], [98, 2]]) + 0.5), axis=0)
    np.testing.assert_allclose(found, np.tile(common / common.sum(), (2, 1)))
    assert found[0, 1] < 0.1


def test_several_partitions_are_met_together():
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 3, 900)
    first = (rng.random(900) < 0.2 + 0.25 * classes).astype(int)
    second = rng.integers(0, 4, 900)

    weights = balancing_weights(classes, [first, second])

    for part in (first, second):
        found = shares(weights, classes, part)
        np.testing.assert_allclose(found, np.tile(found[0], (3, 1)), atol=1e-6)


def test_a_part_that_a_class_lacks_leaves_its_weight_to_the_others():
    classes = np.array([0, 0, 0, 1, 1])
    part = np.array([0, 1, 1, 1, 1])

    weights = balancing_weights(classes, [part])

    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights[3:], 1.0)
    assert (weights > 0).all()


def test_nothing_to_balance_weighs_everything_the_same():
    some = np.array([0, 0, 1, 1])
    assert balancing_weights(some, [np.zeros(4, dtype=int)]).tolist() == [1, 1, 1, 1]
    assert balancing_weights(np.zeros(4, dtype=int), [some]).tolist() == [1, 1, 1, 1]
    assert balancing_weights(some, []).tolist() == [1, 1, 1, 1]
    with pytest.raises(MisalignedRows):
        unwrap(balancing_weights)(some, [np.zeros(3, dtype=int)])


@given(
    table=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=80
    )
)
def test_weights_are_positive_with_mean_one_in_every_class(table):
    classes, first, second = np.array(table).T

    weights = balancing_weights(classes, [first, second])

    assert (weights > 0).all()
    assert np.isfinite(weights).all()
    for c in np.unique(classes):
        assert weights[classes == c].mean() == pytest.approx(1.0)
