import numpy as np
import pytest

from engine.benches.spreading import (
    SpreadingBench,
    difference_to_sklearn,
    measure_spreading,
    residual,
)
from engine.errors import InvalidInput
from engine.labeling.graph import neighbour_graph


def test_the_residual_of_two_points_is_what_the_equation_says():
    graph = neighbour_graph(np.array([[0.0, 0.0], [1.0, 0.0]]), 1)

    assert residual(graph, np.array([1.0, 0.0])) < 1e-12


def test_scikit_learn_agrees_on_our_graph():
    assert difference_to_sklearn(SpreadingBench(n=1_000, exact_at=600)) < 1e-6


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"n": 10}, "at least 1000"), ({"rounds": 2}, "at least 5"), ({"answers": 1}, "between 2")],
)
def test_sizes_that_cannot_be_measured_are_refused(wrong, told):
    with pytest.raises(InvalidInput, match=told):
        SpreadingBench(**wrong)


@pytest.mark.slow
def test_every_figure_is_measured():
    told = []

    found = measure_spreading(
        SpreadingBench(n=5_000, exact_at=500, kernel_at=1_000),
        on_progress=lambda done, total: told.append((done, total)),
    )

    assert found["residual"] < 1e-6
    assert found["max_abs_diff_sklearn_500"] < 1e-6
    assert found["ratio_to_sklearn_rbf_1000"] > 0
    assert found["seconds"] > 0
    assert found["peak_mib"] > 10
    assert told == [(part, 7) for part in range(1, 8)]
