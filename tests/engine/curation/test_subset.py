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

    def draw(seed=0, kept=None, allocation=None, **options):
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
    with pytest.raises(InvalidInput, match=r"subset.size"):
        SubsetConfig(size=-3)
    with pytest.raises(UnknownOption):
        SubsetConfig(draw="best")
    assert [SubsetConfig.preset(name).draw for name in ("paper", "authors", "default")] == [
        "diverse",
        "authors",
        "random",
    ]
