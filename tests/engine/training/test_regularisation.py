import numpy as np
import pytest

from engine.training.regularisation import pick_regularisation

GRID = (0.01, 0.1, 1.0)


def hits_of(*counts: int, n: int = 100) -> np.ndarray:
    return np.array([np.arange(n) < count for count in counts])


def pick(hits, rule="best", **options):
    return pick_regularisation(hits, GRID, how="validation", rule=rule, **options)


@pytest.mark.parametrize(
    ("counts", "C"), [((80, 90, 85), 0.1), ((80, 90, 90), 0.1), ((90, 90, 90), 0.01)]
)
def test_the_best_plain_average_is_taken_and_ties_go_to_the_stronger_regularisation(counts, C):
    choice = pick(hits_of(*counts))

    assert choice.C == C
    assert choice.scores == pytest.approx([count / 100 for count in counts])


def test_one_standard_error_prefers_a_stronger_regularisation_that_is_as_good():
    # the error of 90 in 100 is .03
    assert pick(hits_of(80, 88, 90), "one_standard_error").C == 0.1
    assert pick(hits_of(88, 88, 90), "one_standard_error").C == 0.01
    assert pick(hits_of(80, 86, 90), "one_standard_error").C == 1.0


def test_the_standard_error_of_single_rows_is_that_of_a_mean():
    assert pick(hits_of(50, 60, 90)).standard_error == pytest.approx(np.sqrt(0.9 * 0.1 / 99))


def test_rows_of_one_object_count_together_in_the_standard_error():
    repeated = np.repeat(hits_of(7, 8, 9, n=10), 10, axis=1)

    choice = pick(repeated, objects=np.repeat(np.arange(10), 10))

    assert choice.standard_error == pytest.approx(np.sqrt(0.09 / 9))
    assert pick(repeated).standard_error == pytest.approx(np.sqrt(0.09 / 99))


def test_reweighted_rows_are_told_of_and_never_choose():
    hits = np.array([[True, True, False], [True, False, False], [False, False, True]])
    weights = np.array([0.1, 0.1, 0.8])

    choice = pick(hits, train_weights=weights)

    assert choice.C == 0.01
    assert choice.train_weighted_choice == 1.0
    assert choice.train_weighted_scores == pytest.approx([0.2, 0.1, 0.8])
    assert pick(hits).train_weighted_choice is None
    assert pick(hits, train_weights=weights * 0).train_weighted_choice is None


def test_with_nothing_to_judge_the_strongest_regularisation_is_taken():
    choice = pick(np.zeros((3, 0), dtype=bool), "one_standard_error")

    assert (choice.C, choice.scores, choice.standard_error) == (0.01, (), None)
