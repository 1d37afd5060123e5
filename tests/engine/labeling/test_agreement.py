import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.errors import InvalidInput
from engine.labeling.agreement import (
    Statistic,
    chance_modal_share,
    control_accuracies,
    fleiss_kappa,
    gwet_ac1,
    informedness,
    interval_over_raters,
    krippendorff_alpha,
    modal_share,
    percent_agreement,
)
from engine.labeling.ratings import Ratings
from tests.engine.labeling.crowds import crowd

MEASURES = (percent_agreement, krippendorff_alpha, fleiss_kappa, gwet_ac1)
FLEISS_1971 = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ],
    dtype=float,
)
COUNTS = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(2, 4)),
    elements=st.integers(0, 5).map(float),
)


def test_the_textbook_table_has_its_kappa():
    assert fleiss_kappa(FLEISS_1971).value == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa(FLEISS_1971).n_answers == 140


def test_ac1_does_not_fall_where_one_category_is_rare():
    """Gwet's example: 118 times both yes, 7 times split, never both no."""
    counts = np.repeat([[2.0, 0.0], [1.0, 1.0]], [118, 7], axis=0)

    assert percent_agreement(counts).value == pytest.approx(0.944)
    assert fleiss_kappa(counts).value == pytest.approx(-0.0288, abs=5e-5)
    assert gwet_ac1(counts).value == pytest.approx(0.9408, abs=5e-5)


@given(COUNTS)
@settings(deadline=None)
def test_alpha_is_that_of_krippendorffs_package(counts):
    oracle = pytest.importorskip("krippendorff", reason="krippendorff is not installed")
    found = krippendorff_alpha(counts)

    if found.value is None:
        paired = counts[counts.sum(axis=1) > 1]
        assert len(paired) == 0 or (paired > 0).any(axis=0).sum() == 1
        return
    expected = oracle.alpha(value_counts=counts.astype(int), level_of_measurement="nominal")
    assert found.value == pytest.approx(expected, abs=1e-9)


def test_kappa_is_that_of_statsmodels(rng):
    rater = pytest.importorskip(
        "statsmodels.stats.inter_rater", reason="statsmodels is not installed"
    )
    counts = rng.multinomial(6, [0.5, 0.3, 0.2], size=40).astype(float)

    assert fleiss_kappa(counts).value == pytest.approx(rater.fleiss_kappa(counts), abs=1e-12)


@given(COUNTS)
@settings(deadline=None)
def test_a_figure_or_a_reason_and_never_nan(counts):
    for measure in MEASURES:
        found = measure(counts)
        assert (found.value is None) == bool(found.reason)
        assert found.value is None or found.value <= 1 + 1e-12
    share = modal_share(counts)
    assert (share.mean is None) == bool(share.reason)


