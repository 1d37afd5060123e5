"""What it means when we say one thing of a visit and the panel another: a table without gaps."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from annotation_site.annotation.models import PlatformStatus as There
from annotation_site.panels.codes import CodeType


class Here(StrEnum):
    """Where a visit stands with us."""

    ABSENT = "absent"  # the panel knows it, we do not
    TURNED_AWAY = "turned_away"
    AT_WORK = "at_work"
    AWAY = "away"  # the lease has ended
    WITHDRAWN = "withdrawn"
    SCREENED_OUT = "screened_out"
    FAILED_CHECKS = "failed_checks"
    COMPLETED = "completed"

    @property
    def words(self) -> str:
        """Write it for a lead."""
        return HERE_WORDS[self]


HERE_WORDS: Final[dict[Here, str]] = {
    Here.ABSENT: "Never arrived",
    Here.TURNED_AWAY: "Did not begin",
    Here.AT_WORK: "At work",
    Here.AWAY: "Away for too long",
    Here.WITHDRAWN: "Stopped early",
    Here.SCREENED_OUT: "Practice not passed",
    Here.FAILED_CHECKS: "Finished, checks failed",
    Here.COMPLETED: "Finished",
}


class Level(StrEnum):
    """How much a verdict asks of a lead."""

    AGREES = "agrees"
    WAITS = "waits"  # settles by itself
    ACT = "act"  # both sides agree, and it is the lead's turn
    LOOK = "look"  # the sides disagree


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a pair of states means.

    Attributes:
        level: How much it asks of a lead.
        words: What happened.
        todo: What to do; empty: nothing.
    """

    level: Level
    words: str
    todo: str = ""


_HEAR: Final = "Press “Check now”, or bring in the panel's CSV."
_RETURN: Final = "Ask on the panel for a return."
_OVERTURN: Final = "The policy does not allow this rejection: take it back on the panel."
_agrees = Level.AGREES
_waits = Level.WAITS
_act = Level.ACT
_look = Level.LOOK

