"""What a whole run costs, by stage, for growing numbers of small made pictures.

Every run is made in a process of its own over an empty store, with the default settings but for
the network: a small one, trained for one epoch. Answers come from the true regions.
"""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.artifacts.store import ArtifactStore
from engine.benches.answers import CrowdConfig, TrueAnswers, simulate_crowd
from engine.benches.processes import measured_alone
from engine.data.synthetic import build_shapes
from engine.errors import InvalidInput
from engine.models.architectures import SMALL_CNN
from engine.pipeline.config import PipelineConfig
from engine.pipeline.pipeline import SilentWatcher
from engine.pipeline.run import Run
from engine.progress import Progress, ignore_progress

FEWEST_IMAGES = 500
_VALIDATION, _TEST = 0.1, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineBench:
    """What is measured.

    Attributes:
        sizes: Numbers of pictures, rising, each at least 500: 70 % train, 10 % val, 20 % test.
        side: Pixels a side.
        epochs: Passes over the training pictures that train the network under study.
        rounds: Runs of each size; sizes take turns, and medians are told.
        folder: Where data sets of earlier benches are taken up, and new ones are kept; a folder
            that is removed afterwards where None.
        seed: Of pictures and runs.
    """

    sizes: tuple[int, ...] = (20_000, 200_000)
    side: int = 32
    epochs: int = 1
    rounds: int = 1
    folder: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < FEWEST_IMAGES:
            raise InvalidInput(
                f"sizes must be numbers of at least {FEWEST_IMAGES} pictures, got {self.sizes}"
            )
        if list(self.sizes) != sorted(set(self.sizes)):
            raise InvalidInput(f"sizes must rise, got {self.sizes}")
        if self.rounds < 1:
            raise InvalidInput(f"rounds must be at least 1, got {self.rounds}")


def measure_pipeline(
    bench: PipelineBench, *, on_progress: Progress = ignore_progress
) -> dict[str, Any]:
    """Make whole runs of growing size.

    Args:
        bench: What to measure.
        on_progress: Told (runs and data sets made, of all); may raise `Cancelled`.

    Returns:
        By size the seconds of the whole run and of each stage, the peak of memory and the
        milliseconds a picture; `growth`, how many times the largest size's picture costs what the
        smallest one's does; and the same by stage.
    """
    steps = len(bench.sizes) * (bench.rounds + 1)
    with tempfile.TemporaryDirectory(prefix="gazecheck-bench-") as temporary:
        folder = bench.folder or Path(temporary)
        manifests = []
        for done, n in enumerate(bench.sizes, start=1):
            manifests.append(made_pictures(folder, n, bench.side, bench.seed))
            on_progress(done, steps)
        runs: dict[int, list[dict[str, Any]]] = {n: [] for n in bench.sizes}
        for turn in range(bench.rounds):
            for at, (n, manifest) in enumerate(zip(bench.sizes, manifests, strict=True)):
                runs[n].append(measured_alone(_run, manifest, bench))
                on_progress(len(bench.sizes) * (turn + 1) + at + 1, steps)
    return _summary(bench, runs)


def made_pictures(folder: Path, n: int, side: int, seed: int) -> Path:
    """Make a data set of made pictures unless it is there.

    Args:
        folder: Where data sets lie.
        n: Pictures in all.
        side: Pixels a side.
        seed: Of the pictures.

    Returns:
        Its manifest.
    """
    out = folder / f"shapes-{n}-{side}-{seed}"
    manifest = out / "manifest.csv"
    if not manifest.is_file():
        n_val, n_test = round(n * _VALIDATION), round(n * _TEST)
        build_shapes(
            out, n_train=n - n_val - n_test, n_val=n_val, n_test=n_test, size=side, seed=seed
        )
    return manifest


def _run(manifest: Path, bench: PipelineBench) -> dict[str, Any]:
    """Make one whole run over an empty store."""
    config = PipelineConfig.from_mapping(
        {
            "seed": bench.seed,
            "data": {"manifest": str(manifest)},
            "classifier": {
                "architecture": SMALL_CNN,
                "source": "finetune",
                "pretrained": "none",
                "image_size": bench.side,
            },
            "fine_tuning": {"epochs": bench.epochs, "lr": 0.05, "batch_size": 64},
        }
    )
    with tempfile.TemporaryDirectory(prefix="gazecheck-bench-") as temporary:
        watch = _Reading()
        run = Run(config, ArtifactStore(Path(temporary)), watcher=watch)
        truth = TrueAnswers(run.load("manifest"), run.load("extraction").maps_true)
        rows = run.load("queries").rows.tolist()
        before = {"reading": watch.seconds, **run.seconds}
        run = run.with_votes(simulate_crowd(truth, rows, CrowdConfig(), seed=bench.seed))
        report = run.finish()
        space = run.load("space")
        stages = {**before, **run.seconds}
        return {
            "seconds_by_stage": {name: round(seconds, 3) for name, seconds in stages.items()},
            "queries": len(rows),
            "fitted": space.n_fitted,
            "trustworthiness": {
                "core": space.core_trustworthiness,
                "environment": space.environment_trustworthiness,
                "core_put_in": _finite(space.core_trustworthiness_put_in),
                "environment_put_in": _finite(space.environment_trustworthiness_put_in),
            },
            "worst_group": {
                "before": report["before"]["worst_group"],
                **{route: found["worst_group"] for route, found in report["after"].items()},
            },
        }


def _finite(value: float) -> float | None:
    return value if value == value else None


class _Reading(SilentWatcher):
    """Notes how long the data set's first reading took, which makes no artifact."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def stage_finished(self, name: str, seconds: float, *, cached: bool) -> None:
        """Keep the time of the reading."""
        if name == "reading" and not cached:
            self.seconds = seconds


def _summary(bench: PipelineBench, runs: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    sizes: dict[str, Any] = {}
    for n, turns in runs.items():
        seconds = statistics.median(turn["seconds"] for turn in turns)
        stages = {
            stage: statistics.median(turn["seconds_by_stage"][stage] for turn in turns)
            for stage in turns[0]["seconds_by_stage"]
        }
        sizes[str(n)] = {
            **turns[0],
            "seconds": seconds,
            "seconds_by_stage": stages,
            "peak_mib": max(turn["peak_mib"] for turn in turns),
            "milliseconds_per_image": round(1000 * seconds / n, 4),
            "rounds": [turn["seconds"] for turn in turns],
        }
    return {
        "images": list(bench.sizes),
        "side": bench.side,
        "architecture": SMALL_CNN,
        "epochs": bench.epochs,
        "sizes": sizes,
        "growth": _growth(bench.sizes, [sizes[str(n)]["seconds"] for n in bench.sizes]),
        "growth_by_stage": {
            stage: _growth(
                bench.sizes, [sizes[str(n)]["seconds_by_stage"][stage] for n in bench.sizes]
            )
            for stage in sizes[str(bench.sizes[0])]["seconds_by_stage"]
        },
    }


def _growth(sizes: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Cost a picture at the largest size over that at the smallest; None where it is too short."""
    if len(sizes) < 2 or seconds[0] <= 0:
        return None
    return round((seconds[-1] / sizes[-1]) / (seconds[0] / sizes[0]), 3)
