import numpy as np
import pytest

from engine.attention.space import AttentionSpace


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_240)


@pytest.fixture
def space_of():
    """Make a space of core and environment coordinates; rows count from 1000."""

    def make(core, environment=None) -> AttentionSpace:
        first = np.asarray(core, dtype=np.float32)
        second = first if environment is None else np.asarray(environment, dtype=np.float32)
        return AttentionSpace(
            rows=np.arange(1000, 1000 + len(first)),
            core=first,
            environment=second,
            core_components=first,
            environment_components=second,
            core_trustworthiness=1.0,
            environment_trustworthiness=1.0,
        )

    return make


@pytest.fixture
def planted(space_of, rng):
    """200 images of two classes on two far environments, the minority 1 in 10, and their space."""
    classes = np.repeat([0, 1], 100)
    environments = np.concatenate([np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [10, 90])])
    core = rng.normal(size=(200, 2)) + 30 * classes[:, None]
    around = rng.normal(size=(200, 2)) + 50 * environments[:, None]
    return space_of(core, around), classes, environments
