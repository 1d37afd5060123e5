"""CSV whose cells stay whole, and of which nothing is run."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.csv_text import csv_writer, guarded, unguarded

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NASTY = st.one_of(
    TEXT,
    st.builds(str.__add__, st.sampled_from([*"=+-@'\"\t\r\n,;|", "＝", "＋"]), TEXT),  # noqa: RUF001
)


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', "＝1"],  # noqa: RUF001
)
def test_a_formula_is_made_text(formula):
    cell = guarded(formula)

    assert cell[0] == "'"
    assert unguarded(cell) == formula


@pytest.mark.parametrize("plain", ["", "yes", "picture_001.jpg", "3-4", "a=b", " =1", "{}"])
def test_plain_text_is_left_alone(plain):
    assert guarded(plain) == plain


@given(NASTY)
def test_guarding_can_be_undone_and_leaves_no_formula(value):
    assert unguarded(guarded(value)) == value
    assert not guarded(value).startswith((*"=+-@\t\r\n", "＝", "＋", "－", "＠"))  # noqa: RUF001


def written(rows):
    text = io.StringIO(newline="")
    csv_writer(text).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("cell", ["a\rb", "a\nb", "a\r\nb", "\r", 'a"b', "a,b"])
def test_a_cell_stays_one_cell(cell):
    assert list(csv.reader(io.StringIO(written([[cell, "next"]]), newline=""))) == [[cell, "next"]]


@given(st.lists(st.lists(NASTY, min_size=2, max_size=2)))
def test_rows_are_read_back(rows):
    assert list(csv.reader(io.StringIO(written(rows), newline=""))) == rows


def test_lines_end_as_the_standard_has_them():
    assert written([["a", 1], ["b", None]]) == "a,1\r\nb,\r\n"
