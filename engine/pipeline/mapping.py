"""Stages that go over the pictures shard by shard: results flow to the disk, and work is resumed."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from engine.artifacts.shards import ShardedArrays
from engine.attention.extraction import ExtractionConfig, extract_shards
from engine.attention.heads import LinearHead, head_features, maps_under_heads
from engine.attention.shards import Shard, shards_of
from engine.data.manifest import ImageManifest
from engine.models.classifier import Classifier
from engine.pipeline.config import PipelineConfig
from engine.pipeline.executors import Executor, Part, ShardWork
from engine.pipeline.pipeline import Inputs
from engine.progress import Progress
from engine.training.corruption import CormConfig, corrupted_features


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExtractionWork:
    """Where a classifier looks, over shards of a manifest.

    Attributes:
        manifest: The pictures; where they are read, its root must exist.
        classifier: The network.
        config: How the pass is made.
        device: Where to compute, as torch names it.
    """

    manifest: ImageManifest
    classifier: Classifier
    config: ExtractionConfig
    device: str

    def over(self, shards: Sequence[Shard], progress: Progress) -> Generator[Part, None, None]:
        """Extract some shards; see `engine.pipeline.executors.ShardWork`."""
        yield from extract_shards(
            self.manifest,
            self.classifier,
            self.config,
            shards,
            device=self.device,
            on_progress=progress,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeaturesWork:
    """What a network's last layer reads of some rows; shards are of `rows`.

    Attributes:
        manifest: The pictures.
        classifier: The network.
        rows: The rows wanted.
        config: Precision, batch size and workers.
        device: Where to compute, as torch names it.
    """

    manifest: ImageManifest
    classifier: Classifier
    rows: Int[np.ndarray, " m"]
    config: ExtractionConfig
    device: str

    def over(self, shards: Sequence[Shard], progress: Progress) -> Generator[Part, None, None]:
        """Give features of some shards; see `engine.pipeline.executors.ShardWork`."""
        for shard, told in _in_turn(shards, progress):
            rows = self.rows[shard.start : shard.stop]
            found = head_features(
                self.manifest,
                self.classifier,
                rows,
                self.config,
                device=self.device,
                on_progress=told,
            )
            yield shard, {"features": found}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CorruptionWork:
    """Features of corrupted copies of flagged rows; shards are of `rows`.

    Attributes:
        manifest: The pictures.
        classifier: The network.
        rows: Flagged rows, rising.
        maps: Their raw maps of the true class.
        corm: The noise.
        config: Precision, batch size and workers.
        seed: Of the noise.
        device: Where to compute, as torch names it.
    """

    manifest: ImageManifest
    classifier: Classifier
    rows: Int[np.ndarray, " k"]
    maps: Float[np.ndarray, "k h w"]
    corm: CormConfig
    config: ExtractionConfig
    seed: int
    device: str

    def over(self, shards: Sequence[Shard], progress: Progress) -> Generator[Part, None, None]:
        """Corrupt some shards; see `engine.pipeline.executors.ShardWork`."""
        for shard, told in _in_turn(shards, progress):
            part = slice(shard.start, shard.stop)
            found = corrupted_features(
                self.manifest,
                self.classifier,
                self.rows[part],
                self.maps[part],
                self.corm,
                self.config,
                seed=self.seed,
                device=self.device,
                on_progress=told,
            )
            yield shard, {"features": np.asarray(found.features)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadMapsWork:
    """Where heads on one backbone look, and what they predict; shards are of `rows`.

    Attributes:
        manifest: The pictures.
        classifier: The network.
        heads: The last layers.
        rows: The rows wanted.
        config: Precision, batch size, workers and method.
        device: Where to compute, as torch names it.
    """

    manifest: ImageManifest
    classifier: Classifier
    heads: Sequence[LinearHead]
    rows: Int[np.ndarray, " m"]
    config: ExtractionConfig
    device: str

    def over(self, shards: Sequence[Shard], progress: Progress) -> Generator[Part, None, None]:
        """Score some shards, rows first; see `engine.pipeline.executors.ShardWork`."""
        for shard, told in _in_turn(shards, progress):
            predicted, maps = maps_under_heads(
                self.manifest,
                self.classifier,
                self.heads,
                self.rows[shard.start : shard.stop],
                self.config,
                device=self.device,
                on_progress=told,
            )
            yield shard, {"predicted": predicted.T, "maps": maps.swapaxes(0, 1)}


def _in_turn(
    shards: Sequence[Shard], progress: Progress
) -> Generator[tuple[Shard, Progress], None, None]:
    """Give each shard with what counts its progress as a part of all."""
    total, before = sum(map(len, shards)), 0
    for shard in shards:
        yield shard, lambda done, _of, before=before: progress(before + done, total)  # type: ignore[misc]
        before += len(shard)


def gathered(
    executor: Executor,
    work: ShardWork,
    n_rows: int,
    batch_size: int,
    progress: Progress,
    *,
    device: str,
) -> dict[str, np.ndarray]:
    """Do some work in shards and put its arrays together.

    Args:
        executor: Where to compute.
        work: What to do.
        n_rows: Rows that its shards are of.
        batch_size: Pictures at once.
        progress: Told (rows done, rows in all).
        device: Where the work computes.

    Returns:
        Whole arrays by name; none where there are no rows.
    """
    arrays: dict[str, np.ndarray] = {}
    shards = shards_of(n_rows, batch_size)
    for shard, given in executor.run(work, shards, progress, device=device):
        for name, values in given.items():
            if name not in arrays:
                arrays[name] = np.empty((n_rows, *values.shape[1:]), dtype=values.dtype)
            arrays[name][shard.start : shard.stop] = values
    return arrays


def stream_extraction(
    config: PipelineConfig, executor: Executor, inputs: Inputs, progress: Progress, folder: Path
) -> None:
    """Extract the shards that are not in a folder yet, and write each as soon as it is done.

    Args:
        config: All settings.
        executor: Where to compute.
        inputs: The loaded manifest and classifier.
        progress: Told (pictures done, also by an earlier process; pictures in all).
        folder: The artifact's.

    Raises:
        EngineError: As `engine.attention.extraction.extract`.
        OSError: The disk is full.
    """
    n_rows = len(inputs["manifest"])
    shards = shards_of(n_rows, config.extraction.batch_size)
    # another batch size rounds otherwise, and all parts are to be of one kind
    settings = {"batch_size": config.extraction.batch_size}
    arrays = ShardedArrays(folder, n_rows, len(shards[0]), settings)
    missing = [shards[number] for number in arrays.missing]
    before = n_rows - sum(len(shard) for shard in missing)
    progress(before, n_rows)
    work = ExtractionWork(
        manifest=inputs["manifest"],
        classifier=inputs["classifier"],
        config=config.extraction,
        device=config.device,
    )
    parts = executor.run(
        work, missing, lambda done, _total: progress(before + done, n_rows), device=config.device
    )
    for shard, given in parts:
        arrays.write(shard.number, given)
    arrays.finish({"rows": np.arange(n_rows, dtype=np.int64)})
