"""Answers: stored once under the client's id, in versions, never refused for being late.

An answer is five statements: lock the sitting, read what the answer meets; write it, move its
assignment on, serve the next one; and once in a while a sixth that renews the lease. PostgreSQL
gets them in two messages. Queries are kept plain on purpose, since putting them together costs
more than running them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, Q, When
from django.utils import timezone

from annotation_site.annotation.errors import (
    NotServed,
    RoundNotOpen,
    UnknownAnswer,
    UnknownTask,
    UsedElsewhere,
)
from annotation_site.annotation.leases import SIGN_OF_LIFE, renewed
from annotation_site.annotation.models import (
    WAITING,
    AnswerChoice,
    Arm,
    Assignment,
    AssignmentState,
    BrowserKey,
    Response,
    Round,
    RoundState,
    Sitting,
    SittingState,
    Task,
)
from annotation_site.annotation.places import retake_places
from annotation_site.annotation.provenance import stimulus_hash
from annotation_site.annotation.statements import Bound, Insert, Statement, column, together
from annotation_site.annotation.timing import Timing, judge

BACK_TO_WORK = (SittingState.WORKING, SittingState.ASKING, SittingState.COMPLETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A sitting as a request names it, not yet looked up.

    Attributes:
        sitting: Public id from the address.
        browser: Keyed hash of the browser's key.
    """

    sitting: str
    browser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """An answer as it arrives.

    Attributes:
        assignment_id: What it answers.
        answer: One of the round's answers.
        client_uuid: Made by the browser, once for this answer.
        timing: What the browser measured.
    """

    assignment_id: UUID
    answer: str
    client_uuid: UUID
    timing: Timing


def record_answer(
    *,
    sitting: Sitting,
    assignment_id: UUID,
    answer: str,
    client_uuid: UUID,
    timing: Timing,
    now: datetime | None = None,
) -> Response:
    """Store an answer, and serve the next task if the answer was counted.

    Args:
        sitting: Whose answer it is.
        assignment_id: What it answers; must have been served in this sitting.
        answer: One of the round's answers.
        client_uuid: Made by the browser; the same one always gives the same response.
        timing: What the browser measured.
        now: When it was received.

    Returns:
        The stored response. `late` if it came after the lease or after the round; `surplus` if in
        addition no place was free: it is kept, but it is no vote.

    Raises:
        UnknownTask: The assignment is not of this sitting.
        UnknownAnswer: The round does not offer this answer.
        NotServed: The task was not shown yet.
        UsedElsewhere: The UUID belongs to another sitting's answer.
    """
    given = GivenAnswer(
        assignment_id=assignment_id, answer=answer, client_uuid=client_uuid, timing=timing
    )
    return _store(sitting, given, now)


def record(door: Door, given: GivenAnswer, *, now: datetime | None = None) -> Response:
    """Store an answer of the sitting that a browser stands before; see `record_answer`.

    Raises:
        Sitting.DoesNotExist: It is not this browser's.
    """
    return _store(door, given, now)


def _store(whose: Door | Sitting, given: GivenAnswer, now: datetime | None) -> Response:
    now = now or timezone.now()
    try:
        return _record(whose, given, now, careful=False)
    except IntegrityError:
        # The id was used for another answer before; now it is looked for.
        return _record(whose, given, now, careful=True)


class _Met(NamedTuple):
    """One row of what an answer meets, in the order of `MET_COLUMNS`."""

    pk: int
    public_id: UUID
    state: str
    served_at: datetime | None
    exposures: int
    n_versions: int
    task_id: int
    stimulus_hash: str
    round_state: str
    arm: str
    guideline_version: int


MET_COLUMNS = (
    "pk", "public_id", "state", "served_at", "exposures", "n_versions", "task_id",
    "task__stimulus_hash", "sitting__round__state", "sitting__round__arm",
    "sitting__round__guideline_version",
)  # fmt: skip


