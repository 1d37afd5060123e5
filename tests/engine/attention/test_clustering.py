import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from engine.attention.clustering import k_means, k_medoids
from engine.errors import InvalidInput


@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 40),
    k=st.integers(1, 45),
    places=st.integers(1, 8),
)
@settings(max_examples=40, deadline=None)
def test_clusters_are_never_empty_and_never_more_than_places(seed, n, k, places):
    points = np.random.default_rng(seed).integers(0, places, (n, 2)).astype(float)

    found = k_means(points, k, seed=seed)

    distinct = len(np.unique(points, axis=0))
    assert len(found.centres) <= min(k, distinct)
    assert set(found.labels.tolist()) == set(range(len(found.centres)))
    for label, centre in enumerate(found.centres):
        np.testing.assert_allclose(points[found.labels == label].mean(axis=0), centre)


def test_clusters_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3)) + 20 * rng.integers(0, 4, 200)[:, None]

    found = k_means(points, 4, seed=3)

    oracle = KMeans(4, n_init=10, random_state=3).fit(points)
    assert adjusted_rand_score(found.labels, oracle.labels_) == 1
    assert found.inertia == pytest.approx(oracle.inertia_)


def test_as_many_clusters_as_places_leave_no_distance():
    points = np.array([[0.0, 0], [1, 1], [0, 0], [2, 2]])

    found = k_means(points, 9, seed=0)

    assert found.inertia == 0
    assert found.labels[0] == found.labels[2]


def test_nothing_to_cluster_is_refused():
    with pytest.raises(InvalidInput, match="0 points and 2 clusters"):
        k_means(np.zeros((0, 2)), 2, seed=0)
    with pytest.raises(InvalidInput, match="0 clusters"):
        k_means(np.zeros((3, 2)), 0, seed=0)


def test_medoids_are_points_that_all_others_are_near_to():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(20, 2)) + 40 * at for at in range(3)])

    found = k_medoids(points, 3, seed=0)

    assert (found // 20).tolist() == [0, 1, 2]
    for at in found.tolist():
        heap = points[at // 20 * 20 : at // 20 * 20 + 20]
        away = np.linalg.norm(heap[:, None] - heap[None], axis=2).sum(axis=1)
        assert at % 20 == away.argmin()


def test_fixed_medoids_stay_and_the_others_go_elsewhere():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(20, 2)) + 40 * at for at in range(3)])

    found = k_medoids(points, 2, seed=0, fixed=np.array([25]))

    assert (found // 20).tolist() == [0, 2]
    assert k_medoids(points, 59, seed=0, fixed=np.array([25])).tolist() == [
        at for at in range(60) if at != 25
    ]
    assert len(set(k_medoids(np.zeros((9, 2)), 4, seed=0).tolist())) == 4
    with pytest.raises(InvalidInput, match="at least 1 medoid"):
        k_medoids(points, 0, seed=0)


def test_many_points_are_clustered_by_mini_batches_as_well_as_by_all(monkeypatch):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3_000, 2)) + 20 * rng.integers(0, 6, 3_000)[:, None]
    whole = k_means(points, 6, seed=3)
    monkeypatch.setattr("engine.attention.clustering.MINI_BATCH_FROM", 1_000)

    found, again = k_means(points, 6, seed=3), k_means(points, 6, seed=3)

    assert adjusted_rand_score(found.labels, whole.labels) > 0.99
    assert found.inertia <= 1.02 * whole.inertia
    assert found.labels.tobytes() == again.labels.tobytes()
    nearest = np.linalg.norm(points[:, None] - found.centres[None], axis=2).argmin(axis=1)
    assert (nearest == found.labels).mean() > 0.99
