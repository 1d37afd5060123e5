"""Open every file of a data set once, in threads: is it there, inside the root, whole?"""

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from PIL import Image

from engine.data.pictures import DECODING_ERRORS, describe, refuse_huge, to_eight_bits
from engine.errors import ManifestError
from engine.progress import Progress, ignore_progress

MIN_SIDE = 2
"""A picture of one pixel has no place to look at."""

_CHUNK = 512  # futures in flight; a million of them at once would fill the memory


class Fault(StrEnum):
    """What may be wrong with one file."""

    OUTSIDE = "outside the root"
    MISSING = "missing"
    BROKEN = "cannot be decoded"
    TINY = "smaller than two pixels a side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one file is.

    Attributes:
        width: In pixels, as stored (before any EXIF turn); 0 where the file has a fault.
        height: Likewise.
        sha256: Hex digest of the file's bytes; empty where the file has a fault.
        fault: None for a good file.
        detail: The fault's particulars for a person, e.g. `truncated`.
    """

    width: int = 0
    height: int = 0
    sha256: str = ""
    fault: Fault | None = None
    detail: str = ""


def inspect_files(
    root: Path, paths: Sequence[str], *, on_progress: Progress = ignore_progress
) -> tuple[Inspection, ...]:
    """Look at every picture below a root and decode it fully.

    Args:
        root: The folder that all paths must stay in, also after following symbolic links.
        paths: POSIX paths relative to the root.
        on_progress: Called with (files done, files in all).

    Returns:
        One inspection a path, in the order of the paths.
    """
    resolved = os.path.realpath(root).rstrip("/")
    folders: dict[str, str] = {}
    found: list[Inspection] = []
    workers = ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 2))
    try:
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            found.extend(workers.map(partial(_inspect, resolved, folders), chunk))
            on_progress(len(found), len(paths))
    finally:
        workers.shutdown(cancel_futures=True)
    return tuple(found)


def is_contained(path: str) -> bool:
    """Tell whether a path as written stays below the folder it is relative to.

    Args:
        path: A POSIX path.

    Returns:
        False for absolute paths, paths with `..`, and paths with a NUL.
    """
    return bool(path) and path[0] != "/" and ".." not in path.split("/") and "\0" not in path


def _inspect(root: str, folders: dict[str, str], path: str) -> Inspection:
    if not is_contained(path):
        return Inspection(fault=Fault.OUTSIDE, detail="absolute, or climbs out with ..")
    folder, _, name = path.rpartition("/")
    if folder not in folders:  # following links is slow, and most files share a few folders
        folders[folder] = os.path.realpath(f"{root}/{folder}")
    target = f"{folders[folder]}/{name}"
    if Path(target).is_symlink():
        target = os.path.realpath(target)
    if not target.startswith(f"{root}/"):
        return Inspection(fault=Fault.OUTSIDE, detail="a symbolic link leads out")
    try:
        content = Path(target).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Inspection(fault=Fault.MISSING, detail="no such file")
    except OSError as error:
        return Inspection(fault=Fault.BROKEN, detail=error.strerror or type(error).__name__)
    return _decode(content)


def _decode(content: bytes) -> Inspection:
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            refuse_huge(image)
            if min(width, height) < MIN_SIDE:
                return Inspection(fault=Fault.TINY, detail=f"{width}x{height} pixels")
            image.draft("RGB", (64, 64))  # JPEG: reads all of the file, skips most arithmetic
            image.load()
            to_eight_bits(image, image.format)
    except ManifestError as error:
        return Inspection(fault=Fault.BROKEN, detail=str(error))
    except DECODING_ERRORS as error:
        return Inspection(fault=Fault.BROKEN, detail=describe(error))
    return Inspection(width=width, height=height, sha256=hashlib.sha256(content).hexdigest())
