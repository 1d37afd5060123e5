"""How fast answers spread over many images, how exactly, and against scikit-learn.

The large problem is solved in a process of its own, so that its peak of memory is its own.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
from jaxtyping import Float64

from engine.errors import InvalidInput
from engine.labeling.graph import AffinityGraph
from engine.labeling.spreading import SpreadingConfig, build_graph, spread_masses
from engine.progress import Progress, ignore_progress
from engine.randomness import generator

FEWEST_ROUNDS = 5
_CLUSTERS = 60
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadingBench:
    """What is measured.

    Attributes:
        n: Points of the large problem, at least 1,000.
        answers: How many of them are answered, half of each kind.
        rounds: Measured turns against scikit-learn's kernel, at least 5.
        exact_at: Points of the problem that scikit-learn solves on our graph.
        kernel_at: Points of the problem that its own kernel is timed on.
        seed: Of the points.
    """

    n: int = 1_000_000
    answers: int = 120
    rounds: int = FEWEST_ROUNDS
    exact_at: int = 2_000
    kernel_at: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 1_000:
            raise InvalidInput(f"n must be at least 1000, got {self.n}")
        if self.rounds < FEWEST_ROUNDS:
            raise InvalidInput(f"rounds must be at least {FEWEST_ROUNDS}, got {self.rounds}")
        if not 2 <= self.answers <= min(self.n, self.exact_at, self.kernel_at):
            raise InvalidInput(f"answers must lie between 2 and the points, got {self.answers}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    """Points in the plane, and what a few of them were answered."""

    points: Float64[np.ndarray, "n 2"]
    core: Float64[np.ndarray, " n"]
    spurious: Float64[np.ndarray, " n"]


def measure_spreading(
    bench: SpreadingBench, *, on_progress: Progress = ignore_progress
) -> dict[str, Any]:
    """Time spreading with the default settings, building the graph included.

    Args:
        bench: What to measure.
        on_progress: Told (parts done, parts in all); may raise `Cancelled`.

    Returns:
        `seconds`, `peak_mib` (of the whole process) and `residual` (largest entry of
        (I - alpha S) F - Y) of the large problem; `max_abs_diff_sklearn_<n>` between our scores and
        those of LabelSpreading on the same graph; `ratio_to_sklearn_rbf_<n>`: how many times as
        long its own kernel takes, medians of turns in one process.
    """
    parts = bench.rounds + 2
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        large = pool.submit(_solve_large, bench).result()
    on_progress(1, parts)
    difference = difference_to_sklearn(bench)
    on_progress(2, parts)
    seconds: dict[str, list[float]] = {"ours": [], "sklearn_rbf": []}
    problem = _problem(bench.kernel_at, bench)
    work: Mapping[str, Callable[[], object]] = {
        "ours": lambda: _solve(problem),
        "sklearn_rbf": lambda: _sklearn(problem, SpreadingConfig().alpha, kernel="rbf"),
    }
    for turn in range(bench.rounds):
        for name, run in work.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
        on_progress(3 + turn, parts)
    median = {name: statistics.median(turns) for name, turns in seconds.items()}
    return {
        "n": bench.n,
        **large,
        f"max_abs_diff_sklearn_{bench.exact_at}": difference,
        f"ratio_to_sklearn_rbf_{bench.kernel_at}": round(median["sklearn_rbf"] / median["ours"], 1),
        f"seconds_at_{bench.kernel_at}": {name: round(t, 4) for name, t in median.items()},
        "rounds": bench.rounds,
    }


def _problem(n: int, bench: SpreadingBench) -> _Problem:
    """Draw clusters in the plane; clusters left of the middle are core."""
    rng = generator(bench.seed, f"points {n}")
    centres = rng.uniform(-10, 10, (_CLUSTERS, 2))
    points = centres[rng.integers(_CLUSTERS, size=n)] + rng.normal(0, 0.5, (n, 2))
    order = np.argsort(points[:, 0])
    half = bench.answers // 2
    core, spurious = np.zeros(n), np.zeros(n)
    core[rng.choice(order[: n // 2], half, replace=False)] = 1
    spurious[rng.choice(order[n // 2 :], bench.answers - half, replace=False)] = 1
    return _Problem(points=points, core=core, spurious=spurious)


def _solve(problem: _Problem) -> AffinityGraph:
    config = SpreadingConfig()
    graph = build_graph(problem.points, config)
    spread_masses(graph, problem.core, problem.spurious, config)
    return graph


def _solve_large(bench: SpreadingBench) -> dict[str, float]:
    problem = _problem(bench.n, bench)
    started = time.perf_counter()
    graph = _solve(problem)
    seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MIB
    return {
        "seconds": round(seconds, 2),
        "peak_mib": round(peak, 1),
        "residual": max(residual(graph, mass) for mass in (problem.core, problem.spurious)),
    }


def residual(graph: AffinityGraph, answered: Float64[np.ndarray, " n"]) -> float:
    """Put what spread back into the equation: the largest entry of (I - alpha S) F - Y.

    Args:
        graph: Of the points.
        answered: Y, one kind of answer.

    Returns:
        The largest absolute entry; answers are 1.
    """
    alpha = SpreadingConfig().alpha
    given = np.bincount(graph.site_of, answered, graph.n_sites)
    spread = graph.spread(given, alpha)
    neighbours = graph.scale * (graph.weights @ (graph.scale * spread))
    return float(np.abs(spread - alpha * neighbours - given).max())


def difference_to_sklearn(bench: SpreadingBench) -> float:
    """Solve a small problem by scikit-learn on our graph.

    Args:
        bench: Names its size.

    Returns:
        The largest difference between two scores, over the points that answers reach.
    """
    problem = _problem(bench.exact_at, bench)
    config = SpreadingConfig(prior_weight=0.0)
    graph = build_graph(problem.points, config)
    ours = spread_masses(graph, problem.core, problem.spurious, config)
    weights = graph.weights.toarray() if not isinstance(graph.weights, np.ndarray) else None
    assert weights is not None, "the default kernel is sparse"
    among = weights[np.ix_(graph.site_of, graph.site_of)]
    theirs = _sklearn(problem, config.alpha, kernel=lambda _a, _b: among)
    return float(np.abs(theirs[ours.known] - ours.scores[ours.known]).max())


def _sklearn(problem: _Problem, alpha: float, *, kernel: Any) -> Float64[np.ndarray, " n"]:
    from sklearn.semi_supervised import LabelSpreading

    labels = np.where(problem.core > 0, 1, np.where(problem.spurious > 0, 0, -1))
    exact = kernel != "rbf"
    model = LabelSpreading(
        kernel=kernel, alpha=alpha, max_iter=10_000 if exact else 30, tol=1e-12 if exact else 1e-3
    )
    model.fit(problem.points, labels)
    return np.asarray(model.label_distributions_[:, 1])
