"""Answers to a run's queries from its data set's true regions."""

from typing import TYPE_CHECKING

import numpy as np

from engine.benches.answers import CrowdConfig, TrueAnswers, simulate_crowd
from engine.labeling.votes import VoteTable

if TYPE_CHECKING:
    from engine.pipeline.run import Run


def simulate_votes(run: "Run") -> VoteTable:
    """Let one simulated annotator answer every query of a run.

    Args:
        run: Its manifest must name true regions.

    Returns:
        One vote per query, those about validation images behind the others.

    Raises:
        InvalidInput: The manifest names no region.
    """
    truth = TrueAnswers(run.load("manifest"), run.load("extraction").maps_true)
    rows = np.asarray(run.load("queries").rows).tolist()
    if run.config.validation.budget:
        rows += np.asarray(run.load("queries_val").rows).tolist()
    return simulate_crowd(truth, rows, CrowdConfig(), seed=run.config.seed)
