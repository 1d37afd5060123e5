"""The verbs of an annotator's sitting: start, practise, serve, answer, undo, stop, come back.

Locks are always taken in the order round, sittings by key, tasks by key, so that no two verbs can
wait for each other. Every count is settled by a guarded update, never by reading first.
"""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from annotation_site.annotation.allocation import Candidate, choose_block, lease_of
from annotation_site.annotation.errors import (
    NotServed,
    RoundFull,
    RoundNotOpen,
    RoundNotReady,
    UnknownTask,
    UsedElsewhere,
)
from annotation_site.annotation.models import (
    AT_WORK,
    WAITING,
    Annotator,
    AnswerChoice,
    Assignment,
    AssignmentState,
    PracticeItem,
    Response,
    Round,
    RoundState,
    Sitting,
    SittingState,
)
from annotation_site.annotation.places import (
    release_lapsed,
    release_places,
    retake_places,
    take_places,
)
from annotation_site.annotation.rounds import (
    abort_closing,
    abort_preparing,
    begin_closing,
    begin_preparing,
    confirm_practice,
    finish_closing,
    finish_preparing,
    open_round,
)
from annotation_site.annotation.summaries import round_progress, votes_of
from annotation_site.annotation.timing import Timing, judge

__all__ = [
    "abort_closing",
    "abort_preparing",
    "answer_practice",
    "begin_closing",
    "begin_preparing",
    "complete",
    "confirm_practice",
    "finish_closing",
    "finish_practice",
    "finish_preparing",
    "open_round",
    "record_answer",
    "release_expired",
    "repeat_practice",
    "resume",
    "round_progress",
    "serve",
    "start_sitting",
    "undo",
    "votes_of",
    "withdraw",
]

SIGN_OF_LIFE = timedelta(minutes=30)
"""What an answer adds to a lease that would end sooner."""


@transaction.atomic
def start_sitting(*, round: Round, key_hash: str, now: datetime | None = None) -> Sitting:  # noqa: A002
    """Give an annotator a whole block of tasks at once, or the sitting they already have.

    Args:
        round: The round of the link.
        key_hash: Keyed hash of the browser's cookie.
        now: The time of consent.

    Returns:
        The sitting, practising; or the earlier one of the same annotator, in whatever state.

    Raises:
        RoundNotOpen: The round takes no sittings.
        RoundFull: Nobody may be given a place; nothing is written.
    """
    now = now or timezone.now()
    locked = Round.objects.select_for_update().get(pk=round.pk)
    annotator, _ = Annotator.objects.get_or_create(key_hash=key_hash)
    earlier = Sitting.objects.filter(round=locked, annotator=annotator).first()
    if earlier is not None:
        return earlier
    if locked.state != RoundState.OPEN:
        raise RoundNotOpen(f"round {locked.number} is {locked.state}, not open")
    release_lapsed(locked, now)
    seed = _seed(locked.seed, annotator.pk)
    candidates = [
        Candidate(task_id=pk, reserved=reserved, target=target, cluster=cluster)
        for pk, reserved, target, cluster in locked.tasks.with_room().values_list(
            "pk", "reserved", "target", "cluster"
        )
    ]
    block = choose_block(candidates, locked.block_size, seed)
    if not block:
        raise RoundFull(f"every place in round {locked.number} is taken")
    if len(take_places(block)) != len(block):
        raise RoundFull("a place was taken in the same moment; please try again")
    sitting = Sitting.objects.create(
        round=locked,
        annotator=annotator,
        seed=seed,
        practice_attempts=1,
        consented_at=now,
        lease_until=now + lease_of(len(block)),
    )
    Assignment.objects.bulk_create(
        Assignment(sitting=sitting, task_id=task_id, position=position)
        for position, task_id in enumerate(block)
    )
    return sitting


@transaction.atomic
def answer_practice(*, sitting: Sitting, position: int, answer: AnswerChoice) -> PracticeItem:
    """Keep the first answer of this attempt to a practice item; it never becomes data.

    Raises:
        UnknownTask: The round has no such confirmed practice item.
    """
    held = Sitting.objects.select_for_update().get(pk=sitting.pk)
    item = held.round.practice_items.exclude(answer="").filter(position=position).first()
    if item is None:
        raise UnknownTask(f"there is no practice item {position}")
    if held.state == SittingState.PRACTISING and str(position) not in held.practice_answers:
        held.practice_answers[str(position)] = str(answer)
        held.practice_right += int(answer == item.answer)
        held.lease_until = _renewed(held.lease_until, timezone.now())
        held.save(update_fields=["practice_answers", "practice_right", "lease_until"])
    return item


