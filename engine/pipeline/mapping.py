"""Stages that go over the pictures shard by shard: results flow to the disk, and work is resumed."""

from pathlib import Path

import numpy as np

from engine.artifacts.shards import ShardedArrays
from engine.attention.extraction import extract_shards
from engine.attention.shards import shards_of
from engine.pipeline.config import PipelineConfig
from engine.pipeline.pipeline import Inputs
from engine.progress import Progress


def stream_extraction(
    config: PipelineConfig, inputs: Inputs, progress: Progress, folder: Path
) -> None:
    """Extract the shards that are not in a folder yet, and write each as soon as it is done.

    Args:
        config: All settings.
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
    if before:
        progress(before, n_rows)
    for shard, given in extract_shards(
        inputs["manifest"],
        inputs["classifier"],
        config.extraction,
        missing,
        device=config.device,
        on_progress=lambda done, _total: progress(before + done, n_rows),
    ):
        arrays.write(shard.number, given)
    arrays.finish({"rows": np.arange(n_rows, dtype=np.int64)})
