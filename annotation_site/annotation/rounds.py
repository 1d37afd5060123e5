"""State changes of a round: pick, open, close, and the ways back.

Nothing here starts a job; the views that do live above this app. Opening, closing and opening again
are audited; `by` is who does it, None the site itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.annotation.counting import set_counters
from annotation_site.annotation.errors import RoundNotReady
from annotation_site.annotation.models import (
    AT_WORK,
    UNSURE,
    WAITING,
    Arm,
    Assignment,
    AssignmentState,
    PracticeItem,
    Response,
    Round,
    RoundState,
    Sitting,
    SittingState,
    Task,
)
from annotation_site.annotation.provenance import name_stimuli
from annotation_site.annotation.wordings import keep_wordings
from annotation_site.projects.audit import record
from annotation_site.projects.models import Act

LEAST_PRACTICE = 3
LEAST_CHOICES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedTask:
    """A query for a round: an image's key and its stratum."""

    image_id: int
    cluster: int = 0


@transaction.atomic
def begin_preparing(*, round: Round, budget: int) -> None:  # noqa: A002
    """Set a round's budget and wait for its queries: draft or ready -> preparing.

    Raises:
        RoundNotReady: The round is past that, or the budget is not positive.
    """
    if budget < 1:
        raise RoundNotReady(f"the budget must be at least one image, got {budget}")
    _advance(
        round,
        (RoundState.DRAFT, RoundState.READY),
        RoundState.PREPARING,
        "have its images picked",
        budget=budget,
    )


@transaction.atomic
def finish_preparing(
    *,
    round: Round,  # noqa: A002
    tasks: Sequence[PickedTask],
    candidates: Sequence[int],
    queries_key: str,
) -> None:
    """Write a round's tasks and practice candidates: preparing -> ready.

    Args:
        round: The round.
        tasks: In the order the engine picked them.
        candidates: Keys of images for practice; the lead confirms their answers.
        queries_key: Artifact the tasks come from.

    Raises:
        RoundNotReady: The round is not preparing; nothing is written.
    """
    _advance(
        round,
        (RoundState.PREPARING,),
        RoundState.READY,
        "receive its images",
        queries_key=queries_key,
    )
    round.tasks.all().delete()
    round.practice_items.all().delete()
    Task.objects.bulk_create(
        Task(
            round=round,
            image_id=task.image_id,
            position=position,
            cluster=task.cluster,
            target=round.redundancy,
        )
        for position, task in enumerate(tasks)
    )
    PracticeItem.objects.bulk_create(
        PracticeItem(round=round, image_id=image_id, position=position)
        for position, image_id in enumerate(candidates)
    )


def abort_preparing(*, round: Round) -> None:  # noqa: A002
    """Let a failed or cancelled job's round be set up again: preparing -> draft."""
    _advance(round, (RoundState.PREPARING,), RoundState.DRAFT, "go back to being a draft")


@transaction.atomic
def confirm_practice(
    *,
    round: Round,  # noqa: A002
    chosen: Mapping[int, tuple[str, str]],
    examples: Collection[int] = (),
) -> None:
    """Confirm practice items with their answers and explanations; the others become candidates.

    Args:
        round: A round that is not open yet.
        chosen: Key of a practice item -> (yes or no, explanation).
        examples: Keys of those that the guidelines show instead of being asked.

    Raises:
        RoundNotReady: The round is open or past it, an item is not the round's, or an answer is
            neither yes nor no (or, in the comparison arm, none of the choices).
    """
    locked = Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    if locked.state not in {RoundState.DRAFT, RoundState.READY}:
        raise RoundNotReady(f"practice cannot change while the round is {locked.state}")
    items = {item.pk: item for item in locked.practice_items.all()}
    unknown = set(chosen) - set(items)
    if unknown:
        raise RoundNotReady(f"{len(unknown)} of the chosen practice items are not of this round")
    sure = [answer for answer in locked.answers if answer not in UNSURE]
    for key, item in items.items():
        answer, explanation = chosen.get(key, ("", ""))
        if key in chosen and answer not in sure:
            raise RoundNotReady(f"a practice answer is {' or '.join(sure)}, got {answer!r}")
        item.answer, item.explanation = answer, explanation[:200]
        item.is_example = key in chosen and key in examples
        item.save(update_fields=["answer", "explanation", "is_example"])


