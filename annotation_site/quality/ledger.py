"""The ledger of exclusions: leave out, let in again, and what stands at any version.

Nothing is deleted. What holds for a subject at version N is what the last entry up to N that
names it did.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Response, ResponseQuerySet, Round, RoundState, Sitting
from annotation_site.projects.audit import digest, record
from annotation_site.projects.models import Act
from annotation_site.quality.models import Action, LedgerEntry, LedgerSubject, RuleSet
from annotation_site.web.refusals import Refused

_LIVING = (RoundState.OPEN, RoundState.CLOSED)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is left out at a version.

    Attributes:
        version: Of the ledger.
        sittings: Keys of sittings.
        responses: Keys of single answers.
    """

    version: int
    sittings: frozenset[int]
    responses: frozenset[int]


def head_of(round_: Round) -> int:
    """Give the ledger's present version; 0 where nothing was ever left out."""
    return LedgerEntry.objects.filter(round=round_).aggregate(last=Max("version"))["last"] or 0


def standing_at(round_: Round, version: int) -> Standing:
    """Give what is left out at a version of the ledger, in one query."""
    rows = (
        LedgerSubject.objects.filter(entry__round=round_, entry__version__lte=version)
        .order_by("entry__version")
        .values_list("sitting_id", "response_id", "entry__action")
    )
    last = {(sitting, response): action for sitting, response, action in rows}
    out = [subject for subject, action in last.items() if action == Action.EXCLUDE]
    return Standing(
        version=version,
        sittings=frozenset(sitting for sitting, _ in out if sitting),
        responses=frozenset(response for _, response in out if response),
    )


@transaction.atomic
def exclude(
    *,
    round: Round,  # noqa: A002  # the field's name
    by: User,
    reason: str,
    sittings: Mapping[int, Mapping[str, Any]] | None = None,
    responses: Mapping[int, Mapping[str, Any]] | None = None,
    rule: str = "",
    rule_set: RuleSet | None = None,
) -> LedgerEntry:
    """Leave annotators or answers out of every figure and of the votes, until let in again.

    Args:
        round: An open or closed one.
        by: The lead.
        reason: In words; needed.
        sittings: Key of a sitting -> the evidence.
        responses: Key of a response -> the evidence.
        rule: That found them; empty: by hand.
        rule_set: That the rule stands in.

    Returns:
        The entry; its version is the ledger's now.

    Raises:
        Refused: No reason, nobody who is not left out already, somebody else's subjects, or a
            round whose votes are being read.
    """
    locked = _locked(round, reason)
    now = standing_at(locked, head_of(locked))
    people = {key: e for key, e in (sittings or {}).items() if key not in now.sittings}
    answers = {key: e for key, e in (responses or {}).items() if key not in now.responses}
    if not people and not answers:
        raise Refused("They are left out already.")
    return _write(locked, Action.EXCLUDE, people, answers, by, reason, rule, rule_set)


@transaction.atomic
def reinstate(
    *,
    round: Round,  # noqa: A002  # the field's name
    by: User,
    reason: str,
    sittings: Collection[int] = (),
    responses: Collection[int] = (),
) -> LedgerEntry:
    """Let annotators or answers in again; their exclusion stays in the ledger.

    Raises:
        Refused: No reason, nobody who is left out, or a round whose votes are being read.
    """
    locked = _locked(round, reason)
    now = standing_at(locked, head_of(locked))
    people: dict[int, Mapping[str, Any]] = {key: {} for key in sittings if key in now.sittings}
    answers: dict[int, Mapping[str, Any]] = {key: {} for key in responses if key in now.responses}
    if not people and not answers:
        raise Refused("They are not left out.")
    return _write(locked, Action.REINSTATE, people, answers, by, reason, "", None)


@transaction.atomic
def take_back(*, entry: LedgerEntry, by: User, reason: str) -> LedgerEntry:
    """Let in again whatever an entry left out and is still left out.

    Raises:
        Refused: The entry left nobody out, or all are in again.
    """
    if entry.action != Action.EXCLUDE:
        raise Refused("Only an exclusion can be taken back.")
    subjects = list(entry.subjects.values_list("sitting_id", "response_id"))
    return reinstate(
        round=entry.round,
        by=by,
        reason=reason,
        sittings=[sitting for sitting, _ in subjects if sitting],
        responses=[response for _, response in subjects if response],
    )


