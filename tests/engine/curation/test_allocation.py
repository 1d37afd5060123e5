import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.attention.space import AttentionSpace
from engine.curation.allocation import (
    AllocationConfig,
    allocate,
    effective_sizes,
    spread_weights,
)
from engine.curation.disentangling import FeatureGroups
from engine.errors import InvalidInput, UnknownOption


def groups_of(core, environment, *, core_is_class=True):
    core, environment = np.asarray(core), np.asarray(environment)
    return FeatureGroups(
        rows=np.arange(len(core)),
        members=np.flatnonzero(core >= 0),
        core=core,
        environment=environment,
        cluster=environment,
        shown=np.where(environment < 0, -1, 0),
        n_candidates=len(core),
        n_core=int(core.max()) + 1,
        n_environment=int(environment.max()) + 1,
        core_is_class=core_is_class,
    )


def plain_space(points):
    points = np.asarray(points, dtype=np.float32)
    return AttentionSpace(
        rows=np.arange(len(points)),
        core=points,
        environment=points,
        core_components=points,
        environment_components=points,
        core_trustworthiness=1.0,
        environment_trustworthiness=1.0,
    )


def cells(*sizes):
    """Core, environment and class of images, given (class, environment, count) triples."""
    core = np.concatenate([np.full(n, c) for c, _, n in sizes])
    environment = np.concatenate([np.full(n, e) for _, e, n in sizes])
    return core, environment


def allot(size, *sizes, **options):
    core, environment = cells(*sizes)
    rng = np.random.default_rng(0)
    space = plain_space(rng.normal(size=(len(core), 2)))
    found = allocate(groups_of(core, environment), core, space, size, AllocationConfig(**options))
    assert found.available.tolist() == [n for _, _, n in sizes]
    return found.allotted.tolist()


def test_every_cell_of_a_class_weighs_the_same_and_classes_are_balanced():
    assert allot(40, (0, 0, 90), (0, 1, 30), (1, 0, 50), (1, 1, 50)) == [10, 10, 10, 10]
    assert allot(40, (0, 0, 90), (1, 0, 50), (1, 1, 50)) == [20, 10, 10]


def test_what_a_small_cell_cannot_give_its_own_class_gives():
    assert allot(40, (0, 0, 90), (0, 1, 3), (1, 0, 50), (1, 1, 50)) == [17, 3, 10, 10]


def test_what_a_small_class_cannot_give_the_others_give():
    assert allot(40, (0, 0, 4), (0, 1, 3), (1, 0, 50), (1, 1, 50)) == [4, 3, 17, 16]


def test_several_core_clusters_of_a_class_share_its_budget():
    core = np.array([0] * 10 + [1] * 10 + [2] * 20)
    classes = np.array([0] * 20 + [1] * 20)
    found = allocate(
        groups_of(core, np.zeros(40, int)), classes, plain_space(np.zeros((40, 2))), 20
    )

    assert found.allotted.tolist() == [5, 5, 10]
    np.testing.assert_allclose(found.shares, [0.25, 0.25, 0.5])


def test_core_groups_that_mix_classes_are_balanced_themselves():
    core = np.array([0] * 10 + [1] * 30)
    groups = groups_of(core, np.array([0] * 10 + [0, 1, 2] * 10), core_is_class=False)

    found = allocate(groups, np.arange(40) % 2, plain_space(np.zeros((40, 2))), 12)

    assert found.allotted.tolist() == [6, 2, 2, 2]


