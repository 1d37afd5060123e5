"""Messages of Prolific: checked on the bytes as they came, kept once, and worked off afterwards."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from annotation_site.annotation.models import PlatformStatus, Provider
from annotation_site.annotation.sealing import seal, unseal
from annotation_site.panels.arrivals import hash_submission
from annotation_site.panels.errors import PanelError, RemoteError
from annotation_site.panels.models import PanelAccount, PanelEvent, PanelStudy
from annotation_site.panels.panels import Panel
from annotation_site.panels.prolific import ProlificClient, Submission, read_status
from annotation_site.panels.remote import note
from annotation_site.panels.services import account_facts

FRESH: Final = timedelta(minutes=5)
MOST_BYTES: Final = 64 * 1024
MOST_ATTEMPTS: Final = 5
FIRST_PAUSE: Final = timedelta(minutes=1)
SUBMISSION_CHANGED: Final = "submission.status.change"
STUDY_CHANGED: Final = "study.status.change"
KEPT_FOR: Final = timedelta(days=30)
"""Messages, read or not, are deleted after this; a delivery is not repeated for so long."""
LONGEST_ID: Final = 100


class BadEvent(PanelError):
    """A message that is not from the panel, or not from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message as it came.

    Attributes:
        body: Its bytes.
        signature: Base64 of HMAC-SHA256 over time and body.
        signed_at: Unix time, as text; part of what is signed.
        sent_at: Unix time of the event itself, as text; empty: as signed.
        event_id: The panel's id of the event; empty: it has none.
    """

    body: bytes
    signature: str
    signed_at: str
    sent_at: str = ""
    event_id: str = ""

    @classmethod
    def of(cls, body: bytes, headers: Mapping[str, str]) -> "Envelope":
        """Read a message from a request."""
        return cls(
            body=body,
            signature=headers.get("X-Prolific-Request-Signature", ""),
            signed_at=headers.get("X-Prolific-Request-Timestamp", ""),
            sent_at=headers.get("X-Timestamp", ""),
            event_id=headers.get("X-Event-ID", ""),
        )


def sign(secret: str, signed_at: str, body: bytes) -> str:
    """Give the signature that the panel puts on a message."""
    digest = hmac.new(secret.encode(), signed_at.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


def receive(
    *, account: PanelAccount, envelope: Envelope, now: datetime | None = None
) -> PanelEvent | None:
    """Keep a message, once.

    Args:
        account: Whose secret signed it.
        envelope: As it came.
        now: The time.

    Returns:
        The message; None where it was kept before.

    Raises:
        BadEvent: The signature is wrong, it was signed too long ago, or it cannot be read.
    """
    now = now or timezone.now()
    _check(account_facts(account).get("secret", ""), envelope, now)
    said = _read(envelope.body)
    signed = _moment(envelope.signed_at)
    sent = _moment(envelope.sent_at) or signed
    assert signed is not None  # checked with the signature
    digest = hashlib.sha256(envelope.signed_at.encode() + envelope.body).hexdigest()
    try:
        with transaction.atomic():
            return PanelEvent.objects.create(
                account=account,
                event_id=(envelope.event_id or digest)[:LONGEST_ID],
                digest=digest,
                kind=str(said.get("event_type", ""))[:60],
                sealed_body=seal({name: str(value) for name, value in said.items()}),
                # Only the signed time is certain: the other may make an event older, never newer.
                sent_at=min(sent or signed, signed),
            )
    except IntegrityError:
        return None


def waiting(account: PanelAccount, now: datetime) -> list[PanelEvent]:
    """Give the messages to work off now, oldest first; failed ones after growing pauses."""
    events = account.events.filter(handled_at=None, attempts__lt=MOST_ATTEMPTS)
    return [
        event
        for event in events.order_by("sent_at", "event_id")
        if not event.attempts or event.received_at + FIRST_PAUSE * 4**event.attempts <= now
    ]


def work_off(*, account: PanelAccount, now: datetime | None = None) -> int:
    """Take the waiting messages in the order of their times; give how many were done.

    One that fails is tried again later, and left after some tries. The panel is asked before any
    row is locked.
    """
    now = now or timezone.now()
    done = 0
    for event in waiting(account, now):
        said = unseal(event.sealed_body) or {}
        try:
            study = _study_of(event, said)
        except RemoteError as error:
            failed = PanelEvent.objects.filter(pk=event.pk, handled_at=None)
            failed.update(attempts=F("attempts") + 1, error=str(error)[:300])
            continue
        done += _take_over(event, said, study, now)
    return done


@transaction.atomic
def _take_over(
    event: PanelEvent, said: Mapping[str, str], study: PanelStudy | None, now: datetime
) -> bool:
    """Take a message over, unless another worker has; say whether this call did."""
    error = _words_of(event.kind, said, study)
    mine = PanelEvent.objects.filter(pk=event.pk, handled_at=None)
    # What was said lives on in the visit; the message need not keep anybody's ids.
    if not mine.update(handled_at=now, attempts=F("attempts") + 1, error=error, sealed_body=b""):
        return False
    if study is not None and event.kind == STUDY_CHANGED:
        PanelStudy.objects.filter(pk=study.pk).update(remote_state=said.get("status", "")[:40])
    elif study is not None and event.kind == SUBMISSION_CHANGED:
        row = Submission(
            submission=said.get("resource_id", ""),
            person=said.get("participant_id", ""),
            status=read_status(said.get("status", "")),
        )
        note(study=study, told=[row], at=event.sent_at)
    return True


def _words_of(kind: str, said: Mapping[str, str], study: PanelStudy | None) -> str:
    """Say what is odd about a message; empty: nothing."""
    if kind not in {SUBMISSION_CHANGED, STUDY_CHANGED}:
        return ""
    if study is None:
        return "belongs to no study of this project"
    status = said.get("status", "")
    if kind == SUBMISSION_CHANGED and read_status(status) == PlatformStatus.UNKNOWN:
        return f"the status “{status[:40]}” is not known; nothing was changed"
    return ""


def _study_of(event: PanelEvent, said: Mapping[str, str]) -> PanelStudy | None:
    """Find the study that a message is about: by its visit, else by asking the panel.

    Raises:
        RemoteError: The panel had to be asked and did not answer.
    """
    resource = said.get("resource_id", "")
    studies = _studies(event.account)
    if event.kind == STUDY_CHANGED:
        return studies.filter(external_id=resource or "-").first()
    if event.kind != SUBMISSION_CHANGED or not resource:
        return None
    submission_hash = hash_submission(Provider.PROLIFIC, resource)
    known = studies.filter(visits__submission_hash=submission_hash).first()
    token = account_facts(event.account).get("token", "")
    if known is not None or not token:
        return known
    asked = ProlificClient(token=token).submission(resource)
    return studies.exclude(external_id="").filter(external_id=asked.study).first()


def _studies(account: PanelAccount) -> QuerySet[PanelStudy]:
    return PanelStudy.objects.filter(round__project=account.project_id, panel=Panel.PROLIFIC)


def _check(secret: str, envelope: Envelope, now: datetime) -> None:
    due = sign(secret, envelope.signed_at, envelope.body)
    given = envelope.signature.encode("utf-8", "replace")
    # Compared even where there is no secret, so that both take the same time.
    if not hmac.compare_digest(due.encode(), given) or not secret:
        raise BadEvent("the signature is wrong")
    signed = _moment(envelope.signed_at)
    if signed is None or abs(now - signed) > FRESH:
        raise BadEvent("the message was signed too long ago")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), tz=UTC) if text else None
    except (ValueError, OverflowError, OSError):
        return None


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError as error:
        raise BadEvent("the message is no JSON") from error
    if not isinstance(said, dict):
        raise BadEvent("the message is no object")
    return said
