"""Group DRO: the loss of the worst group, by weights that grow where the loss is high.

Sagawa et al., Distributionally Robust Neural Networks, ICLR 2020, algorithm 1: after each step
`q_g <- q_g exp(eta (L_g + C / sqrt(n_g)))`, made to sum to 1, and the loss is `sum_g q_g L_g`. The
authors' code applies the adjustment C only where it is above 0. True groups are needed.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from engine.attention.presets import check_range
from engine.errors import InvalidInput
from engine.training.last_layer import (
    Head,
    LastLayerConfig,
    fit_head,
    require_every_class,
    standardised,
)

_INNER_ITERATIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDroConfig:
    """How the worst group's loss is trained down.

    Attributes:
        step: eta of a batch where all layers are trained (the authors' .01).
        adjustment: C of `C / sqrt(n_g)`, 0 for none (the authors' plain group DRO; they try 0 to 5).
        head_step: First eta between two fits of a head; halved where it overshoots.
        head_steps: Fits of a head at most; fewer where the worst group is settled.
        head_tolerance: A head is settled when the worst group's loss is so near to the weighted
            mean of all, which is the least that it can be.
    """

    step: float = 0.01
    adjustment: float = 0.0
    head_step: float = 1.0
    head_steps: int = 60
    head_tolerance: float = 0.005

    def __post_init__(self) -> None:
        check_range("retraining.group_dro.step", self.step, low=0, open_low=True)
        check_range("retraining.group_dro.adjustment", self.adjustment, low=0)
        check_range("retraining.group_dro.head_step", self.head_step, low=0, open_low=True)
        check_range("retraining.group_dro.head_steps", self.head_steps, low=1)
        check_range("retraining.group_dro.head_tolerance", self.head_tolerance, low=0)


def raised_weights(
    weights: Float[np.ndarray, " g"],
    losses: Float[np.ndarray, " g"],
    counts: Int[np.ndarray, " g"],
    *,
    step: float,
    adjustment: float = 0.0,
) -> Float[np.ndarray, " g"]:
    """Raise the weights of groups whose loss is high.

    Args:
        weights: q, at least 0, summing to 1.
        losses: Mean loss of each group; 0 where a batch holds none of it.
        counts: Training rows of each group, for the adjustment.
        step: eta.
        adjustment: C; the authors apply it only where it is above 0.

    Returns:
        The new q, summing to 1.
    """
    adjusted = losses + (adjustment / np.sqrt(np.maximum(counts, 1)) if adjustment > 0 else 0.0)
    exponents = step * (adjusted - adjusted.max())
    raised = weights * np.exp(exponents)
    normalised: np.ndarray = raised / raised.sum()
    return normalised


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustFit:
    """Fits a head to the saddle point: the head that is best for the weights that are worst for it.

    On frozen features the loss is convex in the head and linear in q, so that instead of noisy
    steps of both, every q gets its own best head, `min_W n sum_g q_g L_g(W) + |W|^2 / 2C`, and q
    goes up where that head's loss is high. With q_g = n_g / n this is ERM at the same C.

    Attributes:
        groups: The group of each row of the route.
        config: How.
    """

    groups: Int[np.ndarray, " m"]
    config: GroupDroConfig

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
        require_every_class(
            labels, len(class_names) or int(labels.max(initial=-1)) + 1, class_names
        )
        _, groups = np.unique(self.groups[positions], return_inverse=True)
        counts = np.bincount(groups)
        weights = self._worst_weights(features, labels, groups, counts, C)
        # classes are balanced by the groups' weights, if by anything
        return fit_head(
            features,
            labels,
            replace(config, class_balanced=False),
            C,
            class_names=class_names,
            weights=_row_weights(weights, groups, counts),
        )

    def _worst_weights(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        groups: Int[np.ndarray, " n"],
        counts: Int[np.ndarray, " g"],
        C: float,
    ) -> Float[np.ndarray, " g"]:
        """Go up on the weights until the worst group's loss is their weighted mean."""
        z, _, _ = standardised(features)
        model = LogisticRegression(C=C, max_iter=_INNER_ITERATIONS, warm_start=True, tol=1e-4)
        extra = self.config.adjustment / np.sqrt(counts)
        step, weights = self.config.head_step, np.full(len(counts), 1 / len(counts))
        best, best_worst = weights, np.inf
        last_gap = np.inf
        for _ in range(self.config.head_steps):
            losses = _group_losses(model, z, labels, groups, counts, weights) + extra
            gap = float(losses.max() - weights @ losses)
            if losses.max() < best_worst:
                best, best_worst = weights, float(losses.max())
            if gap <= self.config.head_tolerance:
                break
            step = step / 2 if gap > last_gap else step
            last_gap = gap
            weights = raised_weights(weights, losses, counts, step=step)
        return best


def _row_weights(
    weights: Float[np.ndarray, " g"],
    groups: Int[np.ndarray, " n"],
    counts: Int[np.ndarray, " g"],
) -> Float[np.ndarray, " n"]:
    """Share a group's weight among its rows; the rows' weights have mean 1."""
    shared: np.ndarray = len(groups) * weights[groups] / counts[groups]
    return shared


def _group_losses(
    model: LogisticRegression,
    z: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"],
    counts: Int[np.ndarray, " g"],
    weights: Float[np.ndarray, " g"],
) -> Float[np.ndarray, " g"]:
    """Fit the weights' own best head, from where the last one ended; give each group's mean loss."""
    with warnings.catch_warnings():
        # the next fit goes on from here
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(z, labels, sample_weight=_row_weights(weights, groups, counts))
    scores = model.decision_function(z)
    if scores.ndim == 1:
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    each = logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]
    losses: np.ndarray = np.bincount(groups, weights=each) / counts
    return losses


def require_groups(groups: Int[np.ndarray, " n"], route: str) -> None:
    """Refuse a route that needs true groups where the data set names none.

    Args:
        groups: The group of each row that the route would fit, -1 where unknown.
        route: The route's name.

    Raises:
        InvalidInput: No row has a group; the message names the way out.
    """
    if not (groups >= 0).any():
        raise InvalidInput(
            f"route {route} needs true groups, but no row that it would fit names one; give the "
            "manifest a column `group`, or take a route without groups, such as slim_tr or jtt"
        )
