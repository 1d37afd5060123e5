"""How well marks on some slices tell of the others, and how long a person waits for it."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from engine.artifacts.store import ArtifactStore
from engine.attention.presets import check_range
from engine.benches.mitigation.subject import prepare
from engine.benches.slicing.ground import (
    SPACES,
    Ground,
    coordinates_of,
    cut_into,
    lay_ground,
    oracle_marks,
)
from engine.data.manifest import Split
from engine.labeling.graph import neighbour_graph
from engine.pipeline.pipeline import Watcher
from engine.slicing.marking_map import MarkingMap, marking_map
from engine.slicing.marks import Mark, MarkKind
from engine.slicing.propagation import image_scores, next_slices, slice_scores
from engine.slicing.slice_set import SliceSet, first_set

STOPS = (2, 6, 12, 24)
FAR = 0.5
"""Share of the slices, the farthest from a lone mark, that count as far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagationOrder:
    """What to measure.

    Attributes:
        data: The data set's name.
        table: Its settings.
        split: Which images.
        n_slices: Slices of each map.
        random_orders: Random orders of marking, beside the guided one.
        points: Images of the made-up map that the time is measured on; 0: not measured.
        timed_slices: Slices of that map.
        seed: Of maps and slices.
    """

    data: str
    table: Mapping[str, Any]
    split: Split = Split.TEST
    n_slices: int = 46
    random_orders: int = 10
    points: int = 200_000
    timed_slices: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("n_slices", self.n_slices, low=2)
        check_range("random_orders", self.random_orders, low=0)
        check_range("points", self.points, low=0)
        check_range("timed_slices", self.timed_slices, low=2)


def auroc(scores: Float[np.ndarray, " m"], truth: Bool[np.ndarray, " m"]) -> float:
    """Give the chance that a true image has a higher score than a false one, ties counting half.

    Args:
        scores: Higher means rather true.
        truth: At least one of each.

    Returns:
        In [0, 1].
    """
    positive = int(truth.sum())
    ranks = float(rankdata(scores)[truth].sum())
    return (ranks - positive * (positive + 1) / 2) / (positive * (len(truth) - positive))


def measure_propagation(
    order: PropagationOrder, store: ArtifactStore, watcher: Watcher
) -> dict[str, Any]:
    """Let an oracle mark slices one after the other, and judge the scores of all images.

    Args:
        order: What to measure.
        store: Where extraction, vectors and coordinates are kept.
        watcher: Told of stages and progress.

    Returns:
        A JSON object.

    Raises:
        EngineError: The data set cannot be used.
    """
    subject = prepare(order.data, order.table, store, watcher)
    ground = lay_ground(subject, order.split, store, watcher)
    found: dict[str, Any] = {}
    for space in SPACES:
        watcher.stage_started(space.replace("_", " "), cached=False)
        points = coordinates_of(ground, space, order.split, store, seed=order.seed)
        found[space] = _one_space(ground, points, order)
    report: dict[str, Any] = {
        "data": order.data,
        "split": order.split.value,
        "seed": order.seed,
        "images": len(ground.rows),
        "spurious_share": round(float(ground.spurious.mean()), 4),
        **{
            name: {space: found[space][name] for space in SPACES}
            for name in ("auroc", "auroc_random_order", "auroc_true_shares", "slices", "one_mark")
        },
    }
    if order.points:
        watcher.stage_started("time", cached=False)
        report["time"] = measure_time(order.points, order.timed_slices, seed=order.seed)
    return report


def _one_space(
    ground: Ground, points: Float[np.ndarray, "m 2"], order: PropagationOrder
) -> dict[str, Any]:
    found = cut_into(ground, points, order.n_slices, seed=order.seed)
    slices, truth = found.slices, oracle_marks(found.slices, ground.spurious)
    prepared = marking_map(slices, points, ground.predicted)

    def judged(marks: Mapping[int, Mark]) -> float:
        scores = image_scores(slices, marks, prepared, points, ground.predicted)
        return auroc(1.0 - scores, ground.spurious)

    guided = _guided(slices, truth, prepared)
    stops = {str(n): n for n in STOPS if n < len(slices)} | {"all": len(slices)}
    rng = np.random.default_rng(order.seed)
    drawn = [rng.permutation(slices.numbers).tolist() for _ in range(order.random_orders)]
    index = slices.index()
    shares = np.bincount(index, ground.spurious.astype(np.float64)) / slices.sizes()
    return {
        "auroc": {stop: round(judged(_first(truth, guided, n)), 4) for stop, n in stops.items()},
        "auroc_random_order": {
            stop: round(statistics.fmean(judged(_first(truth, one, n)) for one in drawn), 4)
            for stop, n in stops.items()
            if drawn
        },
        "auroc_true_shares": round(auroc(shares[index], ground.spurious), 4),
        "slices": {
            "n": len(slices),
            "spurious": sum(mark.kind is MarkKind.SPURIOUS for mark in truth.values()),
            "least_coherence": round(float(found.coherence.min()), 4),
        },
        "one_mark": _one_mark(slices, truth, prepared, points),
    }