_MEET = Statement(
    lambda sitting, assignment: (
        Assignment.objects.filter(
            Q(public_id=assignment) | Q(state__in=WAITING), sitting__public_id=sitting
        )
        # The one that is answered comes first; of the others only the next one is wanted.
        .order_by(Case(When(public_id=assignment, then=0), default=1), "position")
        .values_list(*MET_COLUMNS)[:2]
    ),
    {"sitting": column(Sitting, "public_id"), "assignment": column(Assignment, "public_id")},
)
_LOCK = Statement(
    lambda public_id, browser: (
        Sitting.objects.select_for_update(of=("self",), no_key=True)
        .filter(public_id=public_id, annotator__browser_keys__key_hash=browser)
        .values_list("pk", "state", "lease_until", "round_id")
    ),
    {"public_id": column(Sitting, "public_id"), "browser": column(BrowserKey, "key_hash")},
)
_STORED = Insert(Response)
_ANSWERED = Statement(
    lambda key, **_: Assignment.objects.filter(pk=key),
    {
        "key": column(Assignment, "id"),
        "state": column(Assignment, "state"),
        "n_versions": column(Assignment, "n_versions"),
    },
    update=lambda state, n_versions, **_: {"state": state, "n_versions": n_versions},
)
_SERVED = Statement(
    lambda key, **_: Assignment.objects.filter(pk=key),
    {
        "key": column(Assignment, "id"),
        "served_at": column(Assignment, "served_at"),
        "exposures": column(Assignment, "exposures"),
    },
    update=lambda served_at, exposures, **_: {
        "state": AssignmentState.SERVED,
        "served_at": served_at,
        "exposures": exposures,
    },
)


@transaction.atomic
def _record(whose: Door | Sitting, given: GivenAnswer, now: datetime, *, careful: bool) -> Response:
    held, met, following = _lock_and_meet(whose, given.assignment_id)
    # Without an earlier version the id can only be another assignment's, which the database tells.
    if met is None or met.n_versions or careful:
        stored = _stored_before(held, given)
        if stored is not None:
            return stored
    if met is None:
        raise UnknownTask("this task does not belong to this sitting")
    _check_offered(given.answer, met, held)
    is_open = met.round_state == RoundState.OPEN
    late = met.state == AssignmentState.RELEASED or now > held.lease_until or not is_open
    if is_open and held.state == SittingState.EXPIRED:
        retake_places(held, now)
        again, following = _meet(held, given.assignment_id)
        met = again or met
    if met.state == AssignmentState.RESERVED or met.served_at is None:
        raise NotServed("this task was not shown in this sitting")
    counted = is_open and met.state in {AssignmentState.SERVED, AssignmentState.ANSWERED}
    elsewhere = counted and _left_behind(met, following)
    response = _version(met, given, now=now, late=late, surplus=not counted, elsewhere=elsewhere)
    moves = counted and not elsewhere
    state = AssignmentState.ANSWERED if moves else met.state
    writes = [
        _STORED.bound(response),
        _ANSWERED.bound(key=met.pk, state=state, n_versions=met.n_versions + 1),
    ]
    goes_on = is_open and not elsewhere
    if goes_on and following is not None:
        writes.append(_next_served(following, now, exposures=int(moves)))
    together(*writes)
    if goes_on and following is None:
        complete(sitting=held, now=now)
    if moves:
        lease_until = renewed(held.lease_until, now)
        if lease_until != held.lease_until:
            Sitting.objects.filter(pk=held.pk).update(lease_until=lease_until)
    return response


def _left_behind(met: _Met, following: _Met | None) -> bool:
    """Say whether another tab went on from the page that this answer comes from.

    The task served last is the sitting's, in whichever tab it is: a page that shows another one,
    answered since or served before it, is the older of two. Only taking back an answer serves a
    task while another waits.
    """
    if met.state == AssignmentState.ANSWERED:
        return True
    if following is None or following.state != AssignmentState.SERVED:
        return False
    assert met.served_at is not None  # what was not served has been refused
    return following.served_at is not None and following.served_at > met.served_at


def _lock_and_meet(
    whose: Door | Sitting, assignment_id: UUID
) -> tuple[Sitting, _Met | None, _Met | None]:
    """Lock the sitting, and read after that what is answered and what follows.

    It must be in this order: closing locks every sitting before it counts votes.
    """
    if isinstance(whose, Sitting):
        held = Sitting.objects.select_for_update(no_key=True).get(pk=whose.pk)
        return held, *_meet(held, assignment_id)
    found, rows = together(
        _LOCK.bound(public_id=whose.sitting, browser=whose.browser),
        _MEET.bound(sitting=whose.sitting, assignment=assignment_id),
    )
    if not found:
        raise Sitting.DoesNotExist
    key, state, lease_until, round_id = found[0]
    held = Sitting(
        pk=key, public_id=whose.sitting, state=state, lease_until=lease_until, round_id=round_id
    )
    return held, *_told_apart(rows, assignment_id)


def _meet(sitting: Sitting, assignment_id: UUID) -> tuple[_Met | None, _Met | None]:
    """Read in one statement what is answered and what follows, with the round as it is now."""
    rows = _MEET.rows(sitting=sitting.public_id, assignment=assignment_id)
    return _told_apart(rows, assignment_id)


