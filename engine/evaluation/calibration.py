"""Are the scores right, and do they mean what they say? Against labels that the true regions give.

A score of .8 is calibrated when four in five of the images that have it are core. Accuracy, AUROC
and calibration are three questions: scores may sort perfectly and still be far too sure.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.intervals import Interval, wilson_interval
from engine.labeling.votes import AttentionLabel

_SURE = 1e-6
"""Scores are kept this far from 0 and 1 in the logarithm: one sure error is not infinite."""

ONE_KIND = "all images are of one kind, so nothing can be sorted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """The images whose scores lie in one range.

    Attributes:
        low: Least score of the range.
        high: Its end; only the last range holds its own end.
        n: Images in it.
        mean_score: Their mean score; None for no image.
        core_share: Share of them that is truly core; None for no image.
        interval: Wilson's 95 % interval of that share; None for no image.
    """

    low: float
    high: float
    n: int
    mean_score: float | None
    core_share: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How good scores are against the truth.

    Attributes:
        n: Images with a score and a known truth.
        core_share: Share of them that is truly core.
        accuracy: Share on the right side of the threshold; a score at it counts as core.
        balanced_accuracy: Mean of the shares of core and of spurious images on the right side;
            None where all are of one kind.
        auroc: Probability that a core image scores above a spurious one, ties counting half; None
            where all are of one kind.
        brier: Mean squared error, in [0, 1]; .25 for always saying a half.
        log_loss: Mean -log of what was said of the truth, in nats.
        ece: Expected calibration error: mean distance of mean score and core share over the
            bins, weighed by their images.
        bins: The reliability diagram.
        reason: Why a figure is None; empty where none is.
    """

    n: int
    core_share: float
    accuracy: float
    balanced_accuracy: float | None
    auroc: float | None
    brier: float
    log_loss: float
    ece: float
    bins: tuple[ReliabilityBin, ...]
    reason: str = ""


def calibrate(
    scores: Float[np.ndarray, " m"],
    truth: Int[np.ndarray, " m"],
    *,
    threshold: float = 0.5,
    n_bins: int = 10,
) -> Calibration:
    """Hold scores against the truth.

    Args:
        scores: P(core) in [0, 1]; NaN where an image has none.
        truth: CORE (1), SPURIOUS (0), or UNLABELED (-1) where nobody can tell (no region).
        threshold: From here on an image counts as core.
        n_bins: Ranges of equal width, at least 1.

    Returns:
        The figures over images that have both a score and a truth.

    Raises:
        MisalignedRows: Scores and truth differ in length.
        InvalidInput: A score is out of range, a truth is none of the three, there are no ranges,
            or no image has both.
    """
    if len(scores) != len(truth):
        raise MisalignedRows(f"{len(scores)} scores for the truth of {len(truth)} images")
    both = ~np.isnan(scores) & (truth != AttentionLabel.UNLABELED)
    said, true = scores[both].astype(np.float64), truth[both]
    if n_bins < 1 or len(said) == 0 or said.min() < 0 or said.max() > 1:
        raise InvalidInput(
            f"calibration needs scores in [0, 1] with a known truth, and one bin, got "
            f"{len(said)} images and {n_bins} bins"
        )
    if not np.isin(true, (0, 1)).all():
        raise InvalidInput(f"a truth is -1, 0 or 1, got {sorted(set(true.tolist()))}")
    core = true == AttentionLabel.CORE
    right = (said >= threshold) == core
    mixed = bool(core.any() and not core.all())
    bins = _bins(said, core, n_bins)
    off = [
        b.n * abs(b.mean_score - b.core_share)
        for b in bins
        if b.mean_score is not None and b.core_share is not None
    ]
    inside = np.clip(said, _SURE, 1.0 - _SURE)
    return Calibration(
        n=len(said),
        core_share=float(core.mean()),
        accuracy=float(right.mean()),
        balanced_accuracy=(
            float((right[core].mean() + right[~core].mean()) / 2) if mixed else None
        ),
        auroc=_auroc(said, core) if mixed else None,
        brier=float(np.square(said - core).mean()),
        log_loss=float(-np.log(np.where(core, inside, 1.0 - inside)).mean()),
        ece=float(sum(off) / len(said)),
        bins=bins,
        reason="" if mixed else ONE_KIND,
    )


def _auroc(said: Float[np.ndarray, " m"], core: Bool[np.ndarray, " m"]) -> float:
    """Give the area under the ROC curve by mid-ranks (Mann & Whitney's U)."""
    n_core = int(core.sum())
    ranks = rankdata(said)[core].sum() - n_core * (n_core + 1) / 2
    return float(ranks / (n_core * (len(said) - n_core)))


def _bins(
    said: Float[np.ndarray, " m"], core: Bool[np.ndarray, " m"], n_bins: int
) -> tuple[ReliabilityBin, ...]:
    """Sort images into ranges of equal width."""
    at = np.minimum((said * n_bins).astype(np.int64), n_bins - 1)
    counts = np.bincount(at, minlength=n_bins).tolist()
    sums = np.bincount(at, said, n_bins).tolist()
    hits = np.bincount(at[core], minlength=n_bins).tolist()
    return tuple(
        ReliabilityBin(
            low=b / n_bins,
            high=(b + 1) / n_bins,
            n=n,
            mean_score=total / n if n else None,
            core_share=hit / n if n else None,
            interval=wilson_interval(hit, n) if n else None,
        )
        for b, (n, total, hit) in enumerate(zip(counts, sums, hits, strict=True))
    )
