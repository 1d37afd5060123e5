import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as oracle_trustworthiness

from engine.attention.projection import embed, mean_of, principal_components, trustworthiness
from engine.errors import InvalidInput


@pytest.mark.parametrize("shape", [(50, 8), (9, 30), (20, 20)])
def test_components_are_those_of_scikit_learn(shape):
    vectors = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 3, shape[1])
    wanted = 5

    found = principal_components(vectors, wanted)

    oracle = PCA(wanted, svd_solver="full").fit(vectors)
    np.testing.assert_allclose(found.variances, oracle.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.axes.T), np.abs(oracle.components_), atol=1e-9)
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(wanted), atol=1e-9)
    np.testing.assert_allclose(
        np.abs(found.apply(vectors)), np.abs(oracle.transform(vectors)), atol=1e-5
    )


def test_the_largest_entry_of_a_direction_is_positive():
    vectors = np.random.default_rng(1).normal(size=(40, 6))

    for sign in (1, -1):
        axes = principal_components(sign * vectors, 6).axes

        assert (axes[np.abs(axes).argmax(axis=0), np.arange(6)] > 0).all()


def test_no_more_directions_than_the_vectors_span():
    line = np.outer(np.arange(10.0), [3.0, 4.0, 0.0])

    found = principal_components(line, 3)

    assert found.axes.shape == (3, 1)
    np.testing.assert_allclose(found.axes[:, 0], [0.6, 0.8, 0], atol=1e-12)
    assert principal_components(np.ones((4, 3)), 2).variances.tolist() == [0]


def test_components_need_two_rows():
    with pytest.raises(InvalidInput, match="got 1 rows"):
        principal_components(np.ones((1, 3)), 2)
    with pytest.raises(InvalidInput, match="0 components"):
        principal_components(np.ones((3, 3)), 0)


def test_few_points_are_laid_out_by_principal_components():
    points = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    fit = np.arange(30) < 20

    found = embed(points, fit, n_neighbors=15, min_dist=0.0, seed=0)

    assert found.method == "principal components"
    expected = principal_components(points[fit], 2).apply(points)
    np.testing.assert_array_equal(found.coordinates, expected)


def test_points_on_a_line_have_a_second_coordinate_of_zero():
    points = np.arange(12.0, dtype=np.float32)[:, None]

    found = embed(points, np.ones(12, bool), n_neighbors=15, min_dist=0.0, seed=0)

    assert (found.coordinates[:, 1] == 0).all()


def test_trustworthiness_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    vectors, plane = rng.normal(size=(60, 9)), rng.normal(size=(60, 2))

    found = trustworthiness(vectors, plane, seed=0)

    assert found == pytest.approx(oracle_trustworthiness(vectors, plane, n_neighbors=15))
    assert trustworthiness(plane, plane, seed=0) == 1
    assert trustworthiness(plane[:3], plane[:3], seed=0) == 1


def test_trustworthiness_of_many_points_is_taken_on_a_sample():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(3000, 2))

    assert trustworthiness(plane, plane, seed=0) == 1
    with pytest.raises(InvalidInput, match="at least 3 rows, got 2"):
        trustworthiness(plane[:2], plane[:2], seed=0)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_a_mean_read_in_parts_is_numpys_to_the_bit(monkeypatch, chunk):
    monkeypatch.setattr("engine.attention.projection._CHUNK", chunk)
    vectors = np.random.default_rng(0).lognormal(size=(101, 5)).astype(np.float32)
    rows = np.flatnonzero(np.arange(101) % 3)

    found = mean_of(vectors, rows)

    assert found.tobytes() == vectors[rows].mean(axis=0, dtype=np.float64).tobytes()


@pytest.mark.parametrize("shape", [(60, 8), (60, 70)])
def test_components_of_some_rows_on_the_disk_are_those_of_a_copy(tmp_path, shape):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=shape).astype(np.float32))
    vectors = np.load(tmp_path / "v.npy", mmap_mode="r")
    rows = np.flatnonzero(np.arange(60) % 4)

    found = principal_components(vectors, 3, at=rows)

    expected = principal_components(np.array(vectors[rows]), 3)
    assert found.axes.tobytes() == expected.axes.tobytes()
    assert found.apply(vectors, rows).tobytes() == expected.apply(np.array(vectors[rows])).tobytes()


def test_trustworthiness_of_some_rows_is_that_of_a_copy():
    rng = np.random.default_rng(0)
    vectors, rows = rng.normal(size=(90, 6)), np.arange(5, 80)
    flat = vectors[rows, :2]

    found = trustworthiness(vectors, flat, seed=0, at=rows)

    assert found == trustworthiness(vectors[rows], flat, seed=0)
