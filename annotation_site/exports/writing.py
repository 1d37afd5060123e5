"""Writing a table's rows as CSV and Parquet at once, a few thousand at a time."""

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from io import RawIOBase
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from annotation_site.exports.csv_cells import WRITERS
from annotation_site.exports.source import Source
from annotation_site.exports.tables import Column, Document, Kind, Table, Value
from engine.data.csv_text import csv_writer

BATCH = 2_000
"""Rows held in memory; also a row group of the Parquet file."""
TYPES = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
}
Report = Callable[[int], None]
"""Is told how many rows were written."""
Columns = Sequence[tuple[Value, ...]]
"""A batch of rows, column by column."""


class _NoPandas(MetaPathFinder):
    """Says of pandas that it is not there."""

    def find_spec(self, fullname: str, *_more: object) -> None:
        """Refuse pandas, leave all else to the finders after this one."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname, name=fullname)


def _do_without_pandas() -> None:
    """Let pyarrow find out that there is no pandas: it would load it for its first array, 70 MB."""
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


def write_table(table: Table, source: Source, folder: Path, report: Report) -> int:
    """Write `<name>.csv` and `<name>.parquet`; give the number of rows.

    Args:
        table: What to write.
        source: What it reads.
        folder: Existing; the files appear in it and are flushed to disk.
        report: Told after every batch how many rows are written.
    """
    rows = table.rows(source)
    n_rows = 0
    with (
        _csv(table, folder / f"{table.name}.csv") as to_csv,
        parquet_writer(table.columns, folder / f"{table.name}.parquet") as to_parquet,
    ):
        while batch := list(islice(rows, BATCH)):
            columns = list(zip(*batch, strict=True))
            to_csv(columns)
            to_parquet(columns)
            n_rows += len(batch)
            report(n_rows)
    for ending in ("csv", "parquet"):
        flush(folder / f"{table.name}.{ending}")
    return n_rows


def write_document(document: Document, source: Source, folder: Path, report: Report) -> int:
    """Write a file in a form of its own; give the number of records."""
    path = folder / document.name
    n_records = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for _ in document.write(source, file):
            n_records += 1
            if n_records % BATCH == 0:
                report(n_records)
    flush(path)
    return n_records


@contextlib.contextmanager
def _csv(table: Table, path: Path) -> Iterator[Callable[[Columns], None]]:
    writers = [WRITERS[column.kind] for column in table.columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv_writer(file)
        writer.writerow([column.name for column in table.columns])

        def write(columns: Columns) -> None:
            cells = [map(write, values) for write, values in zip(writers, columns, strict=True)]
            writer.writerows(zip(*cells, strict=True))

        yield write


@contextlib.contextmanager
def parquet_writer(
    columns: Sequence[Column], where: Path | RawIOBase
) -> Iterator[Callable[[Columns], None]]:
    """Give a function that writes rows as a row group each; the file is whole when this ends.

    Args:
        columns: Of the rows, in order; their meanings stand in the file. The function takes the
            rows' values column by column.
        where: A file's place, or a stream that can be written to.
    """
    _do_without_pandas()
    schema = pa.schema(
        [
            pa.field(
                column.name,
                TYPES[column.kind],
                nullable=column.kind != Kind.TEXT,
                metadata={"meaning": column.meaning},
            )
            for column in columns
        ]
    )
    with pq.ParquetWriter(where, schema, compression="zstd") as writer:

        def write(batch: Columns) -> None:
            arrays = [
                pa.array(values, type=field.type)
                for values, field in zip(batch, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))

        yield write


def flush(path: Path) -> None:
    """Have the disk hold what was written."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Give a file's digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
