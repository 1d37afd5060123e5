"""Find room for an artefact beside an object."""

import numpy as np
from jaxtyping import Bool

_TRIES = 12  # places looked at for one that hides next to nothing of the object
_HIDDEN = 0.02  # share of the artefact that may lie on the object where there is room elsewhere


def find_place(
    mask: Bool[np.ndarray, "s s"], side: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Find a place for a square artefact that hides as little as may be of an object.

    Args:
        mask: Where the object is.
        side: The artefact's side in pixels, at most the picture's.
        rng: What places are drawn from; always the same number of draws.

    Returns:
        Left and top: of a dozen places drawn, the first that hides next to nothing, else the best.
    """
    places = rng.integers(0, len(mask) - side + 1, size=(_TRIES, 2)).tolist()
    hidden = [float(mask[top : top + side, left : left + side].mean()) for left, top in places]
    free = [share <= _HIDDEN for share in hidden]
    left, top = places[free.index(True) if any(free) else hidden.index(min(hidden))]
    return left, top
