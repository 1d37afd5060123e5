"""Choosing a block: pure, seeded, balanced."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from annotation_site.annotation.allocation import Candidate, choose_block

counts = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(0, 3)), min_size=0, max_size=40
)


def candidates_of(rows):
    return [
        Candidate(task_id=n, reserved=min(reserved, target - 1), target=target, cluster=cluster)
        for n, (reserved, target, cluster) in enumerate(rows)
    ]


@given(counts, st.integers(0, 50), st.integers(0, 2**31))
def test_a_block_holds_each_task_at_most_once_and_no_more_than_asked(rows, size, seed):
    candidates = candidates_of(rows)

    block = choose_block(candidates, size, seed)

    assert len(block) == len(set(block)) == min(size or len(rows), len(rows))


@given(counts, st.integers(1, 50), st.integers(0, 2**31))
def test_nobody_left_out_is_emptier_than_somebody_chosen(rows, size, seed):
    candidates = candidates_of(rows)
    load = {each.task_id: each.reserved / each.target for each in candidates}

    block = set(choose_block(candidates, size, seed))

    left_out = set(load) - block
    if block and left_out:
        assert max(load[task] for task in block) <= min(load[task] for task in left_out)


@given(counts, st.integers(0, 50), st.integers(0, 2**31))
def test_the_seed_settles_everything_and_the_order_of_rows_nothing(rows, size, seed):
    candidates = candidates_of(rows)

    assert choose_block(candidates, size, seed) == choose_block(candidates[::-1], size, seed)


@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 2**31))
def test_a_block_mirrors_clusters_of_equal_size(n_clusters, rounds, seed):
    candidates = [
        Candidate(task_id=n, reserved=0, target=1, cluster=n % n_clusters)
        for n in range(12 * n_clusters)
    ]

    block = choose_block(candidates, rounds * n_clusters, seed)

    assert set(Counter(task % n_clusters for task in block).values()) == {rounds}


def test_blocks_in_turn_keep_counts_within_one():
    reserved = [0] * 30
    for seed in range(40):
        free = [
            Candidate(task_id=n, reserved=count, target=8, cluster=n % 4)
            for n, count in enumerate(reserved)
            if count < 8
        ]
        for task in choose_block(free, 6, seed):
            reserved[task] += 1
        assert max(reserved) - min(reserved) <= 1

    assert reserved == [8] * 30
