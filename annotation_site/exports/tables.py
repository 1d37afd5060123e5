"""What a table of an export is: its columns, with their kinds and meanings, and where rows come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import IO

from annotation_site.exports.source import Source

Value = str | int | float | bool | datetime | None
Row = tuple[Value, ...]


class Kind(StrEnum):
    """What a column holds. Text is never missing; anything else may be."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column.

    Attributes:
        name: In snake case.
        kind: What it holds.
        meaning: A phrase, with the unit.
    """

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, written both as CSV and as Parquet.

    Attributes:
        name: Of the files, without their ending.
        words: What one row is, for the page and the manifest.
        columns: In order.
        count: Gives the number of rows there will be, for the progress.
        rows: Gives the rows one after the other, in the order of the columns; reads with
            `.iterator()`, so that memory stays bounded.
    """

    name: str
    words: str
    columns: tuple[Column, ...]
    count: Callable[[Source], int]
    rows: Callable[[Source], Iterator[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file in a form of its own.

    Attributes:
        name: Of the file, with its ending.
        words: What it is.
        content_type: For the download.
        count: Gives the number of records there will be.
        write: Writes the file piece by piece; yields once for each record.
    """

    name: str
    words: str
    content_type: str
    count: Callable[[Source], int]
    write: Callable[[Source, IO[str]], Iterator[None]]


def text(name: str, meaning: str) -> Column:
    """Give a column of text."""
    return Column(name=name, kind=Kind.TEXT, meaning=meaning)


def integer(name: str, meaning: str) -> Column:
    """Give a column of whole numbers."""
    return Column(name=name, kind=Kind.INTEGER, meaning=meaning)


def number(name: str, meaning: str) -> Column:
    """Give a column of numbers."""
    return Column(name=name, kind=Kind.NUMBER, meaning=meaning)


def flag(name: str, meaning: str) -> Column:
    """Give a column of true and false."""
    return Column(name=name, kind=Kind.FLAG, meaning=meaning)


def time(name: str, meaning: str) -> Column:
    """Give a column of times, in UTC."""
    return Column(name=name, kind=Kind.TIME, meaning=meaning)