@transaction.atomic
def open_round(*, round: Round, by: User | None = None, now: datetime | None = None) -> None:  # noqa: A002
    """Let annotators in: ready -> open.

    Raises:
        RoundNotReady: It is not ready, has no tasks, or fewer than three confirmed practice items.
    """
    if not round.tasks.asked().exists():
        raise RoundNotReady("the round has no images to ask about; pick them first")
    if round.arm != Arm.ATTENTION and len(round.choices) < LEAST_CHOICES:
        raise RoundNotReady("the comparison arm needs at least two choices")
    confirmed = round.practice_items.exclude(answer="").filter(is_example=False).count()
    if confirmed < LEAST_PRACTICE:
        raise RoundNotReady(
            f"a round needs {LEAST_PRACTICE} confirmed practice images, this one has {confirmed}; "
            "answer and confirm more"
        )
    name_stimuli(round)
    keep_wordings(round)
    _advance(round, (RoundState.READY,), RoundState.OPEN, "open", opened_at=now or timezone.now())
    _record(
        round,
        by,
        Act.ROUND_OPENED,
        images=round.tasks.asked().count(),
        redundancy=round.redundancy,
        guidelines=round.guideline_version,
        queries=round.queries_key,
    )


def admit(*, round: Round, admitting: bool) -> None:  # noqa: A002
    """Let new people into an open round, or let only those who are in it finish.

    Raises:
        RoundNotReady: The round is not open.
    """
    _advance(round, (RoundState.OPEN,), RoundState.OPEN, "change this", admitting=admitting)


@transaction.atomic
def begin_closing(*, round: Round, by: User | None = None) -> None:  # noqa: A002
    """Freeze the votes: open -> closing; unanswered places are released, sittings end.

    An answer that is on its way is waited for; one that comes later is kept as surplus.

    Raises:
        RoundNotReady: The round is not open, or there are no answers at all.
    """
    given = (
        Response.objects.of_project(round.project).votes()
        if round.arm == Arm.ATTENTION
        else Response.objects.of_round(round).current()
    )
    if not given.exists():
        raise RoundNotReady("the round has no answers yet; wait for some before closing it")
    _advance(round, (RoundState.OPEN,), RoundState.CLOSING, "close")
    sittings = list(
        Sitting.objects.filter(round=round)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    waiting = Assignment.objects.filter(sitting__in=sittings, state__in=WAITING)
    unfinished = Sitting.objects.filter(pk__in=sittings, state__in=AT_WORK)
    unfinished.update(state=SittingState.EXPIRED)
    waiting.update(state=AssignmentState.RELEASED)
    list(round.tasks.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    set_counters(Q(round=round.pk))
    _record(round, by, Act.ROUND_CLOSING, answers=given.count())


@transaction.atomic
def finish_closing(
    *,
    round: Round,  # noqa: A002
    votes_key: str = "",
    by: User | None = None,
    now: datetime | None = None,
) -> None:
    """Publish the end: closing -> closed."""
    _advance(
        round,
        (RoundState.CLOSING,),
        RoundState.CLOSED,
        "be marked closed",
        votes_key=votes_key,
        closed_at=now or timezone.now(),
    )
    _record(round, by, Act.ROUND_CLOSED, votes=votes_key)


@transaction.atomic
def abort_closing(*, round: Round, by: User | None = None) -> None:  # noqa: A002
    """Open again after a failed or cancelled job: closing -> open; annotators may come back."""
    _advance(round, (RoundState.CLOSING,), RoundState.OPEN, "open again")
    _record(round, by, Act.ROUND_REOPENED)


def _record(round_: Round, by: User | None, act: Act, **content: object) -> None:
    record(
        project=round_.project, by=by, act=act, subject=f"round {round_.number}", content=content
    )


def _advance(
    round_: Round, before: Sequence[RoundState], after: RoundState, wish: str, **fields: object
) -> None:
    """Change the state by a guarded update, and the object with it."""
    changed = Round.objects.filter(pk=round_.pk, state__in=before).update(state=after, **fields)
    if changed != 1:
        state = Round.objects.values_list("state", flat=True).get(pk=round_.pk)
        raise RoundNotReady(f"the round cannot {wish}: it is {state}, not {' or '.join(before)}")
    round_.state = after
    for name, value in fields.items():
        setattr(round_, name, value)
