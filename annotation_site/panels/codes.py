"""Completion codes: one for each kind of outcome, drawn at random for each panel study."""

import secrets
from collections.abc import Mapping
from typing import Final

from django.db import models

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1, which people mistake for each other."""
CODE_LENGTH: Final = 10  # 50 bits


class CodeType(models.TextChoices):
    """Kinds of completion codes, as Prolific names them."""

    COMPLETED = "COMPLETED", "Completed"
    FOLLOW_UP_STUDY = "FOLLOW_UP_STUDY", "Completed, invite to a follow-up study"
    GIVE_BONUS = "GIVE_BONUS", "Completed, give a bonus"
    SCREENED_IN = "SCREENED_IN", "Screened in"
    SCREENED_OUT = "SCREENED_OUT", "Screened out"
    FIXED_SCREENOUT = "FIXED_SCREENOUT", "Screened out, paid a fixed reward"
    NO_CONSENT = "NO_CONSENT", "No consent"
    INCOMPATIBLE_DEVICE = "INCOMPATIBLE_DEVICE", "Incompatible device"
    FAILED_ATTENTION_CHECK = "FAILED_ATTENTION_CHECK", "Failed attention checks"
    OTHER = "OTHER", "Another reason"


class Outcome(models.TextChoices):
    """How somebody's visit ended, in our words."""

    COMPLETED = "completed", "Finished"
    FAILED_CHECKS = "failed_checks", "Finished, attention checks failed"
    SCREENED_OUT = "screened_out", "Practice not passed"
    NO_CONSENT = "no_consent", "Did not consent"
    DEVICE = "device", "Device does not fit"
    FULL = "full", "Came when the round was full"
    CLOSED = "closed", "Came when the round was closed"
    TAKEN_PART = "taken_part", "Had taken part before"
    WITHDRAWN = "withdrawn", "Stopped early"
    TIMED_OUT = "timed_out", "Away for too long"


BEFORE_START: Final = (
    Outcome.NO_CONSENT,
    Outcome.DEVICE,
    Outcome.FULL,
    Outcome.CLOSED,
    Outcome.TAKEN_PART,
)
"""Outcomes of people who never began."""
FINISHED: Final = (Outcome.COMPLETED, Outcome.FAILED_CHECKS)
WHEN_FINISHED: Final = (
    CodeType.COMPLETED,
    CodeType.FOLLOW_UP_STUDY,
    CodeType.GIVE_BONUS,
    CodeType.SCREENED_IN,
)
"""What a lead may choose for people who finish."""
WHEN_SCREENED_OUT: Final = (CodeType.SCREENED_OUT, CodeType.FIXED_SCREENOUT)
ADVICE: Final[dict[str, str]] = {
    CodeType.COMPLETED: "Approve automatically, or review by hand",
    CodeType.FOLLOW_UP_STUDY: "Approve, and add to a participant group",
    CodeType.GIVE_BONUS: "Review by hand, then pay the bonus",
    CodeType.SCREENED_IN: "Approve, and add to a participant group",
    CodeType.SCREENED_OUT: "Request a return",
    CodeType.FIXED_SCREENOUT: "Pay the fixed screen-out reward",
    CodeType.NO_CONSENT: "Request a return",
    CodeType.INCOMPATIBLE_DEVICE: "Request a return",
    CodeType.FAILED_ATTENTION_CHECK: "Review by hand",
    CodeType.OTHER: "Request a return",
}
"""What to set on Prolific for each code."""


def draw_codes() -> dict[str, str]:
    """Draw a code for each kind, all different."""
    codes: dict[str, str] = {}
    while len(codes) < len(CodeType):
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        if code not in codes.values():
            codes[CodeType.values[len(codes)]] = code
    return codes


def code_type_of(outcome: str, *, finished: str, screened_out: str) -> CodeType:
    """Say which code belongs to an outcome.

    Args:
        outcome: One of `Outcome`.
        finished: What this study gives to people who finish, one of `WHEN_FINISHED`.
        screened_out: What it gives to people who fail the practice, one of `WHEN_SCREENED_OUT`.
    """
    types = {
        Outcome.COMPLETED: CodeType(finished),
        Outcome.FAILED_CHECKS: CodeType.FAILED_ATTENTION_CHECK,
        Outcome.SCREENED_OUT: CodeType(screened_out),
        Outcome.NO_CONSENT: CodeType.NO_CONSENT,
        Outcome.DEVICE: CodeType.INCOMPATIBLE_DEVICE,
    }
    return types.get(Outcome(outcome), CodeType.OTHER)


def type_of_entered(entered: str | None, codes: Mapping[str, str]) -> str:
    """Say which kind of code somebody entered on the panel.

    Args:
        entered: As the panel tells it; None: the panel does not tell.
        codes: Kind -> code of the study.

    Returns:
        A `CodeType`; "none" where nothing was entered, "foreign" where it is no code of the study;
        empty where nothing is known.
    """
    if entered is None:
        return ""
    if entered.strip().upper() in {"", "NOCODE", "NO_CODE", "NO CODE"}:
        return "none"
    given = entered.strip().upper()
    return next((kind for kind, code in codes.items() if code == given), "foreign")
