import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.slicing.confusion import Cell, cell_members, confusion_view
from engine.slicing.slice_set import first_set

SLICES = first_set(np.arange(6), np.array([0, 0, 0, 1, 1, 1]))


def test_two_classes_have_all_four_cells():
    view = confusion_view(SLICES, np.array([0, 0, 1, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 0]), 2)

    assert view.matrix.tolist() == [[1, 1], [1, 3]]
    assert view.by_slice.tolist() == [[[1, 1], [0, 1]], [[0, 0], [1, 2]]]
    assert [cell.count for cell in view.shown] == [1, 1, 1, 3]
    assert view.others == 0


def test_more_classes_show_the_most_frequent_confusions():
    truths, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([1, 1, 0, 2, 0, 1])

    view = confusion_view(SLICES, truths, predicted, 3, panels=2)

    assert view.shown == (
        Cell(truth=0, predicted=1, count=2),
        Cell(truth=1, predicted=0, count=1),
    )
    assert view.others == 2
    assert cell_members(SLICES, 0, truths, predicted, view.shown[0]).tolist() == [0, 1]
    assert cell_members(SLICES, 1, truths, predicted, view.shown[0]).tolist() == []


def test_a_class_that_is_not_there_is_refused():
    with pytest.raises(InvalidInput, match=r"classes in \[0, 2\)"):
        confusion_view(SLICES, np.array([0, 0, 1, 1, 1, 2]), np.zeros(6, dtype=int), 2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=6, max_size=6))
def test_cells_of_all_slices_count_every_image_once(pairs):
    truths, predicted = np.array(pairs).T

    view = confusion_view(SLICES, truths, predicted, 4, panels=3)

    assert view.matrix.sum() == 6
    assert (view.by_slice.sum(axis=(1, 2)) == SLICES.sizes()).all()
    errors = int((truths != predicted).sum())
    assert sum(cell.count for cell in view.shown) + view.others == errors
    counts = [cell.count for cell in view.shown]
    assert counts == sorted(counts, reverse=True)
