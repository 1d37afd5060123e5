import numpy as np
import pytest

from engine.errors import InvalidInput
from engine.slicing.marks import Mark, MarkKind, carried, check_marks, stated
from engine.slicing.slice_set import first_set, lasso, merge, rename, split

CORE, SPURIOUS = Mark(kind=MarkKind.CORE), Mark(kind=MarkKind.SPURIOUS)
PLACES = np.array([[0, 0], [9, 0], [20, 0], [21, 0], [40, 0], [41, 0]], dtype=float)


def three():
    return first_set(np.arange(6), np.array([0, 0, 1, 1, 2, 2]))


def test_a_mark_states_a_score_unless_it_is_about_labels():
    marks = {
        0: Mark(kind=MarkKind.MIXED),
        1: Mark(kind=MarkKind.WRONG_LABELS),
        2: Mark(kind=MarkKind.SPURIOUS, score=0.2),
    }

    places, values = stated(three(), marks)

    assert places.tolist() == [0, 2]
    assert values.tolist() == [0.5, 0.2]


def test_a_score_outside_its_range_is_refused():
    with pytest.raises(InvalidInput, match=r"got 1\.5"):
        Mark(kind=MarkKind.CORE, score=1.5)


def test_marks_of_another_set_are_refused():
    with pytest.raises(InvalidInput, match="slice 7 is marked"):
        check_marks(three(), {7: CORE})


def test_both_halves_of_a_marked_slice_are_marked():
    before = three()
    after = split(before, 0, PLACES)

    assert carried(before, {0: CORE, 2: SPURIOUS}, after) == {2: SPURIOUS, 3: CORE, 4: CORE}


def test_slices_marked_alike_keep_the_mark_when_merged_and_others_lose_it():
    before = three()
    marks = {0: CORE, 1: CORE, 2: SPURIOUS}

    assert carried(before, marks, merge(before, [0, 1])) == {2: SPURIOUS, 3: CORE}
    assert carried(before, marks, merge(before, [1, 2])) == {0: CORE}
    assert carried(before, marks, lasso(before, np.array([1, 2]))) == {
        0: CORE,
        1: CORE,
        2: SPURIOUS,
        3: CORE,
    }


def test_a_new_name_changes_no_mark():
    before = three()

    assert carried(before, {1: SPURIOUS}, rename(before, 1, "Sky")) == {1: SPURIOUS}


def test_marks_do_not_go_to_other_images():
    with pytest.raises(InvalidInput, match="same images"):
        carried(three(), {}, first_set(np.arange(1, 7), np.array([0, 0, 1, 1, 2, 2])))
