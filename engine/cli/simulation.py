"""Answers from a data set's true regions, joined outside the packages that rank and spread."""

from typing import TYPE_CHECKING

import numpy as np

from engine.data.regions import object_region, spurious_region
from engine.errors import InvalidInput
from engine.labeling.votes import Vote, VoteTable
from engine.randomness import generator
from engine.simulation.annotator import SimulatedAnnotator

if TYPE_CHECKING:
    from engine.pipeline.run import Run


def simulate_votes(run: "Run") -> VoteTable:
    """Let one simulated annotator answer every query of a run.

    Args:
        run: Its manifest must name true regions.

    Returns:
        One vote per query.

    Raises:
        InvalidInput: The manifest names no region.
    """
    manifest, maps = run.load("manifest"), run.load("extraction").maps_true
    annotator = SimulatedAnnotator(rng=generator(run.config.seed, "simulated annotator"))
    votes = []
    for row in np.asarray(run.load("queries").rows).tolist():
        region, cue = object_region(manifest, row), spurious_region(manifest, row)
        if region is None and cue is None:
            msg = (
                f"--simulate needs true regions, but row {row} ({manifest.records[row].image_id}) "
                "has neither mask, box nor spurious_mask; give --votes FILE instead"
            )
            raise InvalidInput(msg)
        said = annotator.answer(np.asarray(maps[row]), region, cue)
        votes.append(Vote(row=row, annotator="simulated", answer=said.answer, seconds=said.seconds))
    return VoteTable.of(votes)
