"""What a worker does beside its jobs: ask panels, work off their messages, delete old ids.

Nothing here is needed while no API token is saved, but the deletion.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string

from annotation_site.annotation.models import RoundState
from annotation_site.annotation.sealing import reveal
from annotation_site.panels import inbox, services
from annotation_site.panels.errors import RemoteError
from annotation_site.panels.models import PanelAccount, PanelEvent, PanelStudy, Visit
from annotation_site.panels.panels import Panel
from annotation_site.panels.prolific import ProlificClient
from annotation_site.panels.remote import Noted, note

ASK_EVERY: Final = timedelta(minutes=12)
ASK_AFTER_CLOSING: Final = timedelta(days=30)
"""So long after a round's end submissions may still change."""
TASKS: Final = "annotation_site.panels.tasks"


def poll(*, study: PanelStudy, now: datetime | None = None) -> Noted | None:
    """Ask Prolific about a study; None where there is nothing to ask with.

    Failures are written beside the study for the lead, and asked again later.
    """
    account = PanelAccount.objects.filter(project__rounds__panel_studies=study).first()
    token = services.account_facts(account).get("token", "")
    if not token or not study.external_id:
        return None
    # What is asked now was true from the beginning of the call on.
    asked_at = now or timezone.now()
    client = ProlificClient(token=token)
    try:
        state = client.study_state(study.external_id)
        told = list(client.submissions(study.external_id))
    except RemoteError as error:
        PanelStudy.objects.filter(pk=study.pk).update(
            polled_at=asked_at, poll_error=str(error)[:300]
        )
        return None
    noted = note(study=study, told=told, at=asked_at)
    PanelStudy.objects.filter(pk=study.pk).update(
        polled_at=asked_at, poll_error="", remote_state=state[:40]
    )
    return noted


def confirm(*, visit: Visit, now: datetime | None = None) -> bool:
    """Ask Prolific whether an entry that nobody signed is what it says; say whether it answered.

    The panel's word about the person then stands in the table; nobody is thrown out for it.
    """
    asked_at = now or timezone.now()
    kept = (reveal(visit.annotator) if visit.annotator else None) or {}
    submission = kept.get(services.submission_fact(visit), "")
    account = PanelAccount.objects.filter(project__rounds__panel_studies=visit.study).first()
    token = services.account_facts(account).get("token", "")
    if not token or not submission or not visit.study.is_prolific:
        return False
    try:
        told = ProlificClient(token=token).submission(submission)
    except RemoteError as error:
        PanelStudy.objects.filter(pk=visit.study_id).update(poll_error=str(error)[:300])
        return False
    known = visit.study.external_id
    if known and told.study and told.study != known:
        Visit.objects.filter(pk=visit.pk).update(person_differs=True, verified=False)
        return True
    note(study=visit.study, told=[told], at=asked_at)
    return True


def send_due(*, now: datetime | None = None) -> int:
    """Put what is due into the queue; each chore is sent by one worker alone, however many ask."""
    now = now or timezone.now()
    sent = 0
    for study in _to_ask(now):
        due = PanelStudy.objects.filter(pk=study.pk, poll_after=study.poll_after)
        if due.update(poll_after=now + ASK_EVERY):
            import_string(f"{TASKS}.ask_panel").enqueue(study.pk)
            sent += 1
    for study in services.due_for_forgetting(now):
        services.forget(study=study, now=now)
        sent += 1
    PanelEvent.objects.filter(received_at__lt=now - inbox.KEPT_FOR).delete()
    for account in PanelAccount.objects.filter(
        events__in=PanelEvent.objects.filter(handled_at=None)
    ).distinct():
        if inbox.waiting(account, now):
            import_string(f"{TASKS}.read_inbox").enqueue(account.pk)
            sent += 1
    return sent


def _to_ask(now: datetime) -> list[PanelStudy]:
    """Give the studies that it is time to ask about, and that may still change."""
    recent = Q(round__closed_at__gte=now - ASK_AFTER_CLOSING) | Q(round__state=RoundState.OPEN)
    return list(
        PanelStudy.objects.filter(recent, panel=Panel.PROLIFIC)
        .filter(Q(poll_after=None) | Q(poll_after__lte=now))
        .exclude(external_id="")
        .exclude(round__project__panel_account=None)
        .exclude(round__project__panel_account__token_hint="")
    )
