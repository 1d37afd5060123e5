"""What people answered: one vote for each annotator and row, as a frozen table."""

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from engine.data.csv_text import csv_writer
from engine.errors import InvalidInput, UnknownOption

_COLUMNS = ("row", "annotator", "answer", "seconds")
_LAST_ROW = 2**63 - 1


class Answer(StrEnum):
    """What an annotator may say to: does the model look at the right thing?"""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"
    NOT_LOADED = "not_loaded"

    @classmethod
    def of(cls, text: str) -> "Answer":
        """Read an answer, refusing one that is not on the list."""
        try:
            return cls(text)
        except ValueError as error:
            raise UnknownOption.of("answer", text, [answer.value for answer in cls]) from error


class AttentionLabel(IntEnum):
    """What the answers say of an image: the model looks at its core, or at something spurious."""

    UNLABELED = -1
    SPURIOUS = 0
    CORE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One annotator's current answer for one image.

    Attributes:
        row: The image's row in the manifest.
        annotator: Who answered; any name that tells annotators apart.
        answer: What was said.
        seconds: From the picture's paint to the answer; NaN where it was not measured.

    Raises:
        InvalidInput: The row is negative, or larger than a table holds.
    """

    row: int
    annotator: str
    answer: Answer
    seconds: float = math.nan

    def __post_init__(self) -> None:
        if not 0 <= self.row <= _LAST_ROW:
            raise InvalidInput(
                f"a vote's row counts from 0, got {self.row}; give the image's row in the manifest"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoteTable:
    """Votes as columns, at most one for each annotator and row.

    Attributes:
        rows: The images' rows in the manifest.
        annotators: Who answered.
        answers: What was said.
        seconds: How long it took; NaN where it was not measured.
    """

    rows: Int[np.ndarray, " q"]
    annotators: tuple[str, ...]
    answers: tuple[Answer, ...]
    seconds: Float[np.ndarray, " q"]

    def __post_init__(self) -> None:
        lengths = (len(self.rows), len(self.annotators), len(self.answers), len(self.seconds))
        if len(set(lengths)) != 1:
            raise InvalidInput(f"a vote table's columns must be of one length, got {lengths}")
        if len(self.rows) and int(self.rows.min()) < 0:
            raise InvalidInput(f"a vote's row counts from 0, got {int(self.rows.min())}")
        seen: set[tuple[int, str]] = set()
        for row, annotator in zip(self.rows.tolist(), self.annotators, strict=True):
            if (row, annotator) in seen:
                raise InvalidInput(
                    f"annotator {annotator!r} votes twice on row {row}; keep the current vote only"
                )
            seen.add((row, annotator))

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, votes: Iterable[Vote]) -> "VoteTable":
        """Make a table of votes, in the order given.

        Args:
            votes: At most one for each annotator and row.

        Returns:
            The table.

        Raises:
            InvalidInput: An annotator votes twice on a row.
        """
        given = tuple(votes)
        return cls(
            rows=np.array([vote.row for vote in given], dtype=np.int64),
            annotators=tuple(vote.annotator for vote in given),
            answers=tuple(vote.answer for vote in given),
            seconds=np.array([vote.seconds for vote in given], dtype=np.float64),
        )

    def votes(self) -> tuple[Vote, ...]:
        """Give the table's votes, in its order."""
        return tuple(
            Vote(row=row, annotator=annotator, answer=answer, seconds=seconds)
            for row, annotator, answer, seconds in zip(
                self.rows.tolist(),
                self.annotators,
                self.answers,
                self.seconds.tolist(),
                strict=True,
            )
        )


def concatenate(tables: Sequence[VoteTable]) -> VoteTable:
    """Join the votes of several rounds.

    Args:
        tables: Earlier rounds first.

    Returns:
        All votes; where an annotator answered a row in several rounds, the last answer, in the
        place of the first.
    """
    current: dict[tuple[int, str], Vote] = {}
    for table in tables:
        for vote in table.votes():
            current[vote.row, vote.annotator] = vote
    return VoteTable.of(current.values())


