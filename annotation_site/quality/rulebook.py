"""Versions of a round's rules: settled before it opens, frozen as it does, changed only in view."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.annotation import rounds
from annotation_site.annotation.models import Round, RoundState
from annotation_site.annotation.setup import BEFORE_OPENING
from annotation_site.projects.audit import record
from annotation_site.projects.models import Act
from annotation_site.quality.models import RuleSet
from annotation_site.quality.rules import Rules
from annotation_site.web.refusals import Refused


def rules_of(round_: Round, version: int | None = None) -> tuple[RuleSet | None, Rules]:
    """Give a version of a round's rules, or the one in force: the last.

    Returns:
        The rule set, None where nobody settled one; and its limits, the defaults then.
    """
    sets = RuleSet.objects.filter(round=round_).order_by("-version")
    found = (sets if version is None else sets.filter(version=version)).first()
    return found, Rules() if found is None else Rules.of(found.rules)


@transaction.atomic
def settle_rules(
    *,
    round: Round,  # noqa: A002  # the field's name
    limits: Mapping[str, Any],
    settled_by: User,
    reason: str = "",
) -> RuleSet:
    """Write the next version of a round's rules.

    Before the round opens this is part of its plan. Afterwards it is a change that every figure
    under it tells, so it needs a reason.

    Raises:
        Refused: A limit cannot be, nothing changes, or a later change has no reason.
    """
    rules = Rules.of(limits)
    locked = Round.objects.select_for_update().get(pk=round.pk)
    last, current = rules_of(locked)
    if last is not None and current == rules:
        raise Refused("These are the rules already.")
    if locked.state not in BEFORE_OPENING and not reason.strip():
        raise Refused("The round has opened: say why its rules change.")
    made = RuleSet.objects.create(
        round=locked,
        version=last.version + 1 if last else 1,
        rules=rules.as_json(),
        reason=reason.strip()[:300],
        created_by=settled_by,
    )
    _record(made, settled_by, Act.RULES_CHANGED)
    return made


@transaction.atomic
def open_round(*, round: Round, opened_by: User, now: datetime | None = None) -> RuleSet:  # noqa: A002
    """Open a round and freeze the rules it opens under; the defaults where none were settled.

    Raises:
        RoundNotReady: As `annotation.rounds.open_round` says; nothing is frozen then.
    """
    moment = now or timezone.now()
    rounds.open_round(round=round, by=opened_by, now=moment)
    assert round.state == RoundState.OPEN  # or the line above had raised
    last, rules = rules_of(round)
    if last is None:
        last = RuleSet.objects.create(
            round=round, version=1, rules=rules.as_json(), created_by=opened_by
        )
    RuleSet.objects.filter(pk=last.pk).update(frozen_at=moment)
    last.frozen_at = moment
    _record(last, opened_by, Act.RULES_FROZEN)
    return last


def _record(rule_set: RuleSet, by: User, act: Act) -> None:
    record(
        project=rule_set.round.project,
        by=by,
        act=act,
        subject=f"rules of round {rule_set.round.number}",
        content={
            "version": rule_set.version,
            "reason": rule_set.reason,
            "rules": rule_set.rules,
        },
    )
