"""Which tasks a new sitting gets, and in which order: pure functions of counts and a seed."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

SECONDS_PER_ANSWER = 6.0
"""What an answer takes at most of the people in the SLIM study (Table 6: 4.5 to 5.3 s, mean)."""
GRACE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A task with room.

    Attributes:
        task_id: Its key.
        reserved: Places held or answered, below `target`.
        target: Answers wanted, at least 1.
        cluster: Stratum of the attention space.
    """

    task_id: int
    reserved: int
    target: int
    cluster: int


def choose_block(candidates: Sequence[Candidate], size: int, seed: int) -> list[int]:
    """Choose the tasks of one sitting.

    The least reserved come first, so that counts stay within one of each other and the last
    sitting's block stays feasible. Among equals, each cluster is walked in a random order and its
    i-th task ranks at (i + 1/2) / n, so that the head of the list mirrors the clusters' sizes.

    Args:
        candidates: Tasks with room.
        size: How many are wanted; 0 for all.
        seed: Settles ties and the order.

    Returns:
        Task ids in the order they will be shown, at most `size` and at most all candidates.
    """
    rng = random.Random(seed)  # noqa: S311  (an order, not a secret)
    shuffled = sorted(candidates, key=lambda candidate: candidate.task_id)
    rng.shuffle(shuffled)
    strata: dict[tuple[float, int], list[Candidate]] = {}
    for candidate in shuffled:
        load = candidate.reserved / candidate.target
        strata.setdefault((load, candidate.cluster), []).append(candidate)
    ranked = sorted(
        (load, (rank + 0.5) / len(stratum), rng.random(), candidate.task_id)
        for (load, _), stratum in strata.items()
        for rank, candidate in enumerate(stratum)
    )
    chosen = [task_id for *_, task_id in ranked[: size or len(ranked)]]
    rng.shuffle(chosen)
    return chosen


def lease_of(n_tasks: int) -> timedelta:
    """Say how long a sitting of so many tasks keeps its places without a sign of life.

    Prolific's least allowed time for an estimate of t minutes, 2 + 2t + 2 sqrt(t), and ten more.
    """
    minutes = n_tasks * SECONDS_PER_ANSWER / 60
    return timedelta(minutes=2 + 2 * minutes + 2 * math.sqrt(minutes)) + GRACE
