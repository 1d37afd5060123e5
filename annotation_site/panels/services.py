"""The verbs of panels: set a study up, let people in, part from them, give places and ids back.

Locks are taken in the order study, round, annotator, sittings, tasks, head of the audit.
"""

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.annotation import services as annotation
from annotation_site.annotation.errors import NotAdmitted, RoundFull, RoundNotOpen
from annotation_site.annotation.identity import hash_external, hash_of
from annotation_site.annotation.models import (
    AT_WORK,
    Annotator,
    BrowserKey,
    Identity,
    Provider,
    Round,
    RoundState,
    Sitting,
    SittingState,
)
from annotation_site.annotation.sealing import keep_identity, reveal, seal, unseal
from annotation_site.panels.arrivals import Arrival
from annotation_site.panels.codes import Outcome, draw_codes
from annotation_site.panels.errors import EntryRefused, PanelRefused, TurnedAway
from annotation_site.panels.models import Invite, PanelAccount, PanelStudy, Visit
from annotation_site.panels.panels import Panel, fault_of_template
from annotation_site.projects.audit import record
from annotation_site.projects.models import Act, Project

log = logging.getLogger(__name__)

MOST_INVITES = 500
ENDED = (SittingState.COMPLETED, SittingState.SCREENED_OUT)
"""States that no arrival changes."""
NOT_ENDED = (*AT_WORK, SittingState.ASKING, SittingState.EXPIRED, SittingState.WITHDRAWN)
HOLDS_PLACE = (*AT_WORK, SittingState.ASKING, SittingState.COMPLETED)
"""States that count towards a study's places; a panel replaces everybody else."""


# ---- setting up ---------------------------------------------------------------------------------


@transaction.atomic
def set_up(*, round: Round, panel: Panel, created_by: User) -> PanelStudy:  # noqa: A002
    """Begin to recruit for a round from a panel, with fresh completion codes.

    Raises:
        PanelRefused: The round has closed.
    """
    locked = Round.objects.select_for_update().get(pk=round.pk)
    if locked.state in {RoundState.CLOSING, RoundState.CLOSED}:
        raise PanelRefused("This round takes no more answers, so nobody can be recruited for it.")
    number = locked.panel_studies.filter(panel=panel).count() + 1
    name = panel.label if number == 1 else f"{panel.label} {number}"
    return PanelStudy.objects.create(
        round=locked,
        panel=panel,
        name=name,
        sealed_codes=seal(draw_codes()),
        created_by=created_by,
    )


@transaction.atomic
def change(
    *, study: PanelStudy, values: Mapping[str, object], by: User | None = None
) -> PanelStudy:
    """Keep a study's settings; what decides about codes is fixed once somebody has come.

    Raises:
        PanelRefused: A value does not hold, or would change what people were promised.
    """
    held = PanelStudy.objects.select_for_update().get(pk=study.pk)
    has_begun = held.visits.real().exclude(arrived_at=None).exists()
    promised = ("finished_code", "screened_out_code", "tells_failed_checks", "minutes")
    changed = {name for name, value in values.items() if getattr(held, name) != value}
    if has_begun and changed & set(promised):
        raise PanelRefused(
            "People have come already: which codes they get and the advertised time stay as they are."
        )
    template = str(values.get("return_template", ""))
    fault = fault_of_template(template) if template else ""
    if fault:
        raise PanelRefused(fault)
    for name in changed:
        setattr(held, name, values[name])
    if changed:
        held.save(update_fields=sorted(changed))
        _record(held, by, Act.STUDY_CHANGED, {name: values[name] for name in sorted(changed)})
    return held


def admit(*, study: PanelStudy, admitting: bool) -> None:
    """Let new people of a study in, or only those who have begun."""
    PanelStudy.objects.filter(pk=study.pk).update(admitting=admitting)


