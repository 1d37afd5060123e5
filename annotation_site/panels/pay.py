"""The pay guard: which of Prolific's actions its policy allows for a submission, and nothing more.

Pay and analysis are two decisions. Wrong answers on gold, disagreement with others, the time on one
image and a failed practice say something about answers, and never allow a rejection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Final

from annotation_site.annotation.models import PlatformStatus as There
from annotation_site.panels.codes import CodeType
from annotation_site.panels.reconciling import SUCCESS, Here

LONG_STUDY_MINUTES: Final = 5.0
"""From here on two failed attention checks are needed, below one."""
SPREADS_BELOW: Final = 3.0
LEAST_MESSAGE: Final = 100
"""Letters that a rejection's message must have."""
REVIEW_DAYS: Final = 21
"""After so many days Prolific approves by itself."""
FLOOR_PER_HOUR: Final[dict[str, int]] = {"GBP": 600, "USD": 800}
"""Least pay in hundredths."""


class Action(StrEnum):
    """What a lead may do on the panel."""

    WAIT = "wait"
    NOTHING = "nothing"
    APPROVE = "approve"
    PAY_SCREEN_OUT = "pay_screen_out"
    REQUEST_RETURN = "request_return"
    REJECT = "reject"


ACTION_WORDS: Final[dict[Action, str]] = {
    Action.WAIT: "Wait",
    Action.NOTHING: "Nothing",
    Action.APPROVE: "Approve",
    Action.PAY_SCREEN_OUT: "Pay the screen-out",
    Action.REQUEST_RETURN: "Ask for a return",
    Action.REJECT: "Reject",
}


