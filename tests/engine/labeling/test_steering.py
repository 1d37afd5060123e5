"""Who deserves another label: by hand, and laws that hold whatever the numbers."""

from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, InvalidInput, MisalignedRows
from engine.labeling.steering import SteeringConfig, steer


def whole(*values):
    return np.array(values, dtype=np.int64)


def test_a_contested_hub_gets_what_settled_images_leave():
    # ten labels: four are there; each image first has two; the hub, worth 12, takes the other
    # two, the image worth 2 none, for a second label at the hub is still worth 12/2 = 6
    found = steer(
        np.array([12.0, 2.0, 0.0, 0.0]),
        whole(1, 1, 1, 1),
        whole(1, 1, 1, 1),
        10,
        SteeringConfig(least=2, ceiling=9, enough=1.0),
    )

    assert found.tolist() == [4, 2, 2, 2]


def test_the_worth_is_shared_among_labels_on_their_way():
    # 6, then 6/2 = 3 < 4: the second label goes to the other image; then 3, then 2 = 4/2
    found = steer(
        np.array([6.0, 4.0]), whole(2, 2), whole(2, 2), 7, SteeringConfig(least=2, ceiling=9)
    )

    assert found.tolist() == [4, 3]


def test_nobody_gets_more_than_the_ceiling_and_what_is_left_is_saved():
    found = steer(
        np.array([50.0, 0.2]), whole(2, 2), whole(2, 2), 30, SteeringConfig(least=2, ceiling=5)
    )

    assert found.tolist() == [5, 2]


def test_the_least_comes_first_and_the_worthiest_of_them():
    found = steer(np.array([0.0, 9.0, 0.0]), whole(0, 0, 0), whole(0, 0, 0), 4, SteeringConfig())

    assert found.tolist() == [1, 2, 1]


def test_blocks_are_kept_whole_while_somebody_deserves_a_label():
    config = SteeringConfig(least=1, ceiling=2, enough=1.0)
    worth, had = np.array([5.0, 0.5, 0.4, 0.3]), whole(1, 1, 1, 1)

    assert steer(worth, had, had, 20, config).tolist() == [2, 1, 1, 1]
    assert steer(worth, had, had, 20, config, n_open=3).tolist() == [2, 2, 2, 1]
    assert steer(worth / 10, had, had, 20, config, n_open=3).tolist() == [1, 1, 1, 1]


@given(
    rows=st.lists(
        st.tuples(st.floats(0, 1000, allow_nan=False), st.integers(0, 6), st.integers(0, 6)),
        max_size=12,
    ),
    budget=st.integers(0, 80),
    least=st.integers(1, 4),
    more=st.integers(0, 5),
    n_open=st.integers(0, 15),
)
def test_promises_are_kept_and_neither_ceiling_nor_budget_is_passed(
    rows, budget, least, more, n_open
):
    worth = np.array([row[0] for row in rows], dtype=np.float64)
    given_ = np.array([row[1] for row in rows], dtype=np.int64)
    reserved = given_ + np.array([row[2] for row in rows], dtype=np.int64)
    kept = reserved.copy()
    config = SteeringConfig(least=least, ceiling=least + more, enough=1.0)

    found = steer(worth, given_, reserved, budget, config, n_open=n_open)

    assert (found >= reserved).all()
    assert ((found <= config.ceiling) | (found == reserved)).all()
    assert found.sum() <= max(budget, reserved.sum())
    assert (reserved == kept).all()


def test_what_cannot_be_is_refused():
    config = SteeringConfig()
    with pytest.raises(MisalignedRows):
        unwrap(steer)(np.zeros(2), whole(0), whole(0), 5, config)
    with pytest.raises(InvalidInput, match="among those reserved"):
        steer(np.zeros(1), whole(2), whole(1), 5, config)
    with pytest.raises(EngineError, match="ceiling"):
        SteeringConfig(least=4, ceiling=3)
