"""How answers' times lie, counted once: a figure of a million answers is drawn of a few bars."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_BINS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBins:
    """Answers by their time, on a logarithmic axis.

    Attributes:
        edges: Logarithms of seconds, rising, one more than bins.
        counts: Answers in each bin; those beyond the ends are in the outermost.
        median: Of the times, seconds.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    median: float

    @property
    def n(self) -> int:
        """Answers in all."""
        return sum(self.counts)


def binned_times(seconds: Float[np.ndarray, " r"]) -> TimeBins | None:
    """Count times.

    Args:
        seconds: Those that are unknown (NaN) or 0 are left out.

    Returns:
        The bins, from .2 s or less to 20 s or more; None without a time.
    """
    known = seconds[seconds > 0]
    if len(known) == 0:
        return None
    low = math.log(max(0.05, min(0.2, float(known.min()))))
    high = math.log(max(20.0, min(3600.0, float(known.max()))) * 1.05)
    edges = np.linspace(low, high, _BINS + 1)
    counts, _ = np.histogram(np.clip(np.log(known), low, high), edges)
    return TimeBins(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        median=float(np.median(known)),
    )
