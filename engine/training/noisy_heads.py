"""A last layer fitted to pictures of which some have noise, and what it rests on.

One recipe for the bench that proves it and for the pages where a lead does it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Int, Int64

from engine.evaluation.sensitivity import CoreSensitivity, core_sensitivity
from engine.training.corruption import CormConfig, CorruptedFeatures
from engine.training.last_layer import Head, LastLayerConfig, fit_head
from engine.training.sensitivity import Side

FIGURES = ("clean", "core", "spurious", "rcs")
"""What is told of a classifier, as `CoreSensitivity` names it."""

MENDING_NOISE = CormConfig(beside=True)
"""Of slices. AttributionScanner puts noisy pictures in place of the clean ones. Here they are beside
them: on `val` of `stampbirds`, where marks flag half of the training images, clean accuracy then
rises from .630 to .682, and falls to .592 in place; RCS rises from .044 to .323, or to .163."""

NoisyPass = Mapping[Side, Float32[np.ndarray, "m d"]]
"""Frozen features of the judged pictures under one draw of noise, off the core and on it."""


def fit_under_noise(
    features: Float32[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    train: Int[np.ndarray, " t"],
    copies: CorruptedFeatures | None,
    *,
    beside: bool,
    c: float,
    class_names: Sequence[str],
) -> Head:
    """Fit a head to training rows, with some pictures' noisy copies in place of them or beside.

    Args:
        features: Frozen features of every row of the manifest.
        labels: What each row is trained with.
        train: Rows to fit, rising.
        copies: Noisy copies of some of these rows; None for clean pictures alone.
        beside: Copies are further examples; False: they take their originals' place, as printed.
        c: Inverse strength of the regularisation.
        class_names: Of the head.

    Returns:
        The head.
    """
    seen, told = features[train].copy(), labels[train]
    if copies is not None and len(copies.rows):
        of, made = np.asarray(copies.rows), np.asarray(copies.features)
        if beside:
            seen, told = np.concatenate([seen, made]), np.concatenate([told, labels[of]])
        else:
            seen[np.searchsorted(train, of)] = made
    recipe = LastLayerConfig(class_balanced=False)
    return fit_head(seen, told, recipe, c, class_names=tuple(class_names))


def judge_under_noise(
    head: Head,
    clean: Float32[np.ndarray, "m d"],
    truths: Int[np.ndarray, " m"],
    noisy: Sequence[NoisyPass],
) -> CoreSensitivity:
    """Say what a head rests on.

    Args:
        head: Judged.
        clean: Frozen features of the judged pictures.
        truths: Their true classes.
        noisy: The same pictures under each draw of noise; at least one.

    Returns:
        Accuracy on clean pictures and under noise, and RCS.
    """
    off, on = (
        [_classes(head, np.asarray(draw[side])) for draw in noisy]
        for side in (Side.OFF_CORE, Side.ON_CORE)
    )
    return core_sensitivity(truths, _classes(head, clean), off, on)


def _classes(head: Head, features: Float32[np.ndarray, "m d"]) -> Int64[np.ndarray, " m"]:
    found: np.ndarray = head.logits(features).argmax(axis=1)
    return found
