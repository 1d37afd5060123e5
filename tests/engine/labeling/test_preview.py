"""Scores of an open round, on graphs small enough to invert by hand."""

from inspect import unwrap

import numpy as np
import pytest
from scipy import sparse

from engine.errors import MisalignedRows
from engine.labeling.graph import AffinityGraph, beside_one_another
from engine.labeling.influence import one_neighbour
from engine.labeling.preview import class_graph, preview
from engine.labeling.spreading import SpreadingConfig, build_graph, spread_masses

HALF = SpreadingConfig(k=1, alpha=0.5, standardise=False)


def dense_spread(graph: AffinityGraph, alpha: float) -> np.ndarray:
    """Write M = (1 - alpha) (I - alpha S)^-1 out, the plain way."""
    weights = sparse.csr_array(graph.weights).toarray()
    smooth = graph.scale[:, None] * weights * graph.scale[None, :]
    inverse = np.linalg.inv(np.eye(len(smooth)) - alpha * smooth)
    spread: np.ndarray = ((1 - alpha) * inverse)[np.ix_(graph.site_of, graph.site_of)]
    return spread


def test_two_images_and_one_answer_by_hand():
    # S = [[0, 1], [1, 0]], alpha 1/2: (I - S/2)^-1 = [[4/3, 2/3], [2/3, 4/3]], so M is
    # [[2/3, 1/3], [1/3, 2/3]]; one neighbour lends (1/2)(1/2) 1 = 1/4
    graph = build_graph(np.array([[0.0, 0.0], [1.0, 0.0]]), HALF)
    found = preview(graph, np.array([1.0, 0.5]), np.array([1, 0]), np.array([0, 0]), HALF)

    assert one_neighbour(graph, 0.5) == pytest.approx(0.25)
    np.testing.assert_allclose(found.scores, [1.0, 1.0], atol=1e-5)
    # what arrived is 2/3 and 1/3; p = (T + 1/8) / (T + 1/4), times 4 p (1 - p) / (1 + 4 T)
    p = (np.array([2 / 3, 1 / 3]) + 0.125) / (np.array([2 / 3, 1 / 3]) + 0.25)
    expected = 4 * p * (1 - p) / (1 + 4 * np.array([2 / 3, 1 / 3]))
    np.testing.assert_allclose(found.uncertainty, expected, atol=1e-5)
    # M (1 / (T + 1/4)) = M (12/11, 12/7)
    shares = np.array([12 / 11, 12 / 7])
    np.testing.assert_allclose(found.speaks_for, np.array([[2, 1], [1, 2]]) / 3 @ shares, atol=1e-9)
    # with one yes the next is yes with 3/4, and a no brings a tie; without votes it always moves
    np.testing.assert_allclose(found.flip_chance, [0.25, 1.0])
    np.testing.assert_allclose(found.worth, found.speaks_for * [0.25, 1.0])


def test_it_is_the_dense_inverse():
    rng = np.random.default_rng(3)
    places = rng.normal(size=(30, 2))
    config = SpreadingConfig(k=4)
    graph = class_graph(places, np.zeros(30, dtype=np.int64), config)
    yes, no = np.zeros(30, dtype=np.int64), np.zeros(30, dtype=np.int64)
    yes[[2, 5, 9]], no[[5, 20]] = [3, 1, 2], [2, 4]
    posterior = np.full(30, 0.5)
    posterior[[2, 5, 9, 20]] = [0.98, 0.4, 0.9, 0.05]

    found = preview(graph, posterior, yes, no, config)

    spread = dense_spread(graph, config.alpha)
    answered = yes + no > 0
    core = spread @ np.where(answered, posterior, 0.0)
    arrived = spread @ answered.astype(float)
    np.testing.assert_allclose(found.scores, core / arrived, atol=1e-4)
    lent = one_neighbour(graph, config.alpha)
    np.testing.assert_allclose(found.speaks_for, spread @ (1 / (arrived + lent)), rtol=1e-7)


def test_classes_do_not_hear_of_one_another():
    places = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [0.1, 0.1]])
    classes = np.array([0, 1, 0, 1])
    graph = class_graph(places, classes, HALF)

    found = preview(
        graph, np.array([1.0, 0.5, 0.5, 0.5]), np.array([1, 0, 0, 0]), np.zeros(4, dtype=int), HALF
    )

    assert found.known.tolist() == [True, False, True, False]
    np.testing.assert_allclose(found.scores[[1, 3]], 0.5)
    np.testing.assert_allclose(found.uncertainty[[1, 3]], 1.0)


def test_apart_they_give_what_each_class_gives_alone():
    rng = np.random.default_rng(0)
    places, classes = rng.normal(size=(60, 2)), rng.integers(0, 3, size=60)
    config = SpreadingConfig(k=3)
    graph = class_graph(places, classes, config)
    core, spurious = rng.random(60), rng.random(60)

    together = spread_masses(graph, core, spurious, config)

    for part in range(3):
        at = np.flatnonzero(classes == part)
        alone = spread_masses(build_graph(places[at], config), core[at], spurious[at], config)
        np.testing.assert_allclose(together.scores[at], alone.scores, atol=1e-8)


def test_parts_side_by_side_keep_their_places():
    one = AffinityGraph(
        site_of=np.array([1, 0]),
        weights=sparse.csr_array(np.array([[0.0, 1.0], [1.0, 0.0]])),
        scale=np.ones(2),
    )
    alone = AffinityGraph(
        site_of=np.array([0]), weights=sparse.csr_array((1, 1), dtype=float), scale=np.zeros(1)
    )

    found = beside_one_another([one, alone], [np.array([0, 2]), np.array([1])])

    assert found.site_of.tolist() == [1, 2, 0]
    assert sparse.csr_array(found.weights).toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_arrays_of_other_images_are_refused():
    graph = build_graph(np.array([[0.0, 0.0], [1.0, 0.0]]), HALF)

    with pytest.raises(MisalignedRows, match="2 images"):
        unwrap(preview)(graph, np.zeros(3), np.zeros(3, dtype=int), np.zeros(3, dtype=int), HALF)
    with pytest.raises(MisalignedRows):
        unwrap(class_graph)(np.zeros((2, 2)), np.zeros(3, dtype=int), HALF)