class Ground(StrEnum):
    """Prolific's categories of rejections that our evidence can bear."""

    NONE = "none"
    TOO_QUICKLY = "TOO_QUICKLY"
    FAILED_CHECK = "FAILED_CHECK"
    BAD_CODE = "BAD_CODE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the finished submissions of a study took in all.

    Attributes:
        n: How many.
        mean: Seconds; 0 without any.
        spread: Sample standard deviation, seconds; 0 with fewer than two.
    """

    n: int = 0
    mean: float = 0.0
    spread: float = 0.0

    @property
    def fastest_fair(self) -> float:
        """Give the time below which somebody was exceptionally fast, seconds; may be negative."""
        return self.mean - SPREADS_BELOW * self.spread if self.n > 1 else float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a submission when its pay is decided.

    Attributes:
        here: Where it stands with us.
        there: What the panel says.
        seconds: Total time; None: not finished.
        told_minutes: As the study is advertised.
        failed_checks: Attention checks answered against their instruction.
        entered: Kind of the code that was entered.
        answered: Images answered.
        assigned: Images given.
    """

    here: Here
    there: There = There.UNKNOWN
    seconds: float | None = None
    told_minutes: float = 0.0
    failed_checks: int = 0
    entered: str = ""
    answered: int = 0
    assigned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What may be done about a submission.

    Attributes:
        suggested: What to do unless there is a reason not to.
        allowed: All that the policy allows, the suggestion first.
        ground: Category of a rejection, if one is allowed.
        because: Evidence in words.
        message: Draft of a rejection's message; empty unless one is allowed.
    """

    suggested: Action
    allowed: tuple[Action, ...]
    ground: Ground = Ground.NONE
    because: str = ""
    message: str = ""


def times_of(seconds: Sequence[float]) -> Times:
    """Sum up the total times of finished submissions."""
    n = len(seconds)
    if not n:
        return Times()
    mean = sum(seconds) / n
    spread = sqrt(sum((value - mean) ** 2 for value in seconds) / (n - 1)) if n > 1 else 0.0
    return Times(n=n, mean=mean, spread=spread)


def checks_needed(told_minutes: float, seconds: float | None) -> int:
    """Say how many failed checks may weigh: one below five minutes, else two.

    The longer of the advertised and the actual time counts, in the annotator's favour.
    """
    actual = (seconds or 0.0) / 60.0
    return 2 if max(told_minutes, actual) >= LONG_STUDY_MINUTES else 1


def advise(evidence: Evidence, times: Times) -> Advice:
    """Say what Prolific's policy allows for a submission.

    Args:
        evidence: What is known of it.
        times: Of all finished submissions of the study.
    """
    settled = {There.APPROVED, There.PARTIALLY_APPROVED, There.SCREENED_OUT, There.REJECTED}
    if evidence.there in settled | {There.RETURNED}:
        return Advice(suggested=Action.NOTHING, allowed=(Action.NOTHING,))
    if evidence.there in {There.RESERVED, There.ACTIVE} or _may_still_come(evidence):
        return Advice(suggested=Action.WAIT, allowed=(Action.WAIT,))
    if evidence.here in {Here.COMPLETED, Here.FAILED_CHECKS}:
        return _of_finished(evidence, times)
    if evidence.here == Here.SCREENED_OUT:
        return Advice(
            suggested=Action.PAY_SCREEN_OUT,
            allowed=(Action.PAY_SCREEN_OUT, Action.REQUEST_RETURN, Action.APPROVE),
            because="The practice was not passed, which is never a ground to reject.",
        )
    if evidence.entered in SUCCESS and evidence.here != Here.TURNED_AWAY:
        return _of_unfinished(evidence)
    return Advice(
        suggested=Action.REQUEST_RETURN,
        allowed=(Action.REQUEST_RETURN, Action.APPROVE),
        because=f"{evidence.answered} of {evidence.assigned} images were answered."
        if evidence.assigned
        else "Nothing was asked of this person.",
    )


def _may_still_come(evidence: Evidence) -> bool:
    """Tell whether nobody has said yet that the submission ended without finishing here."""
    unfinished = {Here.ABSENT, Here.TURNED_AWAY, Here.AT_WORK, Here.AWAY, Here.WITHDRAWN}
    return evidence.here in unfinished and evidence.there in {There.UNKNOWN, There.TIMED_OUT}


def _of_finished(evidence: Evidence, times: Times) -> Advice:
    needed = checks_needed(evidence.told_minutes, evidence.seconds)
    if evidence.failed_checks >= needed:
        because = (
            f"{evidence.failed_checks} attention checks failed; from {needed} on the policy allows "
            "a rejection for a study of this length."
        )
        return _rejectable(Ground.FAILED_CHECK, because, _checks_message(evidence.failed_checks))
    if evidence.seconds is not None and evidence.seconds < times.fastest_fair:
        because = (
            f"{evidence.seconds:.0f} s in all; three standard deviations below the mean of "
            f"{times.n} submissions are {times.fastest_fair:.0f} s."
        )
        return _rejectable(Ground.TOO_QUICKLY, because, _speed_message(evidence.seconds, times))
    return Advice(
        suggested=Action.APPROVE, allowed=(Action.APPROVE,), because="Everything was answered."
    )


def _of_unfinished(evidence: Evidence) -> Advice:
    because = (
        f"The completion code was entered after {evidence.answered} of {evidence.assigned} images, "
        "though this site shows it at the end alone."
    )
    return _rejectable(Ground.BAD_CODE, because, _code_message(evidence))


def _rejectable(ground: Ground, because: str, message: str) -> Advice:
    return Advice(
        suggested=Action.REQUEST_RETURN,
        allowed=(Action.REQUEST_RETURN, Action.APPROVE, Action.REJECT),
        ground=ground,
        because=because,
        message=message,
    )


def _checks_message(failed: int) -> str:
    return (
        f"Thank you for your time. Among the images there were attention checks whose text said in "
        f"plain words which answer to give; {failed} of them were answered otherwise. Following the "
        "attention check policy the submission cannot be approved. Please write to us if something "
        "went wrong on our side."
    )


def _speed_message(seconds: float, times: Times) -> str:
    return (
        f"Thank you for your time. The study was finished in {seconds:.0f} seconds in all, more than "
        f"three standard deviations faster than the average of {times.mean:.0f} seconds over "
        f"{times.n} submissions, so that the images cannot have been looked at. Please write to us "
        "if something went wrong on our side."
    )


def _code_message(evidence: Evidence) -> str:
    return (
        "Thank you for your time. The completion code was entered although only "
        f"{evidence.answered} of {evidence.assigned} images were answered; the required answers are "
        "missing, and our site had not shown the code. Please write to us if something went wrong "
        "on our side."
    )


def code_words(kind: str) -> str:
    """Write which code was entered."""
    words = {"": "not known", "none": "none", "foreign": "not of this study"}
    return words.get(kind) or str(CodeType(kind).label)
