"""Practice: images with feedback that never become data, and the mark that lets people in."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from annotation_site.annotation.errors import (
    PracticeFailed,
    RoundNotReady,
    UnknownAnswer,
    UnknownTask,
)
from annotation_site.annotation.leases import renewed
from annotation_site.annotation.models import PracticeItem, Round, Sitting, SittingState
from annotation_site.annotation.places import release_places
from annotation_site.annotation.serving import serve_next


def practice_of(round_: Round) -> QuerySet[PracticeItem]:
    """Give the confirmed practice items of a round, in order."""
    return round_.practice_items.exclude(answer="").filter(is_example=False).order_by("position")


def examples_of(round_: Round) -> list[PracticeItem]:
    """Give the pictures that the guidelines show with their answers, in order."""
    items = round_.practice_items.exclude(answer="").filter(is_example=True)
    return list(items.select_related("image").order_by("position"))


@transaction.atomic
def answer_practice(*, sitting: Sitting, position: int, answer: str) -> PracticeItem:
    """Keep the first answer of this attempt to a practice item; it never becomes data.

    Raises:
        UnknownTask: The round has no such confirmed practice item.
        UnknownAnswer: The round does not offer this answer.
    """
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    item = practice_of(sitting.round).filter(position=position).first()
    if item is None:
        raise UnknownTask(f"there is no practice item {position}")
    if answer not in sitting.round.answers:
        raise UnknownAnswer(f"{answer!r} cannot be answered in this round")
    if held.state == SittingState.PRACTISING and str(position) not in held.practice_answers:
        held.practice_answers[str(position)] = str(answer)
        held.practice_right += int(answer == item.answer)
        held.lease_until = renewed(held.lease_until, timezone.now())
        held.save(update_fields=["practice_answers", "practice_right", "lease_until"])
    return item


@transaction.atomic
def repeat_practice(*, sitting: Sitting) -> None:
    """Forget the attempt's answers and begin another one, where practice is not yet failed."""
    held = Sitting.objects.select_for_update(no_key=True).select_related("round").get(pk=sitting.pk)
    if held.state != SittingState.PRACTISING or is_out_of_tries(held):
        return
    Sitting.objects.filter(pk=held.pk).update(
        practice_answers={}, practice_right=0, practice_attempts=F("practice_attempts") + 1
    )


@transaction.atomic
def finish_practice(*, sitting: Sitting, now: datetime | None = None) -> SittingState:
    """Begin the work and serve the first task; harmless when the work has begun already.

    Returns:
        The sitting's state: working, or screened_out where the last try was not passed.

    Raises:
        RoundNotReady: A practice item has no answer yet.
        PracticeFailed: Too few were right, and there are tries left.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    if held.state != SittingState.PRACTISING:
        return SittingState(held.state)
    held.round = sitting.round
    asked = list(practice_of(held.round).values_list("position", flat=True))
    missing = [position for position in asked if str(position) not in held.practice_answers]
    if missing:
        raise RoundNotReady(f"{len(missing)} practice items have no answer yet")
    if held.practice_right < min(held.round.pass_mark, len(asked)):
        if not is_out_of_tries(held):
            raise PracticeFailed(f"{held.practice_right} of {len(asked)} answers were right")
        Sitting.objects.filter(pk=held.pk).update(state=SittingState.SCREENED_OUT)
        release_places([held.pk])
        return SittingState.SCREENED_OUT
    Sitting.objects.filter(pk=held.pk).update(
        state=SittingState.WORKING, lease_until=renewed(held.lease_until, now)
    )
    serve_next(held, now, exposures=0)
    return SittingState.WORKING


def is_out_of_tries(sitting: Sitting) -> bool:
    """Tell whether this attempt at practice is the last; without a pass mark there is none."""
    limited = sitting.round.pass_mark > 0
    return limited and sitting.practice_attempts >= max(1, sitting.round.practice_tries)
