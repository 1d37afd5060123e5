"""What spreading extraction over Ray's processes on one machine costs beside doing it here."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.attention.extraction import ExtractionConfig
from engine.attention.shards import Shard, shards_of
from engine.benches.pipeline import made_pictures
from engine.data.images import Preprocessing
from engine.data.manifest import read_manifest
from engine.errors import InvalidInput
from engine.models.architectures import SMALL_CNN, build_module
from engine.models.classifier import make_classifier
from engine.pipeline.executors import Executor, LocalExecutor, RayExecutor
from engine.pipeline.mapping import ExtractionWork
from engine.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RayBench:
    """What is measured.

    Attributes:
        images: Made pictures, at least 500.
        side: Pixels a side.
        workers: Actors; 0: as many as there is room for.
        about: Rows of a shard.
        folder: Where pictures are kept between benches; removed afterwards where None.
        seed: Of the pictures.
    """

    images: int = 20_000
    side: int = 32
    workers: int = 0
    about: int = 2_048
    folder: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.images < 500 or self.about * 3 > self.images:
            raise InvalidInput(
                f"images must be at least 500 and three shards of {self.about}, got {self.images}"
            )


def measure_ray(bench: RayBench, *, on_progress: Progress = ignore_progress) -> dict[str, Any]:
    """Extract here, then on Ray, and compare the time of a shard once work flows.

    Args:
        bench: What to measure.
        on_progress: Told (steps done, of 3); may raise `Cancelled`.

    Returns:
        `figures`: seconds of each pass; on Ray the seconds until Ray answered, and until the first
        shard came (both are start-up); `ratio_after_start`, what a shard costs there over here
        from then on; and whether all arrays are equal to the bit.
    """
    with tempfile.TemporaryDirectory(prefix="gazecheck-bench-") as temporary:
        folder = bench.folder or Path(temporary)
        manifest = read_manifest(made_pictures(folder, bench.images, bench.side, bench.seed))
        classifier = make_classifier(
            build_module(SMALL_CNN, len(manifest.class_names)).eval(),
            architecture=SMALL_CNN,
            preprocessing=Preprocessing(size=bench.side),
            class_names=manifest.class_names,
        )
        config = ExtractionConfig()
        work = ExtractionWork(manifest=manifest, classifier=classifier, config=config, device="cpu")
        shards = shards_of(len(manifest), config.batch_size, about=bench.about)
        on_progress(1, 3)
        here = _passed(LocalExecutor(), work, shards)
        on_progress(2, 3)
        ray = RayExecutor(workers=bench.workers)
        started = time.perf_counter()
        ray.join()
        joined = time.perf_counter() - started
        there = _passed(ray, work, shards)
        on_progress(3, 3)
    return {
        "images": bench.images,
        "shards": len(shards),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "figures": {
            "local_seconds": round(here["seconds"], 2),
            "ray_seconds": round(there["seconds"], 2),
            "ray_answers_after_seconds": round(joined, 2),
            "first_shard_after_seconds": round(there["first"], 2),
            "ratio_after_start": round(there["after"] / here["after"], 3),
            "equal_to_the_bit": here["arrays"] == there["arrays"],
        },
    }


def _passed(executor: Executor, work: ExtractionWork, shards: tuple[Shard, ...]) -> dict[str, Any]:
    """Make a pass: its seconds, those until the first shard came, and those from then on."""
    started = time.perf_counter()
    moments: list[float] = []
    arrays: dict[int, dict[str, bytes]] = {}
    for shard, given in executor.run(work, shards, ignore_progress, device="cpu"):
        moments.append(time.perf_counter() - started)
        arrays[shard.number] = {name: values.tobytes() for name, values in given.items()}
    return {
        "seconds": moments[-1],
        "first": moments[0],
        "after": moments[-1] - moments[0],
        "arrays": arrays,
    }
