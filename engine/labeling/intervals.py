"""How far a share of few trials can be trusted. Standard library only, so a web page may use it."""

import math
from statistics import NormalDist

from engine.errors import InvalidInput

Interval = tuple[float, float]
"""Lower and upper end."""


def wilson_interval(correct: int, n: int, level: float = 0.95) -> Interval:
    """Give Wilson's score interval of a share, which stays inside [0, 1] and never has width 0.

    Args:
        correct: Successes, in [0, n].
        n: Trials, at least 1.
        level: Confidence, in (0, 1).

    Returns:
        Lower and upper end.

    Raises:
        InvalidInput: The counts are impossible.

    References:
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        JASA 22, 1927.
    """
    if n < 1 or not 0 <= correct <= n:
        raise InvalidInput(f"a share needs 0 <= correct <= n and n >= 1, got {correct} of {n}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if correct == 0 else centre - half  # exactly, not up to rounding
    return low, 1.0 if correct == n else centre + half
