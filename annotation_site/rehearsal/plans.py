"""What is to be rehearsed: the round, who comes, what they are paid. Loads nothing that computes."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation_site.annotation.allocation import SECONDS_PER_ANSWER
from annotation_site.rehearsal.scene import Scene

MORE_PEOPLE = 1.25
"""Without a number, so many times the people needed come: some leave, some find it full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Who comes, and how fast it is played.

    Attributes:
        annotators: How many come.
        mix: Kind -> share of the crowd.
        per_hour: Arrivals.
        seed: Decides everything but the machine's own timing.
        speed: Simulated seconds in a real one; 0: as fast as the server answers.
        lanes: Requests under way at once.
        workers: Of the server.
    """

    annotators: int
    mix: dict[str, float]
    per_hour: float
    seed: int
    speed: float = 0.0
    lanes: int = 8
    workers: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What people are paid.

    Attributes:
        reward: For a sitting that was completed.
        screened_out: For one that failed practice.
        fee: The panel's, as a share of what is paid.
    """

    reward: float
    screened_out: float = 0.0
    fee: float = 0.0

    def cost(self, completed: int, screened_out: int) -> float:
        """Say what so many sittings cost, fee included."""
        paid = completed * self.reward + screened_out * self.screened_out
        return paid * (1.0 + self.fee)


def minutes_of(scene: Scene) -> int:
    """Say how long a sitting takes, as the notice before it tells people."""
    return max(1, round(scene.tasks_per_sitting * SECONDS_PER_ANSWER / 60))


def enough_people(scene: Scene) -> int:
    """Say how many people should come so that all answers are there in the end."""
    queries = min(scene.block_size or scene.n_items, scene.n_items)
    return math.ceil(MORE_PEOPLE * scene.wanted / queries)


def plan_of(scene: Scene, play: Play, terms: Terms) -> dict[str, Any]:
    """Give the whole as it is handed to the process that plays it: a JSON value."""
    return {
        "scene": dataclasses.asdict(scene),
        "play": dataclasses.asdict(play),
        "terms": dataclasses.asdict(terms),
    }


def read_plan(said: Mapping[str, Any]) -> tuple[Scene, Play, Terms]:
    """Read what `plan_of` gave.

    Raises:
        CommandError: The scene cannot be played.
    """
    return Scene(**said["scene"]), Play(**said["play"]), Terms(**said["terms"])
