"""P4: sharing a budget by how widely groups spread (methods.md, section 8)."""

import numpy as np
import pytest

from engine.attention.space import AttentionSpace
from engine.curation.allocation import AllocationConfig, allocate, spread_weights
from engine.curation.disentangling import FeatureGroups
from engine.labeling.shares import largest_remainder

CORE = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
ENVIRONMENT = np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 1])
CORE_POINTS = np.array(
    [(0, 0), (2, 0), (0, 2), (2, 2), (10, 0), (14, 0), (10, 4), (14, 4), (12, 0), (12, 4)], float
)
ENVIRONMENT_POINTS = np.array(
    [(0, 0), (1, 0), (9, 0), (9, 3), (0, 1), (0, 3), (0, 5), (9, 0), (9, 2), (9, 7)], float
)
JOINT = {
    "mean": [
        [0.08913488996213145, 0.26740466988639433],
        [0.2144868133838247, 0.4289736267676494],
    ],
    "median": [[0.083333333333, 0.25], [0.266666666667, 0.4]],
}


def weights(statistic: str):
    return spread_weights(CORE_POINTS, ENVIRONMENT_POINTS, CORE, ENVIRONMENT, statistic=statistic)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_P04_weights(statistic):
    np.testing.assert_allclose(weights(statistic), JOINT[statistic], atol=1e-11)


def test_P04_real_valued_and_whole_numbers():
    joint = weights("mean").ravel()
    room = np.full(4, 20)

    shares = largest_remainder(joint, 20, room)

    np.testing.assert_allclose(20 * joint, [1.7827, 5.3481, 4.2897, 8.5795], atol=1e-4)
    assert shares.tolist() == [2, 5, 4, 9]


@pytest.mark.parametrize(
    ("name", "statistic", "expected"),
    [("mean", "spread_mean", [1, 5, 4, 8]), ("median", "spread_median", [1, 5, 5, 8])],
)
def test_P04_truncated_as_the_authors_do(name, statistic, expected):
    space = AttentionSpace(
        rows=np.arange(10),
        core=CORE_POINTS,
        environment=ENVIRONMENT_POINTS,
        core_components=CORE_POINTS,
        environment_components=ENVIRONMENT_POINTS,
        core_trustworthiness=1.0,
        environment_trustworthiness=1.0,
    )
    groups = FeatureGroups(
        rows=np.arange(10),
        members=np.arange(10),
        core=CORE,
        environment=ENVIRONMENT,
        cluster=ENVIRONMENT,
        shown=np.zeros(10, dtype=np.int64),
        n_candidates=10,
        n_core=2,
        n_environment=2,
        core_is_class=False,
    )
    config = AllocationConfig(
        weights=statistic, rounding="truncate", capped=False, at_least_one=False
    )

    found = allocate(groups, CORE, space, 20, config)

    assert found.allotted.tolist() == expected
    assert found.core.tolist() == [0, 0, 1, 1]
    assert found.environment.tolist() == [0, 1, 0, 1]
