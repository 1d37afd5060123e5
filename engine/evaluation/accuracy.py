"""Accuracy on the whole, by group, and in the worst group, with counts and intervals.

"Average" means four things in this literature, so each has its own name here: the plain average
over rows; the unweighted mean of the groups; the mean of the groups weighted by their shares of the
training rows (Waterbirds' convention, because its test set is rebalanced); and the worst group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from engine.data.groups import GroupIndex
from engine.errors import InvalidInput, MisalignedRows
from engine.evaluation.bootstrap import ObjectIntervals, bootstrap_over_objects
from engine.evaluation.localization import Localization
from engine.evaluation.predictions import Predictions
from engine.labeling.intervals import Interval, wilson_interval

BY_CLASS = "no groups given; worst class reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAccuracy:
    """How many of a group's rows were classified rightly.

    Attributes:
        name: The group's name.
        n: Rows of the group.
        correct: Rows classified rightly.
        accuracy: Their share in [0, 1]; None for a group with no rows.
        interval: Wilson's 95 % interval of the share; None for a group with no rows.
    """

    name: str
    n: int
    correct: int
    accuracy: float | None
    interval: Interval | None

    @classmethod
    def of(cls, name: str, n: int, correct: int) -> "GroupAccuracy":
        """Compute share and interval from the two counts.

        Args:
            name: The group's name.
            n: Rows of the group.
            correct: Rows classified rightly, in [0, n].

        Returns:
            The group's accuracy.
        """
        if n == 0:
            return cls(name=name, n=0, correct=0, accuracy=None, interval=None)
        interval = wilson_interval(correct, n)
        return cls(name=name, n=n, correct=correct, accuracy=correct / n, interval=interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How good a classifier is on some rows.

    Attributes:
        n: Rows evaluated.
        correct: Rows classified rightly.
        average: Plain average over all rows.
        average_interval: Wilson's 95 % interval of the average.
        group_mean: Unweighted mean over the groups that have rows.
        train_weighted: Mean over those groups weighted by their training counts; None where the
            counts were not given or are all zero.
        worst_group: The lowest accuracy among the groups that have rows.
        worst_group_name: That group; the first of several equal ones.
        groups: Every group, the empty ones too.
        grouped_by: "group", or "class" where the data set names no groups.
        object_intervals: Bootstrap over objects, where objects were given.
        localization: Where the classifier looks, where true regions are known.
        notes: What a reader must know beside the numbers.
    """

    n: int
    correct: int
    average: float
    average_interval: Interval
    group_mean: float
    train_weighted: float | None
    worst_group: float
    worst_group_name: str
    groups: tuple[GroupAccuracy, ...]
    grouped_by: str
    object_intervals: ObjectIntervals | None = None
    localization: Localization | None = None
    notes: tuple[str, ...] = ()


def weighted_accuracy(
    accuracies: Sequence[float | None], counts: Int[np.ndarray, " g"]
) -> float | None:
    """Average group accuracies by counts, over the groups that have an accuracy.

    Args:
        accuracies: One per group, None for an empty group.
        counts: The weight of each group, e.g. its number of training rows; not negative.

    Returns:
        The weighted mean in [0, 1]; None where no group has both an accuracy and a weight.

    Raises:
        MisalignedRows: There are not as many counts as accuracies.
    """
    if len(accuracies) != len(counts):
        raise MisalignedRows(
            f"{len(accuracies)} groups are evaluated but {len(counts)} training counts are given"
        )
    pairs = [
        (a, int(n)) for a, n in zip(accuracies, counts, strict=True) if a is not None and n > 0
    ]
    total = sum(n for _, n in pairs)
    return sum(a * n for a, n in pairs) / total if total else None


def training_weights(
    groups: Int[np.ndarray, " m"], train_counts: Int[np.ndarray, " g"]
) -> Float64[np.ndarray, " m"]:
    """Weigh rows so that their groups have the shares they have in training.

    Args:
        groups: The group of each row, -1 for none.
        train_counts: Training rows of each group.

    Returns:
        Weights that sum to 1, or are all 0 where no row's group occurs in training; rows of no
        group weigh 0.
    """
    here = np.bincount(groups[groups >= 0], minlength=len(train_counts))
    per_row = np.divide(train_counts, here, out=np.zeros(len(train_counts)), where=here > 0)
    weights = np.where(groups >= 0, per_row[groups], 0.0)
    total = weights.sum()
    return np.asarray(weights / total if total > 0 else weights)


