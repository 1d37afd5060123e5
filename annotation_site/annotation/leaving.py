"""Stopping early and coming back."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from annotation_site.annotation.answering import complete
from annotation_site.annotation.errors import RoundFull, RoundNotOpen
from annotation_site.annotation.models import AT_WORK, RoundState, Sitting, SittingState
from annotation_site.annotation.places import release_places, retake_places
from annotation_site.annotation.serving import serve_next


@transaction.atomic
def withdraw(*, sitting: Sitting) -> None:
    """Stop without a reason: places go back, the answers given are kept."""
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    if Sitting.objects.filter(pk=held.pk, state__in=AT_WORK).update(state=SittingState.WITHDRAWN):
        release_places([held.pk])


@transaction.atomic
def expire(*, sitting: Sitting) -> bool:
    """Give a sitting's unanswered places back at once, as a panel asks when somebody returned.

    The answers given are kept and counted, and the annotator may come back. Says whether the
    sitting was at work.
    """
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    if not Sitting.objects.filter(pk=held.pk, state__in=AT_WORK).update(state=SittingState.EXPIRED):
        return False
    release_places([held.pk])
    return True


@transaction.atomic
def resume(*, sitting: Sitting, now: datetime | None = None) -> Sitting:
    """Take back the places of an expired or withdrawn sitting, as far as they are free.

    Raises:
        RoundNotOpen: The round takes no answers now.
        RoundFull: No place is free any more.
    """
    now = now or timezone.now()
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    if held.state not in {SittingState.EXPIRED, SittingState.WITHDRAWN}:
        return held
    if held.round.state != RoundState.OPEN:
        raise RoundNotOpen("the round has closed")
    if not retake_places(held, now):
        raise RoundFull("other people have taken these images in the meantime")
    if held.state == SittingState.WORKING:
        serve_next(held, now, exposures=0)
        complete(sitting=held, now=now)
    return held
