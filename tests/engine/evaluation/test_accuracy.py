from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from engine.data.groups import GroupIndex
from engine.errors import InvalidInput, MisalignedRows
from engine.evaluation.accuracy import (
    BY_CLASS,
    evaluate,
    training_weights,
    weighted_accuracy,
)
from engine.evaluation.predictions import Predictions
from engine.labeling.intervals import wilson_interval


def predictions_of(
    labels: Sequence[int], predicted: Sequence[int], rows: Sequence[int] | None = None
) -> Predictions:
    logits = np.eye(max(2, *labels, *predicted) + 1 if len(labels) else 2, dtype=np.float32)
    return Predictions(
        rows=np.arange(len(labels)) if rows is None else np.array(rows),
        logits=logits[np.array(predicted, dtype=int)],
        labels=np.array(labels, dtype=int),
    )


def index(groups: Sequence[int], names: tuple[str, ...]) -> GroupIndex:
    return GroupIndex(names=names, groups=np.array(groups, dtype=np.int64))


GROUPS = index([0, 0, 1, 1, 1, 2, -1, 0], ("a", "b", "c", "d"))
PREDICTED = predictions_of([0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0, 1])


def test_groups_are_counted_by_hand():
    found = evaluate(PREDICTED, GROUPS, np.array([10, 5, 5, 80]))

    assert [(g.name, g.n, g.correct) for g in found.groups] == [
        ("a", 2, 2),
        ("b", 3, 2),
        ("c", 1, 0),
        ("d", 0, 0),
    ]
    assert (found.n, found.correct, found.average) == (7, 5, 5 / 7)
    assert found.group_mean == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.train_weighted == pytest.approx((10 * 1 + 5 * 2 / 3 + 5 * 0) / 20)
    assert (found.worst_group, found.worst_group_name) == (0.0, "c")
    assert found.grouped_by == "group"


def test_an_empty_group_has_no_accuracy_and_is_never_the_worst():
    empty = evaluate(PREDICTED, GROUPS).groups[3]

    assert empty.accuracy is None
    assert empty.interval is None


def test_the_reader_is_told_of_empty_groups_and_of_rows_without_a_group():
    notes = evaluate(PREDICTED, GROUPS).notes

    assert notes == (
        "no rows here of d: left out of mean and worst group",
        "1 rows belong to no group: they count in the average alone",
    )


@pytest.mark.parametrize(
    "groups", [None, index([], ()), index([-1] * 7, ("a",))], ids=["none", "unnamed", "elsewhere"]
)
def test_without_groups_the_worst_class_is_reported_and_said_so(groups):
    if groups is not None and not len(groups.groups):
        groups = index([-1] * 7, ())

    found = evaluate(PREDICTED, groups, class_names=("cat", "dog"))

    assert [(g.name, g.n, g.correct) for g in found.groups] == [("cat", 4, 3), ("dog", 3, 2)]
    assert (found.worst_group, found.worst_group_name) == (2 / 3, "dog")
    assert found.notes == (BY_CLASS,)
    assert found.grouped_by == "class"


def test_class_counts_weigh_the_classes_where_no_groups_are_given():
    found = evaluate(PREDICTED, None, np.array([1, 3]), class_names=("cat", "dog"))

    assert found.train_weighted == pytest.approx((0.75 * 1 + 2 / 3 * 3) / 4)


def test_counts_of_groups_never_weigh_classes():
    found = evaluate(PREDICTED, index([-1] * 7, ("a", "b")), np.array([1, 3]))

    assert found.train_weighted is None


def test_rows_are_looked_up_in_the_manifest_not_counted_from_zero():
    some = predictions_of([0, 0], [0, 1], rows=[7, 4])

    found = evaluate(some, GROUPS)

    assert [(g.n, g.correct) for g in found.groups] == [(1, 1), (1, 0), (0, 0), (0, 0)]


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(InvalidInput, match="0 rows to evaluate"):
        evaluate(predictions_of([], []), GROUPS)