def evaluate(
    predictions: Predictions,
    groups: GroupIndex | None,
    train_counts: Int[np.ndarray, " g"] | None = None,
    *,
    class_names: Sequence[str] = (),
    objects: Int[np.ndarray, " m"] | None = None,
    localization: Localization | None = None,
    rng: np.random.Generator | None = None,
) -> Evaluation:
    """Count what was classified rightly, on the whole and by group.

    The minimum runs over every group that has rows here, whether or not it was trained on
    (SLIM's code leaves out the groups that its subset lacks), and the mean never contains the worst
    group twice (SLIM's does).

    Args:
        predictions: What the classifier said.
        groups: The data's groups; None, or an index that knows no group here, reports classes.
        train_counts: Training rows per group, in the order of the groups (of the classes, where
            `groups` is None); gives the train-weighted average.
        class_names: Names of the classes, for a report by class; "class 0" … where absent.
        objects: The object of each prediction; with `rng` gives intervals over objects.
        localization: Where the classifier looks on the same rows, carried along.
        rng: Where the bootstrap's draws come from.

    Returns:
        The evaluation.

    Raises:
        InvalidInput: There is nothing to evaluate.
        MisalignedRows: The groups' index does not hold the predictions' rows, or the training
            counts do not fit the groups.
    """
    if len(predictions) == 0:
        raise InvalidInput("0 rows to evaluate; the split is empty, choose another")
    names, of_row, notes = _grouping(predictions, groups, class_names)
    correct = predictions.correct
    table = tuple(
        GroupAccuracy.of(name, int((of_row == g).sum()), int(correct[of_row == g].sum()))
        for g, name in enumerate(names)
    )
    filled = [(g.accuracy, g.name) for g in table if g.accuracy is not None]
    worst, worst_name = min(filled, key=lambda pair: pair[0])
    by_class = BY_CLASS in notes
    weighted = None
    if train_counts is not None and not (by_class and groups is not None):
        weighted = weighted_accuracy([g.accuracy for g in table], train_counts)
    intervals = None
    if objects is not None and rng is not None:
        intervals = bootstrap_over_objects(correct, of_row, objects, n_groups=len(names), rng=rng)
    n, n_correct = len(predictions), int(correct.sum())
    return Evaluation(
        n=n,
        correct=n_correct,
        average=n_correct / n,
        average_interval=wilson_interval(n_correct, n),
        group_mean=sum(a for a, _ in filled) / len(filled),
        train_weighted=weighted,
        worst_group=worst,
        worst_group_name=worst_name,
        groups=table,
        grouped_by="class" if by_class else "group",
        object_intervals=intervals,
        localization=localization,
        notes=notes,
    )


def _grouping(
    predictions: Predictions, groups: GroupIndex | None, class_names: Sequence[str]
) -> tuple[tuple[str, ...], Int[np.ndarray, " m"], tuple[str, ...]]:
    """Names of the groups, the group of each prediction, and what to say about it."""
    if groups is not None:
        if predictions.rows.max() >= len(groups.groups):
            raise MisalignedRows(
                f"row {int(predictions.rows.max())} has a prediction, but the groups describe "
                f"{len(groups.groups)} rows; take the groups of the same manifest"
            )
        of_row = groups.groups[predictions.rows]
        if (of_row >= 0).any():
            return tuple(groups.names), of_row, _group_notes(groups.names, of_row)
    n_classes = predictions.logits.shape[1]
    names = tuple(class_names) or tuple(f"class {c}" for c in range(n_classes))
    return names, predictions.labels, (BY_CLASS,)


def _group_notes(names: Sequence[str], of_row: Int[np.ndarray, " m"]) -> tuple[str, ...]:
    notes = []
    empty = [name for g, name in enumerate(names) if not (of_row == g).any()]
    if empty:
        notes.append(f"no rows here of {', '.join(empty)}: left out of mean and worst group")
    if stray := int((of_row < 0).sum()):
        notes.append(f"{stray} rows belong to no group: they count in the average alone")
    return tuple(notes)