@transaction.atomic
def make_invites(
    *, study: PanelStudy, count: int, days: int, now: datetime | None = None
) -> list[Invite]:
    """Make personal links.

    Args:
        study: One of invitations.
        count: How many more.
        days: How long they hold.
        now: The time.

    Raises:
        PanelRefused: The study has no invitations, or the number is out of range.
    """
    held = PanelStudy.objects.select_for_update().get(pk=study.pk)
    last = held.invites.aggregate(last=Max("number"))["last"] or 0
    if not held.is_invited:
        raise PanelRefused("Personal links belong to a list of invitations.")
    if count < 1 or days < 1 or last + count > MOST_INVITES:
        raise PanelRefused(f"A list has 1 to {MOST_INVITES} links, which hold for a day or more.")
    until = (now or timezone.now()) + timedelta(days=days)
    tokens = [secrets.token_urlsafe(24) for _ in range(count)]
    return Invite.objects.bulk_create(
        Invite(
            study=held,
            number=last + offset,
            token_hash=hash_external(Provider.INVITE, token),
            sealed_token=seal({"token": token}),
            expires_at=until,
        )
        for offset, token in enumerate(tokens, start=1)
    )


def revoke_invite(*, study: PanelStudy, number: int, now: datetime | None = None) -> bool:
    """Make a personal link worthless; whoever has begun with it may still finish."""
    living = study.invites.filter(number=number, revoked_at=None)
    return bool(living.update(revoked_at=now or timezone.now()))


def living_invite(study: PanelStudy, token: str, now: datetime) -> Invite | None:
    """Find a link that lets in; one that has begun to be used lets the same person in for ever."""
    token_hash = hash_external(Provider.INVITE, token)
    invite = study.invites.filter(token_hash=token_hash).first()
    if invite is None:
        return None
    if invite.revoked_at is None and invite.expires_at > now:
        return invite
    has_begun = Sitting.objects.filter(
        round=study.round_id, annotator__key_hash=token_hash, annotator__provider=Provider.INVITE
    ).exists()
    return invite if has_begun else None


def save_account(*, project: Project, token: str, secret: str, saved_by: User) -> PanelAccount:
    """Keep a project's API token and webhook secret, sealed; what is left empty stays as it was."""
    with transaction.atomic():
        known = PanelAccount.objects.select_for_update().filter(project=project).first()
        facts = (unseal(known.sealed) if known else None) or {}
        facts |= {name: value for name, value in (("token", token), ("secret", secret)) if value}
        account, _ = PanelAccount.objects.update_or_create(
            project=project,
            defaults={
                "sealed": seal(facts),
                "token_hint": facts.get("token", "")[-4:],
                "has_secret": bool(facts.get("secret")),
                "updated_by": saved_by,
            },
        )
    return account


def account_facts(account: PanelAccount | None) -> dict[str, str]:
    """Give token and secret of an account; empty without one, or where the key is lost."""
    return (unseal(account.sealed) if account else None) or {}


def can_ask(study: PanelStudy) -> bool:
    """Tell whether the panel of a study can be asked by itself."""
    accounts = PanelAccount.objects.filter(project__rounds=study.round_id)
    return study.is_prolific and accounts.exclude(token_hint="").exists()


# ---- people -------------------------------------------------------------------------------------


@transaction.atomic
def begin(
    *,
    study: PanelStudy,
    arrival: Arrival,
    key: str,
    shares_browser: bool = False,
    environment: Mapping[str, object] | None = None,
    now: datetime | None = None,
) -> Visit:
    """Let somebody begin, or go on where they were.

    Args:
        study: By which they came.
        arrival: Who they are.
        key: Of their browser.
        shares_browser: Somebody else came from this browser before, and they said so.
        environment: Screen and input.
        now: The time of consent.

    Returns:
        The visit, with its sitting.

    Raises:
        TurnedAway: They may not begin.
        EntryRefused: The seat was taken with a signed entry, and this one is not signed; or the
            signed entry was used from another browser.
    """
    now = now or timezone.now()
    held = PanelStudy.objects.select_for_update().select_related("round").get(pk=study.pk)
    key_hash, submission_hash = arrival.key_hash(held), arrival.submission_hash(held)
    browser = hash_of(key)
    visit = Visit.objects.filter(study=held, submission_hash=submission_hash).first()
    sitting = Sitting.objects.filter(
        round=held.round_id, annotator__provider=held.provider, annotator__key_hash=key_hash
    ).first()
    _check_entry_once(arrival, visit, browser)
    if sitting is not None:
        check_return(sitting, visit, arrival, browser)
    elif not _lets_in(held):
        raise TurnedAway(Outcome.FULL)
    sitting = _sit(held, arrival, browser, environment or {}, now)
    return _join(held, visit, sitting, arrival, shares_browser, now)


