"""How a visit ended: told by its sitting's state and the attention checks in it, never stored first.

The same visit gives the same outcome however often it is asked, since a finished sitting of a panel
does not change any more.
"""

from datetime import datetime

from annotation_site.annotation.models import (
    AnswerChoice,
    AssignmentState,
    Response,
    Sitting,
    SittingState,
    TaskRole,
)
from annotation_site.annotation.sealing import unseal
from annotation_site.panels.codes import BEFORE_START, CodeType, Outcome, code_type_of
from annotation_site.panels.models import PanelStudy, Visit
from annotation_site.panels.pay import checks_needed
from annotation_site.panels.reconciling import Here

STATES = {
    SittingState.COMPLETED: Here.COMPLETED,
    SittingState.SCREENED_OUT: Here.SCREENED_OUT,
    SittingState.WITHDRAWN: Here.WITHDRAWN,
    SittingState.EXPIRED: Here.AWAY,
}
OUTCOMES = {
    Here.COMPLETED: Outcome.COMPLETED,
    Here.FAILED_CHECKS: Outcome.FAILED_CHECKS,
    Here.SCREENED_OUT: Outcome.SCREENED_OUT,
    Here.WITHDRAWN: Outcome.WITHDRAWN,
    Here.AWAY: Outcome.TIMED_OUT,
}


def here_of(visit: Visit, failed_checks: int | None = None) -> Here:
    """Say where a visit stands with us.

    Args:
        visit: With its sitting and study.
        failed_checks: Of its sitting, where they are counted already.
    """
    sitting = visit.sitting
    if visit.replaced:
        return Here.WITHDRAWN
    if sitting is None:
        return Here.TURNED_AWAY if visit.turned_away else Here.ABSENT
    here = STATES.get(SittingState(sitting.state), Here.AT_WORK)
    if here == Here.COMPLETED and visit.study.tells_failed_checks:
        failed = failed_checks_of(sitting) if failed_checks is None else failed_checks
        if failed >= checks_needed(visit.study.minutes, seconds_of(sitting)):
            return Here.FAILED_CHECKS
    return here


def outcome_of(visit: Visit, failed_checks: int | None = None) -> Outcome | None:
    """Say how a visit ended; None while it has not."""
    here = here_of(visit, failed_checks)
    if here == Here.TURNED_AWAY and visit.turned_away in BEFORE_START:
        return Outcome(visit.turned_away)
    return OUTCOMES.get(here)


def code_type_due(visit: Visit, failed_checks: int | None = None) -> CodeType | None:
    """Say which kind of code somebody is shown now; None while none is."""
    outcome = outcome_of(visit, failed_checks)
    return None if outcome is None else type_in(visit.study, outcome)


def type_in(study: PanelStudy, outcome: Outcome) -> CodeType:
    """Say which kind of code a study gives for an outcome."""
    return code_type_of(outcome, finished=study.finished_code, screened_out=study.screened_out_code)


def codes_of(study: PanelStudy) -> dict[str, str]:
    """Give a study's codes by kind; empty if the key that sealed them is lost."""
    return unseal(study.sealed_codes) or {}


def failed_checks_of(sitting: Sitting) -> int:
    """Count the attention checks of a sitting that were answered against their instruction.

    A picture that did not load fails nobody.
    """
    return sum(
        answer != expected
        for expected, answer in Response.objects.current()
        .filter(assignment__sitting=sitting, assignment__task__role=TaskRole.CHECK)
        .exclude(answer=AnswerChoice.NOT_LOADED)
        .values_list("assignment__task__expected", "answer")
    )


def seconds_of(sitting: Sitting) -> float | None:
    """Give the time from consent to the end, seconds; None while it has not ended."""
    ended: datetime | None = sitting.completed_at
    return None if ended is None else (ended - sitting.consented_at).total_seconds()


def answered_in(sitting: Sitting) -> int:
    """Count the answered tasks of a sitting."""
    return sitting.assignments.filter(state=AssignmentState.ANSWERED).count()