_ROWS: Final[dict[Here, dict[There, Verdict]]] = {
    Here.ABSENT: {
        There.UNKNOWN: Verdict(_waits, "Neither side knows more.", _HEAR),
        There.RESERVED: Verdict(_waits, "Took a place there and has not arrived."),
        There.ACTIVE: Verdict(_waits, "Began there and has not arrived."),
        There.AWAITING_REVIEW: Verdict(
            _look, "Entered a code and never arrived here: there are no data.", _RETURN
        ),
        There.APPROVED: Verdict(_look, "Paid, and never arrived here.", "Nothing can be undone."),
        There.PARTIALLY_APPROVED: Verdict(_look, "Paid in part, and never arrived here."),
        There.SCREENED_OUT: Verdict(_agrees, "Screened out by the panel before arriving."),
        There.REJECTED: Verdict(_agrees, "Rejected; there are no data here."),
        There.RETURNED: Verdict(_agrees, "Returned without arriving."),
        There.TIMED_OUT: Verdict(_agrees, "Time ran out without arriving."),
    },
    Here.TURNED_AWAY: {
        There.UNKNOWN: Verdict(_waits, "Did not begin; the panel has not told more.", _HEAR),
        There.RESERVED: Verdict(_waits, "Did not begin; the place there is still held."),
        There.ACTIVE: Verdict(_waits, "Did not begin; has not entered the code yet."),
        There.AWAITING_REVIEW: Verdict(_act, "Did not begin, and entered a code.", _RETURN),
        There.APPROVED: Verdict(_look, "Paid without having begun.", "Nothing can be undone."),
        There.PARTIALLY_APPROVED: Verdict(_agrees, "Did not begin; paid in part for coming."),
        There.SCREENED_OUT: Verdict(_agrees, "Did not begin; paid as screened out."),
        There.REJECTED: Verdict(_look, "Rejected without having begun.", _OVERTURN),
        There.RETURNED: Verdict(_agrees, "Did not begin and returned the place."),
        There.TIMED_OUT: Verdict(_agrees, "Did not begin; time ran out there."),
    },
    Here.AT_WORK: {
        There.UNKNOWN: Verdict(_waits, "At work; the panel has not told more."),
        There.RESERVED: Verdict(_waits, "At work; the panel still shows a held place."),
        There.ACTIVE: Verdict(_agrees, "At work on both sides."),
        There.AWAITING_REVIEW: Verdict(
            _look,
            "Entered a code before finishing here.",
            "Compare the code. Ask to finish, or to return.",
        ),
        There.APPROVED: Verdict(
            _look, "Paid before finishing here.", "Turn automatic approval off for other codes."
        ),
        There.PARTIALLY_APPROVED: Verdict(_look, "Paid in part before finishing here."),
        There.SCREENED_OUT: Verdict(_look, "Paid as screened out, and at work here."),
        There.REJECTED: Verdict(
            _look, "Rejected while at work here; the open images went back.", _OVERTURN
        ),
        There.RETURNED: Verdict(
            _look, "Returned there, at work here.", "The open images go back with the next message."
        ),
        There.TIMED_OUT: Verdict(
            _waits, "Time ran out there, at work here: may still finish if nobody took the place."
        ),
    },
    Here.AWAY: {
        There.UNKNOWN: Verdict(_waits, "Has not come back; the panel has not told more.", _HEAR),
        There.RESERVED: Verdict(_waits, "Has not come back; the place there is still held."),
        There.ACTIVE: Verdict(_waits, "Has not come back; the open images went to others."),
        There.AWAITING_REVIEW: Verdict(
            _look, "Entered a code without finishing.", "Compare the code. " + _RETURN
        ),
        There.APPROVED: Verdict(_look, "Paid without having finished.", "The answers count."),
        There.PARTIALLY_APPROVED: Verdict(_agrees, "Did not finish; paid in part."),
        There.SCREENED_OUT: Verdict(_look, "Paid as screened out; did not finish."),
        There.REJECTED: Verdict(_look, "Rejected for not finishing.", _OVERTURN),
        There.RETURNED: Verdict(_agrees, "Did not finish and returned the place."),
        There.TIMED_OUT: Verdict(_agrees, "Did not finish; time ran out on both sides."),
    },
    Here.WITHDRAWN: {
        There.UNKNOWN: Verdict(_waits, "Stopped early; the panel has not told more.", _HEAR),
        There.RESERVED: Verdict(_waits, "Stopped early; the place there is still held."),
        There.ACTIVE: Verdict(_waits, "Stopped early; has not returned the place yet."),
        There.AWAITING_REVIEW: Verdict(
            _act, "Stopped early and entered a code.", _RETURN + " You may pay for the part done."
        ),
        There.APPROVED: Verdict(_look, "Stopped early, paid in full.", "The answers count."),
        There.PARTIALLY_APPROVED: Verdict(_agrees, "Stopped early; paid in part."),
        There.SCREENED_OUT: Verdict(_look, "Stopped early; paid as screened out."),
        There.REJECTED: Verdict(_look, "Rejected for stopping early.", _OVERTURN),
        There.RETURNED: Verdict(_agrees, "Stopped early and returned the place."),
        There.TIMED_OUT: Verdict(_agrees, "Stopped early; time ran out there."),
    },
    Here.SCREENED_OUT: {
        There.UNKNOWN: Verdict(_waits, "Practice not passed; the panel has not told more.", _HEAR),
        There.RESERVED: Verdict(_waits, "Practice not passed; the place there is still held."),
        There.ACTIVE: Verdict(_waits, "Practice not passed; has not entered the code yet."),
        There.AWAITING_REVIEW: Verdict(
            _act, "Practice not passed, entered a code.", "Pay the screen-out, or ask for a return."
        ),
        There.APPROVED: Verdict(_agrees, "Practice not passed; paid in full all the same."),
        There.PARTIALLY_APPROVED: Verdict(_agrees, "Practice not passed; paid in part."),
        There.SCREENED_OUT: Verdict(_agrees, "Practice not passed; paid as screened out."),
        There.REJECTED: Verdict(_look, "Rejected for not passing the practice.", _OVERTURN),
        There.RETURNED: Verdict(_agrees, "Practice not passed; returned."),
        There.TIMED_OUT: Verdict(_agrees, "Practice not passed; time ran out there."),
    },
    Here.FAILED_CHECKS: {
        There.UNKNOWN: Verdict(_waits, "Finished; the panel has not told more.", _HEAR),
        There.RESERVED: Verdict(_waits, "Finished; the panel still shows a held place."),
        There.ACTIVE: Verdict(_waits, "Finished; has not entered the code yet."),
        There.AWAITING_REVIEW: Verdict(
            _act, "Finished with failed attention checks.", "Decide by the pay guard below."
        ),
        There.APPROVED: Verdict(_agrees, "Paid although attention checks failed."),
        There.PARTIALLY_APPROVED: Verdict(_agrees, "Paid in part; attention checks failed."),
        There.SCREENED_OUT: Verdict(_look, "Finished here, paid as screened out there."),
        There.REJECTED: Verdict(_agrees, "Rejected; attention checks failed."),
        There.RETURNED: Verdict(_agrees, "Returned; attention checks failed."),
        There.TIMED_OUT: Verdict(_look, "Finished here after time ran out there."),
    },
    Here.COMPLETED: {
        There.UNKNOWN: Verdict(_waits, "Finished; the panel has not told more.", _HEAR),
        There.RESERVED: Verdict(_waits, "Finished; the panel still shows a held place."),
        There.ACTIVE: Verdict(
            _waits,
            "Finished; has not entered the code yet.",
            "If it stays so, send the code in a message on the panel.",
        ),
        There.AWAITING_REVIEW: Verdict(_act, "Finished on both sides.", "Approve."),
        There.APPROVED: Verdict(_agrees, "Finished and paid."),
        There.PARTIALLY_APPROVED: Verdict(
            _look, "Finished, and paid in part alone.", "Pay the rest as a bonus."
        ),
        There.SCREENED_OUT: Verdict(
            _look, "Finished, and paid as screened out.", "Pay the difference as a bonus."
        ),
        There.REJECTED: Verdict(
            _look, "Finished, and rejected.", "Unless the pay guard allowed it, take it back."
        ),
        There.RETURNED: Verdict(
            _look, "Finished, and returned unpaid.", "The answers count: offer to pay as a bonus."
        ),
        There.TIMED_OUT: Verdict(
            _look, "Finished here after time ran out there.", "Approve: the answers are complete."
        ),
    },
}
assert all(len(row) == len(There) for row in _ROWS.values())  # the table has no gaps
assert len(_ROWS) == len(Here)

