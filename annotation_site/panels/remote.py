"""What a panel says of its submissions, whichever way it comes: asked for, sent, or brought as a file.

The newest word counts, by the time it was true; words that come late or twice change nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from annotation_site.accounts.models import User
from annotation_site.annotation import services as annotation
from annotation_site.annotation.identity import hash_external
from annotation_site.annotation.models import AT_WORK, Annotator, PlatformStatus, Sitting
from annotation_site.annotation.sealing import keep_identity
from annotation_site.panels.arrivals import hash_submission
from annotation_site.panels.codes import type_of_entered
from annotation_site.panels.models import PanelStudy, Visit
from annotation_site.panels.outcomes import code_type_due, codes_of
from annotation_site.panels.panels import external_name
from annotation_site.panels.prolific import Submission
from annotation_site.panels.services import submission_fact
from annotation_site.projects.audit import record
from annotation_site.projects.models import Act

FREES_PLACES = (PlatformStatus.RETURNED, PlatformStatus.REJECTED)
"""After these nobody comes back, so that open images go to others at once.

Time that ran out is left to the lease: somebody may still finish.
"""
DECIDES_PAY = (
    PlatformStatus.APPROVED,
    PlatformStatus.PARTIALLY_APPROVED,
    PlatformStatus.SCREENED_OUT,
    PlatformStatus.RETURNED,
    PlatformStatus.REJECTED,
)
"""What became of somebody's pay; decided on the panel, for this site only advises."""
TOLD = (
    "remote_status", "remote_at", "entered", "remote_started_at", "remote_completed_at",
    "return_requested", "verified", "person_differs",
)  # fmt: skip
"""Fields of a visit that a panel's word may change."""
RANKS = {status: rank for rank, status in enumerate(PlatformStatus)}
"""Settles two words of the same moment, so that their order does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What a batch of words changed.

    Attributes:
        told: Words read.
        changed: Visits that differ now.
        unknown: Submissions that had never come here; they are listed from now on.
    """

    told: int = 0
    changed: int = 0
    unknown: int = 0


@transaction.atomic
def note(
    *, study: PanelStudy, told: Iterable[Submission], at: datetime, by: User | None = None
) -> Noted:
    """Take over what the panel says of a study's submissions.

    Args:
        study: Whose submissions they are.
        told: The words.
        at: When they were true.
        by: Who brought them; None: the panel.

    Returns:
        What that changed.
    """
    held = PanelStudy.objects.select_for_update().get(pk=study.pk)
    rows = [row for row in told if row.submission]
    by_hash = {hash_submission(held.provider, row.submission): row for row in rows}
    known = {
        visit.submission_hash: visit
        for visit in held.visits.select_related("sitting", "annotator", "study")
    }
    codes = codes_of(held)
    changed = unknown = 0
    decided: dict[str, str] = {}
    for submission_hash, row in by_hash.items():
        visit = known.get(submission_hash)
        if visit is None:
            visit = _list_unknown(held, submission_hash, row)
            unknown += 1
        known_status = visit.remote_status
        changed += _note_one(visit, row, codes, at)
        if visit.remote_status != known_status and visit.remote_status in DECIDES_PAY:
            decided[visit.public_id] = visit.remote_status
    if decided:
        _record_pay(held, by, decided)
    return Noted(told=len(rows), changed=changed, unknown=unknown)


def _record_pay(study: PanelStudy, by: User | None, decided: dict[str, str]) -> None:
    counts = {status.value: list(decided.values()).count(status) for status in DECIDES_PAY}
    record(
        project=study.round.project,
        by=by,
        act=Act.PAY_DECIDED,
        subject=f"{study.name}, round {study.round.number}",
        content={status: n for status, n in counts.items() if n} | {"visits": decided},
    )


def _list_unknown(study: PanelStudy, submission_hash: str, row: Submission) -> Visit:
    """List a submission that never came here, with its ids kept sealed like all others."""
    visit = Visit(study=study, submission_hash=submission_hash)
    if row.person:
        annotator, _ = Annotator.objects.get_or_create(
            provider=study.provider, key_hash=_person_hash(study, row.person)
        )
        visit.annotator = annotator
        visit.save()
        keep_identity(annotator, {"person": row.person, submission_fact(visit): row.submission})
    else:
        visit.save()
    return visit


def _note_one(visit: Visit, row: Submission, codes: dict[str, str], at: datetime) -> bool:
    """Take one word over; say whether it changed anything. Nothing is written otherwise."""
    before = {name: getattr(visit, name) for name in TOLD}
    if row.status != PlatformStatus.UNKNOWN and _is_newer(visit, row.status, at):
        visit.remote_status, visit.remote_at = row.status, at
    visit.entered = type_of_entered(row.entered, codes) or visit.entered
    visit.remote_started_at = row.started_at or visit.remote_started_at
    visit.remote_completed_at = row.completed_at or visit.remote_completed_at
    visit.return_requested = visit.return_requested or row.return_requested
    if row.person and visit.annotator is not None:
        visit.verified = visit.annotator.key_hash == _person_hash(visit.study, row.person)
        visit.person_differs = not visit.verified
    changed = [name for name in TOLD if getattr(visit, name) != before[name]]
    if changed:
        visit.save(update_fields=changed)
        if not visit.replaced:
            _follow(visit)
    return bool(set(changed) - {"remote_at"})


def _is_newer(visit: Visit, status: PlatformStatus, at: datetime) -> bool:
    if visit.remote_at is None or at > visit.remote_at:
        return True
    known = PlatformStatus(visit.remote_status)
    return at == visit.remote_at and RANKS[status] > RANKS[known]


def _follow(visit: Visit) -> None:
    """Let a sitting follow what the panel says: places of people who are gone go to others."""
    if visit.sitting is None:
        return
    if visit.remote_status in FREES_PLACES and visit.sitting.state in AT_WORK:
        annotation.expire(sitting=visit.sitting)
        visit.sitting.refresh_from_db(fields=["state"])
    due = code_type_due(visit)
    Sitting.objects.filter(pk=visit.sitting.pk).update(
        platform_status=visit.remote_status, outcome=due or "", entry_verified=visit.verified
    )


def _person_hash(study: PanelStudy, person: str) -> str:
    return hash_external(study.provider, external_name(study.panel, person))
