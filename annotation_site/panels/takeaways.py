"""What a lead takes to the panel: the table of everything, and lists that are pasted there.

These hold raw ids, so only a lead gets them, and only while the ids are kept. Cells that a
spreadsheet would take for a formula are written as text.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from annotation_site.panels.models import PanelStudy
from annotation_site.panels.pay import Action
from annotation_site.panels.submissions import Overview, Row
from engine.data.csv_text import csv_writer, guarded

SHARED_COLUMNS: Final = (
    "participant", "submission", "study", "annotator", "here", "code_kind", "panel_status",
    "code_entered", "arrived_at", "consented_at", "completed_at", "panel_started_at",
    "panel_completed_at", "assigned", "answered", "failed_attention_checks",
    "total_seconds", "median_active_seconds", "entry_verified", "is_test", "remarks", "meaning",
    "suggested_action", "allowed_actions", "rejection_category", "evidence",
)  # fmt: skip
"""Columns of the table, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeaway:
    """A file for the panel.

    Attributes:
        label: What it is called on the page.
        help: What it is for.
        name: Ending of its file name.
        write: Gives its lines.
        count: How many submissions it holds.
    """

    label: str
    help: str
    name: str
    write: Callable[[PanelStudy, Overview], Iterator[str]]
    count: Callable[[Overview], int]


def safe(value: object) -> str:
    """Write a cell so that no spreadsheet runs it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else guarded(str(value))


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Write a table line by line, quoted where needed and safe to open."""
    for row in rows:
        buffer = io.StringIO()
        csv_writer(buffer).writerow([safe(cell) for cell in row])
        yield buffer.getvalue()


def facts_of(study: PanelStudy, row: Row) -> dict[str, object]:
    """Give one line of the table, by column."""
    visit, sitting = row.visit, row.visit.sitting
    return {
        "participant": row.person,
        "submission": row.submission,
        "study": study.external_id,
        "annotator": row.pseudonym,
        "here": row.here.words,
        "code_kind": row.due,
        "panel_status": visit.remote_status,
        "code_entered": row.visit.entered,
        "arrived_at": visit.arrived_at,
        "consented_at": sitting.consented_at if sitting else None,
        "completed_at": sitting.completed_at if sitting else None,
        "panel_started_at": visit.remote_started_at,
        "panel_completed_at": visit.remote_completed_at,
        "assigned": row.assigned,
        "answered": row.answered,
        "failed_attention_checks": row.failed_checks,
        "total_seconds": row.seconds,
        "median_active_seconds": row.median_seconds,
        "entry_verified": visit.verified,
        "is_test": visit.is_test,
        "remarks": "; ".join(row.remarks),
        "meaning": row.verdict.words,
        "suggested_action": row.advice.suggested,
        "allowed_actions": " ".join(row.advice.allowed),
        "rejection_category": row.advice.ground,
        "evidence": row.advice.because,
    }


def _with(overview: Overview, wanted: Callable[[Row], bool]) -> list[Row]:
    """Give the counted rows that have an id to paste and fulfil a condition."""
    return [row for row in overview.counted if row.submission and wanted(row)]


def _to_approve(row: Row) -> bool:
    return row.advice.suggested == Action.APPROVE


def _to_return(row: Row) -> bool:
    return row.advice.suggested == Action.REQUEST_RETURN


def _may_reject(row: Row) -> bool:
    return row.may_reject


def _took_part(row: Row) -> bool:
    return bool(row.visit.sitting_id) and bool(row.person)


def _table(study: PanelStudy, overview: Overview) -> Iterator[str]:
    rows = (
        [facts[name] for name in SHARED_COLUMNS]
        for facts in (facts_of(study, row) for row in overview.rows)
    )
    return csv_lines(chain([SHARED_COLUMNS], rows))


def _ids(wanted: Callable[[Row], bool]) -> Callable[[PanelStudy, Overview], Iterator[str]]:
    return lambda _study, overview: (f"{row.submission}\n" for row in _with(overview, wanted))


def _pay(study: PanelStudy, overview: Overview) -> Iterator[str]:
    """Write who is owed the reward as a bonus, without a head, as the panel's form takes it.

    Those are people who finished here and returned or were screened out there.
    """
    amount = f"{study.reward / 100:.2f}"
    return csv_lines((row.person, amount) for row in _with(overview, _owed) if row.person)


def _owed(row: Row) -> bool:
    return row.here == "completed" and row.visit.remote_status in {"returned", "screened_out"}


def _people(_study: PanelStudy, overview: Overview) -> Iterator[str]:
    people = dict.fromkeys(row.person for row in overview.counted if _took_part(row))
    return (f"{person}\n" for person in people)


def _rejections(_study: PanelStudy, overview: Overview) -> Iterator[str]:
    rows = (
        [row.submission, row.advice.ground, row.advice.message, row.advice.because]
        for row in _with(overview, _may_reject)
    )
    return csv_lines(chain([("submission_id", "category", "message", "evidence")], rows))


def _counting(wanted: Callable[[Row], bool]) -> Callable[[Overview], int]:
    return lambda overview: len(_with(overview, wanted))


TAKEAWAYS: Final[Mapping[str, Takeaway]] = {
    "prolific": Takeaway(
        label="Everything, one line each",
        help="Both sides, times, checks, evidence and what is allowed.",
        name="submissions.csv",
        write=_table,
        count=lambda overview: len(overview.rows),
    ),
    "approve": Takeaway(
        label="To approve",
        help="Submission ids, one a line, for the panel's bulk approval.",
        name="approve.txt",
        write=_ids(_to_approve),
        count=_counting(_to_approve),
    ),
    "return": Takeaway(
        label="To ask for a return",
        help="Submission ids, one a line.",
        name="return.txt",
        write=_ids(_to_return),
        count=_counting(_to_return),
    ),
    "pay": Takeaway(
        label="To pay as a bonus",
        help="Person and amount: finished here, but returned or screened out there.",
        name="bonus.csv",
        write=_pay,
        count=_counting(_owed),
    ),
    "reject": Takeaway(
        label="Rejections the policy allows",
        help="With category, evidence and a draft of the message. Read each before you send it.",
        name="rejections.csv",
        write=_rejections,
        count=_counting(_may_reject),
    ),
    "took_part": Takeaway(
        label="Took part",
        help="Ids of people, to keep them out of a later study.",
        name="took_part.txt",
        write=_people,
        count=_counting(_took_part),
    ),
}
