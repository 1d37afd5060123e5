"""One independent random generator per stage, from one seed.

Nothing seeds a global generator: a stage that draws takes a `numpy.random.Generator`, and two
stages of one run never share a stream, so that adding a draw to one leaves the others as they were.
"""

import hashlib

import numpy as np


def _entropy(seed: int, stage: str) -> int:
    digest = hashlib.sha256(f"{seed}/{stage}".encode()).digest()
    return int.from_bytes(digest[:16], "big")


def generator(seed: int, stage: str) -> np.random.Generator:
    """Give the generator of one stage.

    Args:
        seed: The run's seed, any integer.
        stage: The stage's name; each name has its own stream.

    Returns:
        A generator that depends on nothing but the two arguments.
    """
    return np.random.default_rng(_entropy(seed, stage))


def integer_seed(seed: int, stage: str) -> int:
    """Give a seed in [0, 2**31) for libraries that take an integer (scikit-learn, UMAP, torch).

    Args:
        seed: The run's seed, any integer.
        stage: The stage's name.

    Returns:
        An integer that depends on nothing but the two arguments.
    """
    return _entropy(seed, stage) % (1 << 31)
