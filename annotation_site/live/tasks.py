"""What the queue calls for the live view."""

from django_tasks import task

from annotation_site.annotation.models import Round, RoundState
from annotation_site.live import claims, reliance, services, steering
from annotation_site.web.refusals import Refused


@task()
def refresh(round_id: int) -> None:
    """Take a snapshot of a round; a round whose space is gone has none."""
    round_ = (
        Round.objects.select_related("project__dataset")
        .filter(pk=round_id, state__in=[RoundState.OPEN, RoundState.CLOSING, RoundState.CLOSED])
        .first()
    )
    if round_ is None:
        return
    try:
        services.take_snapshot(round=round_)
        steering.apply(round=round_)
    except Refused:
        return
    finally:
        claims.unclaim(round=round_)


@task()
def weigh(round_id: int) -> None:
    """Work out whose answers a round's subset rests on."""
    round_ = Round.objects.select_related("project__dataset").filter(pk=round_id).first()
    if round_ is None:
        return
    try:
        reliance.weigh(round=round_)
    except Refused:
        return
