"""Which tasks a new sitting gets, and in which order: pure functions of counts and a seed."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

SECONDS_PER_ANSWER = 6.0
"""What an answer takes at most of the people in the SLIM study (Table 6: 4.5 to 5.3 s, mean)."""
GRACE = timedelta(minutes=10)
FIRST_PLAIN = 2
"""So many queries begin a sitting before anything else is put in."""
REPEAT_AFTER = 10
"""A repeat stands at least so many positions after its query."""
_TRIES = 20


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a sitting is to hold beside its queries.

    Attributes:
        gold: Ids of gold tasks.
        checks: Ids of attention checks.
        n_repeats: How many of the queries are asked once more.
    """

    gold: Sequence[int] = ()
    checks: Sequence[int] = ()
    n_repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place in a sitting's order.

    Attributes:
        task_id: The task; of a repeat, the query that is repeated.
        is_repeat: Whether it is the second showing.
    """

    task_id: int
    is_repeat: bool = False


def interleave(queries: Sequence[int], extras: Extras, seed: int) -> list[Slot]:
    """Put gold tasks, checks and repeats among the queries.

    None of them stands among the first `FIRST_PLAIN`, no two are neighbours, and a repeat comes at
    least `REPEAT_AFTER` positions after its query. What does not fit is left out: repeats first,
    then checks, then gold.

    Args:
        queries: Task ids in their order.
        extras: What is put among them.
        seed: Settles where.

    Returns:
        Every query once, in the given order, and the extras that fit.
    """
    rng = random.Random(seed)  # noqa: S311  (an order, not a secret)
    fixed = [Slot(task_id=task_id) for task_id in (*extras.gold, *extras.checks)]
    fixed = fixed[: _room(len(queries))]
    for n_repeats in range(min(extras.n_repeats, _room(len(queries)) - len(fixed)), -1, -1):
        for _ in range(_TRIES):
            places = _places(len(queries), len(fixed) + n_repeats, rng)
            late = [place for place in places if place >= REPEAT_AFTER]
            if len(late) >= n_repeats:
                repeats = sorted(rng.sample(late, n_repeats))
                return _arranged(queries, fixed, places, repeats, rng)
    raise AssertionError("zero repeats always fit")


def _room(n_queries: int) -> int:
    """Count the extras that fit: each needs a query before it, after the first plain ones."""
    return max(0, n_queries - FIRST_PLAIN + 1)


def _places(n_queries: int, n_extras: int, rng: random.Random) -> list[int]:
    """Draw positions from `FIRST_PLAIN` on, no two of them neighbours, all equally likely."""
    drawn = sorted(rng.sample(range(_room(n_queries)), n_extras))
    return [FIRST_PLAIN + place + rank for rank, place in enumerate(drawn)]


def _arranged(
    queries: Sequence[int],
    fixed: Sequence[Slot],
    places: Sequence[int],
    repeats: Sequence[int],
    rng: random.Random,
) -> list[Slot]:
    order: list[Slot | None] = [None] * (len(queries) + len(places))
    plain = iter(queries)
    for position in range(len(order)):
        if position not in places:
            order[position] = Slot(task_id=next(plain))
    shuffled = list(fixed)
    rng.shuffle(shuffled)
    for place, slot in zip(
        [place for place in places if place not in repeats], shuffled, strict=True
    ):
        order[place] = slot
    asked = set(queries)
    used: set[int] = set()
    for place in repeats:
        # An earlier repeat stands at least two positions before, so a query is always left.
        before = [
            slot.task_id
            for slot in order[: place - REPEAT_AFTER + 1]
            if slot is not None and slot.task_id in asked and slot.task_id not in used
        ]
        task_id = rng.choice(before)
        used.add(task_id)
        order[place] = Slot(task_id=task_id, is_repeat=True)
    return [slot for slot in order if slot is not None]
