"""Cells of CSV that no spreadsheet runs as a formula, and that can be read back exactly."""

from collections.abc import Callable
from datetime import UTC, datetime

from annotation_site.exports.tables import Kind, Value

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
"""What may begin a formula, in full width too; and the guard itself, so that guarding can be undone."""
GUARD = "'"


def guarded(value: str) -> str:
    """Put a quote before text that a spreadsheet might run as a formula."""
    return GUARD + value if value.startswith(RISKY) else value


def unguarded(cell: str) -> str:
    """Take the guard off again: `unguarded(guarded(text)) == text` for every text."""
    return cell[1:] if cell.startswith(GUARD) else cell


def _flag(value: Value) -> str:
    return "" if value is None else "true" if value else "false"


def _time(value: Value) -> str:
    if value is None:
        return ""
    assert isinstance(value, datetime)  # the kind says so
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(value: Value) -> str:
    return "" if value is None else repr(value)


def _text(value: Value) -> str:
    return guarded(str(value))


WRITERS: dict[Kind, Callable[[Value], str]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _plain,
    Kind.NUMBER: _plain,
    Kind.FLAG: _flag,
    Kind.TIME: _time,
}
READERS: dict[Kind, Callable[[str], Value]] = {
    Kind.TEXT: unguarded,
    Kind.INTEGER: lambda cell: int(cell) if cell else None,
    Kind.NUMBER: lambda cell: float(cell) if cell else None,
    Kind.FLAG: lambda cell: {"true": True, "false": False}[cell] if cell else None,
    Kind.TIME: lambda cell: datetime.fromisoformat(cell) if cell else None,
}
"""The way back, for tests and for whoever reads an export in Python."""