def write_votes(votes: VoteTable, path: Path) -> None:
    """Write votes as CSV or Parquet, by the file's ending; whole, or not at all.

    Args:
        votes: What to write.
        path: Ends in `.csv` or `.parquet`.

    Raises:
        UnknownOption: The file ends otherwise.
    """
    content = {".csv": _to_csv, ".parquet": _to_parquet}[_ending(path)](votes)
    staging = path.with_name(f".{path.name}.staging")
    try:
        staging.write_bytes(content)
        os.replace(staging, path)  # noqa: PTH105  one call that either happens or does not
    finally:
        staging.unlink(missing_ok=True)


def read_votes(path: Path) -> VoteTable:
    """Read votes from CSV or Parquet, by the file's ending.

    Args:
        path: A table with the columns `row`, `annotator` and `answer`; `seconds` is optional. CSV
            is in UTF-8. A row may be written as pandas writes it beside a gap: `3.0`.

    Returns:
        The votes, in the file's order.

    Raises:
        InvalidInput: The file is missing, malformed or not in UTF-8; the message names the vote.
        UnknownOption: An answer, or the file's ending, is not on the list.
    """
    reader = {".csv": _from_csv, ".parquet": _from_parquet}[_ending(path)]
    if not path.is_file():
        raise InvalidInput(f"no votes at {path}; give a CSV or Parquet file")
    table = reader(path)
    missing = [name for name in _COLUMNS[:3] if name not in table]
    if missing:
        raise InvalidInput(
            f"{path.name} lacks the column {missing[0]!r}; it needs row, annotator and answer"
        )
    n = len(table["row"])
    seconds = table.get("seconds", [None] * n)
    return VoteTable.of(
        _vote(path.name, line, *values)
        for line, values in enumerate(
            zip(table["row"], table["annotator"], table["answer"], seconds, strict=True), start=1
        )
    )


def _vote(name: str, line: int, row: object, annotator: object, answer: object, t: object) -> Vote:
    """Make a vote of one line's values, naming the line where they cannot be one."""
    try:
        seconds = math.nan if t is None or t == "" else float(str(t))
        return Vote(
            row=_whole(row),
            annotator=str(annotator),
            answer=Answer.of(str(answer)),
            seconds=seconds,
        )
    except UnknownOption as error:
        raise UnknownOption(f"vote {line} of {name}: {error}") from error
    except InvalidInput as error:
        raise InvalidInput(f"vote {line} of {name}: {error}") from error
    except ValueError as error:
        raise InvalidInput(
            f"vote {line} of {name} has row {row!r} and seconds {t!r}; both must be numbers, the "
            "row a whole one"
        ) from error


def _whole(value: object) -> int:
    """Read a whole number, also one written with a point and zeros."""
    text = str(value)
    whole, _, rest = text.partition(".")
    return int(text if rest.strip().strip("0") else whole)


def _ending(path: Path) -> str:
    """Give the file's ending, refusing an unknown one."""
    if path.suffix not in {".csv", ".parquet"}:
        raise UnknownOption.of("ending of a vote file", path.suffix, (".csv", ".parquet"))
    return path.suffix


def _to_csv(votes: VoteTable) -> bytes:
    text = io.StringIO()
    writer = csv_writer(text)
    writer.writerow(_COLUMNS)
    for vote in votes.votes():
        seconds = "" if math.isnan(vote.seconds) else repr(vote.seconds)
        writer.writerow((vote.row, vote.annotator, vote.answer.value, seconds))
    return text.getvalue().encode()


def _to_parquet(votes: VoteTable) -> bytes:
    table = pa.table(
        {
            "row": pa.array(votes.rows, pa.int64()),
            "annotator": pa.array(votes.annotators, pa.string()),
            "answer": pa.array([answer.value for answer in votes.answers], pa.string()),
            "seconds": pa.array(votes.seconds, pa.float64(), from_pandas=True),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


def _from_csv(path: Path) -> dict[str, list[object]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns: dict[str, list[object]] = {name: [] for name in reader.fieldnames or ()}
            for record in reader:
                for name in columns:
                    columns[name].append(record.get(name))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(
            f"{path.name} is not a CSV file in UTF-8 ({error}); save it as UTF-8"
        ) from error
    return columns


def _from_parquet(path: Path) -> dict[str, list[object]]:
    try:
        return dict(pq.read_table(path).to_pydict())
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"{path.name} is not a Parquet file ({reason}); write it again"
        ) from error
