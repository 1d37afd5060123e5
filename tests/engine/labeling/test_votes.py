import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InvalidInput, UnknownOption
from engine.labeling.votes import (
    Answer,
    Vote,
    VoteTable,
    concatenate,
    read_votes,
    write_votes,
)

VOTES = (
    Vote(row=3, annotator="Ana", answer=Answer.YES, seconds=2.25),
    Vote(row=0, annotator="Ben, jr.", answer=Answer.CANNOT_TELL),
    Vote(row=3, annotator="Ben, jr.", answer=Answer.NO, seconds=0.1),
    Vote(row=7, annotator="Ana", answer=Answer.NOT_LOADED, seconds=4.0),
)


@pytest.mark.parametrize("name", ["votes.csv", "votes.parquet"])
def test_votes_come_back_as_they_were_written(tmp_path, name):
    table = VoteTable.of(VOTES)

    write_votes(table, tmp_path / name)
    found = read_votes(tmp_path / name)

    assert found.rows.tolist() == [3, 0, 3, 7]
    assert found.annotators == table.annotators
    assert found.answers == table.answers
    np.testing.assert_array_equal(found.seconds, table.seconds)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["votes.csv", "votes.parquet"])
@pytest.mark.parametrize("annotator", ["a\rb", "a\nb", "=1+1", "a,b"])
def test_a_name_of_any_letters_comes_back(tmp_path, name, annotator):
    write_votes(
        VoteTable.of([Vote(row=0, annotator=annotator, answer=Answer.YES)]), tmp_path / name
    )

    assert read_votes(tmp_path / name).annotators == (annotator,)


@pytest.mark.parametrize("name", ["votes.csv", "votes.parquet"])
def test_equal_votes_give_equal_bytes(tmp_path, name):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        write_votes(VoteTable.of(VOTES), tmp_path / folder / name)

    assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("name", ["votes.csv", "votes.parquet"])
def test_no_votes_are_a_table_too(tmp_path, name):
    write_votes(VoteTable.of([]), tmp_path / name)

    assert len(read_votes(tmp_path / name)) == 0


def test_seconds_may_be_left_out(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("row,annotator,answer\n5,Ana,yes\n")

    (vote,) = read_votes(path).votes()

    assert vote.row == 5
    assert vote.answer is Answer.YES
    assert math.isnan(vote.seconds)


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("x,Ana,yes,1", InvalidInput, "vote 1 of votes.csv has row 'x'"),
        ("1,Ana,yes,soon", InvalidInput, "seconds 'soon'"),
        ("1,Ana,yess,1", UnknownOption, "vote 1 of votes.csv: unknown answer 'yess'; did you mean"),
        ("-1,Ana,yes,1", InvalidInput, "vote 1 of votes.csv: .*counts from 0, got -1"),
        ("99999999999999999999,Ana,yes,1", InvalidInput, "vote 1 .*got 99999999999999999999; give"),
        ("3.5,Ana,yes,1", InvalidInput, "row '3.5'.*the row a whole one"),
        ("nan,Ana,yes,1", InvalidInput, "vote 1 of votes.csv has row 'nan'"),
        (".0,Ana,yes,1", InvalidInput, "vote 1 of votes.csv has row '.0'"),
        ("1e3.0,Ana,yes,1", InvalidInput, "row '1e3.0'"),
    ],
)
def test_a_line_that_is_no_vote_is_named(tmp_path, line, error, message):
    path = tmp_path / "votes.csv"
    path.write_text(f"row,annotator,answer,seconds\n{line}\n")

    with pytest.raises(error, match=message):
        read_votes(path)


@pytest.mark.parametrize("row", ["3.0", "3.", " 3.000 ", "3"])
def test_a_whole_row_may_be_written_with_a_point(tmp_path, row):
    path = tmp_path / "votes.csv"
    path.write_text(f"row,annotator,answer\n{row},Ana,yes\n")

    assert read_votes(path).rows.tolist() == [3]


def test_rows_of_a_float_column_are_read(tmp_path):
    columns = {"row": [3.0, 12.0], "annotator": ["Ana", "Ana"], "answer": ["yes", "no"]}
    pq.write_table(pa.table(columns), tmp_path / "votes.parquet")

    assert read_votes(tmp_path / "votes.parquet").rows.tolist() == [3, 12]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_named(tmp_path, encoding):
    path = tmp_path / "votes.csv"
    path.write_text("row,annotator,answer\n3,Zoë,yes\n", encoding=encoding)

    with pytest.raises(InvalidInput, match=r"votes\.csv is not a CSV file in UTF-8") as caught:
        read_votes(path)

    assert str(caught.value).endswith("save it as UTF-8")
    assert "\n" not in str(caught.value)


def test_a_missing_column_or_file_or_ending_is_named(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("row,annotator\n1,Ana\n")
    (tmp_path / "broken.parquet").write_bytes(b"not a table")

    with pytest.raises(InvalidInput, match="lacks the column 'answer'"):
        read_votes(path)
    with pytest.raises(InvalidInput, match="no votes at"):
        read_votes(tmp_path / "none.csv")
    with pytest.raises(InvalidInput, match="not a Parquet file"):
        read_votes(tmp_path / "broken.parquet")
    with pytest.raises(UnknownOption, match="ending of a vote file"):
        read_votes(tmp_path / "votes.xlsx")


def test_an_annotator_votes_once_on_a_row():
    again = Vote(row=3, annotator="Ana", answer=Answer.NO)

    with pytest.raises(InvalidInput, match="annotator 'Ana' votes twice on row 3"):
        VoteTable.of([*VOTES, again])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidInput, match="of one length"):
        VoteTable(rows=np.array([1]), annotators=(), answers=(), seconds=np.array([1.0]))


def test_a_later_round_replaces_an_earlier_answer():
    later = VoteTable.of(
        [
            Vote(row=3, annotator="Ana", answer=Answer.NO, seconds=1.0),
            Vote(row=9, annotator="Ana", answer=Answer.YES, seconds=1.0),
        ]
    )

    found = concatenate([VoteTable.of(VOTES), later])

    assert found.rows.tolist() == [3, 0, 3, 7, 9]
    assert found.answers[0] is Answer.NO
    assert len(concatenate([])) == 0