@given(COUNTS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_items_and_categories_does_not_matter(counts, random):
    rows, columns = list(range(len(counts))), list(range(counts.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    for measure in MEASURES:
        found, moved = measure(counts), measure(counts[rows][:, columns])
        assert moved.value == (None if found.value is None else pytest.approx(found.value))


def test_all_answers_alike_is_no_perfect_agreement_but_a_reason():
    alike = np.array([[3.0, 0.0], [2.0, 0.0]])

    for measure in (krippendorff_alpha, fleiss_kappa):
        assert measure(alike).value is None
        assert "all answers are the same" in measure(alike).reason
    assert gwet_ac1(alike).value == 1
    assert gwet_ac1(alike[:, :1]).reason.startswith("only one category")


def test_items_with_one_answer_say_nothing():
    single = np.eye(2)

    for measure in MEASURES:
        assert measure(single) == Statistic(value=None, reason="no item has two answers")
    assert modal_share(single).reason == "no item has two answers"
    with pytest.raises(InvalidInput, match="finite and not negative"):
        percent_agreement(-single)


@pytest.mark.parametrize(("n", "share"), [(3, 0.75), (5, 0.6875), (10, 0.623), (60, 0.5513)])
def test_coin_flips_have_a_high_share_of_the_most_frequent_answer(n, share):
    assert chance_modal_share(n, 2) == pytest.approx(share, abs=5e-5)


def test_chance_of_many_categories_is_that_of_drawing(rng):
    drawn = rng.multinomial(7, [0.25] * 4, size=100_000).max(axis=1).mean() / 7

    assert chance_modal_share(7, 4) == pytest.approx(drawn, abs=0.002)
    assert chance_modal_share(1, 3) == 1
    assert chance_modal_share(4, 1) == pytest.approx(1)
    with pytest.raises(InvalidInput, match="got 0 and 2"):
        chance_modal_share(0, 2)


def test_consistency_of_coin_flips_is_none_above_chance(rng):
    flips = rng.binomial(5, 0.5, size=20_000)

    found = modal_share(np.stack([flips, 5 - flips], axis=1).astype(float))

    assert found.above_chance == pytest.approx(0, abs=0.01)
    assert (found.n_items, found.answers_per_item) == (20_000, 5)
    assert modal_share(np.array([[4.0, 0.0], [0.0, 2.0]])).above_chance == 1


def test_annotators_are_judged_on_controls_alone():
    ratings = Ratings.of([1, 2, 3, 1, 9], list("aaabc"), [1, 0, 0, 0, 1], (0, 1))

    found = control_accuracies(ratings, {1: 1, 2: 0, 3: 1})

    assert [(a.annotator, a.n, a.correct) for a in found] == [("a", 3, 2), ("b", 1, 0), ("c", 0, 0)]
    assert found[0].interval is not None
    assert found[0].interval[0] < 2 / 3 < found[0].interval[1]
    assert (found[2].accuracy, found[2].interval, found[2].expected) == (None, None, 0.5)
    assert "no item whose answer is known" in found[2].reason
    assert control_accuracies(Ratings.of([], [], [], (0, 1)), {}) == ()
    with pytest.raises(InvalidInput, match="'maybe', which is not on offer"):
        control_accuracies(ratings, {1: "maybe"})


def test_informedness_finds_guessers_and_spares_who_says_yes_to_nearly_all(rng):
    accuracies = (0.95,) * 12 + (0.5,) * 3
    _, ratings = crowd(rng, n_items=300, per_item=6, accuracies=accuracies, yes_share=0.85)

    found = {entry.annotator: entry for entry in informedness(ratings)}

    value = np.array([found[rater].value for rater in range(15)], dtype=float)
    error = np.array([found[rater].error for rater in range(15)], dtype=float)
    assert value[:12].min() > value[12:].max()
    assert ((error > 0) & (error < 0.5)).all()


def test_informedness_of_nobody_is_nothing():
    assert informedness(Ratings.of([], [], [], (0, 1))) == ()


def test_informedness_says_why_it_is_not_there():
    ratings = Ratings.of([1, 1, 2], ["a", "b", "c"], [1, 1, 0], (0, 1))

    first, _, alone = informedness(ratings)

    assert "the others said no to none" in first.reason
    assert "nobody else answered" in alone.reason
    with pytest.raises(InvalidInput, match="two categories, got 3"):
        informedness(Ratings.of([], [], [], (0, 1, 2)))


@pytest.mark.slow
def test_the_interval_over_raters_holds_what_other_crowds_give(rng):
    accuracies = tuple(rng.beta(8, 1.3, 40))
    others = [krippendorff_alpha(crowd(rng, accuracies=accuracies)[1].counts()) for _ in range(60)]
    middle = float(np.mean([other.value for other in others if other.value is not None]))

    held = 0
    for _ in range(40):
        found = interval_over_raters(crowd(rng, accuracies=accuracies)[1], krippendorff_alpha)
        assert found.interval is not None
        held += int(found.interval[0] <= middle <= found.interval[1])

    assert held >= 34


def test_there_is_no_interval_without_three_raters():
    pair = Ratings.of([1, 1, 2, 2], list("abab"), [1, 1, 0, 1], (0, 1))
    alone = Ratings.of([1], ["a"], [1], (0, 1))

    assert "at least three" in interval_over_raters(pair, gwet_ac1).reason
    assert interval_over_raters(alone, gwet_ac1).reason == "no item has two answers"