def check_return(sitting: Sitting, visit: Visit | None, arrival: Arrival, browser: str) -> None:
    """Check whether somebody with a sitting may go on in it by this entry.

    Raises:
        TurnedAway: They finished with another submission.
        EntryRefused: The seat was taken with a signed entry, and this one is not signed.
    """
    own = visit is not None and visit.sitting_id == sitting.pk and not visit.replaced
    if sitting.state in ENDED and not own:
        raise TurnedAway(Outcome.TAKEN_PART)
    known = BrowserKey.objects.filter(annotator=sitting.annotator_id, key_hash=browser).exists()
    if sitting.entry_verified and not arrival.verified and not known:
        raise EntryRefused("this seat was taken with a signed entry")


def has_places(study: PanelStudy) -> bool:
    """Tell whether a study lets one more person in; the round may still be full."""
    if not study.admitting or not study.round.admitting:
        return False
    if not study.places:
        return True
    holding = study.visits.real().filter(sitting__state__in=HOLDS_PLACE, replaced=False)
    return holding.values("sitting").distinct().count() < study.places


@transaction.atomic
def turn_away(
    *, study: PanelStudy, arrival: Arrival, outcome: Outcome, now: datetime | None = None
) -> Visit:
    """Note why somebody does not begin; nothing is kept that says who they are.

    Somebody who has begun already is left as they are.
    """
    held = PanelStudy.objects.select_for_update().get(pk=study.pk)
    visit, made = Visit.objects.get_or_create(
        study=held,
        submission_hash=arrival.submission_hash(held),
        defaults={
            "turned_away": outcome,
            "verified": arrival.verified,
            "is_test": arrival.is_test,
            "arrived_at": now or timezone.now(),
        },
    )
    if not made and visit.sitting_id is None:
        visit.turned_away = outcome
        visit.arrived_at = visit.arrived_at or now or timezone.now()
        visit.save(update_fields=["turned_away", "arrived_at"])
    return visit


@transaction.atomic
def release_tests(*, study: PanelStudy, now: datetime | None = None) -> int:
    """Give back the places that looks of leads took, answered ones as well; count the sittings."""
    sittings = list(
        Sitting.objects.filter(visits__study=study, is_test=True, topped_up_at=None).distinct()
    )
    for sitting in sittings:
        annotation.withdraw(sitting=sitting)
    if sittings:
        keys = [sitting.pk for sitting in sittings]
        annotation.top_up(round=study.round, sittings=keys, now=now)
    return len(sittings)


@transaction.atomic
def mark_test(*, study: PanelStudy, public_id: str, by: User | None = None) -> bool:
    """Keep a visit out of every figure, as a look by the panel's own staff; its places go back."""
    visit = study.visits.filter(public_id=public_id, is_test=False).first()
    if visit is None:
        return False
    Visit.objects.filter(pk=visit.pk).update(is_test=True)
    if visit.sitting_id is not None:
        Sitting.objects.filter(pk=visit.sitting_id).update(is_test=True)
        release_tests(study=study)
    _record(study, by, Act.VISIT_SET_ASIDE, {"visit": public_id})
    return True


# ---- ids ----------------------------------------------------------------------------------------


def submission_fact(visit: Visit) -> str:
    """Name under which a visit's submission id is kept in the identity of its annotator."""
    return f"submission:{visit.public_id}"


@transaction.atomic
def forget(*, study: PanelStudy, by: User | None = None, now: datetime | None = None) -> int:
    """Delete what a panel calls the people of a study; their answers stay, under pseudonyms.

    Who is also in a study whose ids are not deleted yet keeps the id that both share.

    Returns:
        How many people's ids were deleted in full or in part.
    """
    now = now or timezone.now()
    PanelStudy.objects.select_for_update().get(pk=study.pk)
    visits = Visit.objects.filter(study=study).exclude(annotator=None)
    still_needed = set(
        Visit.objects.filter(study__forgotten_at=None, annotator__in=visits.values("annotator"))
        .exclude(study=study)
        .values_list("annotator", flat=True)
    )
    people: dict[int, list[Visit]] = {}
    for visit in visits.select_related("annotator"):
        people.setdefault(visit.annotator_id or 0, []).append(visit)
    identities = Identity.objects.filter(annotator__in=people)
    count = identities.count()
    identities.exclude(annotator__in=still_needed).delete()
    for annotator in Annotator.objects.filter(pk__in=still_needed):
        facts = reveal(annotator)
        if facts is not None:
            gone = {submission_fact(visit) for visit in people[annotator.pk]}
            left = {name: value for name, value in facts.items() if name not in gone}
            Identity.objects.filter(annotator=annotator).update(sealed=seal(left))
    PanelStudy.objects.filter(pk=study.pk).update(forgotten_at=now)
    _record(study, by, Act.IDS_DELETED, {"people": count})
    return count


