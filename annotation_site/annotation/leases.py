"""Leases: how long places are kept without a sign of life, and giving back what has lapsed."""

import threading
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from annotation_site.annotation.models import Round, RoundState, Sitting
from annotation_site.annotation.places import release_lapsed

SIGN_OF_LIFE = timedelta(minutes=30)
"""What an answer adds to a lease that would end sooner."""
RENEW_EVERY = timedelta(minutes=1)
"""A lease is not written again for less than this."""
SWEEP_SECONDS = 20.0

_swept: dict[int, float] = {}
_sweeping = threading.Lock()


def renewed(lease_until: datetime, now: datetime) -> datetime:
    """Give the end of a lease after a sign of life; the same end where little would be gained."""
    wanted = now + SIGN_OF_LIFE
    return wanted if wanted - lease_until > RENEW_EVERY else lease_until


@transaction.atomic
def release_expired(*, round: Round, now: datetime | None = None) -> int:  # noqa: A002
    """Give back the places of sittings whose lease has ended; say how many sittings those were."""
    locked = Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    return release_lapsed(locked, now or timezone.now())


def release_all_expired(*, now: datetime | None = None) -> int:
    """Give back what has lapsed in every open round; for a worker or a timer to call."""
    now = now or timezone.now()
    lapsed = Sitting.objects.lapsed(now).filter(round__state=RoundState.OPEN)
    rounds = Round.objects.filter(pk__in=lapsed.values("round")).order_by("pk")
    return sum(release_expired(round=round_, now=now) for round_ in rounds)


def sweep(round_: Round) -> None:
    """Give back what has lapsed in a round, at most every `SWEEP_SECONDS` in this process.

    Called on writes only: reading a page never changes anything.
    """
    with _sweeping:
        if time.monotonic() - _swept.get(round_.pk, -SWEEP_SECONDS) < SWEEP_SECONDS:
            return
        _swept[round_.pk] = time.monotonic()
    if Sitting.objects.lapsed(timezone.now()).filter(round=round_.pk).exists():
        release_expired(round=round_)
