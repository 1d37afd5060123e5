import numpy as np
import pytest

from engine.curation.allocation import AllocationConfig
from engine.curation.disentangling import DisentanglingConfig, disentangle
from engine.curation.subset import SubsetConfig, draw_subset
from engine.errors import InvalidInput, UnknownOption


@pytest.fixture
def drawn(planted):
    """Draw from the planted images by some options."""
    space, classes, _ = planted

    def draw(seed=0, kept=None, allocation=None, scores=None, **options):
        groups = disentangle(
            space,
            classes,
            np.ones(200, bool) if kept is None else kept,
            DisentanglingConfig(environment_k=2),
            seed=0,
        )
        return draw_subset(
            groups,
            classes,
            space,
            SubsetConfig(**options),
            np.random.default_rng(seed),
            allocation=allocation,
            scores=scores,
        )

    return draw


@pytest.mark.parametrize("draw", ["random", "diverse"])
def test_a_subset_balances_what_the_images_do_not(drawn, planted, draw):
    _, classes, environments = planted

    subset = drawn(draw=draw)

    at = subset.rows - 1000
    counts = [
        int(((classes[at] == c) & (environments[at] == e)).sum()) for c in (0, 1) for e in (0, 1)
    ]
    assert counts == [10, 10, 10, 10]
    assert len(np.unique(subset.rows)) == len(subset) == 40
    assert not subset.has_repeats
    np.testing.assert_array_equal(subset.core, classes[at])


@pytest.mark.parametrize("draw", ["random", "diverse", "authors"])
def test_one_seed_gives_one_subset_and_another_another(drawn, draw):
    first, again, other = (drawn(seed=seed, draw=draw) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.rows, again.rows)
    assert first.rows.tolist() != other.rows.tolist()


def test_a_size_wins_over_the_fraction(drawn):
    assert len(drawn(fraction=0.1)) == 20
    assert len(drawn(fraction=0.1, size=33)) == 33
    assert len(drawn(size=200)) == 200


def test_a_size_above_what_is_kept_is_refused(drawn):
    kept = np.arange(200) % 4 == 0

    with pytest.raises(InvalidInput, match="subset of 51 images cannot be drawn from the 50 that"):
        drawn(size=51, kept=kept)
    assert set((drawn(size=50, kept=kept).rows - 1000).tolist()) == set(np.flatnonzero(kept))


def test_a_fraction_above_what_is_kept_takes_what_there_is_and_says_so(drawn):
    kept = np.arange(200) % 10 == 0

    subset = drawn(fraction=0.5, kept=kept)

    assert set((subset.rows - 1000).tolist()) == set(np.flatnonzero(kept))
    (warning,) = subset.warnings
    assert warning.startswith("the subset holds all 20 images that are kept, not the 100 that")
    assert drawn(fraction=0.1, kept=kept).warnings == ()


def test_a_small_fraction_of_many_classes_leaves_none_without_an_image(space_of, rng):
    classes = np.repeat(np.arange(30), 4)
    space = space_of(rng.normal(size=(120, 2)), 20 * rng.normal(size=(120, 2)))
    options = DisentanglingConfig(environment_k=2)
    groups = disentangle(space, classes, np.ones(120, bool), options, seed=0)
    n_groups = len(set(zip(groups.core.tolist(), groups.environment.tolist(), strict=True)))
    assert 24 < 30 <= n_groups

    subset = draw_subset(groups, classes, space, SubsetConfig(fraction=0.2))

    assert set(subset.core.tolist()) == set(range(30))
    assert len(subset) == n_groups
    (warning,) = subset.warnings
    assert f"{n_groups} images, one of every feature group, not the 24" in warning


def test_soft_weights_draw_what_scores_high(drawn):
    scores = np.where(np.arange(200) % 2 == 0, 0.9, 0.1)
    allocation = AllocationConfig(weights="effective_size")

    shares = [
        (
            (drawn(seed, draw="by_score", scores=scores, allocation=allocation).rows - 1000) % 2
            == 0
        ).mean()
        for seed in range(20)
    ]
    even = [((drawn(seed).rows - 1000) % 2 == 0).mean() for seed in range(20)]

    assert np.mean(shares) > 0.85
    assert np.mean(even) < 0.6


