import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.errors import InvalidInput
from engine.labeling.ratings import Ratings
from engine.labeling.timings import (
    difficulty_links,
    drifts,
    entropy_of,
    group_means,
    group_medians,
    log_fences,
    others_entropy,
    spread,
)


def test_mean_and_deviation_leave_out_what_is_not_known():
    found = spread(np.array([1.0, np.nan, 3.0]))

    assert (found.mean, found.n) == (2.0, 2)
    assert found.deviation == pytest.approx(2**0.5)
    assert spread(np.array([np.nan])).mean is None
    assert spread(np.array([4.0])).deviation is None


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.one_of(st.just(float("nan")), st.floats(0, 100))),
        max_size=40,
    )
)
def test_groups_have_the_means_and_medians_of_their_known_values(answers):
    groups = np.array([group for group, _ in answers], dtype=np.int64)
    values = np.array([value for _, value in answers], dtype=np.float64)

    means, medians = group_means(values, groups, 5), group_medians(values, groups, 5)

    for group in range(5):
        own = values[groups == group]
        own = own[~np.isnan(own)]
        if len(own) == 0:
            assert np.isnan(means[group])
            assert np.isnan(medians[group])
        else:
            assert means[group] == pytest.approx(own.mean())
            assert medians[group] == pytest.approx(np.median(own))


def test_fences_are_quartiles_and_their_distance_on_log_seconds():
    seconds = np.exp(np.array([0.0, 1.0, 2.0, 3.0, 4.0, np.nan]))

    fences = log_fences(seconds, 1.5)

    assert fences is not None
    low, high = fences
    assert np.log(low) == pytest.approx(1.0 - 1.5 * 2.0)
    assert np.log(high) == pytest.approx(3.0 + 1.5 * 2.0)
    assert log_fences(np.array([1.0, 2.0, 3.0])) is None
    with pytest.raises(InvalidInput, match="above 0"):
        log_fences(seconds, 0.0)


def test_drift_is_a_line_fitted_for_each_annotator(rng):
    n, n_raters = 200, 6
    raters = rng.integers(0, 5, n)  # the sixth answered nothing
    positions = rng.integers(0, 40, n).astype(float)
    times = rng.normal(size=n) + 0.05 * positions * (raters == 2)
    times[:7] = np.nan

    found = drifts(positions, times, raters, n_raters)

    for rater in range(5):
        own = (raters == rater) & ~np.isnan(times)
        line = stats.linregress(positions[own], times[own])
        half = stats.t.ppf(0.975, own.sum() - 2) * line.stderr
        assert found.value[rater] == pytest.approx(line.slope)
        assert found.low[rater] == pytest.approx(line.slope - half)
        assert found.high[rater] == pytest.approx(line.slope + half)
    assert np.isnan(found.value[5])
    assert found.n[5] == 0


def test_the_link_of_time_and_difficulty_is_a_rank_correlation(rng):
    n = 120
    raters = rng.integers(0, 3, n)
    difficulty = rng.integers(0, 4, n).astype(float)  # many ties
    times = rng.normal(size=n) + difficulty * (raters == 1)
    difficulty[:5] = np.nan

    found = difficulty_links(times, difficulty, raters, 4)

    for rater in range(3):
        own = (raters == rater) & ~np.isnan(difficulty)
        expected = stats.spearmanr(times[own], difficulty[own]).statistic
        assert found.value[rater] == pytest.approx(expected)
        assert found.low[rater] < expected < found.high[rater]
    assert found.low[1] > 0  # slows down where others disagree
    assert np.isnan(found.value[3])


def test_a_perfect_link_is_drawn_inside_minus_one_and_one():
    found = difficulty_links(np.arange(5.0), np.arange(5.0), np.zeros(5, dtype=np.int64), 1)

    assert found.value[0] == pytest.approx(1.0)
    assert found.low[0] <= found.high[0] <= 1.0


def test_no_link_where_all_items_are_equally_hard():
    found = difficulty_links(np.arange(5.0), np.ones(5), np.zeros(5, dtype=np.int64), 1)

    assert np.isnan(found.value[0])


def test_entropy_is_in_bits_and_leaves_ones_own_answer_out():
    np.testing.assert_allclose(
        entropy_of(np.array([[1.0, 1.0], [3.0, 0.0], [0.0, 0.0], [1.0, 3.0]])),
        [1.0, 0.0, 0.0, 0.8112781244591328],
    )
    ratings = Ratings.of([0, 0, 0, 1], ["a", "b", "c", "a"], [0, 1, 1, 0], (0, 1))

    found = others_entropy(ratings)

    np.testing.assert_allclose(found, [0.0, 1.0, 1.0, np.nan])
