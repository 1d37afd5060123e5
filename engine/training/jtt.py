"""Just train twice: what a first, weak classifier gets wrong counts more for the second.

Liu et al., Just Train Twice, ICML 2021: an ERM model is stopped early, its errors on train are the
error set E, and the second model minimises `sum_E lambda l + sum_(not E) l`. No groups are needed to
train; the authors choose epoch and lambda by the worst group of val, which is not done here: lambda
and C go by the plain average. On frozen features strong regularisation stands in for early stopping.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.attention.presets import check_range
from engine.errors import InvalidInput
from engine.training.last_layer import Head, LastLayerConfig, fit_head


@dataclass(frozen=True, slots=True, kw_only=True)
class JttConfig:
    """How the two trainings go.

    Attributes:
        identification_c: C of the first head; small, or it makes no error to learn from.
        up_weights: lambda to choose from for a head (the authors try 20, 50, 100 on Waterbirds and
            CelebA, 4 to 6 on texts).
        identification_epochs: Epochs of the first network where all layers are trained.
        repeats: lambda where all layers are trained: how often an error comes up in an epoch.
    """

    identification_c: float = 1e-4
    up_weights: tuple[float, ...] = (5.0, 20.0, 100.0)
    identification_epochs: int = 1
    repeats: int = 5

    def __post_init__(self) -> None:
        check_range("retraining.jtt.identification_c", self.identification_c, low=0, open_low=True)
        check_range("retraining.jtt.identification_epochs", self.identification_epochs, low=1)
        check_range("retraining.jtt.repeats", self.repeats, low=1)
        if not self.up_weights:
            raise InvalidInput("retraining.jtt.up_weights is empty; give at least one, e.g. 20")
        for weight in self.up_weights:
            check_range("retraining.jtt.up_weights", weight, low=0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UpweightedFit:
    """Fits a head in which errors of the first count `up_weight` times.

    Attributes:
        errors: Which rows of the route the first classifier got wrong.
        up_weight: lambda; with 1 this is ERM.
    """

    errors: Bool[np.ndarray, " m"]
    up_weight: float

    def __call__(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        config: LastLayerConfig,
        C: float,
        *,
        class_names: Sequence[str],
        positions: Int[np.ndarray, " n"],
    ) -> Head:
        """Fit; see `engine.training.judging.HeadFit`."""
        weights = np.where(self.errors[positions], self.up_weight, 1.0)
        return fit_head(features, labels, config, C, class_names=class_names, weights=weights)


def error_set(
    features: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, " m"],
    last_layer: LastLayerConfig,
    config: JttConfig,
    *,
    class_names: Sequence[str] = (),
) -> Bool[np.ndarray, " m"]:
    """Find what a strongly regularised head gets wrong on the very rows that it is fitted on.

    Args:
        features: Raw features of the rows to fit.
        labels: Their classes.
        last_layer: How heads are fitted.
        config: Gives the first head's C.
        class_names: All classes; each needs a row.

    Returns:
        True for errors.
    """
    first = fit_head(features, labels, last_layer, config.identification_c, class_names=class_names)
    wrong: np.ndarray = np.argmax(first.logits(features), axis=1) != labels
    return wrong


def repeated_errors(
    rows: Int[np.ndarray, " m"], errors: Bool[np.ndarray, " m"], repeats: int
) -> Int[np.ndarray, " k"]:
    """Name every error so many times, every other row once.

    Args:
        rows: Rows to train on.
        errors: Which of them the first classifier got wrong.
        repeats: lambda, at least 1; with 1 the rows are as they were.

    Returns:
        The rows in their order, errors repeated in place.
    """
    named: np.ndarray = np.repeat(rows, np.where(errors, repeats, 1))
    return named
