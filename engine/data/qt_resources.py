"""Unpack a Qt resource file (`.rcc`) without Qt."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataUnavailable

_MAGIC = b"qres"
_COMPRESSED, _FOLDER, _ZSTD = 1, 2, 4  # flags of a tree entry
_DEEPEST = 64  # a resource tree that goes deeper is not a tree


@dataclass(frozen=True, slots=True)
class _Archive:
    """The parts of a resource file; offsets count bytes from its start."""

    content: bytes
    tree: int
    data: int
    names: int
    entry_size: int

    def numbers(self, layout: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(layout, self.content, offset)

    def name(self, offset: int) -> str:
        start = self.names + offset
        (length,) = self.numbers(">H", start)
        return self.content[start + 6 : start + 6 + 2 * length].decode("utf-16-be")

    def payload(self, offset: int, flags: int) -> bytes:
        start = self.data + offset
        (length,) = self.numbers(">I", start)
        stored = self.content[start + 4 : start + 4 + length]
        # a compressed file starts with its size in 4 bytes
        return zlib.decompress(stored[4:]) if flags & _COMPRESSED else stored

    def files(
        self, index: int = 0, folder: str = "", depth: int = 0
    ) -> Iterator[tuple[str, bytes]]:
        """Walk the tree: 14 bytes an entry (22 from version 2 on), the root first."""
        if depth > _DEEPEST:
            raise ValueError("folders in a circle")
        entry = self.tree + index * self.entry_size
        name_offset, flags = self.numbers(">IH", entry)
        path = f"{folder}/{self.name(name_offset)}" if index else ""
        if flags & _FOLDER:
            count, first = self.numbers(">II", entry + 6)
            for child in range(first, first + count):
                yield from self.files(child, path, depth + 1)
        elif not flags & _ZSTD:
            (offset,) = self.numbers(">I", entry + 10)
            yield path.lstrip("/"), self.payload(offset, flags)


def unpack_resources(path: Path, folder: Path) -> int:
    """Unpack a Qt resource file, as `rcc --reverse` followed by a copy of its files would.

    Files packed with zstd are left out: the standard library of Python 3.11 cannot read them.

    Args:
        path: A `.rcc` file.
        folder: Where its tree goes; made where missing.

    Returns:
        How many files were written.

    Raises:
        DataUnavailable: The file is missing, not a resource file, broken, or names a path outside.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataUnavailable(f"no resource file at {path}; fetch its package again") from error
    if content[:4] != _MAGIC:
        raise DataUnavailable(f"{path.name} is not a Qt resource file; fetch its package again")
    inside = folder.resolve()
    written = 0
    try:
        version, tree, data, names = struct.unpack_from(">4I", content, 4)
        archive = _Archive(content, tree, data, names, 14 if version < 2 else 22)
        for name, payload in archive.files():
            target = (inside / name).resolve()
            if not target.is_relative_to(inside):
                raise DataUnavailable(
                    f"{path.name} holds a path outside its folder, {name!r}; do not use it"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(payload)
            written += 1
    except (struct.error, zlib.error, UnicodeDecodeError, ValueError) as error:
        raise DataUnavailable(
            f"{path.name} is a broken resource file ({error}); fetch its package again"
        ) from error
    return written
