"""Redundancy steered by influence x chance of a flip: which queries deserve another answer.

Only the number of answers wanted of each query moves. Places that somebody holds stay held, no
query gets more than the ceiling, all of them together no more than the round was opened with, and
nobody is ever given a query twice: that is a constraint of assignments, untouched here.
"""

import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Count, Max
from jaxtyping import Float, Int

from annotation_site.accounts.models import User
from annotation_site.annotation.models import (
    Arm,
    Assignment,
    AssignmentState,
    Round,
    RoundState,
    Task,
    TaskRole,
)
from annotation_site.live.models import Snapshot, Steering, SteeringStep
from annotation_site.web.refusals import Refused
from engine.errors import EngineError
from engine.labeling.steering import SteeringConfig, steer

_STEERABLE = (RoundState.READY, RoundState.OPEN)
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """How many answers each query would be wanted, and is.

    Attributes:
        keys: Of the tasks, rising.
        worth: Images that one more answer at each is expected to move.
        reserved: Places held or answered.
        before: Answers wanted now.
        after: Answers wanted under the plan.
        budget: Answers that the round was opened with.
    """

    keys: Int[np.ndarray, " q"]
    worth: Float[np.ndarray, " q"]
    reserved: Int[np.ndarray, " q"]
    before: Int[np.ndarray, " q"]
    after: Int[np.ndarray, " q"]
    budget: int

    @property
    def n_deserving(self) -> int:
        """Queries with room under the plan."""
        return int((self.after > self.reserved).sum())

    @property
    def n_enough(self) -> int:
        """Queries that get no more under the plan."""
        return len(self.keys) - self.n_deserving

    @property
    def n_raised(self) -> int:
        """Queries of which more answers are wanted than now."""
        return int((self.after > self.before).sum())

    @property
    def n_lowered(self) -> int:
        """Queries of which fewer are wanted than now."""
        return int((self.after < self.before).sum())

    @property
    def wanted_before(self) -> int:
        """Answers wanted now, in all."""
        return int(self.before.sum())

    @property
    def wanted_after(self) -> int:
        """Answers wanted under the plan, in all."""
        return int(self.after.sum())


def packed_worths(worths: dict[int, tuple[float, int]]) -> bytes:
    """Write worth and votes by the key of a task, as a snapshot keeps them."""
    out = io.BytesIO()
    keys = sorted(worths)
    np.savez_compressed(
        out,
        keys=np.array(keys, dtype=np.int64),
        worth=np.array([worths[key][0] for key in keys], dtype=np.float64),
        given=np.array([worths[key][1] for key in keys], dtype=np.int64),
    )
    return out.getvalue()


def _worths_of(snapshot: Snapshot) -> dict[int, tuple[float, int]]:
    with np.load(io.BytesIO(bytes(snapshot.worths)), allow_pickle=False) as file:
        columns = [file[name].tolist() for name in ("keys", "worth", "given")]
    return {key: (worth, given) for key, worth, given in zip(*columns, strict=True)}


def present(round_: Round) -> Steering | None:
    """Give the settings that hold; None where nobody ever touched them."""
    return Steering.objects.filter(round=round_).order_by("-version").first()


def config_of(round_: Round, steering: Steering | None) -> SteeringConfig:
    """Give the settings as the engine takes them; what is offered at first without."""
    if steering is not None:
        return SteeringConfig(
            least=steering.least, ceiling=steering.ceiling, enough=steering.enough
        )
    least = min(2, round_.redundancy)
    return SteeringConfig(least=least, ceiling=max(least, 2 * round_.redundancy - 1))


def plan(round_: Round, snapshot: Snapshot, config: SteeringConfig) -> Plan:
    """Say which queries deserve another answer and which have enough.

    Answers that came after the snapshot count as being on their way.
    """
    known = _worths_of(snapshot) if snapshot.worths else {}
    rows = np.array(
        list(
            round_.tasks.asked()
            .filter(retired_reason="")
            .order_by("pk")
            .values_list("pk", "reserved", "target")
        ),
        dtype=np.int64,
    ).reshape(-1, 3)
    keys, reserved, before = rows.T
    worth = np.array([known.get(key, (0.0, 0))[0] for key in keys.tolist()], dtype=np.float64)
    given = np.array([known.get(key, (0.0, 0))[1] for key in keys.tolist()], dtype=np.int64)
    again = _asked_again(round_)
    lost = np.array([again.get(key, 0) for key in keys.tolist()], dtype=np.int64)
    living, budget = reserved - lost, round_.redundancy * len(keys)
    after = steer(
        worth, np.minimum(given, living), living, budget, config, n_open=round_.block_size
    )
    return Plan(
        keys=keys,
        worth=worth,
        reserved=reserved,
        before=before,
        after=after + lost,
        budget=budget + int(lost.sum()),
    )


