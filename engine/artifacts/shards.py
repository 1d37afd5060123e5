"""Arrays written part by part into an artifact's folder, so that what is done survives a kill.

Every array is one .npy file that has its full length from the first part on. A line in the journal
says that a part is on the disk; a part without its line is made again. When the last part is
there, the folder holds what `engine.artifacts.codecs.save` would have written, to the byte.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifacts import codecs
from engine.errors import InvalidInput

_JOURNAL = ".journal.jsonl"


class ShardedArrays:
    """The arrays of one artifact on their way to the disk."""

    def __init__(
        self, folder: Path, n_rows: int, shard_rows: int, settings: Mapping[str, Any]
    ) -> None:
        """Take up what an earlier process left in the folder, or begin.

        Args:
            folder: Where the arrays go. What lies there of another number or size of parts, or
                made with other settings, is removed.
            n_rows: Rows of every array.
            shard_rows: Rows of every part but the last, at least 1.
            settings: JSON values that all parts must share, beside those in the artifact's key.
        """
        self.folder = folder
        self.n_rows = n_rows
        self.shard_rows = shard_rows
        self._journal = folder / _JOURNAL
        self._done = self._take_up({"rows": n_rows, "shard_rows": shard_rows, **settings})

    @property
    def n_shards(self) -> int:
        """Number of parts."""
        return -(-self.n_rows // self.shard_rows)

    @property
    def missing(self) -> tuple[int, ...]:
        """The parts that are not on the disk yet, in order."""
        return tuple(number for number in range(self.n_shards) if number not in self._done)

    def _take_up(self, head: Mapping[str, Any]) -> set[int]:
        content = self._journal.read_bytes() if self._journal.is_file() else b""
        # behind the last newline stands nothing, or a line that was being written
        whole = content[: content.rfind(b"\n") + 1]
        try:
            known = [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            known = []
        if known and known[0] == head:
            os.truncate(self._journal, len(whole))
            return {entry["done"] for entry in known[1:]}
        for path in self.folder.iterdir():
            path.unlink()
        self._note(head)
        return set()

    def _note(self, entry: Mapping[str, Any]) -> None:
        with self._journal.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def write(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write one part.

        Args:
            number: Which; parts may come in any order.
            arrays: Its rows, by the names of the artifact's fields; the same names and shapes, but
                for the number of rows, in every part.

        Raises:
            InvalidInput: A part has another number of rows, or is unlike the others.
            OSError: The disk is full.
        """
        start = number * self.shard_rows
        expected = min(self.shard_rows, self.n_rows - start)
        for name, values in arrays.items():
            if len(values) != expected:
                raise InvalidInput(
                    f"part {number} of {name} must have {expected} rows, got {len(values)}"
                )
            self._write_rows(name, start, np.ascontiguousarray(values))
        self._note({"done": number})
        self._done.add(number)

    def _write_rows(self, name: str, start: int, values: np.ndarray) -> None:
        header = codecs.array_header((self.n_rows, *values.shape[1:]), values.dtype)
        row_bytes = values.nbytes // len(values)
        path = self.folder / f"{name}.npy"
        if not path.is_file():
            _reserve(path, header, self.n_rows * row_bytes)
        with path.open("r+b") as file:
            if file.read(len(header)) != header:
                raise InvalidInput(
                    f"a part of {name} has the shape {values.shape} and type {values.dtype}, "
                    "unlike the parts before it"
                )
            file.seek(start * row_bytes, os.SEEK_CUR)
            file.write(values.tobytes())
            file.flush()
            os.fsync(file.fileno())

    def finish(self, whole: Mapping[str, np.ndarray]) -> None:
        """Write what is not made in parts: the folder then holds what `codecs.save` leaves.

        The journal stays; the store leaves it out of the artifact.

        Args:
            whole: Further arrays of the artifact.

        Raises:
            InvalidInput: A part is missing.
        """
        if self.missing:
            raise InvalidInput(f"{len(self.missing)} of {self.n_shards} parts are missing")
        for name, values in whole.items():
            codecs.save_array(values, self.folder / f"{name}.npy")
        codecs.save_fields({}, self.folder)


def _reserve(path: Path, header: bytes, n_bytes: int) -> None:
    """Make a file of its full length, all of it on the disk: later parts cannot run out of space."""
    begun = path.with_suffix(".begun")
    with begun.open("wb") as file:
        file.write(header)
        file.flush()
        if n_bytes:
            os.posix_fallocate(file.fileno(), len(header), n_bytes)
    begun.replace(path)
