"""Answers from a data set's true regions, joined outside the packages that rank and spread."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from engine.attention.presets import check_range
from engine.data.manifest import ImageManifest
from engine.data.regions import object_region, spurious_region
from engine.errors import InvalidInput
from engine.labeling.votes import Answer, Vote, VoteTable
from engine.randomness import generator
from engine.simulation.annotator import OBJECT_SHARE, SPURIOUS_RATIO, SimulatedAnnotator, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdConfig:
    """Who answers.

    Attributes:
        votes: Annotators that each answer every query, at least 1.
        slip_rate: How often each mixes up yes and no, in [0, 1].
        tau: The share of the attention's mass that must lie on the object for a yes.
        spurious_ratio: How many times its area's share an artefact's mass may have.
    """

    votes: int = 1
    slip_rate: float = 0.0
    tau: float = OBJECT_SHARE
    spurious_ratio: float = SPURIOUS_RATIO

    def __post_init__(self) -> None:
        check_range("crowd.votes", self.votes, low=1)
        check_range("crowd.slip_rate", self.slip_rate, low=0, high=1)


class TrueAnswers:
    """What somebody who knows the true regions says of each row, looked up once a row."""

    def __init__(self, manifest: ImageManifest, maps: Float[np.ndarray, "n h w"]) -> None:
        """Take the pictures' true regions and the maps as shown.

        Args:
            manifest: Names the regions.
            maps: The attention map of every row.
        """
        self._manifest = manifest
        self._maps = maps
        self._known: dict[tuple[int, float, float], Answer] = {}

    def of(self, row: int, crowd: CrowdConfig) -> Answer:
        """Give the answer to a row's map.

        Raises:
            InvalidInput: The manifest names no region for the row.
        """
        key = (row, crowd.tau, crowd.spurious_ratio)
        if key not in self._known:
            region = object_region(self._manifest, row)
            cue = spurious_region(self._manifest, row)
            if region is None and cue is None:
                msg = (
                    f"simulated answers need true regions, but row {row} "
                    f"({self._manifest.records[row].image_id}) has neither mask, box nor "
                    "spurious_mask; give --votes FILE instead"
                )
                raise InvalidInput(msg)
            self._known[key] = judge(
                np.asarray(self._maps[row]),
                region,
                cue,
                crowd.tau,
                spurious_ratio=crowd.spurious_ratio,
            )
        return self._known[key]


def simulate_crowd(
    truth: TrueAnswers, rows: Iterable[int], crowd: CrowdConfig, *, seed: int
) -> VoteTable:
    """Let simulated annotators answer queries, each from a stream of its own.

    Args:
        truth: What they would say if they never slipped.
        rows: The rows asked about, in the order they are asked.
        crowd: Who answers.
        seed: The run's seed.

    Returns:
        One vote for each annotator and row.

    Raises:
        InvalidInput: A row has no true region.
    """
    asked = list(rows)
    votes: list[Vote] = []
    for number in range(crowd.votes):
        suffix = f" {number + 1}" if number else ""
        annotator = SimulatedAnnotator(
            rng=generator(seed, f"simulated annotator{suffix}"), slip_rate=crowd.slip_rate
        )
        for row in asked:
            said = annotator.click(truth.of(row, crowd))
            name = f"simulated{suffix}"
            votes.append(Vote(row=row, annotator=name, answer=said.answer, seconds=said.seconds))
    return VoteTable.of(votes)
