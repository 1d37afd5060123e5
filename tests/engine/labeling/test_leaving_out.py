import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.labeling.agreement import FEW_RATERS, interval_over_raters
from engine.labeling.leaving_out import MEASURES, intervals_over_raters
from engine.labeling.ratings import Ratings
from tests.engine.labeling.crowds import crowd


@pytest.mark.parametrize("per_item", [2, 5])
def test_one_pass_gives_what_recounting_without_each_gives(rng, per_item):
    _, ratings = crowd(rng, n_items=60, per_item=per_item, accuracies=(0.9, 0.6) * 7)

    quick = intervals_over_raters(ratings)

    for name, measure in MEASURES.items():
        slow = interval_over_raters(ratings, measure)
        assert quick[name].interval == pytest.approx(slow.interval, abs=1e-9), name
        assert quick[name].error == pytest.approx(slow.error, abs=1e-9), name


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 2)),
        max_size=30,
        unique_by=lambda answer: answer[:2],
    )
)
def test_it_is_the_same_for_any_answers_even_where_there_is_none(answers):
    items, raters, said = zip(*answers, strict=True) if answers else ((), (), ())
    ratings = Ratings.of(items, raters, said, (0, 1, 2))

    quick = intervals_over_raters(ratings)

    for name, measure in MEASURES.items():
        slow = interval_over_raters(ratings, measure)
        assert quick[name].reason == slow.reason, name
        if slow.interval is not None:
            assert quick[name].interval == pytest.approx(slow.interval, abs=1e-9), name


def test_two_raters_have_no_interval():
    ratings = Ratings.of([0, 0, 1, 1], ["a", "b"] * 2, [0, 0, 1, 0], (0, 1))

    found = intervals_over_raters(ratings)

    assert {figure.reason for figure in found.values()} == {FEW_RATERS}


def test_many_raters_do_not_take_long(rng):
    n = 40_000
    raters = np.repeat(np.arange(1000), 40)
    items = np.concatenate([rng.choice(4000, 40, replace=False) for _ in range(1000)])
    ratings = Ratings(
        items=items.astype(np.int64),
        raters=raters.astype(np.int64),
        categories=rng.integers(0, 2, n).astype(np.int64),
        item_names=tuple(range(4000)),
        rater_names=tuple(range(1000)),
        category_names=(0, 1),
    )

    found = intervals_over_raters(ratings)

    interval = found["alpha"].interval
    assert interval is not None
    low, high = interval
    assert low < 0.0 < high  # coin flips
    assert high - low < 0.1