def due_for_forgetting(now: datetime) -> list[PanelStudy]:
    """Give the studies whose round has been closed for longer than their ids are kept."""
    closed = PanelStudy.objects.filter(forgotten_at=None).exclude(round__closed_at=None)
    return [
        study
        for study in closed.select_related("round")
        if study.round.closed_at is not None
        and study.round.closed_at + timedelta(days=study.forget_after_days) <= now
    ]


def _record(study: PanelStudy, by: User | None, act: Act, content: Mapping[str, object]) -> None:
    record(
        project=study.round.project,
        by=by,
        act=act,
        subject=f"{study.name}, round {study.round.number}",
        content=content,
    )


def _check_entry_once(arrival: Arrival, visit: Visit | None, browser: str) -> None:
    """Refuse a signed entry that was used from another browser.

    Raises:
        EntryRefused: It was.
    """
    if not arrival.entry_hash:
        return
    used = Visit.objects.filter(entry_hash=arrival.entry_hash).first()
    if used is None:
        return
    same_browser = BrowserKey.objects.filter(annotator=used.annotator_id, key_hash=browser).exists()
    if not same_browser or visit is None or used.pk != visit.pk:
        raise EntryRefused("this signed entry was used already")


def _lets_in(study: PanelStudy) -> bool:
    return study.round.state == RoundState.OPEN and has_places(study)


def _sit(
    study: PanelStudy,
    arrival: Arrival,
    browser: str,
    environment: Mapping[str, object],
    now: datetime,
) -> Sitting:
    entry = annotation.Entry(
        browser=browser,
        submission_hash=arrival.submission_hash(study),
        verified=arrival.verified,
        is_test=arrival.is_test,
        environment=dict(environment),
    )
    try:
        return annotation.start_sitting(
            round=study.round,
            key_hash=arrival.key_hash(study),
            provider=study.provider,
            entry=entry,
            now=now,
        )
    except NotAdmitted as error:
        raise TurnedAway(Outcome.TAKEN_PART) from error
    except RoundFull as error:
        raise TurnedAway(Outcome.FULL) from error
    except RoundNotOpen as error:
        is_open = Round.objects.filter(pk=study.round_id, state=RoundState.OPEN).exists()
        raise TurnedAway(Outcome.FULL if is_open else Outcome.CLOSED) from error


def _join(
    study: PanelStudy,
    visit: Visit | None,
    sitting: Sitting,
    arrival: Arrival,
    shares_browser: bool,
    now: datetime,
) -> Visit:
    """Tie a visit to its sitting, and keep who it is apart and sealed."""
    if visit is None:
        visit = Visit(study=study, submission_hash=arrival.submission_hash(study))
    visit.annotator_id = sitting.annotator_id
    visit.sitting = sitting
    visit.turned_away = ""
    visit.arrived_at = visit.arrived_at or now
    visit.verified = visit.verified or arrival.verified
    visit.entry_hash = arrival.entry_hash or visit.entry_hash
    visit.is_test = visit.is_test or arrival.is_test
    visit.shared_browser = visit.shared_browser or shares_browser
    if shares_browser:
        log.warning("visit %s came from a browser that somebody else had used", visit.public_id)
    if sitting.state not in ENDED or sitting.submission_hash == visit.submission_hash:
        visit.replaced = False
    visit.save()
    others = Visit.objects.filter(Q(sitting=sitting) & ~Q(pk=visit.pk))
    others.update(replaced=True)
    if sitting.submission_hash != visit.submission_hash:
        Sitting.objects.filter(pk=sitting.pk, state__in=NOT_ENDED).update(
            submission_hash=visit.submission_hash
        )
    keep_identity(
        sitting.annotator,
        {"person": arrival.person, submission_fact(visit): arrival.submission},
    )
    return visit
