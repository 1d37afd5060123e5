"""Rows of text from CSV and Parquet, and back: the form a manifest has on disk."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.csv_text import csv_writer
from engine.data.staging import staged_file
from engine.errors import ManifestError

SUFFIXES = (".csv", ".parquet")

Row = dict[str, str]


def read_table(path: Path, *, required: Sequence[str], optional: Sequence[str]) -> list[Row]:
    """Read the known columns of a table as text.

    Args:
        path: A `.csv` (UTF-8, with a header) or `.parquet` file.
        required: Columns that must be there.
        optional: Columns read where they are there; all others are ignored.

    Returns:
        One dictionary a row with every known column; empty text where a value or a column is
        missing.

    Raises:
        ManifestError: The file is missing, empty, of another kind, not readable, or lacks a column.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ManifestError(f"a manifest ends in .csv or .parquet, got {path.name}; convert it")
    if not path.is_file():
        raise ManifestError(f"no manifest at {path}; correct the path or build the data set first")
    known = [*required, *optional]
    read = _read_csv if path.suffix.lower() == ".csv" else _read_parquet
    columns, rows = read(path, known)
    missing = [name for name in required if name not in columns]
    if missing:
        raise ManifestError(
            f"{path.name} has no column {', '.join(missing)}; it has {', '.join(columns)}; "
            f"required are {', '.join(required)}"
        )
    if not rows:
        raise ManifestError(f"{path.name} has a header but no rows; give one row an image")
    return rows


def _read_csv(path: Path, known: Sequence[str]) -> tuple[list[str], list[Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            where = {name: header.index(name) for name in known if name in header}
            rows: list[Row] = []
            for cells in reader:
                if not cells:  # a blank line
                    continue
                if len(cells) != len(header):
                    raise ManifestError(
                        f"{path.name}: row {len(rows)} (line {reader.line_num}) has {len(cells)} "
                        f"fields where the header has {len(header)}; quote fields with commas"
                    )
                rows.append({n: cells[where[n]].strip() if n in where else "" for n in known})
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(
            f"{path.name} is not a CSV file in UTF-8 ({error}); save it again as one"
        ) from error
    return header, rows


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not any(header):
        raise ManifestError(
            f"{path.name} is empty; the first line names the columns, e.g. path,label,split"
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ManifestError(
            f"{path.name} has the column {', '.join(twice)} more than once; keep one of each name"
        )


def _read_parquet(path: Path, known: Sequence[str]) -> tuple[list[str], list[Row]]:
    try:
        columns = pq.read_schema(path).names
        there = [name for name in known if name in columns]
        table = pq.ParquetFile(path).read(columns=there)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ManifestError(
            f"{path.name} cannot be read as Parquet ({reason}); write it again"
        ) from error
    values = {name: [_as_text(v) for v in table.column(name).to_pylist()] for name in there}
    blank = [""] * table.num_rows
    series = [values.get(name, blank) for name in known]
    return list(columns), [dict(zip(known, row, strict=True)) for row in zip(*series, strict=True)]


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):  # as pandas writes a missing number
            return ""
        if value.is_integer():
            return str(int(value))
    return str(value).strip()


def write_table(
    path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str | int | None]]
) -> None:
    """Write a table atomically: the file is whole, or as it was before.

    Args:
        path: A `.csv` or `.parquet` file.
        columns: The columns in order.
        rows: One mapping a row; None is an empty cell.

    Raises:
        ManifestError: The path has another suffix.
        OutOfSpace: The disk is full.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ManifestError(f"a manifest ends in .csv or .parquet, got {path.name}; rename it")
    with staged_file(path) as staging:
        if path.suffix.lower() == ".parquet":
            columns_of = {name: [row[name] for row in rows] for name in columns}
            pq.write_table(pa.table(columns_of), staging)
            return
        with staging.open("w", encoding="utf-8", newline="") as file:
            writer = csv_writer(file)
            writer.writerow(columns)
            writer.writerows(["" if row[n] is None else row[n] for n in columns] for row in rows)
