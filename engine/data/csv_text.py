"""The one way in which CSV is written: cells stay whole, and none runs as a formula."""

import csv
from io import TextIOBase
from typing import Any

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
"""What may begin a formula, in full width too; and the guard itself, so that guarding can be undone."""
GUARD = "'"


def csv_writer(file: TextIOBase) -> Any:  # the type's name cannot be had from the library
    r"""Give a writer of rows as RFC 4180 has them.

    Before Python 3.13 a cell with a lone `\r` or `\n` is quoted only where the line end has that
    letter; unquoted it would end the row. So lines end with both.

    Args:
        file: Takes text as it stands: opened with `newline=""`.
    """
    return csv.writer(file, lineterminator="\r\n")  # noqa: TID251  the one place


def guarded(value: str) -> str:
    """Put a quote before text that a spreadsheet might run as a formula.

    For tables that people open. What a program of ours reads back, such as a manifest's paths, is
    written as it stands.
    """
    return GUARD + value if value.startswith(RISKY) else value


def unguarded(cell: str) -> str:
    """Take the guard off again: `unguarded(guarded(text)) == text` for every text."""
    return cell[1:] if cell.startswith(GUARD) else cell
