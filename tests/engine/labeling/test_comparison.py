import numpy as np
import pytest
from scipy import stats

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.comparison import mean_time, share_difference, time_ratio


def test_the_mean_time_is_over_items_and_not_over_answers(rng):
    seconds = np.array([1.0, 1.0, 1.0, 5.0])
    items, raters = np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0])

    found = mean_time(seconds, items, raters, rng, draws=50)

    assert found.value == 3.0
    assert found.n == 2
    assert "annotators" in found.method


def test_the_interval_of_a_mean_time_is_that_of_drawing_annotators(rng):
    own = rng.lognormal(1.0, 0.5, 40)
    seconds = np.tile(own, 10)  # everybody takes his own time over each of ten items
    items, raters = np.repeat(np.arange(10), 40), np.tile(np.arange(40), 10)

    found = mean_time(seconds, items, raters, rng, draws=4000)

    error = own.std() / np.sqrt(40)
    assert found.interval is not None
    low, high = found.interval
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found.value == pytest.approx(own.mean())


def test_a_mean_time_says_why_it_has_no_interval(rng):
    assert mean_time(np.zeros(0), np.zeros(0, int), np.zeros(0, int), rng).value is None
    alone = mean_time(np.ones(2), np.array([0, 1]), np.zeros(2, int), rng)
    assert alone.interval is None
    assert "three" in alone.reason


def test_the_ratio_of_times_is_welchs(rng):
    first, second = rng.lognormal(1.4, 0.3, 120), rng.lognormal(1.7, 0.5, 100)

    found = time_ratio(first, second)

    test = stats.ttest_ind(np.log(first), np.log(second), equal_var=False)
    expected = test.confidence_interval(0.95)
    assert found.interval == pytest.approx((np.exp(expected.low), np.exp(expected.high)))
    assert found.value is not None
    assert np.log(found.value) == pytest.approx(np.log(first).mean() - np.log(second).mean())


def test_the_ratio_of_times_is_that_of_statsmodels(rng):
    weightstats = pytest.importorskip(
        "statsmodels.stats.weightstats", reason="statsmodels is an extra of the tests"
    )
    first, second = rng.lognormal(1.4, 0.3, 30), rng.lognormal(1.7, 0.5, 50)

    found = time_ratio(first, second)

    means = weightstats.CompareMeans.from_data(np.log(first), np.log(second))
    low, high = means.tconfint_diff(usevar="unequal")
    assert found.interval == pytest.approx((np.exp(low), np.exp(high)))


def test_a_ratio_says_why_it_is_not_there():
    assert "two images" in time_ratio(np.ones(1), np.ones(5)).reason
    flat = time_ratio(np.full(3, 2.0), np.full(3, 4.0))
    assert flat.value == pytest.approx(0.5)
    assert flat.interval is None
    with pytest.raises(InvalidInput, match="above 0"):
        time_ratio(np.zeros(3), np.ones(3))


def test_pairing_takes_what_images_share_out_of_the_interval(rng):
    easy = rng.uniform(0.5, 1.0, 120)
    first, second = np.clip(easy + 0.05, 0, 1), easy

    paired = share_difference(first, second, rng, paired=True)
    apart = share_difference(first, second, rng, paired=False)

    assert paired.value == apart.value == pytest.approx(first.mean() - second.mean())
    assert paired.interval is not None
    assert apart.interval is not None
    assert paired.value is not None
    assert np.ptp(paired.interval) < np.ptp(apart.interval) / 5
    assert paired.interval[0] < paired.value < paired.interval[1]
    assert "paired" in paired.method
    assert "paired" not in apart.method


def test_a_difference_of_shares_needs_images(rng):
    assert share_difference(np.ones(1), np.ones(1), rng, paired=True).value is None
    with pytest.raises(MisalignedRows, match="cannot be paired"):
        share_difference(np.ones(2), np.ones(3), rng, paired=True)