SUCCESS: Final = frozenset(
    {CodeType.COMPLETED, CodeType.FOLLOW_UP_STUDY, CodeType.GIVE_BONUS, CodeType.SCREENED_IN}
)


def reconcile(here: Here, there: There, *, entered: str = "", due: str = "") -> Verdict:
    """Say what a pair of states means, and what to do.

    Args:
        here: Where the visit stands with us.
        there: What the panel says.
        entered: Kind of the code that was entered, "none" or "foreign"; empty: unknown.
        due: Kind of the code that we gave out; empty: none.
    """
    verdict = _ROWS[here][there]
    if there not in {There.AWAITING_REVIEW, There.APPROVED} or entered in {"", due}:
        return verdict
    return Verdict(
        Level.LOOK, f"{verdict.words} {_words_of_code(here, entered, due)}", verdict.todo
    )


def _words_of_code(here: Here, entered: str, due: str) -> str:
    if entered == "none":
        return "No code was entered."
    if entered == "foreign":
        return "The code entered is none of this study."
    name = CodeType(entered).label
    if entered in SUCCESS and here not in {Here.COMPLETED, Here.FAILED_CHECKS}:
        return f"The code entered is “{name}”, which we never showed."
    return (
        f"The code entered is “{name}”, ours was “{CodeType(due).label}”."
        if due
        else (f"The code entered is “{name}”; we gave none.")
    )
