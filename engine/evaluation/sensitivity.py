"""Does a classifier rest on the core? Accuracy under noise off the core and on it (CoRM)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from engine.attention.presets import check_range
from engine.errors import InvalidInput, MisalignedRows


def relative_core_sensitivity(core: float, spurious: float) -> float:
    """Give RCS, the gap of two accuracies as a share of the greatest gap that their mean allows.

    Args:
        core: Accuracy with noise off the core, in [0, 1].
        spurious: Accuracy with noise on the core, in [0, 1].

    Returns:
        (core - spurious) / (2 min(a, 1 - a)), a their mean, in [-1, 1]; 0 where a is 0 or 1.

    Raises:
        InvalidInput: An accuracy leaves [0, 1].

    References:
        AttributionScanner (TVCG 2025), V-A, after Singla, Moayeri, Feizi 2022. The paper calls the
        gap absolute; its sign tells on which side a classifier rests, so it is kept.
    """
    check_range("accuracy under noise off the core", core, low=0, high=1)
    check_range("accuracy under noise on the core", spurious, low=0, high=1)
    mean = 0.5 * (core + spurious)
    room = 2.0 * min(mean, 1.0 - mean)
    return (core - spurious) / room if room > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSensitivity:
    """How a classifier does on clean and on noisy pictures.

    Attributes:
        clean: Accuracy on the pictures as they are.
        core: Accuracy with noise off the core; mean over the draws of noise.
        spurious: Accuracy with noise on the core; mean over the draws.
        rcs: Of these two.
    """

    clean: float
    core: float
    spurious: float
    rcs: float


def core_sensitivity(
    truths: Int[np.ndarray, " m"],
    clean: Int[np.ndarray, " m"],
    off_core: Sequence[Int[np.ndarray, " m"]],
    on_core: Sequence[Int[np.ndarray, " m"]],
) -> CoreSensitivity:
    """Compare predictions on clean and noisy pictures with the truth.

    Args:
        truths: True classes.
        clean: Predicted classes of the pictures as they are.
        off_core: With noise off the core, one array a draw.
        on_core: With noise on the core, one array a draw.

    Returns:
        Accuracies and RCS.

    Raises:
        InvalidInput: There is no picture or no draw.
        MisalignedRows: Arrays differ in length.
    """
    if not len(truths) or not off_core or not on_core:
        raise InvalidInput("core sensitivity needs at least one picture and one draw of noise")
    if {len(truths)} != {len(found) for found in (clean, *off_core, *on_core)}:
        raise MisalignedRows("predictions and truths differ in length")
    core = float(np.mean([np.mean(found == truths) for found in off_core]))
    spurious = float(np.mean([np.mean(found == truths) for found in on_core]))
    return CoreSensitivity(
        clean=float(np.mean(clean == truths)),
        core=core,
        spurious=spurious,
        rcs=relative_core_sensitivity(core, spurious),
    )