@given(
    counts=st.lists(st.integers(1, 20), min_size=4, max_size=4),
    portion=st.floats(0, 1),
    weights=st.sampled_from(["equal", "spread_mean", "spread_median"]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_shares_sum_to_the_size_and_no_cell_gives_more_than_it_has(counts, portion, weights, seed):
    core, environment = cells(*zip([0, 0, 1, 1], [0, 1, 0, 1], counts, strict=True))
    size = max(1, int(portion * sum(counts)))
    space = plain_space(np.random.default_rng(seed).normal(size=(len(core), 2)))
    config = AllocationConfig(weights=weights)

    found = allocate(groups_of(core, environment), core, space, size, config)

    assert int(found.allotted.sum()) == size
    assert (found.allotted <= found.available).all()
    assert found.shares.sum() == pytest.approx(1)
    if weights != "equal" and size >= 4:
        assert (found.allotted >= 1).all()


def test_groups_whose_members_coincide_get_one_image_or_none():
    core, environment = cells((0, 0, 5), (0, 1, 1))
    points = np.concatenate([np.arange(10.0).reshape(5, 2), [[3.0, 3.0]]])

    groups = groups_of(core, environment)
    floor, none = (
        allocate(
            groups,
            core,
            plain_space(points),
            4,
            AllocationConfig(weights="spread_mean", at_least_one=at_least_one),
        )
        for at_least_one in (True, False)
    )

    assert floor.allotted.tolist() == [3, 1]
    assert none.allotted.tolist() == [4, 0]


def test_weights_of_points_that_all_coincide_are_equal():
    found = spread_weights(
        np.zeros((4, 2)), np.zeros((4, 2)), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0])
    )

    np.testing.assert_allclose(found, [[0.25, 0.25], [0.5, 0]])


def test_a_size_above_what_is_kept_is_refused_with_both_numbers():
    with pytest.raises(InvalidInput, match="subset of 12 images cannot be drawn from the 11 that"):
        allot(12, (0, 0, 6), (1, 0, 5))
    with pytest.raises(InvalidInput, match="between 1 and 11"):
        allot(0, (0, 0, 6), (1, 0, 5))


def test_settings_that_contradict_are_refused():
    with pytest.raises(InvalidInput, match="equal weights are capped"):
        AllocationConfig(rounding="truncate")
    with pytest.raises(InvalidInput, match="effective size weights are capped"):
        AllocationConfig(weights="effective_size", capped=False)
    with pytest.raises(UnknownOption):
        AllocationConfig(weights="same")
    assert AllocationConfig.preset("authors").weights == "spread_median"
    assert AllocationConfig.preset("paper").weights == "spread_mean"


def test_effective_sizes_by_hand():
    found = effective_sizes(
        np.array([1.0, 1.0, 1.0, 4.0, 0.0, 3.0, 1.0]), np.array([0, 0, 0, 1, 1, 2, 2])
    )

    assert found == pytest.approx([3, 1, 16 / 10])
    assert effective_sizes(np.zeros(2), np.zeros(2, dtype=int)).tolist() == [0]


@given(
    importance=arrays(np.float64, st.integers(1, 30), elements=st.just(0.0) | st.floats(1e-300, 1)),
    scale=st.floats(1e-3, 1e3),
)
def test_an_effective_size_is_at_most_the_size_and_has_no_unit(importance, scale):
    cell_of = np.zeros(len(importance), dtype=int)

    (size,) = effective_sizes(importance, cell_of)
    (scaled,) = effective_sizes(scale * importance, cell_of)

    assert size <= np.count_nonzero(importance) + 1e-9
    assert size >= (1 - 1e-9 if importance.max() > 0 else 0)
    assert scaled == pytest.approx(size, rel=1e-6)


def test_cells_weigh_by_the_root_of_their_effective_size_and_classes_the_same():
    groups = groups_of([0] * 20 + [1] * 8, [0] * 16 + [1] * 4 + [0] * 8)
    classes = np.repeat([0, 1], [20, 8])
    config = AllocationConfig(weights="effective_size")

    def shares(importance):
        return allocate(
            groups, classes, plain_space(np.zeros((28, 2))), 12, config, importance=importance
        )

    same = shares(np.ones(28))
    assert same.shares == pytest.approx([0.5 * 4 / 6, 0.5 * 2 / 6, 0.5])
    assert same.allotted.tolist() == [4, 2, 6]
    # a cell in which only one image counts is one image
    lone = shares(np.concatenate([[1.0], np.zeros(15), np.ones(12)]))
    assert lone.shares == pytest.approx([0.5 / 3, 0.5 * 2 / 3, 0.5])
    # a class of which nothing counts shares its part equally
    nothing = shares(np.concatenate([np.zeros(20), np.ones(8)]))
    assert nothing.shares == pytest.approx([0.25, 0.25, 0.5])
    assert nothing.allotted.sum() == 12
