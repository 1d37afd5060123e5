"""A table as Parquet, sent while it is written. Loads pyarrow: asked for where it is needed alone."""

from collections.abc import Iterator, Sequence
from io import RawIOBase
from itertools import islice
from typing import TYPE_CHECKING

from annotation_site.exports.tables import Column, Row
from annotation_site.exports.writing import BATCH, parquet_writer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Pieces(RawIOBase):
    """A stream that keeps what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def tell(self) -> int:
        """Give how much was written."""
        return self._length

    def write(self, given: "ReadableBuffer") -> int:
        """Keep a piece."""
        piece = bytes(given)
        self._kept.append(piece)
        self._length += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        """Give what was written since the last time."""
        whole = b"".join(self._kept)
        self._kept.clear()
        return whole


def as_parquet(columns: Sequence[Column], rows: Iterator[Row]) -> Iterator[bytes]:
    """Write a table as Parquet, a few thousand rows a row group.

    Args:
        columns: Of the rows, in order.
        rows: One after the other.

    Yields:
        The file's bytes, in pieces.
    """
    pieces = _Pieces()
    with parquet_writer(columns, pieces) as write:
        while batch := list(islice(rows, BATCH)):
            write(list(zip(*batch, strict=True)))
            yield pieces.taken()
    yield pieces.taken()
