import numpy as np
import pytest

from engine.benches.mitigation.figures import Judge, spread


def judge_of(groups, objects, n_seeds=3):
    return Judge.of_rows(np.array(groups), ("a", "b"), np.array(objects), n_seeds)


@pytest.fixture
def judge():
    return judge_of([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3])


RIGHT = np.ones(8, dtype=bool)
HALF = np.array([True, False] * 4)
ONE_GROUP = np.array([True] * 4 + [False] * 4)


def test_accuracies_are_shares_and_the_worst_group_is_the_lowest(judge):
    found = judge.accuracies(ONE_GROUP)

    assert found["average"] == 0.5
    assert found["worst_group"] == found["group b"] == 0.0
    assert found["group a"] == 1.0


def test_figures_give_mean_deviation_and_every_seed(judge):
    figures = judge.figures([RIGHT, HALF])

    assert figures["average"]["per_seed"] == [1.0, 0.5]
    assert figures["average"]["mean"] == 0.75
    assert figures["average"]["std"] == pytest.approx(np.std([1.0, 0.5], ddof=1))
    assert set(figures["groups"]) == {"a", "b"}


def test_intervals_know_of_seeds(judge):
    low, high = judge.figures([RIGHT, HALF])["average"]["interval"]

    assert (low, high) == (0.5, 1.0)


def test_intervals_know_of_objects():
    hits = np.array([True, True, False, False] * 2)
    together = judge_of([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1], 1).figures([hits])

    assert together["average"]["interval"] == [0.0, 1.0]


def test_a_route_does_not_differ_from_itself(judge):
    paired = judge.paired([HALF, RIGHT], [HALF, RIGHT])

    assert paired["worst_group"]["interval"] == [0.0, 0.0]
    assert paired["worst_group"]["mean"] == 0.0


def test_paired_differences_are_antisymmetric(judge):
    one = judge.paired([RIGHT, HALF], [HALF, HALF])["average"]
    other = judge.paired([HALF, HALF], [RIGHT, HALF])["average"]

    assert one["per_seed"] == [0.5, 0.0]
    assert one["mean"] == -other["mean"]
    assert one["interval"] == pytest.approx([-end for end in reversed(other["interval"])])


def test_a_spread_with_a_gap_is_not_told():
    assert spread([0.5, None]) == {"mean": None, "std": None, "per_seed": [0.5, None]}
    assert spread([0.5])["std"] == 0.0