def test_images_that_count_for_nothing_come_last(drawn):
    scores = np.zeros(200)
    scores[:30] = 1.0

    first = drawn(size=40, draw="by_score", scores=scores)
    again = drawn(size=40, draw="by_score", scores=scores)

    np.testing.assert_array_equal(first.rows, again.rows)
    assert len(np.unique(first.rows)) == 40
    # 90 images of class 0 stand in the one environment, 30 of them count, 10 are asked for
    majority = first.rows[first.rows < 1090] - 1000
    assert len(majority) == 10
    assert majority.max() < 30


def test_one_draw_of_two_falls_in_proportion_to_the_weights(space_of):
    space, classes = space_of(np.zeros((2, 2))), np.zeros(2, int)
    groups = disentangle(space, classes, np.ones(2, bool), seed=0)
    config = SubsetConfig(size=1, draw="by_score", power=1.0)

    drawn = [
        int(
            draw_subset(
                groups,
                classes,
                space,
                config,
                np.random.default_rng(seed),
                scores=np.array([0.8, 0.2]),
            ).rows[0]
        )
        for seed in range(1500)
    ]

    assert np.mean(np.array(drawn) == 1000) == pytest.approx(0.8, abs=0.04)


def test_a_draw_by_score_without_scores_is_refused(drawn):
    with pytest.raises(InvalidInput, match="needs a score for every image"):
        drawn(draw="by_score")
    with pytest.raises(InvalidInput, match="effective_size needs a score"):
        drawn(allocation=AllocationConfig(weights="effective_size"), scores=np.full(200, np.nan))


def test_a_diverse_draw_covers_a_group(space_of):
    places = np.repeat([0.0, 10.0, 20.0, 30.0], 10)
    space = space_of(np.stack([places, np.tile(np.linspace(0, 1, 10), 4)], axis=1))
    classes = np.zeros(40, int)
    groups = disentangle(
        space, classes, np.ones(40, bool), DisentanglingConfig(environment_k=1), seed=0
    )

    subset = draw_subset(groups, classes, space, SubsetConfig(size=4, draw="diverse"))

    assert sorted((subset.rows - 1000) // 10) == [0, 1, 2, 3]


def test_a_diverse_draw_fills_up_where_images_coincide(space_of):
    space, classes = space_of(np.zeros((10, 2))), np.zeros(10, int)
    groups = disentangle(space, classes, np.ones(10, bool), seed=0)

    subset = draw_subset(groups, classes, space, SubsetConfig(size=6, draw="diverse"))

    assert len(np.unique(subset.rows)) == 6


def test_the_authors_draw_repeats_images_of_a_short_group_and_says_so(drawn):
    subset = drawn(size=160, draw="authors", allocation=AllocationConfig.preset("authors"))

    assert subset.has_repeats
    assert len(subset) == int(subset.cells.allotted.sum()) <= 160
    short = subset.cells.allotted > subset.cells.available
    assert short.any()


def test_settings_out_of_range_are_refused():
    with pytest.raises(InvalidInput, match=r"subset.fraction must be above 0 and at most 1"):
        SubsetConfig(fraction=0.0)
    with pytest.raises(InvalidInput, match=r"subset.power must be above 0"):
        SubsetConfig(power=0.0)
    with pytest.raises(InvalidInput, match=r"subset.size"):
        SubsetConfig(size=-3)
    with pytest.raises(UnknownOption):
        SubsetConfig(draw="best")
    assert [SubsetConfig.preset(name).draw for name in ("paper", "authors", "default")] == [
        "diverse",
        "authors",
        "random",
    ]


def test_weights_make_environments_equally_frequent_in_all_classes(planted):
    space, classes, _ = planted
    groups = disentangle(space, classes, np.ones(200, dtype=bool), seed=0)

    found = draw_subset(groups, classes, space, SubsetConfig(size=100))
    plain = draw_subset(groups, classes, space, SubsetConfig(size=100, weighting="none"))

    # ten of the minority are all there are, of forty others
    share = [
        found.weights[(found.core == c) & (found.environment == e)].sum()
        for c in range(2)
        for e in range(2)
    ]
    np.testing.assert_allclose(share, 25, rtol=1e-6)
    assert (plain.weights == 1).all()
    np.testing.assert_array_equal(found.rows, plain.rows)
