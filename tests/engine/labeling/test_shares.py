from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.shares import largest_remainder

PLACES = st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 50)), min_size=1, max_size=8)


def share(weights, total, capacities):
    return largest_remainder(np.array(weights, float), total, np.array(capacities)).tolist()


def test_fractions_go_to_the_largest_remainders():
    assert share([0.47, 0.16, 0.158, 0.12, 0.061, 0.031], 10, [10] * 6) == [5, 2, 1, 1, 1, 0]


def test_what_does_not_fit_goes_to_the_others_in_proportion():
    assert share([1, 1, 2], 12, [1, 100, 100]) == [1, 4, 7]
    assert share([1, 1], 10, [3, 7]) == [3, 7]


def test_the_first_of_equals_wins_a_tie():
    assert share([1, 1, 1, 1], 6, [9, 9, 9, 9]) == [2, 2, 1, 1]


def test_weightless_places_are_filled_last():
    assert share([1, 0, 0], 5, [3, 4, 4]) == [3, 1, 1]
    assert share([0, 0], 3, [2, 2]) == [2, 1]
    assert share([1, 0], 3, [3, 4]) == [3, 0]


@given(places=PLACES, portion=st.floats(0, 1))
def test_shares_sum_to_the_total_and_never_exceed_the_capacity(places, portion):
    weights = np.array([weight for weight, _ in places])
    capacities = np.array([capacity for _, capacity in places])
    total = int(portion * capacities.sum())

    shares = largest_remainder(weights, total, capacities)

    assert int(shares.sum()) == total
    assert ((shares >= 0) & (shares <= capacities)).all()


@given(places=PLACES, portion=st.floats(0, 1), power=st.integers(-8, 8))
def test_only_the_ratios_of_weights_matter(places, portion, power):
    weights = np.array([weight for weight, _ in places])
    capacities = np.array([capacity for _, capacity in places])
    total = int(portion * capacities.sum())

    shares = largest_remainder(weights * 2.0**power, total, capacities)

    np.testing.assert_array_equal(shares, largest_remainder(weights, total, capacities))


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(InvalidInput, match="11 cannot be shared among places for 10"):
        share([1, 1], 11, [5, 5])
    with pytest.raises(InvalidInput, match="not negative"):
        share([-1, 1], 1, [5, 5])
    with pytest.raises(MisalignedRows, match="1 weights for 2 capacities"):
        # unwrapped: the tests' own shape checks would speak first
        unwrap(largest_remainder)(np.ones(1), 1, np.array([5, 5]))
