from collections import Counter
from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attention.space import AttentionSpace
from engine.errors import InvalidInput, MisalignedRows, UnknownOption
from engine.labeling.aggregation import AttentionLabels
from engine.labeling.queries import STRATEGIES, QueryConfig, select_queries, share_budget
from engine.labeling.shares import largest_remainder
from engine.labeling.spreading import SpreadingConfig


def space_of(points, first_row=0):
    flat = np.asarray(points, dtype=np.float32)
    return AttentionSpace(
        rows=np.arange(first_row, first_row + len(flat)),
        core=flat,
        environment=flat,
        core_components=flat,
        environment_components=flat,
        core_trustworthiness=1.0,
        environment_trustworthiness=1.0,
    )


def blobs(n=40):
    """Two classes of four far blobs of ten; a blob's first point is its very middle."""
    rng = np.random.default_rng(0)
    middles = np.array([[0, 0], [50, 0], [0, 50], [50, 50]] * 2, dtype=float)
    around = rng.uniform(-1, 1, (8, 9, 2))
    around -= around.mean(axis=1, keepdims=True)
    points = np.concatenate([np.zeros((8, 1, 2)), around], axis=1) + middles[:, None]
    return points.reshape(80, 2), np.repeat([0, 1], 40)


def everyone(classes):
    return np.ones(len(classes), dtype=bool)


def test_a_budget_is_shared_equally_and_surplus_goes_on():
    assert share_budget(np.array([100, 100]), 25).tolist() == [13, 12]
    assert share_budget(np.array([100, 3, 100]), 31).tolist() == [14, 3, 14]
    assert share_budget(np.array([2, 3]), 99).tolist() == [2, 3]
    with pytest.raises(InvalidInput, match="at least 0, got -1"):
        share_budget(np.array([5]), -1)


@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=9), budget=st.integers(0, 60))
def test_a_first_round_is_shared_by_the_largest_remainder(sizes, budget):
    room = np.array(sizes)
    enough = max(budget, int(np.count_nonzero(room)))
    rng = np.random.default_rng(0)

    shares = share_budget(room, enough, rng=rng)

    expected = largest_remainder(np.ones(len(room)), min(enough, int(room.sum())), room)
    assert shares.tolist() == expected.tolist()
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


@given(
    classes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7),
    budget=st.integers(0, 60),
)
def test_each_query_goes_to_the_class_asked_least(classes, budget):
    sizes, earlier = np.array(classes).T
    expected = np.zeros(len(sizes), dtype=int)
    for _ in range(min(budget, int(sizes.sum()))):
        is_open = expected < sizes
        expected[np.where(is_open, earlier + expected, 99).argmin()] += 1

    assert share_budget(sizes, budget, earlier=earlier).tolist() == expected.tolist()


def test_classes_beyond_the_budget_are_drawn_by_lot():
    sizes = np.full(100, 30)

    first, again, other = (
        share_budget(sizes, 40, rng=np.random.default_rng(seed)).tolist() for seed in (0, 0, 1)
    )

    assert first == again != other
    assert sum(first) == 40
    assert max(first) == 1
    assert sum(first[40:]) > 0


def test_earlier_queries_of_other_classes_are_refused():
    with pytest.raises(MisalignedRows, match="3 classes for 2 classes"):
        unwrap(share_budget)(np.array([1, 1]), 1, earlier=np.array([1, 1, 1]))


@pytest.mark.parametrize("strategy", ["centres", "random"])
def test_rounds_reach_every_class_where_there_are_more_than_the_budget(strategy):
    classes = np.repeat(np.arange(25), 6)
    points = np.random.default_rng(0).normal(size=(150, 2))
    asked: list[int] = []
    reached = []

    for _ in range(4):
        rng = np.random.default_rng(7)  # the rounds of one run have one seed
        queries = select_queries(
            space_of(points), classes, everyone(classes), 10, rng, asked=asked, strategy=strategy
        )
        asked += [query.row for query in queries]
        reached.append(len(set(classes[asked].tolist())))

    assert reached == [10, 20, 25, 25]
    assert set(Counter(classes[asked].tolist()).values()) == {1, 2}


def test_queries_are_the_points_nearest_the_centres(rng):
    points, classes = blobs()

    queries = select_queries(space_of(points, 100), classes, everyone(classes), 8, rng)

    assert [query.row for query in queries if query.class_index == 0] != []
    assert sorted(query.row for query in queries) == [100 + 10 * blob for blob in range(8)]
    assert [query.class_index for query in queries] == [0] * 4 + [1] * 4
    assert [query.cluster for query in queries] == [0, 1, 2, 3] * 2


def test_images_that_are_not_eligible_are_never_asked(rng):
    points, classes = blobs()
    eligible = everyone(classes)
    eligible[::10] = False

    queries = select_queries(space_of(points), classes, eligible, 40, rng)

    assert len(queries) == 40
    assert all(eligible[query.row] for query in queries)


