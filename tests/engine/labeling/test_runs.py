import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.labeling.runs import chance_of_run, longest_run


def test_runs_are_counted():
    assert longest_run([]) == 0
    assert longest_run([1]) == 1
    assert longest_run([0, 1, 1, 1, 0, 0]) == 3


def test_three_coin_flips_are_all_alike_one_time_in_four():
    flips = np.full((3, 2), 0.5)

    assert chance_of_run(flips, 3) == pytest.approx(0.25)
    assert chance_of_run(flips, 2) == pytest.approx(0.75)
    assert chance_of_run(flips, 1) == 1.0
    assert chance_of_run(flips, 4) == 0.0


@given(
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=7),
    st.integers(1, 7),
)
def test_the_chance_is_that_of_writing_all_answers_out(yes, length):
    shares = np.array([[1 - share, share] for share in yes])
    expected = 0.0
    for answers in itertools.product((0, 1), repeat=len(yes)):
        if longest_run(answers) >= length:
            expected += float(np.prod([shares[at, said] for at, said in enumerate(answers)]))

    assert chance_of_run(shares, length) == pytest.approx(expected)


def test_forty_times_yes_is_usual_where_nearly_all_items_are_yes():
    mostly_yes = np.tile([0.01, 0.99], (40, 1))
    even = np.tile([0.5, 0.5], (40, 1))

    assert chance_of_run(mostly_yes, 40) == pytest.approx(0.99**40, rel=1e-6)
    assert chance_of_run(even, 40) < 1e-11


def test_a_run_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match="at least 1"):
        chance_of_run(np.full((3, 2), 0.5), 0)
