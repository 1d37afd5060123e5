"""Which strength of regularisation to take: by plain average accuracy, never by groups."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

RULES = ("best", "one_standard_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularisationChoice:
    """Which C was taken, and what every other would have given.

    Attributes:
        C: The one taken.
        how: "validation", "cross_validation", or "given" where the grid has one value only.
        rule: The rule that took it.
        c_grid: All candidates, ascending: the strongest regularisation first.
        scores: Plain average accuracy of each candidate on the judged rows; empty if "given".
        standard_error: Of the best score, rows of one object counted together; None if "given".
        n_judged: Rows that the candidates were judged on.
        train_weighted_choice: What the same rows reweighted to the groups' shares of training would
            have taken. Information beside the choice, never part of it; None without groups.
        train_weighted_scores: The reweighted averages; empty without groups.
        notes: What a reader must know beside the numbers.
    """

    C: float
    how: str
    rule: str
    c_grid: tuple[float, ...]
    scores: tuple[float, ...] = ()
    standard_error: float | None = None
    n_judged: int = 0
    train_weighted_choice: float | None = None
    train_weighted_scores: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def pick_regularisation(
    hits: Bool[np.ndarray, "g m"],
    c_grid: tuple[float, ...],
    *,
    how: str,
    rule: str,
    objects: Int[np.ndarray, " m"] | None = None,
    train_weights: Float[np.ndarray, " m"] | None = None,
    notes: tuple[str, ...] = (),
) -> RegularisationChoice:
    """Take a C by plain average accuracy, never by groups.

    Args:
        hits: Which of the m judged rows each of the g candidates classified rightly.
        c_grid: The candidates, ascending.
        how: "validation" or "cross_validation", to be told.
        rule: "best" or "one_standard_error".
        objects: The object of each judged row, for the standard error; None: each row its own.
        train_weights: Weights that give the judged rows' groups their shares of training, for the
            information beside the choice.
        notes: Carried along.

    Returns:
        The choice; with no judged row at all, the strongest regularisation.
    """
    counts = hits.sum(axis=1)
    n = hits.shape[1]
    best = int(np.argmax(counts))
    error = _standard_error(hits[best], objects) if n else 0.0
    slack = error * n if rule == "one_standard_error" else 0.0
    taken = int(np.argmax(counts >= counts[best] - slack))
    weighted = np.zeros(0)
    if train_weights is not None and train_weights.sum() > 0:
        weighted = hits @ train_weights / train_weights.sum()
    beside = c_grid[int(np.argmax(weighted >= weighted.max() - 1e-12))] if len(weighted) else None
    return RegularisationChoice(
        C=c_grid[taken],
        how=how,
        rule=rule,
        c_grid=c_grid,
        scores=tuple(float(count) / n for count in counts) if n else (),
        standard_error=error if n else None,
        n_judged=n,
        train_weighted_choice=beside,
        train_weighted_scores=tuple(float(score) for score in weighted),
        notes=notes,
    )


def _standard_error(hits: Bool[np.ndarray, " m"], objects: Int[np.ndarray, " m"] | None) -> float:
    """Standard error of the mean of `hits`, rows of one object taken as one cluster."""
    n = len(hits)
    residuals = hits - hits.mean()
    if objects is not None:
        _, of_row = np.unique(objects, return_inverse=True)
        residuals = np.bincount(of_row, weights=residuals)
    clusters = len(residuals)
    spread = float((residuals**2).sum()) * (clusters / (clusters - 1) if clusters > 1 else 1.0)
    return float(np.sqrt(spread)) / n
