"""Which images a stage works on: the training images, or the validation images beside them."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from engine.attention.space import AttentionSpace
from engine.data.manifest import ImageManifest, Split

POOLS = {Split.TRAIN: "", Split.VALIDATION: "_val"}
"""SLIM_Tr curates the training images, SLIM_Val the validation images: suffix of the stage."""


def pool_of(space: AttentionSpace, manifest: ImageManifest, pool: Split) -> AttentionSpace:
    """Give the part of the space that one split spans."""
    at = np.flatnonzero(manifest.splits[space.rows] == pool.value)
    return space_at(space, at)


def space_at(space: AttentionSpace, positions: Int[np.ndarray, " k"]) -> AttentionSpace:
    """Give some positions of a space, as a space."""
    return replace(
        space,
        rows=np.asarray(space.rows)[positions],
        core=np.asarray(space.core)[positions],
        environment=np.asarray(space.environment)[positions],
        core_components=np.asarray(space.core_components)[positions],
        environment_components=np.asarray(space.environment_components)[positions],
    )