def test_a_second_round_goes_where_nobody_asked(rng):
    points, classes = blobs()
    space = space_of(points)
    asked = [1, 12, 43, 55]  # blobs 0, 1, 4 and 5

    queries = select_queries(space, classes, everyone(classes), 4, rng, asked=asked)

    assert sorted(query.row // 10 for query in queries) == [2, 3, 6, 7]


@given(seed=st.integers(0, 2**32 - 1), budget=st.integers(1, 60), places=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_rounds_together_never_ask_twice(seed, budget, places):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, places, (40, 2)).astype(float)  # many coincide
    classes = rng.integers(0, 3, 40)
    eligible = rng.random(40) < 0.8
    eligible[0] = True
    asked: list[int] = []

    while eligible[np.setdiff1d(np.arange(40), asked)].any():
        left = int(eligible.sum()) - len(asked)
        queries = select_queries(space_of(points), classes, eligible, budget, rng, asked=asked)
        assert len(queries) == min(budget, left)
        asked += [query.row for query in queries]

    assert Counter(asked) == Counter(np.flatnonzero(eligible).tolist())


def test_one_seed_gives_the_same_queries():
    points, classes = blobs()

    first, second = (
        select_queries(
            space_of(points), classes, everyone(classes), 12, np.random.default_rng(5), pick=pick
        )
        for pick in ("one_of_five", "one_of_five")
    )

    assert first == second


def test_one_of_five_is_near_its_centre(rng):
    points, classes = blobs()

    queries = select_queries(
        space_of(points), classes, everyone(classes), 8, rng, pick="one_of_five"
    )

    assert sorted(query.row // 10 for query in queries) == list(range(8))
    assert any(query.row % 10 for query in queries)


def test_a_class_smaller_than_its_share_is_asked_whole(rng):
    points = np.arange(24.0).reshape(12, 2)
    classes = np.array([0] * 2 + [1] * 10)

    queries = select_queries(space_of(points), classes, everyone(classes), 8, rng)

    assert Counter(query.class_index for query in queries) == {0: 2, 1: 6}


def test_nothing_to_ask_is_refused(rng):
    points, classes = blobs()

    with pytest.raises(InvalidInput, match="cannot choose 4 queries among 0 images"):
        select_queries(space_of(points), classes, ~everyone(classes), 4, rng)
    with pytest.raises(InvalidInput, match="cannot choose 0 queries"):
        select_queries(space_of(points), classes, everyone(classes), 0, rng)
    with pytest.raises(UnknownOption, match="did you mean nearest"):
        select_queries(space_of(points), classes, everyone(classes), 4, rng, pick="nearst")


def test_presets():
    assert QueryConfig.preset("authors").pick == "one_of_five"
    assert QueryConfig.preset("paper") == QueryConfig.preset("default") == QueryConfig()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_keeps_to_the_budget_and_to_whom_may_be_asked(rng, strategy):
    points, classes = blobs()
    eligible = everyone(classes)
    eligible[::10] = False
    asked = [101, 112]

    queries = select_queries(
        space_of(points, 100), classes, eligible, 20, rng, asked=asked, strategy=strategy
    )

    rows = [query.row for query in queries]
    assert len(set(rows)) == 20
    assert not set(rows) & {100 + 10 * blob for blob in range(8)} | set(rows) & set(asked)
    assert Counter(query.class_index for query in queries) == {0: 9, 1: 11}
    assert strategy == "centres" or all(query.cluster == -1 for query in queries)


@pytest.mark.parametrize("strategy", ["k_medoids", "influence"])
def test_strategies_that_spread_out_ask_one_of_each_blob(rng, strategy):
    points, classes = blobs()

    near = SpreadingConfig(k=9)
    queries = select_queries(
        space_of(points), classes, everyone(classes), 8, rng, strategy=strategy, spreading=near
    )

    assert sorted(query.row // 10 for query in queries) == list(range(8))


@pytest.mark.parametrize("strategy", ["k_medoids", "influence"])
def test_they_go_where_nobody_asked_too(rng, strategy):
    points, classes = blobs()

    queries = select_queries(
        space_of(points),
        classes,
        everyone(classes),
        4,
        rng,
        asked=[1, 12, 43, 55],
        strategy=strategy,
        spreading=SpreadingConfig(k=9),
    )

    assert sorted(query.row // 10 for query in queries) == [2, 3, 6, 7]


def test_influence_goes_where_answers_differ(rng):
    """Two blobs were answered alike, one is split: the next question is about the split one."""
    points, classes = blobs()
    said = np.full(80, -1)
    said[0:40:10] = said[1:40:10] = said[2:40:10] = 1
    said[[20, 22]] = 0
    asked = np.flatnonzero(said >= 0).tolist()
    only_first = everyone(classes) & (classes == 0)

    def ask(labels):
        return select_queries(
            space_of(points),
            classes,
            only_first,
            1,
            rng,
            asked=asked,
            strategy="influence",
            spreading=SpreadingConfig(k=9),
            labels=AttentionLabels.of_answers(labels),
        )

    assert ask(said)[0].row // 10 == 2
    with pytest.raises(MisalignedRows, match="1 labels for the 80 images"):
        ask(said[:1])


def test_an_unknown_strategy_is_refused():
    with pytest.raises(UnknownOption, match="did you mean k_medoids"):
        QueryConfig(strategy="k_medoid")
