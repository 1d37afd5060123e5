import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput, NotEnoughLabels, UnknownOption
from engine.labeling.dawid_skene import choose_model, fit_dawid_skene
from engine.labeling.ratings import Ratings
from tests.engine.labeling.crowds import crowd


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", ["two_coin", "one_coin"])
def test_posteriors_are_those_of_crowd_kit(rng, model):
    aggregation = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas comes with crowd-kit")
    _, ratings = crowd(rng, per_item=8, accuracies=tuple(rng.uniform(0.6, 0.95, 20)))
    oracle = {"two_coin": "DawidSkene", "one_coin": "OneCoinDawidSkene"}[model]
    table = pandas.DataFrame(
        {"task": ratings.items, "worker": ratings.raters, "label": ratings.categories}
    )

    # a tolerance that its loss can never reach: it stops at n_iter
    theirs = getattr(aggregation, oracle)(n_iter=300, tol=-1e9).fit_predict_proba(table)
    ours = fit_dawid_skene(ratings, model=model, smoothing=0.0, tolerance=1e-12)

    assert ours.converged
    expected = theirs.loc[range(len(ratings.item_names)), [0, 1]].to_numpy()
    np.testing.assert_allclose(ours.posterior, expected, atol=1e-8)


def test_spammers_are_found_and_outvoted(rng):
    accuracies = (0.92,) * 15 + (0.5,) * 5
    truth, ratings = crowd(rng, n_items=400, accuracies=accuracies)

    found = fit_dawid_skene(ratings)

    majority = ratings.counts().argmax(axis=1) == truth[list(ratings.item_names)]
    ours = found.posterior.argmax(axis=1) == truth[list(ratings.item_names)]
    assert found.model == "two_coin"
    assert ours.mean() > majority.mean()
    by_name = dict(zip(ratings.rater_names, found.informedness, strict=True))
    assert min(by_name[r] for r in range(15)) > max(by_name[r] for r in range(15, 20))


def test_few_answers_each_take_one_coin_and_trust_the_crowd(rng):
    _, ratings = crowd(rng, n_items=60, per_item=3, accuracies=(0.9,) * 60)

    found = fit_dawid_skene(ratings)

    assert found.model == "one_coin" == choose_model(ratings)
    assert np.ptp(found.accuracy) < 0.2
    assert choose_model(Ratings.of([], [], [], (0, 1))) == "one_coin"


def test_one_answer_an_item_cannot_tell_errors_and_means_what_it_says():
    ratings = Ratings.of([1, 2, 3], list("aaa"), [0, 1, 1], (0, 1))

    found = fit_dawid_skene(ratings)

    np.testing.assert_allclose(found.posterior, [[0.8, 0.2], [0.2, 0.8], [0.2, 0.8]])
    assert (found.iterations, found.converged) == (0, True)


def test_all_yes_stays_yes():
    ratings = Ratings.of([1, 1, 2, 2], list("abab"), [1, 1, 1, 1], (0, 1))

    assert (fit_dawid_skene(ratings).posterior[:, 1] > 0.9).all()


def test_known_truth_is_kept_and_teaches():
    """Two annotators who always disagree: one item of known truth says whom to believe."""
    items = [i for i in range(30) for _ in "ab"]
    answers = [a for i in range(30) for a in (i % 2, 1 - i % 2)]
    ratings = Ratings.of(items, list("ab") * 30, answers, (0, 1))

    found = fit_dawid_skene(ratings, truth={0: 0, 1: 1, 2: 0, 3: 1})

    assert found.posterior[:4].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert (found.posterior.argmax(axis=1) == np.arange(30) % 2).all()


def test_it_says_when_it_did_not_settle(rng):
    _, ratings = crowd(rng)

    stopped = fit_dawid_skene(ratings, most_steps=1)

    assert (stopped.iterations, stopped.converged) == (1, False)
    assert stopped.change > 1e-8


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([0.0, 0.5, 10.0]))
@settings(deadline=None, max_examples=30)
def test_posteriors_and_confusions_are_distributions(seed, per_item, smoothing):
    rng = np.random.default_rng(seed)
    _, ratings = crowd(rng, n_items=20, per_item=per_item, accuracies=tuple(rng.random(5)))

    for model in ("one_coin", "two_coin"):
        found = fit_dawid_skene(ratings, model=model, smoothing=smoothing, most_steps=200)
        np.testing.assert_allclose(found.posterior.sum(axis=1), 1)
        np.testing.assert_allclose(found.confusion.sum(axis=2), 1, atol=1e-9)
        assert found.prevalence.sum() == pytest.approx(1)


def test_what_cannot_be_fitted_is_refused():
    one = Ratings.of([1], ["a"], [1], (0, 1))
    with pytest.raises(NotEnoughLabels, match="no answer to aggregate"):
        fit_dawid_skene(Ratings.of([], [], [], (0, 1)))
    with pytest.raises(UnknownOption, match="did you mean two_coin"):
        fit_dawid_skene(one, model="two_coins")
    with pytest.raises(InvalidInput, match="smoothing of at least 0"):
        fit_dawid_skene(one, smoothing=-1.0)
    with pytest.raises(InvalidInput, match="'x', which is not a category"):
        fit_dawid_skene(one, truth={1: "x"})
