"""Values as cells of CSV, and back exactly."""

from collections.abc import Callable
from datetime import UTC, datetime

from annotation_site.exports.tables import Kind, Value
from engine.data.csv_text import guarded, unguarded


def _flag(value: Value) -> str:
    return "" if value is None else "true" if value else "false"


def _time(value: Value) -> str:
    if value is None:
        return ""
    assert isinstance(value, datetime)  # the kind says so
    # Not strftime, which takes three times as long; years before 1000 keep their zeros besides.
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


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
