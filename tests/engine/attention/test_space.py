from dataclasses import replace
from inspect import unwrap

import numpy as np
import pytest

from engine.attention.space import SpaceConfig, build_attention_space
from engine.errors import InvalidInput, MisalignedRows, UnknownOption

QUICK = SpaceConfig(components=8, n_neighbors=10)


def vectors(n=90, d=20, seed=0):
    """Three blobs for the core, another three for the environment."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(2, 3, d)) * 4
    core = middles[0][np.arange(n) % 3] + rng.normal(size=(n, d))
    environment = middles[1][np.arange(n) // 3 % 3] + rng.normal(size=(n, d))
    return core.astype(np.float32), environment.astype(np.float32)


def build(n=90, n_fit=75, config=QUICK, seed=0):
    core, environment = vectors()
    rows = 7 * np.arange(n)
    return build_attention_space(
        core[:n], environment[:n], rows, np.arange(n) < n_fit, config, seed=seed
    )


@pytest.mark.slow
def test_two_calls_with_one_seed_are_byte_identical():
    first, second = build(), build()

    assert first.method == "umap"
    for name in ("core", "environment", "core_components", "environment_components", "rows"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert first.core_trustworthiness == second.core_trustworthiness
    assert build(seed=1).core.tobytes() != first.core.tobytes()


@pytest.mark.slow
def test_rows_that_are_not_fitted_do_not_move_those_that_are():
    with_others, alone = build(), build(n=75)

    np.testing.assert_array_equal(with_others.core[:75], alone.core)
    np.testing.assert_array_equal(with_others.environment[:75], alone.environment)
    np.testing.assert_array_equal(with_others.core_components[:75], alone.core_components)


@pytest.mark.slow
def test_images_of_one_blob_are_neighbours_and_others_are_not():
    space = build()

    assert np.isfinite(space.core).all()
    assert min(space.core_trustworthiness, space.environment_trustworthiness) > 0.85
    for plane, blob in (
        (space.core, np.arange(90) % 3),
        (space.environment, np.arange(90) // 3 % 3),
    ):
        away = np.linalg.norm(plane[:, None] - plane[None], axis=2)
        np.fill_diagonal(away, np.inf)
        nearest = away.argmin(axis=1)
        assert (blob[nearest] == blob).mean() > 0.95
    assert space.core.dtype == np.float32
    assert space.core_components.shape == (90, 8)


@pytest.mark.slow
def test_vectors_that_mostly_coincide_are_laid_out_too():
    core, environment = vectors()
    core[10:] = core[0]

    space = build_attention_space(
        core, environment, np.arange(90), np.ones(90, bool), QUICK, seed=0
    )

    assert np.isfinite(space.core).all()


@pytest.mark.slow
def test_more_rows_than_the_limit_are_fitted_in_part():
    space = build(config=replace(QUICK, fit_at_most=50))

    assert space.method == "umap"
    assert np.isfinite(space.core).all()
    assert space.n_fitted == 50
    assert 0.5 < space.core_trustworthiness_put_in <= 1
    assert 0.5 < space.environment_trustworthiness_put_in <= 1


def test_where_all_rows_are_fitted_none_was_put_in():
    space = build(n=30, n_fit=20)

    assert space.n_fitted == 20
    assert np.isnan(space.core_trustworthiness_put_in)


@pytest.mark.parametrize("standardise", [False, True])
def test_vectors_may_lie_among_others_on_the_disk(tmp_path, standardise):
    config = replace(QUICK, method="principal_components", standardise=standardise)
    halves, at = vectors(30), np.arange(0, 60, 2)
    for name, half in zip("ce", halves, strict=True):
        among = np.full((60, half.shape[1]), np.nan, dtype=np.float32)
        among[at] = half
        np.save(tmp_path / f"{name}.npy", among)
    rows, fit = np.arange(30), np.arange(30) < 20

    core, environment = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "ce")
    found = build_attention_space(core, environment, rows, fit, config, seed=0, at=at)

    expected = build_attention_space(halves[0], halves[1], rows, fit, config, seed=0)
    for name in ("core", "environment", "core_components", "environment_components"):
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name
    assert found.core_trustworthiness == expected.core_trustworthiness


def test_few_rows_use_principal_components_and_say_so():
    space = build(n=30, n_fit=20)

    assert space.method == "principal components"
    np.testing.assert_allclose(space.core, space.core_components[:, :2], atol=1e-4)
    assert space.rows.tolist() == [7 * at for at in range(30)]


def test_standardised_vectors_do_not_know_their_units():
    core, environment = vectors(30)
    config = replace(QUICK, standardise=True)
    fit = np.ones(30, bool)
    units = np.float32(2.0) ** np.arange(20, dtype=np.float32)

    plain, scaled = (
        build_attention_space(vectors_, environment, np.arange(30), fit, config, seed=0)
        for vectors_ in (core, core * units)
    )

    np.testing.assert_allclose(plain.core, scaled.core, atol=1e-4)


def test_progress_is_told():
    told = []
    core, environment = vectors(20)

    build_attention_space(
        core,
        environment,
        np.arange(20),
        np.ones(20, bool),
        QUICK,
        seed=0,
        on_progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(1, 2), (2, 2)]


def test_what_cannot_be_laid_out_is_refused():
    core, environment = vectors(20)
    rows, fit = 100 + np.arange(20), np.ones(20, bool)

    with pytest.raises(InvalidInput, match="at least 3 images to fit on, got 2"):
        build_attention_space(core, environment, rows, np.arange(20) < 2, QUICK, seed=0)
    core[4, 2] = np.nan
    with pytest.raises(InvalidInput, match="1 core vectors are not finite, the first at row 104"):
        build_attention_space(core, environment, rows, fit, QUICK, seed=0)
    with pytest.raises(MisalignedRows, match="got 20, 20, 19 and 20"):
        unwrap(build_attention_space)(core, environment, rows[1:], fit, QUICK, seed=0)


def test_settings_and_presets():
    assert SpaceConfig.preset("authors").n_neighbors == 5
    assert SpaceConfig.preset("authors").umap_on == "vectors"
    assert SpaceConfig.preset("default") == SpaceConfig()
    with pytest.raises(InvalidInput, match=r"space\.components must be at least 2"):
        SpaceConfig(components=1)
    with pytest.raises(InvalidInput, match=r"space\.min_dist"):
        SpaceConfig(min_dist=1.0)
    with pytest.raises(InvalidInput, match=r"space\.fit_at_most must be at least 60"):
        SpaceConfig(fit_at_most=10)
    with pytest.raises(UnknownOption):
        SpaceConfig(umap_on="pixels")


@pytest.mark.slow
def test_a_space_may_have_more_dimensions_than_a_picture():
    space = build(config=replace(QUICK, dimension=5))
    again = build(n=75, config=replace(QUICK, dimension=5))

    assert space.method == "umap"
    assert space.core.shape == space.environment.shape == (90, 5)
    np.testing.assert_array_equal(space.core[:75], again.core)
    assert space.core_trustworthiness > 0.85


def test_principal_components_may_be_asked_for():
    space = build(config=replace(QUICK, dimension=8, method="principal_components"))

    assert space.method == "principal components"
    np.testing.assert_allclose(space.core, space.core_components, atol=1e-4)


def test_a_dimension_that_few_rows_cannot_fill_is_padded():
    config = replace(QUICK, components=32, dimension=32)

    space = build(n=30, n_fit=12, config=config)

    assert space.core.shape == (30, 32)
    assert (space.core[:, 20:] == 0).all()


def test_dimensions_out_of_range_are_refused():
    for dimension in (1, 33):
        with pytest.raises(
            InvalidInput, match=r"space\.dimension must be at least 2 and at most 32"
        ):
            SpaceConfig(dimension=dimension)
    with pytest.raises(InvalidInput, match=r"at most space\.components, got 16 and 8"):
        SpaceConfig(dimension=16, components=8)
    with pytest.raises(UnknownOption, match=r"space\.method"):
        SpaceConfig(method="tsne")
