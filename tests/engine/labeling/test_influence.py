from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.graph import kernel_graph, neighbour_graph
from engine.labeling.influence import (
    column,
    flip_chance,
    next_best,
    one_neighbour,
    posterior_flip_chance,
    rank_redundancy,
    reach,
    spoken_for,
    uncertainty,
)


def brute(graph, alpha):
    """M = (1 - alpha) (I - alpha S)^-1 between images, by a dense inverse."""
    weights = graph.weights if isinstance(graph.weights, np.ndarray) else graph.weights.toarray()
    spread = graph.scale[:, None] * weights * graph.scale
    inverse = (1 - alpha) * np.linalg.inv(np.eye(graph.n_sites) - alpha * spread)
    return inverse[np.ix_(graph.site_of, graph.site_of)]


def graphs(seed, n=25):
    points = np.random.default_rng(seed).normal(size=(n, 2))
    points[-2] = points[-1]  # two images in one place
    return neighbour_graph(points, 4), kernel_graph(points, 0.3)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=30)
def test_reach_and_columns_are_those_of_the_inverse(seed, alpha):
    for graph in graphs(seed):
        whole = brute(graph, alpha)

        np.testing.assert_allclose(reach(graph, alpha), whole.sum(axis=0), rtol=1e-7)
        np.testing.assert_allclose(column(graph, 3, alpha), whole[:, 3], rtol=1e-6, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 0.95), st.integers(1, 25))
@settings(deadline=None, max_examples=30)
def test_answered_images_share_all_that_they_reach(seed, alpha, n_answered):
    for graph in graphs(seed):
        answered = np.zeros(25, dtype=bool)
        answered[np.random.default_rng(seed).permutation(25)[:n_answered]] = True
        part = brute(graph, alpha)[:, answered]
        reached = part.sum(axis=1) > 1e-10 * part.sum(axis=1).max()

        found = spoken_for(graph, answered, alpha)

        shares = part[reached] / part[reached].sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found[answered], shares.sum(axis=0), rtol=1e-4)
        assert found.sum() == pytest.approx(reached.sum(), rel=1e-4)
        assert (found[~answered] == 0).all()


def flips_by_counting(yes, no):
    a, b = yes + 0.5, no + 0.5
    chance = 0.0
    for more_yes, probability in ((1, a / (a + b)), (0, b / (a + b))):
        after = (yes + more_yes) - (no + 1 - more_yes)
        chance += probability * ((after > 0) - (after < 0) != (yes > no) - (yes < no))
    return chance


@given(st.integers(0, 9), st.integers(0, 9))
def test_the_chance_of_a_flip_is_that_of_trying_both_answers(yes, no):
    found = flip_chance(np.array([yes]), np.array([no]))

    assert found[0] == pytest.approx(flips_by_counting(yes, no))
    assert found[0] == (1 if yes == no else found[0])
    assert (found[0] == 0) == (abs(yes - no) > 1)


def test_posteriors_flip_by_bayes_rule():
    found = posterior_flip_chance(np.array([0.5, 0.9, 0.99, 0.3]), 0.9)

    # .9 and a no of somebody right nine times in ten: a tie. .99: no. .3 and a yes: .79
    np.testing.assert_allclose(found, [1, 0.9 * 0.1 + 0.1 * 0.9, 0, 0.3 * 0.9 + 0.7 * 0.1])
    with pytest.raises(InvalidInput, match="between 1/2 and 1, got 1"):
        posterior_flip_chance(np.array([0.5]), 1.0)


def test_a_contested_hub_comes_before_a_contested_outlier_and_a_settled_hub(rng):
    hub, other_hub = rng.normal(size=(20, 2)), rng.normal(size=(20, 2)) + 30
    points = np.concatenate([hub, other_hub, [[100.0, 100.0], [101.0, 100.0]]])
    graph = neighbour_graph(points, 3)
    yes, no = np.zeros(42, dtype=int), np.zeros(42, dtype=int)
    yes[[0, 20, 40]], no[[0, 40]] = (2, 5, 2), 1

    found = rank_redundancy(graph, yes, no, 0.5)

    assert found.order.tolist()[0] == 0
    assert found.priority[20] == 0
    assert found.priority[0] > found.priority[40] > 0
    with pytest.raises(MisalignedRows, match="42 images, but votes of 2"):
        rank_redundancy(graph, yes[:2], no[:2], 0.5)
    with pytest.raises(InvalidInput, match="must not be negative"):
        flip_chance(-yes, no)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
@settings(deadline=None, max_examples=15)
def test_the_next_best_query_is_the_best_of_trying_all(seed, alpha):
    rng = np.random.default_rng(seed)
    graph, _ = graphs(seed)
    core, spurious = rng.random((2, 25)) * (rng.random((2, 25)) < 0.2)
    open_to = rng.random(25) < 0.8
    whole, lent = brute(graph, alpha), one_neighbour(graph, alpha)

    found = next_best(graph, core, spurious, open_to, 4, alpha)

    yes, no, free = whole @ core, whole @ spurious, open_to.copy()
    for chosen in found.tolist():
        worth = np.where(free, whole.T @ uncertainty(yes, no, lent), -1.0)
        assert worth[chosen] == pytest.approx(worth.max(), rel=1e-5)
        free[chosen] = False
        expected = (yes[chosen] + lent / 2) / (yes[chosen] + no[chosen] + lent)
        yes = yes + expected * whole[:, chosen]
        no = no + (1 - expected) * whole[:, chosen]
    assert len(found) == min(4, open_to.sum())


def test_choices_keep_apart_and_end_with_the_images():
    """Three heaps of 30, 20 and 10: the first three choices are one in each, the largest first."""
    rng = np.random.default_rng(1)
    sizes = (30, 20, 10)
    points = np.concatenate([rng.normal(size=(n, 2)) + 50 * at for at, n in enumerate(sizes)])
    heap = np.repeat(range(3), sizes)
    graph, nothing = neighbour_graph(points, 9), np.zeros(60)
    everyone = np.ones(60, dtype=bool)

    found = next_best(graph, nothing, nothing, everyone, 99, 0.9)

    assert sorted(found.tolist()) == list(range(60))
    assert sorted(set(heap[found[:6]].tolist())) == [0, 1, 2]
    with pytest.raises(MisalignedRows, match="60 images, but 59"):
        unwrap(next_best)(graph, nothing[1:], nothing, everyone, 1, 0.5)
    with pytest.raises(MisalignedRows):
        spoken_for(graph, everyone[1:], 0.5)


def test_uncertainty_falls_with_answers_and_is_one_before_any():
    arrived = np.array([0.0, 1.0, 4.0])

    assert uncertainty(arrived * 0, arrived * 0, 0.3).tolist() == [1, 1, 1]
    assert (np.diff(uncertainty(arrived, arrived, 0.3)) < 0).all()
    alike, split = (
        uncertainty(arrived, 0 * arrived, 0.3),
        uncertainty(arrived / 2, arrived / 2, 0.3),
    )
    assert (alike <= split).all()
    assert one_neighbour(neighbour_graph(np.zeros((3, 2)), 2), 0.5) == 0.25
