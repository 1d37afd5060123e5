import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.placing import find_place


@given(st.integers(1, 32), st.integers(0, 2**31))
def test_an_artefact_lies_inside_the_picture(side, seed):
    mask = np.zeros((32, 32), dtype=bool)
    mask[8:24, 8:24] = True

    left, top = find_place(mask, side, np.random.default_rng(seed))

    assert 0 <= left <= 32 - side
    assert 0 <= top <= 32 - side


@pytest.mark.parametrize("seed", range(20))
def test_room_beside_the_object_is_found(seed):
    mask = np.zeros((64, 64), dtype=bool)
    mask[:, :24] = True

    left, top = find_place(mask, 12, np.random.default_rng(seed))

    assert mask[top : top + 12, left : left + 12].mean() <= 0.02


def test_without_room_the_least_is_hidden():
    mask = np.ones((16, 16), dtype=bool)
    mask[:, 15] = False
    rng = np.random.default_rng(0)

    places = {find_place(mask, 15, rng) for _ in range(10)}

    assert places <= {(1, 0), (1, 1), (0, 0), (0, 1)}
    assert {left for left, _ in places} == {1}, "of a dozen places one is on the right"
