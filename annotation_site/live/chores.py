"""What a worker looks after: a snapshot after every batch of answers of an open round."""

from math import ceil

from django.db.models import Max, Sum
from django.utils.module_loading import import_string

from annotation_site.annotation.models import Arm, Round, RoundState
from annotation_site.live import claims
from annotation_site.live.models import LiveSpace
from annotation_site.quality.columns import stamp_of

REFRESH = "annotation_site.live.tasks.refresh"
LEAST_BATCH = 10
BATCHES = 100
"""A round has about so many snapshots from its first answer to its last."""


def batch_size(round_: Round) -> int:
    """Say after how many answers another snapshot is due."""
    wanted = round_.tasks.asked().aggregate(n=Sum("target"))["n"] or 0
    return max(LEAST_BATCH, ceil(wanted / BATCHES))


def send_due() -> int:
    """Put the snapshots that are due into the queue; each is asked for once."""
    sent = 0
    open_ones = LiveSpace.objects.filter(round__state=RoundState.OPEN, round__arm=Arm.ATTENTION)
    for live in open_ones.select_related("round").annotate(last=Max("round__snapshots__n_answers")):
        n_new = stamp_of(live.round)[0] - (live.last or 0)
        if n_new >= batch_size(live.round) and claims.claim(live=live):
            import_string(REFRESH).enqueue(live.round_id)
            sent += 1
    return sent