def test_groups_of_another_manifest_are_refused():
    with pytest.raises(MisalignedRows, match="row 8 has a prediction, but the groups describe 8"):
        evaluate(predictions_of([0], [0], rows=[8]), GROUPS)


def test_as_many_training_counts_as_groups_are_needed():
    with pytest.raises(MisalignedRows, match="4 groups are evaluated but 2 training counts"):
        evaluate(PREDICTED, GROUPS, np.array([1, 2]))


def test_training_counts_of_groups_that_are_not_here_give_no_weighted_average():
    assert evaluate(PREDICTED, GROUPS, np.array([0, 0, 0, 9])).train_weighted is None
    assert weighted_accuracy([None, 0.5], np.array([3, 0])) is None


def test_objects_give_intervals_where_a_generator_is_given():
    objects = np.array([0, 0, 1, 1, 2, 2, 3])

    found = evaluate(PREDICTED, GROUPS, objects=objects, rng=np.random.default_rng(0))

    assert found.object_intervals is not None
    assert found.object_intervals.n_objects == 4
    assert found.object_intervals.groups[3] is None
    assert evaluate(PREDICTED, GROUPS, objects=objects).object_intervals is None


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys_and_holds_the_share(counts):
    correct, n = counts

    low, high = wilson_interval(correct, n)

    scipys = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((scipys.low, scipys.high), abs=1e-12)
    assert 0 <= low <= correct / n <= high <= 1
    assert low < high


@pytest.mark.parametrize(("correct", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_have_no_interval(correct, n):
    with pytest.raises(InvalidInput, match=f"got {correct} of {n}"):
        wilson_interval(correct, n)


ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-1, 3)), min_size=1, max_size=40
)


@given(ROWS)
def test_every_average_lies_between_the_worst_and_the_best_group(rows):
    labels, predicted, groups = zip(*rows, strict=True)
    filled = index(groups, ("a", "b", "c", "d"))

    found = evaluate(predictions_of(labels, predicted), filled, np.array([4, 3, 2, 1]))

    accuracies = [g.accuracy for g in found.groups if g.accuracy is not None]
    assert 0 <= found.worst_group == min(accuracies)
    assert found.worst_group <= found.group_mean + 1e-12
    assert found.group_mean <= max(accuracies) + 1e-12
    assert max(accuracies) <= 1
    if found.train_weighted is not None:
        assert found.worst_group - 1e-12 <= found.train_weighted <= max(accuracies) + 1e-12
    if all(group >= 0 for group in groups):
        assert found.worst_group <= found.average <= max(accuracies)
        assert sum(g.n for g in found.groups) == found.n


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, random):
    labels, predicted, groups = (list(column) for column in zip(*rows, strict=True))
    order = list(range(len(rows)))
    random.shuffle(order)
    groups_of = index(groups, ("a", "b", "c", "d"))

    found = evaluate(predictions_of(labels, predicted), groups_of)
    shuffled = evaluate(
        predictions_of([labels[i] for i in order], [predicted[i] for i in order], rows=order),
        groups_of,
    )

    assert shuffled == found


def test_weights_restore_the_shares_of_training():
    groups = np.array([0, 0, 0, 1, -1])

    weights = training_weights(groups, np.array([1, 3, 5]))

    assert weights == pytest.approx([1 / 12, 1 / 12, 1 / 12, 3 / 4, 0])


def test_weights_are_zero_where_no_group_occurs_in_training():
    assert training_weights(np.array([0, -1]), np.array([0, 4])).tolist() == [0, 0]


@given(ROWS)
def test_weighing_rows_is_weighing_groups(rows):
    labels, predicted, groups = zip(*rows, strict=True)
    counts = np.array([4, 3, 2, 1])
    found = predictions_of(labels, predicted)

    weights = training_weights(np.array(groups), counts)

    evaluation = evaluate(found, index(groups, ("a", "b", "c", "d")), counts)
    if evaluation.train_weighted is not None:
        assert float(weights @ found.correct) == pytest.approx(evaluation.train_weighted)
