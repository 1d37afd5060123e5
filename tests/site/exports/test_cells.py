"""CSV that no spreadsheet runs, and that comes back as it was; Parquet as well."""

import csv
import io
import string
from datetime import UTC, datetime
from typing import cast

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation_site.exports.csv_cells import READERS, WRITERS
from annotation_site.exports.source import Source
from annotation_site.exports.tables import Column, Kind, Table
from annotation_site.exports.writing import BATCH, write_table

NOWHERE = cast("Source", None)
"""For tables that read nothing."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NASTY = st.one_of(
    TEXT,
    st.builds(str.__add__, st.sampled_from([*"=+-@'\"\t\r\n,;|", "＝", "＋"]), TEXT),  # noqa: RUF001
)
VALUES = {
    Kind.TEXT: NASTY,
    Kind.INTEGER: st.none() | st.integers(-(2**63), 2**63 - 1),
    Kind.NUMBER: st.none() | st.floats(allow_nan=False),
    Kind.FLAG: st.none() | st.booleans(),
    Kind.TIME: st.none()
    | st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001  (naive as hypothesis wants it)
        max_value=datetime(2262, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
}
COLUMNS = tuple(Column(name=kind.value, kind=kind, meaning="") for kind in Kind)
ROWS = st.lists(st.tuples(*(VALUES[kind] for kind in Kind)), max_size=8)


def test_numbers_may_be_negative_for_no_spreadsheet_runs_them():
    assert WRITERS[Kind.NUMBER](-1.5) == "-1.5"
    assert WRITERS[Kind.INTEGER](-3) == "-3"


@settings(max_examples=40)
@given(ROWS)
def test_what_is_written_is_read_back(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("cells")
    table = Table(
        name="t", words="", columns=COLUMNS, count=lambda _: len(rows), rows=lambda _: iter(rows)
    )

    n_rows = write_table(table, NOWHERE, folder, lambda _: None)

    assert n_rows == len(rows)
    text = (folder / "t.csv").read_bytes().decode("utf-8")
    names, *lines = csv.reader(io.StringIO(text, newline=""))
    assert names == [column.name for column in COLUMNS]
    assert [
        tuple(READERS[column.kind](cell) for column, cell in zip(COLUMNS, line, strict=True))
        for line in lines
    ] == rows
    assert [
        tuple(each.values()) for each in pq.read_table(folder / "t.parquet").to_pylist()
    ] == rows


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "\0"])
def test_a_cell_stays_one_cell(tmp_path, text):
    table = Table(
        name="t", words="", columns=COLUMNS[:1], count=lambda _: 1, rows=lambda _: iter([(text,)])
    )

    write_table(table, NOWHERE, tmp_path, lambda _: None)

    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["text"], [text]]


def test_a_batch_boundary_loses_nothing(tmp_path):
    rows = [(letter * n,) for n in range(1, 200) for letter in string.ascii_lowercase * 2]
    table = Table(
        name="t",
        words="",
        columns=COLUMNS[:1],
        count=lambda _: len(rows),
        rows=lambda _: iter(rows),
    )
    told: list[int] = []

    assert write_table(table, NOWHERE, tmp_path, told.append) == len(rows)

    assert told == [*range(BATCH, len(rows), BATCH), len(rows)]
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == len(told)
    assert len((tmp_path / "t.csv").read_text().splitlines()) == len(rows) + 1