def _told_apart(
    rows: Iterable[tuple[Any, ...]], assignment_id: UUID
) -> tuple[_Met | None, _Met | None]:
    met = following = None
    for row in rows:
        each = _Met(*row)
        if each.public_id == assignment_id:
            met = each
        elif following is None:
            following = each
    return met, following


def _check_offered(answer: str, met: _Met, sitting: Sitting) -> None:
    offered: tuple[str, ...] = tuple(AnswerChoice.values)
    if met.arm != Arm.ATTENTION:
        offered = Round.objects.only("arm", "choices").get(pk=sitting.round_id).answers
    if answer not in offered:
        raise UnknownAnswer(f"{answer!r} cannot be answered in this round")


def _stored_before(sitting: Sitting, given: GivenAnswer) -> Response | None:
    """Give the response that an id already has, None without one.

    Raises:
        UsedElsewhere: It is another sitting's.
    """
    stored = (
        Response.objects.filter(client_uuid=given.client_uuid).select_related("assignment").first()
    )
    if stored is not None and stored.assignment.sitting_id != sitting.pk:
        raise UsedElsewhere("this answer's id was used in another sitting")
    return stored


def _version(
    met: _Met, given: GivenAnswer, *, now: datetime, late: bool, surplus: bool, elsewhere: bool
) -> Response:
    """Make the next version of an answer, not yet written."""
    timing = given.timing
    exposures = max(1, met.exposures)
    return Response(
        assignment=Assignment(pk=met.pk, public_id=met.public_id),
        version=met.n_versions + 1,
        answer=str(given.answer),
        client_uuid=given.client_uuid,
        guideline_version=met.guideline_version,
        stimulus_hash=met.stimulus_hash or _hash_now(met.task_id),
        shown_to_answer_ms=timing.shown_to_answer_ms,
        hidden_ms=timing.hidden_ms,
        blur_ms=timing.blur_ms,
        exposures=exposures,
        input_kind=timing.input_kind,
        overlay_seen=dict(timing.overlay),
        timing=dict(timing.more),
        quality=judge(timing, exposures=exposures, served_at=met.served_at, received_at=now),
        served_at=met.served_at,
        received_at=now,
        late=late,
        surplus=surplus,
        elsewhere=elsewhere,
    )


def _hash_now(task_id: int) -> str:
    return stimulus_hash(Task.objects.select_related("image__dataset").get(pk=task_id))


def _next_served(following: _Met, now: datetime, *, exposures: int) -> Bound:
    """Serve the next task.

    The values are known and no longer change: whoever changes assignments locks their sitting.
    """
    return _SERVED.bound(
        key=following.pk,
        served_at=following.served_at or now,
        exposures=following.exposures + exposures,
    )


@transaction.atomic
def undo(
    *, sitting: Sitting, client_uuid: UUID | None = None, now: datetime | None = None
) -> Assignment | None:
    """Take back a vote and show its task again; the response stays, the vote does not.

    Args:
        sitting: Whose vote it is, at work or completed.
        client_uuid: The vote to take back; None for the last one given. A UUID whose vote was
            taken back already changes nothing, so that the request may be repeated.
        now: The time.

    Returns:
        The assignment that wants an answer again, or None if there was nothing to take back.

    Raises:
        RoundNotOpen: The round has closed or the sitting has ended otherwise.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    state = held.round.state
    if state != RoundState.OPEN or held.state not in BACK_TO_WORK:
        raise RoundNotOpen("answers can no longer be changed")
    given = Response.objects.current().filter(assignment__sitting=held)
    if client_uuid is not None:
        given = given.filter(client_uuid=client_uuid)
    vote = given.select_related("assignment").order_by("-pk").first()
    if vote is None:
        return None
    assignment = vote.assignment
    Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.ANSWERED).update(
        state=AssignmentState.SERVED,
        served_at=now,
        exposures=max(1, assignment.exposures) + 1,
    )
    Sitting.objects.filter(pk=held.pk).update(
        state=SittingState.WORKING,
        completed_at=None,
        lease_until=max(held.lease_until, now + SIGN_OF_LIFE),
    )
    assignment.refresh_from_db()
    return assignment


def complete(*, sitting: Sitting, now: datetime | None = None) -> bool:
    """End a sitting that has no task left; say whether this call did it.

    Where the round asks questions at the end, the sitting waits for those first.
    """
    if Assignment.objects.filter(sitting=sitting).waiting().exists():
        return False
    at_work = Sitting.objects.filter(pk=sitting.pk, state=SittingState.WORKING)
    if at_work.exclude(round__end_questions=[]).update(state=SittingState.ASKING):
        return True
    changed = at_work.update(state=SittingState.COMPLETED, completed_at=now or timezone.now())
    return changed == 1
