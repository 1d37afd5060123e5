"""What pictures of slices cost, as a multiple of bare forward and backward passes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engine.attention.presets import check_range
from engine.benches.attention import CLASS_NAMES, architecture_of
from engine.data.images import Preprocessing
from engine.inversion.inverting import InversionConfig, InversionTarget, invert
from engine.models.architectures import build_module
from engine.models.capture import capture
from engine.models.classifier import Classifier, make_classifier
from engine.models.modes import evaluating
from engine.models.target_layers import find_target_layer
from engine.pipeline.pipeline import Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class InversionBench:
    """What is measured.

    Attributes:
        model: An architecture, or the part behind its family's name.
        size: Pixels a side.
        slices: Pictures to find.
        steps: Steps a round; all 256 cost in proportion.
        batch: Pictures at once.
        rounds: Measured turns behind one that warms up.
    """

    model: str = "efficientnet_lite0"
    size: int = 224
    slices: int = 50
    steps: int = 4
    batch: int = 10
    rounds: int = 3

    def __post_init__(self) -> None:
        for name in ("slices", "steps", "batch", "rounds"):
            check_range(name, getattr(self, name), low=1)


def measure_inversion(bench: InversionBench, watcher: Watcher) -> dict[str, Any]:
    """Time inversions and as many forward and backward passes of the same network, in turns.

    Args:
        bench: What to measure.
        watcher: Told of progress.

    Returns:
        A JSON object; `ratio` compares wall time, `ratio_cpu` the processor's.

    Raises:
        UnknownOption: There is no such model.
    """
    torch.manual_seed(0)
    module = build_module(architecture_of(bench.model), len(CLASS_NAMES)).eval()
    classifier = make_classifier(
        module,
        architecture=architecture_of(bench.model),
        preprocessing=Preprocessing(size=bench.size),
        class_names=CLASS_NAMES,
        target_layer=find_target_layer(module, bench.size),
    )
    targets = _targets(classifier, bench)
    config = InversionConfig(steps=bench.steps, improvement=0.0, batch_size=bench.batch)
    work: dict[str, Callable[[], object]] = {
        "inversion": lambda: invert(classifier, targets, config),
        "passes": lambda: _passes(classifier, bench),
    }
    wall: dict[str, list[float]] = {name: [] for name in work}
    cpu: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(bench.rounds + 1):
        for name, run in work.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            if turn:
                wall[name].append(time.perf_counter() - started)
                cpu[name].append(time.process_time() - used)
        watcher.progress(turn + 1, bench.rounds + 1)
    each = bench.slices * bench.steps
    return {
        "architecture": classifier.architecture,
        "size": bench.size,
        "slices": bench.slices,
        "steps": bench.steps,
        "batch": bench.batch,
        "threads": torch.get_num_threads(),
        "ratio": round(_ratio(wall), 3),
        "ratio_cpu": round(_ratio(cpu), 3),
        "ms_a_picture_and_step": round(1000 * statistics.median(wall["inversion"]) / each, 2),
        "ms_a_pass": round(1000 * statistics.median(wall["passes"]) / each, 2),
        "per_round": {name: [round(value, 3) for value in times] for name, times in wall.items()},
    }


def _ratio(times: dict[str, list[float]]) -> float:
    pairs = zip(times["inversion"], times["passes"], strict=True)
    return statistics.median(ours / bare for ours, bare in pairs)


def _targets(classifier: Classifier, bench: InversionBench) -> list[InversionTarget]:
    rng = np.random.default_rng(0)
    with (
        evaluating(classifier.module),
        capture(classifier.module, classifier.target_layer) as taken,
        torch.inference_mode(),
    ):
        classifier.module(torch.zeros(1, 3, bench.size, bench.size))
        _, d, h, w = taken.activations.shape
    return [
        InversionTarget(
            vector=rng.random(d, dtype=np.float32),
            start=rng.random((3, bench.size, bench.size), dtype=np.float32),
            attention=np.full((h, w), 1 / (h * w), dtype=np.float32),
            seed=number,
        )
        for number in range(bench.slices)
    ]


def _passes(classifier: Classifier, bench: InversionBench) -> None:
    """Run the network forward and back to its input, as often as the inversions do."""
    generator = torch.Generator().manual_seed(0)
    with (
        evaluating(classifier.module),
        capture(classifier.module, classifier.target_layer) as taken,
    ):
        for start in range(0, bench.slices, bench.batch):
            n = min(bench.batch, bench.slices - start)
            images = torch.randn(n, 3, bench.size, bench.size, generator=generator)
            for _ in range(bench.steps):
                given = images.requires_grad_()
                classifier.module(given)
                torch.autograd.grad(taken.activations.mean(), given)