@transaction.atomic
def repeat_practice(*, sitting: Sitting) -> None:
    """Forget the attempt's answers and begin another one."""
    Sitting.objects.filter(pk=sitting.pk, state=SittingState.PRACTISING).update(
        practice_answers={}, practice_right=0, practice_attempts=F("practice_attempts") + 1
    )


@transaction.atomic
def finish_practice(*, sitting: Sitting, now: datetime | None = None) -> None:
    """Begin the work and serve the first task; harmless when the work has begun already.

    Raises:
        RoundNotReady: A practice item has no answer yet.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update().get(pk=sitting.pk)
    if held.state != SittingState.PRACTISING:
        return
    wanted = held.round.practice_items.exclude(answer="").values_list("position", flat=True)
    missing = [position for position in wanted if str(position) not in held.practice_answers]
    if missing:
        raise RoundNotReady(f"{len(missing)} practice items have no answer yet")
    Sitting.objects.filter(pk=held.pk).update(
        state=SittingState.WORKING, lease_until=_renewed(held.lease_until, now)
    )
    _serve_next(held, now, exposures=0)


@transaction.atomic
def serve(*, sitting: Sitting, assignment_id: UUID, now: datetime | None = None) -> Assignment:
    """Note that a task was put on a page: reserved becomes served, and each time is counted.

    Raises:
        UnknownTask: The assignment is not of this sitting.
        NotServed: The sitting is not at work.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update().get(pk=sitting.pk)
    assignment = _assignment_of(held, assignment_id)
    if held.state != SittingState.WORKING:
        raise NotServed("this task is not to be answered now")
    if assignment.state in WAITING:
        assignment.exposures += 1
        assignment.served_at = assignment.served_at or now
        assignment.state = AssignmentState.SERVED
        assignment.save(update_fields=["state", "served_at", "exposures"])
    return assignment


@transaction.atomic
def record_answer(
    *,
    sitting: Sitting,
    assignment_id: UUID,
    answer: AnswerChoice,
    client_uuid: UUID,
    timing: Timing,
    now: datetime | None = None,
) -> Response:
    """Add an answer as a new version, serve the next task, and complete after the last.

    A late answer is never refused: it takes a place again where one is free, else it is kept as
    surplus. The same UUID gives the same response however often and from wherever it comes.

    Args:
        sitting: Whose answer it is.
        assignment_id: Public id of the assignment.
        answer: The answer.
        client_uuid: Made by the page, once per answer.
        timing: What the browser measured.
        now: When the answer came in.

    Returns:
        The stored response.

    Raises:
        UnknownTask: The assignment is not of this sitting.
        NotServed: The assignment was not shown in this sitting.
        UsedElsewhere: The UUID belongs to another sitting's answer.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update().get(pk=sitting.pk)
    stored = _stored_response(held, client_uuid)
    if stored is not None:
        return stored
    # Read after the lock: closing locks every sitting before it counts votes.
    round_ = Round.objects.only("state", "guideline_version").get(pk=held.round_id)
    is_open = round_.state == RoundState.OPEN
    assignment = _assignment_of(held, assignment_id)
    late = assignment.state == AssignmentState.RELEASED or now > held.lease_until or not is_open
    if is_open and held.state == SittingState.EXPIRED:
        retake_places(held, now)
        assignment.refresh_from_db(fields=["state"])
    if assignment.state == AssignmentState.RESERVED or assignment.served_at is None:
        raise NotServed("this task was not shown in this sitting")
    counted = is_open and assignment.state in {AssignmentState.SERVED, AssignmentState.ANSWERED}
    elsewhere = counted and assignment.state == AssignmentState.ANSWERED
    response = _append_response(
        assignment,
        client_uuid,
        answer,
        timing,
        received_at=now,
        guideline_version=round_.guideline_version,
        late=late,
        surplus=not counted,
        elsewhere=elsewhere,
    )
    if counted and not elsewhere:
        Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.SERVED).update(
            state=AssignmentState.ANSWERED
        )
        Sitting.objects.filter(pk=held.pk).update(lease_until=_renewed(held.lease_until, now))
    if is_open and not elsewhere and not _serve_next(held, now, exposures=1):
        complete(sitting=held, now=now)
    return response


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
    held = Sitting.objects.select_for_update().get(pk=sitting.pk)
    state = Round.objects.values_list("state", flat=True).get(pk=held.round_id)
    if state != RoundState.OPEN or held.state not in {
        SittingState.WORKING,
        SittingState.COMPLETED,
    }:
        raise RoundNotOpen("answers can no longer be changed")
    votes = Response.objects.current().filter(assignment__sitting=held)
    if client_uuid is not None:
        votes = votes.filter(client_uuid=client_uuid)
    vote = votes.select_related("assignment").order_by("-pk").first()
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
        lease_until=_renewed(held.lease_until, now),
    )
    assignment.refresh_from_db()
    return assignment


def complete(*, sitting: Sitting, now: datetime | None = None) -> bool:
    """End a sitting that has no task left; say whether this call did it."""
    if Assignment.objects.filter(sitting=sitting).waiting().exists():
        return False
    changed = Sitting.objects.filter(pk=sitting.pk, state=SittingState.WORKING).update(
        state=SittingState.COMPLETED, completed_at=now or timezone.now()
    )
    return changed == 1


@transaction.atomic
def withdraw(*, sitting: Sitting) -> None:
    """Stop without a reason: places go back, the answers given are kept."""
    held = Sitting.objects.select_for_update().get(pk=sitting.pk)
    if Sitting.objects.filter(pk=held.pk, state__in=AT_WORK).update(state=SittingState.WITHDRAWN):
        release_places([held.pk])


@transaction.atomic
def resume(*, sitting: Sitting, now: datetime | None = None) -> Sitting:
    """Take back the places of an expired or withdrawn sitting, as far as they are free.

    Raises:
        RoundNotOpen: The round takes no answers now.
        RoundFull: No place is free any more.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update().get(pk=sitting.pk)
    if held.state not in {SittingState.EXPIRED, SittingState.WITHDRAWN}:
        return held
    state = Round.objects.values_list("state", flat=True).get(pk=held.round_id)
    if state != RoundState.OPEN:
        raise RoundNotOpen("the round has closed")
    if not retake_places(held, now):
        raise RoundFull("other people have taken these images in the meantime")
    if held.state == SittingState.WORKING:
        _serve_next(held, now, exposures=0)
    return held


