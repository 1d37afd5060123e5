"""Who asks for the next snapshot: one at a time. Loads nothing numeric, for idle workers load it."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from annotation_site.annotation.models import Round
from annotation_site.live.models import LiveSpace

_PATIENCE = timedelta(minutes=2)


def claim(*, live: LiveSpace) -> bool:
    """Take it on oneself to ask a worker for a snapshot; False where somebody just did."""
    now = timezone.now()
    free = Q(asked_at=None) | Q(asked_at__lt=now - _PATIENCE)
    return bool(LiveSpace.objects.filter(free, pk=live.pk).update(asked_at=now))


def unclaim(*, round: Round) -> None:  # noqa: A002
    """Let the next snapshot be asked for."""
    LiveSpace.objects.filter(round=round).update(asked_at=None)
