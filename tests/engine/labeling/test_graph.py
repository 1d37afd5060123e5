import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import kneighbors_graph

from engine.errors import InvalidInput
from engine.labeling.graph import DENSE_LIMIT, kernel_graph, median_gamma, neighbour_graph


def full(graph):
    """The sites' weights, as a plain matrix."""
    return graph.weights if isinstance(graph.weights, np.ndarray) else graph.weights.toarray()


def dense(graph):
    """The images' weights, as a plain matrix."""
    return full(graph)[np.ix_(graph.site_of, graph.site_of)]


@pytest.mark.parametrize("k", [1, 5, 15])
def test_neighbours_are_those_of_scikit_learn_made_symmetric(rng, k):
    points = rng.normal(size=(60, 2))
    one_way = kneighbors_graph(points, k).toarray()

    graph = neighbour_graph(points, k)

    np.testing.assert_array_equal(dense(graph), np.maximum(one_way, one_way.T))


def test_spreading_is_the_inverse_of_the_dense_matrix(rng):
    points = rng.normal(size=(80, 2))
    graph = neighbour_graph(points, 6)
    masses = rng.random(graph.n_sites)
    weights = full(graph)
    scale = 1 / np.sqrt(weights.sum(axis=1))
    S = scale[:, None] * weights * scale

    for alpha in (1e-6, 0.2, 0.5, 0.99):
        found = graph.spread(masses, alpha)

        expected = np.linalg.inv(np.eye(80) - alpha * S) @ masses
        np.testing.assert_allclose(found, expected, atol=1e-9 / (1 - alpha))
        residual = found - alpha * S @ found - masses
        assert np.linalg.norm(residual) <= 1e-10 * np.linalg.norm(masses)


def test_the_kernel_weighs_every_pair_and_no_point_itself(rng):
    points = rng.normal(size=(20, 3))

    graph = kernel_graph(points, 2.0)

    expected = np.exp(-2 * cdist(points, points) ** 2) - np.eye(20)
    np.testing.assert_allclose(dense(graph), expected, atol=1e-15)


def test_dense_spreading_is_the_inverse_too(rng):
    graph = kernel_graph(rng.normal(size=(30, 2)), 1.0)
    masses = rng.random(30)
    S = graph.scale[:, None] * graph.weights * graph.scale

    for alpha in (0.2, 0.95):
        expected = np.linalg.inv(np.eye(30) - alpha * S) @ masses
        np.testing.assert_allclose(graph.spread(masses, alpha), expected, rtol=1e-9)


def test_points_at_one_place_share_a_site_and_do_not_cut_themselves_off():
    points = np.concatenate([np.zeros((40, 2)), [[1.0, 0.0], [2.0, 0.0]], -np.zeros((1, 2))])

    graph = neighbour_graph(points, 2)

    assert graph.n_sites == 3
    assert len(set(graph.site_of[:40]) | {graph.site_of[42]}) == 1
    assert (full(graph) == 1 - np.eye(3)).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_points_than_neighbours_are_all_joined(rng, n):
    graph = neighbour_graph(rng.normal(size=(n, 2)), 15)

    np.testing.assert_array_equal(dense(graph), 1 - np.eye(n))


def test_all_points_at_one_place_have_no_edges():
    graph = neighbour_graph(np.ones((7, 2)), 3)

    assert graph.n_sites == 1
    assert full(graph).tolist() == [[0]]
    assert graph.spread(np.array([2.0]), 0.5).tolist() == [2.0]


def test_too_many_points_for_all_pairs_are_refused():
    with pytest.raises(InvalidInput, match=rf"at most {DENSE_LIMIT} at once.*'knn'"):
        kernel_graph(np.zeros((DENSE_LIMIT + 1, 1)), 1.0)


def test_gamma_is_half_the_inverse_square_of_the_fifth_neighbours_distance():
    line = np.arange(11.0)[:, None]  # fifth others: 5 4 3 3 3 3 3 3 3 4 5

    assert median_gamma(line) == pytest.approx(1 / 18)


def test_gamma_of_points_that_mostly_coincide_is_still_a_number():
    points = np.concatenate([np.zeros((20, 2)), [[3.0, 4.0]]])

    assert median_gamma(points) == pytest.approx(1 / 50)
    assert median_gamma(np.zeros((9, 2))) == 1.0
    assert median_gamma(np.zeros((1, 2))) == 1.0