def _locked(round_: Round, reason: str) -> Round:
    if not reason.strip():
        raise Refused("Say why, in a few words: it stands in the ledger.")
    # Votes of all rounds of a project are read when one closes, so all of them hold still.
    siblings = Round.objects.filter(project=round_.project_id).order_by("pk").select_for_update()
    states = {each.pk: each for each in siblings}
    if any(each.state == RoundState.CLOSING for each in states.values()):
        raise Refused("A round is closing: its votes are frozen. Wait for its job to end.")
    if states[round_.pk].state not in _LIVING:
        raise Refused("The round has no answers yet.")
    return states[round_.pk]


def _write(
    round_: Round,
    action: Action,
    people: Mapping[int, Mapping[str, Any]],
    answers: Mapping[int, Mapping[str, Any]],
    by: User,
    reason: str,
    rule: str,
    rule_set: RuleSet | None,
) -> LedgerEntry:
    own = set(round_.sittings.values_list("pk", flat=True)) if people else set()
    if set(people) - own or _foreign(round_, list(answers)):
        raise Refused("Some of these are not of this round.")
    entry = LedgerEntry.objects.create(
        round=round_,
        version=head_of(round_) + 1,
        action=action,
        rule=rule,
        rule_set=rule_set,
        reason=reason.strip()[:300],
        by=by,
    )
    LedgerSubject.objects.bulk_create(
        [
            *(
                LedgerSubject(entry=entry, sitting_id=k, evidence=dict(e))
                for k, e in people.items()
            ),
            *(
                LedgerSubject(entry=entry, response_id=k, evidence=dict(e))
                for k, e in answers.items()
            ),
        ],
        batch_size=_AT_ONCE,
    )
    _record(entry, people, answers)
    return entry


def _record(
    entry: LedgerEntry,
    people: Mapping[int, Mapping[str, Any]],
    answers: Mapping[int, Mapping[str, Any]],
) -> None:
    """Audit an entry; of its subjects and their evidence, which the ledger keeps, the digest."""
    rule_set = entry.rule_set
    record(
        project=entry.round.project,
        by=entry.by,
        act=Act.LEFT_OUT if entry.action == Action.EXCLUDE else Act.LET_IN_AGAIN,
        subject=f"ledger of round {entry.round.number}",
        content={
            "version": entry.version,
            "people": len(people),
            "answers": len(answers),
            "reason": entry.reason,
            "rule": entry.rule,
            "rules_version": rule_set.version if rule_set else None,
            "sha256": digest(
                [{str(key): dict(each[key]) for key in each} for each in (people, answers)]
            ),
        },
    )


def _foreign(round_: Round, responses: list[int]) -> bool:
    found = 0
    for start in range(0, len(responses), _AT_ONCE):
        part = responses[start : start + _AT_ONCE]
        found += Response.objects.filter(pk__in=part, assignment__sitting__round=round_).count()
    return found != len(responses)


def counted(
    responses: ResponseQuerySet, versions: Mapping[int, int] | None = None
) -> ResponseQuerySet:
    """Keep the responses that the ledgers of their rounds do not leave out.

    Args:
        responses: Of any rounds.
        versions: Key of a round -> version of its ledger; the present one without.
    """
    until = Q()
    for round_key, version in (versions or {}).items():
        until &= ~Q(entry__round=round_key) | Q(entry__version__lte=version)
    # Two lists that rest on no row, so that a database reads each once; looked up row by row they
    # cost PostgreSQL minutes over 200,000 answers, for it takes nearly all of them to be left out.
    return responses.filter(
        ~Q(pk__in=_left_out("response", until)),
        ~Q(assignment__sitting__in=_left_out("sitting", until)),
    )


def _left_out(kind: str, until: Q) -> "QuerySet[LedgerSubject, int]":
    """Give the keys of the subjects of a kind whose last entry leaves them out."""
    later = LedgerSubject.objects.filter(
        until, **{kind: OuterRef(kind)}, entry__version__gt=OuterRef("entry__version")
    )
    last = LedgerSubject.objects.filter(until, ~Exists(later), **{f"{kind}__isnull": False})
    return last.filter(entry__action=Action.EXCLUDE).values_list(kind, flat=True)


def versions_of(round_or_rounds: Collection[Round]) -> dict[int, int]:
    """Give the present version of each round's ledger, by key, in one query."""
    keys = [round_.pk for round_ in round_or_rounds]
    found = dict(
        LedgerEntry.objects.filter(round__in=keys)
        .order_by()
        .values_list("round")
        .annotate(last=Max("version"))
    )
    return {key: found.get(key, 0) for key in keys}


def sitting_of(round_: Round, public_id: str) -> Sitting | None:
    """Give a sitting of a round by its public id."""
    return Sitting.objects.real().filter(round=round_, public_id=public_id).first()
