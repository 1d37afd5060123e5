"""How cost grows with the number of images, part by part, and what it would be at a million.

Each size of each part is measured in a process of its own. A power of the size is fitted to the
larger sizes; what lies beyond the largest measured one is marked as extrapolated.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engine.attention.extraction import ExtractionConfig, extract
from engine.attention.space import AttentionSpace
from engine.benches.pipeline import made_pictures
from engine.benches.processes import measured_alone
from engine.benches.space import drawn_vectors, lay_out
from engine.benches.svg import Point, Series, line_figure
from engine.data.images import Preprocessing
from engine.data.manifest import read_manifest
from engine.errors import InvalidInput
from engine.labeling.queries import select_queries
from engine.labeling.spreading import SpreadingConfig, build_graph, spread_masses
from engine.models.architectures import SMALL_CNN, build_module
from engine.models.classifier import make_classifier
from engine.progress import Progress, ignore_progress
from engine.randomness import generator

PARTS = ("extraction", "space", "queries", "spreading")
TARGET = 1_000_000
_FITTED = 3
"""Sizes that the power is fitted to, the largest ones: small ones cost their start-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingBench:
    """What is measured.

    Attributes:
        sizes: Numbers of images, rising, at least two, each at least 500.
        parts: Of `PARTS`.
        budget: Images to ask about, in the part `queries`.
        dimension: Of the vectors in the part `space`.
        folder: Where pictures are kept between benches; removed afterwards where None.
        seed: Of everything drawn.
    """

    sizes: tuple[int, ...] = (1_000, 3_000, 10_000, 30_000, 100_000)
    parts: tuple[str, ...] = PARTS
    budget: int = 200
    dimension: int = 64
    folder: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or list(self.sizes) != sorted(set(self.sizes)):
            raise InvalidInput(f"sizes must be at least two and rise, got {self.sizes}")
        if self.sizes[0] < 500:
            raise InvalidInput(f"sizes must be at least 500 images, got {self.sizes[0]}")
        if unknown := set(self.parts) - set(PARTS):
            raise InvalidInput(f"unknown part {min(unknown)!r}; known are {', '.join(PARTS)}")


def measure_scaling(
    bench: ScalingBench, *, on_progress: Progress = ignore_progress
) -> dict[str, Any]:
    """Measure each part at each size, and fit a power of the size.

    Args:
        bench: What to measure.
        on_progress: Told (measurements done, of all); may raise `Cancelled`.

    Returns:
        By part: `seconds` and `peak_mib` at each size, the fitted `exponent`, and `extrapolated`
        seconds at a million images, where that is beyond the largest size.
    """
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="gazecheck-bench-") as temporary:
        folder = str(bench.folder or temporary)
        for number, part in enumerate(bench.parts):
            turns = []
            for at, n in enumerate(bench.sizes):
                turns.append(measured_alone(_WORK[part], n, bench, folder))
                on_progress(number * len(bench.sizes) + at + 1, len(bench.parts) * len(bench.sizes))
            seconds = [turn["seconds"] for turn in turns]
            scale, exponent = fitted_power(bench.sizes[-_FITTED:], seconds[-_FITTED:])
            found[part] = {
                "seconds": dict(zip(map(str, bench.sizes), seconds, strict=True)),
                "peak_mib": {
                    str(n): turn["peak_mib"] for n, turn in zip(bench.sizes, turns, strict=True)
                },
                "exponent": round(exponent, 3),
                "extrapolated": {str(TARGET): float(f"{scale * TARGET**exponent:.3g}")}
                if bench.sizes[-1] < TARGET
                else {},
            }
    return {"images": list(bench.sizes), "target": TARGET, "parts": found}


def fitted_power(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Fit seconds = a n^b by least squares on the logarithms.

    Args:
        sizes: At least two different numbers.
        seconds: Above 0.

    Returns:
        a and b.
    """
    b, log_a = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(np.exp(log_a)), float(b)


def scaling_figure(found: dict[str, Any]) -> str:
    """Draw the measured seconds over the number of images, and dashed what is extrapolated.

    Args:
        found: From `measure_scaling`.

    Returns:
        SVG text.
    """
    series: list[Series] = []
    for part, figures in found["parts"].items():
        points = [Point(x=int(n), y=s) for n, s in figures["seconds"].items()]
        series.append(Series(name=part, points=tuple(points)))
    for part, figures in found["parts"].items():
        beyond = [Point(x=int(n), y=s) for n, s in figures["extrapolated"].items()]
        if beyond:
            last = series[list(found["parts"]).index(part)].points[-1]
            name = f"{part}, extrapolated (n^{figures['exponent']:.2f})"
            ongoing = Series(name=name, points=(last, *beyond), dashed=True, continues=part)
            series.append(ongoing)
    return line_figure(
        "Cost against the number of images",
        series,
        x_label="images",
        y_label="seconds",
        logarithmic=True,
        description="Each size in a process of its own; dashed lines lie beyond what was measured.",
    )


def _extraction(n: int, bench: ScalingBench, folder: str) -> dict[str, float]:
    manifest = read_manifest(made_pictures(Path(folder), n, 32, bench.seed))
    classifier = make_classifier(
        build_module(SMALL_CNN, len(manifest.class_names)).eval(),
        architecture=SMALL_CNN,
        preprocessing=Preprocessing(size=32),
        class_names=manifest.class_names,
    )
    started = time.perf_counter()
    extract(manifest, classifier, ExtractionConfig())
    return {"seconds": time.perf_counter() - started}


def _space(n: int, bench: ScalingBench, _folder: str) -> dict[str, float]:
    halves = drawn_vectors(n, bench.dimension, bench.seed)
    lay_out((halves[0][:500], halves[1][:500]), bench.seed)  # compiles
    started = time.perf_counter()
    lay_out(halves, bench.seed)
    return {"seconds": time.perf_counter() - started}


def _queries(n: int, bench: ScalingBench, _folder: str) -> dict[str, float]:
    rng = generator(bench.seed, f"places {n}")
    places = rng.normal(0, 1, (n, 2)).astype(np.float32)
    space = AttentionSpace(
        rows=np.arange(n, dtype=np.int64),
        core=places,
        environment=places,
        core_components=places,
        environment_components=places,
        core_trustworthiness=1.0,
        environment_trustworthiness=1.0,
    )
    classes, askable = np.arange(n) % 2, np.ones(n, dtype=bool)
    started = time.perf_counter()
    select_queries(space, classes, askable, min(bench.budget, n), rng)
    return {"seconds": time.perf_counter() - started}


def _spreading(n: int, bench: ScalingBench, _folder: str) -> dict[str, float]:
    rng = generator(bench.seed, f"places {n}")
    points = rng.normal(0, 1, (n, 2))
    answered = np.zeros((2, n))
    answered[0, :60], answered[1, 60:120] = 1.0, 1.0
    config = SpreadingConfig()
    started = time.perf_counter()
    spread_masses(build_graph(points, config), answered[0], answered[1], config)
    return {"seconds": time.perf_counter() - started}


_WORK = {
    "extraction": _extraction,
    "space": _space,
    "queries": _queries,
    "spreading": _spreading,
}
