from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.data.families import part_by_family, split_families, stream
from engine.data.manifest import Split


@given(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=60))
def test_families_are_never_parted(families):
    splits = split_families(families, np.random.default_rng(0))

    assert len({(f, s) for f, s in zip(families, splits, strict=True)}) == len(set(families))


def test_sizes_come_close_to_the_shares():
    splits = Counter(split_families([str(k) for k in range(100)], np.random.default_rng(0)))

    assert splits == {Split.TRAIN: 55, Split.VALIDATION: 17, Split.TEST: 28}


def test_the_campus_is_in_train():
    splits = split_families(["a", "campus", "b"], np.random.default_rng(0))

    assert splits[1] is Split.TRAIN


def test_every_item_comes_into_one_part_of_its_kind():
    items = list(range(40))

    parted = part_by_family(items, [k % 2 for k in items], [str(k // 4) for k in items], 3, "x")

    assert sorted(k for among in parted.values() for k in among) == items
    assert all(k % 2 == kind for (_, kind), among in parted.items() for k in among)
    assert parted == part_by_family(
        items, [k % 2 for k in items], [str(k // 4) for k in items], 3, "x"
    )


def test_streams_differ_by_seed_and_key():
    drawn = {float(stream(*key).random()) for key in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 1))}

    assert len(drawn) == 4
    assert stream(0, "a").random() == stream(0, "a").random()