def _asked_again(round_: Round) -> dict[int, int]:
    """Count, by query, the answers of people that others were asked for in place of.

    They hold their places still, and `withdrawing.top_up` has raised what is wanted by them.
    """
    rows = (
        Assignment.objects.filter(
            task__round=round_,
            task__role=TaskRole.QUERY,
            state=AssignmentState.ANSWERED,
            sitting__topped_up_at__isnull=False,
        )
        .order_by()
        .values_list("task_id")
        .annotate(n=Count("pk"))
    )
    return dict(rows)


@transaction.atomic
def turn(
    *,
    round: Round,  # noqa: A002  # the field's name
    by: User,
    is_on: bool,
    least: int,
    ceiling: int,
    enough: float,
) -> Steering:
    """Turn steering on or off, as a further version of its settings.

    Off, each query wants the round's number of answers again, or what is held of it already.

    Raises:
        Refused: The round is not about attention or past being open, or a number is out of range.
    """
    locked = Round.objects.select_for_update().get(pk=round.pk)
    if locked.arm != Arm.ATTENTION or locked.state not in _STEERABLE:
        raise Refused("Answers can be steered in a round about attention that is ready or open.")
    if least > locked.redundancy:
        raise Refused(
            f"At least {least} answers for every image are more than the {locked.redundancy} "
            "that the round has for each. Choose fewer."
        )
    try:
        SteeringConfig(least=least, ceiling=ceiling, enough=enough)
    except EngineError as error:
        raise Refused(f"This does not fit: {error}.") from error
    last = Steering.objects.filter(round=locked).aggregate(last=Max("version"))["last"] or 0
    made = Steering.objects.create(
        round=locked, version=last + 1, is_on=is_on, least=least, ceiling=ceiling,
        enough=enough, by=by,
    )  # fmt: skip
    if not is_on and last:
        _restore(locked)
    return made


def _restore(round_: Round) -> None:
    """Want the round's number of answers of each query again; what is held stays held."""
    tasks = round_.tasks.asked().filter(retired_reason="")
    again = _asked_again(round_)
    wanted = {
        key: max(reserved, round_.redundancy + again.get(key, 0))
        for key, reserved in tasks.order_by("pk").select_for_update().values_list("pk", "reserved")
    }
    _want(wanted)


def _want(wanted: Mapping[int, int]) -> None:
    """Set the numbers of answers wanted of tasks that the caller has locked, where they fit."""
    by_target = defaultdict(list)
    for key, target in wanted.items():
        by_target[target].append(key)
    for target, keys in by_target.items():
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            Task.objects.filter(pk__in=part, reserved__lte=target).update(target=target)


@transaction.atomic
def apply(*, round: Round) -> SteeringStep | None:  # noqa: A002
    """Move the numbers of answers wanted by the last snapshot, where the lead has turned it on.

    The round is locked first and its tasks by key, as everybody who takes a place does.

    Returns:
        What was moved; None where steering is off, there is no snapshot, or nothing moves.
    """
    locked = Round.objects.select_for_update().get(pk=round.pk)
    steering = present(locked)
    snapshot = Snapshot.objects.filter(round=locked).order_by("-number").first()
    if steering is None or not steering.is_on or snapshot is None:
        return None
    if locked.state != RoundState.OPEN:
        return None
    list(locked.tasks.asked().order_by("pk").select_for_update().values_list("pk"))
    found = plan(locked, snapshot, config_of(locked, steering))
    moved = found.after != found.before
    if not moved.any():
        return None
    _want(dict(zip(found.keys[moved].tolist(), found.after[moved].tolist(), strict=True)))
    return SteeringStep.objects.create(
        steering=steering,
        snapshot=snapshot,
        n_raised=found.n_raised,
        n_lowered=found.n_lowered,
        wanted_before=found.wanted_before,
        wanted_after=found.wanted_after,
    )
