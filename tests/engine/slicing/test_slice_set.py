import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.slicing.slice_set import (
    ChangeKind,
    SliceSet,
    change_from_json,
    change_to_json,
    first_set,
    halves,
    lasso,
    merge,
    rename,
    replay,
    split,
)

LABELS = np.array([0, 0, 1, 1, 1, 2, 2])
PLACES = np.array([[0, 0], [1, 0], [5, 0], [6, 0], [9, 0], [0, 9], [1, 9]], dtype=float)


def small() -> SliceSet:
    return first_set(np.arange(100, 107), LABELS)


def test_the_first_set_names_slices_by_cluster():
    slices = small()

    assert slices.version == 0
    assert [one.name for one in slices.slices] == ["Slice 0", "Slice 1", "Slice 2"]
    assert slices.sizes().tolist() == [2, 3, 2]
    assert slices.members(1).tolist() == [2, 3, 4]


def test_merging_gives_a_new_number_and_leaves_the_old_set():
    before = small()

    after = merge(before, [2, 0], "Grass")

    assert after.numbers == (1, 3)
    assert after.named(3).name == "Grass"
    assert after.members(3).tolist() == [0, 1, 5, 6]
    assert before.assignment.tolist() == LABELS.tolist()
    assert before.version == 0
    assert after.version == 1


def test_splitting_cuts_between_two_means():
    after = split(small(), 1, PLACES)

    assert after.numbers == (0, 2, 3, 4)
    assert sorted([after.members(3).tolist(), after.members(4).tolist()]) == [[2, 3], [4]]


def test_a_lasso_takes_images_from_whatever_slices():
    after = lasso(small(), np.array([1, 2, 5, 6]))

    assert after.assignment.tolist() == [0, 3, 3, 1, 1, 3, 3]
    assert after.numbers == (0, 1, 3)
    assert after.changes[0].slices == (0, 1, 2)


@pytest.mark.parametrize(
    ("do", "names"),
    [
        (lambda s: split(s, 2, PLACES), ["Slice 4", "Slice 3", "Slice 3 (2)", "Slice 4 (2)"]),
        (lambda s: lasso(s, np.array([2])), ["Slice 4", "Slice 3", "Slice 2", "Slice 3 (2)"]),
        (lambda s: merge(s, [0, 2]), ["Slice 3", "Slice 3 (2)"]),
        (lambda s: merge(s, [1, 2]), ["Slice 4", "Slice 3"]),  # the slice of that name is gone
    ],
)
def test_a_new_slice_gets_a_free_name_and_the_same_again(do, names):
    after = do(rename(rename(small(), 1, "Slice 3"), 0, "Slice 4"))

    assert [one.name for one in after.slices] == names
    assert replay(small(), after.changes).slices == after.slices


def test_renaming_keeps_the_number():
    after = rename(small(), 1, "  Water ")

    assert after.named(1).name == "Water"
    assert after.assignment.tolist() == LABELS.tolist()


REFUSED = {
    "one to merge": (lambda s: merge(s, [1]), "at least two"),
    "no such slice": (lambda s: merge(s, [1, 9]), "no slice 9"),
    "merged under a taken name": (lambda s: merge(s, [0, 1], "Slice 2"), "is taken"),
    "no name": (lambda s: rename(s, 0, " "), "needs a name"),
    "a taken name": (lambda s: rename(s, 0, "Slice 1"), "is taken"),
    "an empty lasso": (lambda s: lasso(s, np.array([], dtype=int)), "no image lies inside"),
    "beyond the images": (lambda s: lasso(s, np.array([3, 7])), "numbered 0 to 6"),
    "before the images": (lambda s: lasso(s, np.array([-1, 3])), "numbered 0 to 6"),
    "one place": (lambda s: split(s, 0, np.zeros((7, 2))), "all in one place"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_changes_that_mean_nothing_are_refused(name):
    change, message = REFUSED[name]

    with pytest.raises(InvalidInput, match=message):
        change(small())


def test_an_empty_slice_is_refused():
    with pytest.raises(InvalidInput, match="none be empty"):
        first_set(np.arange(2), np.array([0, 2]))


def test_a_part_of_another_slice_cannot_be_split_off():
    change = change_from_json({"kind": "split", "slices": [1], "name": "", "members": [0, 2]})

    with pytest.raises(InvalidInput, match="none of others"):
        replay(small(), [change])


def test_what_is_no_change_is_refused():
    with pytest.raises(InvalidInput, match="no change of slices"):
        change_from_json({"kind": "melt", "slices": [], "name": "", "members": []})


def _changed(slices: SliceSet, points: np.ndarray, draw) -> SliceSet:
    kind = draw(st.sampled_from(list(ChangeKind)))
    number = draw(st.sampled_from(slices.numbers))
    if kind is ChangeKind.RENAME:
        return rename(slices, number, f"name {slices.version}")
    if kind is ChangeKind.MERGE:
        other = draw(st.sampled_from(slices.numbers))
        return slices if other == number else merge(slices, [number, other])
    if kind is ChangeKind.SPLIT:
        many = len(np.unique(points[slices.members(number)], axis=0)) > 1
        return split(slices, number, points) if many else slices
    drawn = draw(st.sets(st.integers(0, len(points) - 1), min_size=1))
    return lasso(slices, np.array(sorted(drawn)))


def versions(draw):
    """Draw a set and some changes; no strategy, as beartype draws random items to check."""
    n = draw(st.integers(2, 25))
    points = np.array(
        draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=n, max_size=n)),
        dtype=float,
    )
    _, labels = np.unique(
        np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))), return_inverse=True
    )
    found = [first_set(np.arange(n), labels)]
    for _ in range(draw(st.integers(1, 6))):
        found.append(_changed(found[-1], points, draw))
    return found


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_every_version_is_a_partition(data):
    found = versions(data.draw)

    for slices in found:
        assert slices.sizes().sum() == len(slices.rows)
        assert (slices.sizes() > 0).all()
        together = np.concatenate([slices.members(number) for number in slices.numbers])
        assert np.array_equal(np.sort(together), np.arange(len(slices.rows)))


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_changes_give_every_version_again_by_way_of_json(data):
    found = versions(data.draw)

    for slices in found:
        stored = json.dumps([change_to_json(change) for change in slices.changes])
        again = replay(found[0], [change_from_json(one) for one in json.loads(stored)])

        assert np.array_equal(again.assignment, slices.assignment)
        assert again.slices == slices.slices
        assert again.next_number == slices.next_number


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_number_never_comes_to_mean_other_images(data):
    found = versions(data.draw)
    gone: set[int] = set()

    for before, after in pairwise(found):
        gone |= set(before.numbers) - set(after.numbers)
        assert not gone & set(after.numbers)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=30))
def test_halves_lie_on_two_sides_of_a_line(places):
    points = np.array(places, dtype=float)

    second = halves(points)

    if len(np.unique(points, axis=0)) == 1:
        assert not second.any()
        return
    assert second.any()
    assert not second.all()
    first_mean, second_mean = points[~second].mean(axis=0), points[second].mean(axis=0)
    along = points @ (second_mean - first_mean)
    assert along[~second].max() <= along[second].min() + 1e-9
