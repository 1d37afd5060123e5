"""Reading the file that a panel offers of a study's submissions.

Only ids, times, status and code are read; what it tells of people's age, country or sex is not.
"""

import csv
import io
from typing import Final

from annotation_site.panels.errors import PanelRefused
from annotation_site.panels.models import PanelStudy
from annotation_site.panels.panels import HEX_ID, PLAIN_ID, SUBMISSION_ID
from annotation_site.panels.prolific import Submission, read_status, read_time

MOST_BYTES: Final = 8_000_000
MOST_ROWS: Final = 50_000
SHOWN: Final = 3
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "submission": ("submission id", "submission_id", "session_id", "assignmentid", "assignment id"),
    "person": ("participant id", "participant_id", "prolific_pid", "workerid", "worker id"),
    "status": ("status", "assignmentstatus"),
    "entered": ("completion code", "entered_code", "completion_code", "answer.surveycode"),
    "started": ("started at", "started_at", "accepttime"),
    "completed": ("completed at", "completed_at", "submittime"),
}
"""What each column is called by Prolific, by its API and by MTurk; the first found is read."""
MTURK_WORDS: Final = {"submitted": "awaiting_review"}


def read_submissions(study: PanelStudy, content: bytes) -> list[Submission]:
    """Read a panel's file.

    Args:
        study: Whose submissions it should hold.
        content: The file, CSV in UTF-8.

    Returns:
        Its rows, all of them well formed.

    Raises:
        PanelRefused: It is too large, lacks a column, or has a row that cannot be right; says
            which, and nothing is taken over.
    """
    if len(content) > MOST_BYTES:
        raise PanelRefused(f"The file has {len(content):,} bytes; {MOST_BYTES:,} are read at most.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PanelRefused("The file is no text in UTF-8; export it again as CSV.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Submission] = []
    faults: list[str] = []
    try:
        places = _places(next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) >= MOST_ROWS:
                raise PanelRefused(f"The file has more than {MOST_ROWS:,} rows.")
            cell = {
                name: cells[place].strip() if place < len(cells) else ""
                for name, place in places.items()
            }
            fault = _fault(study, cell)
            if fault:
                faults.append(f"line {reader.line_num}: {fault}")
            else:
                rows.append(_row(cell))
    except csv.Error as error:
        raise PanelRefused(f"Line {reader.line_num} is no CSV: {error}.") from error
    if faults:
        more = f", and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise PanelRefused(f"Nothing was taken over: {'; '.join(faults[:SHOWN])}{more}.")
    if not rows:
        raise PanelRefused("The file has no submissions.")
    return rows


def _places(head: list[str]) -> dict[str, int]:
    """Find the columns by their names.

    Raises:
        PanelRefused: One that is needed is missing.
    """
    names = [name.strip().casefold() for name in head]
    found = {
        wanted: next((names.index(name) for name in called if name in names), -1)
        for wanted, called in COLUMNS.items()
    }
    missing = [COLUMNS[wanted][0] for wanted in ("submission", "status") if found[wanted] < 0]
    if missing:
        raise PanelRefused(
            f"The file has no column “{missing[0]}”. On Prolific it is the study's "
            "“Download demographic data”."
        )
    return {wanted: place for wanted, place in found.items() if place >= 0}


def _fault(study: PanelStudy, cell: dict[str, str]) -> str:
    forms = (SUBMISSION_ID, HEX_ID) if study.is_prolific else (PLAIN_ID, PLAIN_ID)
    if not forms[0].fullmatch(cell["submission"]):
        return f"“{cell['submission'][:30]}” is no submission id"
    if cell.get("person") and not forms[1].fullmatch(cell["person"]):
        return f"“{cell['person'][:30]}” is no id of a person"
    return ""


def _row(cell: dict[str, str]) -> Submission:
    status = cell["status"].casefold()
    return Submission(
        submission=cell["submission"],
        person=cell.get("person", ""),
        status=read_status(MTURK_WORDS.get(status, status)),
        entered=cell.get("entered"),
        started_at=read_time(cell.get("started")),
        completed_at=read_time(cell.get("completed")),
    )