@transaction.atomic
def release_expired(*, round: Round, now: datetime | None = None) -> int:  # noqa: A002
    """Give back the places of sittings whose lease has ended; say how many sittings those were."""
    locked = Round.objects.select_for_update().get(pk=round.pk)
    return release_lapsed(locked, now or timezone.now())


def _serve_next(sitting: Sitting, now: datetime, *, exposures: int) -> bool:
    """Serve the first waiting task, adding to its exposures; say whether there was one."""
    following = Assignment.objects.filter(sitting=sitting).waiting().first()
    if following is None:
        return False
    Assignment.objects.filter(pk=following.pk).update(
        state=AssignmentState.SERVED,
        served_at=following.served_at or now,
        exposures=F("exposures") + exposures,
    )
    return True


def _assignment_of(sitting: Sitting, assignment_id: UUID) -> Assignment:
    """Find an assignment of this very sitting."""
    assignment = (
        sitting.assignments.select_related("task__image__dataset")
        .filter(public_id=assignment_id)
        .first()
    )
    if assignment is None:
        raise UnknownTask("this task does not belong to this sitting")
    return assignment


def _stored_response(sitting: Sitting, client_uuid: UUID) -> Response | None:
    """Find what was stored for a UUID, which must be this sitting's."""
    stored = Response.objects.filter(client_uuid=client_uuid).select_related("assignment").first()
    if stored is not None and stored.assignment.sitting_id != sitting.pk:
        raise UsedElsewhere("this answer's id was used in another sitting")
    return stored


def _append_response(
    assignment: Assignment,
    client_uuid: UUID,
    answer: AnswerChoice,
    timing: Timing,
    *,
    received_at: datetime,
    guideline_version: int,
    late: bool,
    surplus: bool,
    elsewhere: bool,
) -> Response:
    """Write the next version of an answer."""
    version = assignment.responses.aggregate(last=Max("version"))["last"] or 0
    exposures = max(1, assignment.exposures)
    return Response.objects.create(
        assignment=assignment,
        version=version + 1,
        answer=answer,
        client_uuid=client_uuid,
        guideline_version=guideline_version,
        stimulus_hash=_stimulus_hash(assignment),
        shown_to_answer_ms=timing.shown_to_answer_ms,
        hidden_ms=timing.hidden_ms,
        blur_ms=timing.blur_ms,
        exposures=exposures,
        input_kind=timing.input_kind,
        overlay_seen=dict(timing.overlay),
        quality=judge(
            timing,
            exposures=exposures,
            served_at=assignment.served_at,
            received_at=received_at,
        ),
        late=late,
        surplus=surplus,
        elsewhere=elsewhere,
    )


def _stimulus_hash(assignment: Assignment) -> str:
    """Name exactly what was shown: the data set, the picture in it, its map and the colours."""
    image = assignment.task.image
    shown = f"{image.dataset.digest}:{image.row}:{image.grid_side}:inferno-1:".encode()
    return hashlib.sha256(shown + bytes(image.grid_true)).hexdigest()


def _renewed(lease_until: datetime, now: datetime) -> datetime:
    return max(lease_until, now + SIGN_OF_LIFE)


def _seed(round_seed: int, annotator_id: int) -> int:
    digest = hashlib.sha256(f"{round_seed}:{annotator_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
