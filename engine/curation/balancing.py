"""Weigh a subset so that what surrounds the core is equally frequent in every class."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int

from engine.errors import MisalignedRows

_SMOOTHING = 0.5
"""Added to each count, so that a part that one class lacks does not take the others' weight."""
_ROUNDS, _CLOSE = 200, 1e-9


def balancing_weights(
    classes: Int[np.ndarray, " s"], partitions: Sequence[Int[np.ndarray, " s"]]
) -> Float64[np.ndarray, " s"]:
    """Weigh images so that class and environment no longer go together.

    Equations 3 to 6 of SLIM share the budget over cells, but a cell cannot give more than it holds,
    and what is left of the dependence is what a classifier learns from. Each partition's parts get
    one common share in all classes, by the harmonic mean of their counts over classes (a part that
    is rare somewhere gets little, since few images would have to stand for much), and the weights
    meet the shares of all partitions by iterative proportional fitting (Deming and Stephan, 1940).

    Args:
        classes: Class of each image of the subset, from 0.
        partitions: For each partition the part of each image, from 0: environment clusters, cues.

    Returns:
        Weights above 0 where each class has every part, with mean 1 in each class. All 1 for one
        class, or where no partition has two parts.

    Raises:
        MisalignedRows: A partition's length is not that of the classes.
    """
    weights = np.ones(len(classes))
    parts = [np.unique(part, return_inverse=True)[1].reshape(-1) for part in partitions]
    if any(len(part) != len(classes) for part in parts):
        raise MisalignedRows("classes and partitions must describe the same images")
    names, class_of = np.unique(classes, return_inverse=True)
    class_of = class_of.reshape(-1)
    divided = [part for part in parts if len(part) and part.max() > 0]
    if len(names) < 2 or not divided:
        return weights
    goals = [_goal(class_of, part) for part in divided]
    for _ in range(_ROUNDS):
        before = weights
        for part, goal in zip(divided, goals, strict=True):
            weights = weights * _correction(weights, class_of, part, goal)
        if np.abs(weights - before).max() < _CLOSE:
            break
    sizes = np.bincount(class_of)
    totals = np.bincount(class_of, weights=weights)
    scaled: np.ndarray = weights * (sizes / totals)[class_of]
    return scaled


def _counts(
    weights: Float64[np.ndarray, " s"], class_of: Int[np.ndarray, " s"], part: Int[np.ndarray, " s"]
) -> Float64[np.ndarray, "c p"]:
    table = np.zeros((int(class_of.max()) + 1, int(part.max()) + 1))
    np.add.at(table, (class_of, part), weights)
    return table


def _goal(
    class_of: Int[np.ndarray, " s"], part: Int[np.ndarray, " s"]
) -> Float64[np.ndarray, "c p"]:
    """Give each class's share of each part: the same in all classes that have all parts."""
    counts = _counts(np.ones(len(part)), class_of, part)
    common = 1.0 / np.mean(1.0 / (counts + _SMOOTHING), axis=0)
    share = np.where(counts > 0, common[None], 0.0)
    goal: np.ndarray = share / share.sum(axis=1, keepdims=True)
    return goal


def _correction(
    weights: Float64[np.ndarray, " s"],
    class_of: Int[np.ndarray, " s"],
    part: Int[np.ndarray, " s"],
    goal: Float64[np.ndarray, "c p"],
) -> Float64[np.ndarray, " s"]:
    """Give the factor of each image that makes its part's share the goal."""
    now = _counts(weights, class_of, part)
    now = now / now.sum(axis=1, keepdims=True)
    factor = np.divide(goal, now, out=np.ones_like(goal), where=now > 0)
    corrected: np.ndarray = factor[class_of, part]
    return corrected
