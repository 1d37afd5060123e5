"""What says whether an image's attention is on the core: spread scores, or every image's answer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from engine.curation.screening import scores_of_answers
from engine.data.manifest import Split
from engine.pipeline.config import PipelineConfig
from engine.pipeline.pipeline import Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where one split's scores come from.

    Attributes:
        stage: The stage to read.
        scores: (loaded inputs, among them manifest, space and that stage) -> the scores of the
            split's images, in the order of their part of the space.
    """

    stage: str
    scores: Callable[[Inputs], Float[np.ndarray, " m"]]


def evidence_for(config: PipelineConfig, pool: Split) -> Evidence:
    """Say which stage screens a split, and how its scores are read.

    Args:
        config: The settings: `screening.rule` oracle reads the answers themselves, and validation
            images that were asked about have scores of their own.
        pool: The split.

    Returns:
        The stage and the way to read it.
    """
    own = pool is Split.VALIDATION and config.validation.budget > 0
    stage = "scores_val" if own else "scores"
    if config.screening.rule == "oracle":
        stage = "labels"

    def scores(inputs: Inputs) -> Float[np.ndarray, " m"]:
        rows = np.asarray(inputs["space"].rows)
        at = np.flatnonzero(inputs["manifest"].splits[rows] == pool.value)
        if stage == "labels":
            return scores_of_answers(np.asarray(inputs[stage].labels)[rows[at]], split=pool.value)
        found = np.asarray(inputs[stage].scores)
        return found if own else found[at]

    return Evidence(stage=stage, scores=scores)