def _first(truth: Mapping[int, Mark], order: list[int], n: int) -> dict[int, Mark]:
    return {number: truth[number] for number in order[:n]}


def _guided(slices: SliceSet, truth: Mapping[int, Mark], prepared: MarkingMap) -> list[int]:
    """Mark what the workspace proposes, one slice after the other."""
    marks: dict[int, Mark] = {}
    while proposed := next_slices(slices, marks, prepared):
        marks[proposed[0]] = truth[proposed[0]]
    return list(marks)


def _one_mark(
    slices: SliceSet,
    truth: Mapping[int, Mark],
    prepared: MarkingMap,
    points: Float[np.ndarray, "m 2"],
) -> dict[str, float]:
    """Mark each slice alone, and look at the scores of the farther half of the others."""
    index = slices.index()
    sums = np.stack([np.bincount(index, axis) for axis in points.T.astype(np.float64)], axis=1)
    centres = sums / slices.sizes()[:, None]
    between = cdist(centres, centres)
    far_scores, own_scores = [], []
    for at, number in enumerate(slices.numbers):
        found = slice_scores(slices, {number: truth[number]}, prepared)
        far = np.argsort(between[at], kind="stable")[-max(1, int(FAR * len(slices))) :]
        far_scores.append(found.scores[far])
        own_scores.append(found.scores[at])
    every = np.concatenate(far_scores)
    return {
        "far_lowest": round(float(every.min()), 4),
        "far_highest": round(float(every.max()), 4),
        "slices_tried": len(own_scores),
    }


def measure_time(n_points: int, n_slices: int, *, seed: int) -> dict[str, Any]:
    """Time one mark on a made-up map of many images, beside the spreading along a graph.

    Args:
        n_points: Images.
        n_slices: Slices.
        seed: Of the map.

    Returns:
        Milliseconds, and how many times longer the graph takes.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 4, (n_slices, 2))
    labels = np.concatenate([np.arange(n_slices), rng.integers(0, n_slices, n_points - n_slices)])
    points = (centres[labels] + rng.normal(0, 0.5, (n_points, 2))).astype(np.float32)
    classes = (points[:, 0] > 0).astype(np.int64)
    slices = first_set(np.arange(n_points), labels)
    started = time.perf_counter()
    prepared = marking_map(slices, points, classes)
    prepared_ms = 1000 * (time.perf_counter() - started)
    kinds = (MarkKind.CORE, MarkKind.SPURIOUS)
    marks: dict[int, Mark] = {}
    one_mark: list[float] = []
    processor: list[float] = []
    slices_only: list[float] = []
    for number in slices.numbers:
        marks[number] = Mark(kind=kinds[number % 2])
        started, used = time.perf_counter(), time.process_time()
        slice_scores(slices, marks, prepared)
        next_slices(slices, marks, prepared)
        slices_only.append(1000 * (time.perf_counter() - started))
        image_scores(slices, marks, prepared, points, classes)
        one_mark.append(1000 * (time.perf_counter() - started))
        processor.append(1000 * (time.process_time() - used))
    started = time.perf_counter()
    graph = neighbour_graph(points.astype(np.float64), 15)
    graph_ms = 1000 * (time.perf_counter() - started)
    started = time.perf_counter()
    for kind in kinds:
        given = np.array([marks[number].kind is kind for number in slices.numbers])
        masses = np.bincount(graph.site_of, given[labels].astype(np.float64), graph.n_sites)
        graph.spread(masses, 0.5)
    spread_ms = 1000 * (time.perf_counter() - started)
    median = statistics.median(one_mark)
    return {
        "points": n_points,
        "slices": n_slices,
        "once_a_version_ms": round(prepared_ms, 1),
        "one_mark_ms": round(median, 1),
        "one_mark_processor_ms": round(statistics.median(processor), 1),
        "one_mark_p95_ms": round(float(np.quantile(one_mark, 0.95)), 1),
        "slices_only_ms": round(statistics.median(slices_only), 2),
        "graph_once_ms": round(graph_ms, 1),
        "graph_one_mark_ms": round(spread_ms, 1),
        "times_faster_than_graph": round(spread_ms / median, 2),
    }
