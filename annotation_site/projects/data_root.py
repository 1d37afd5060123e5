"""The folder below which a lead may pick files, and nothing outside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath, PureWindowsPath

from django.conf import settings

from annotation_site.web.refusals import Refused

MANIFEST_ENDINGS = (".csv", ".parquet")
WEIGHT_ENDINGS = (".safetensors", ".pt", ".pth")
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MOST_ENTRIES = 500


class Wanted(StrEnum):
    """What is being picked."""

    MANIFEST = "manifest"
    WEIGHTS = "weights"
    PICTURES = "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a folder's listing."""

    name: str
    path: str
    is_folder: bool
    note: str
    can_pick: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A folder below the data root, as the picker shows it."""

    path: str
    parents: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]
    n_hidden: int
    can_pick: bool
    note: str


def contained(path: str) -> Path:
    """Give a path below the data root.

    Args:
        path: relative to the data root, with forward slashes; "" is the root itself.

    Returns:
        The absolute path, links followed, which exists.

    Raises:
        Refused: absolute, climbing out, through a link that leads out, or absent.
    """
    root = settings.DATA_ROOT.resolve()
    pure = PurePosixPath(path)
    if (
        "\0" in path
        or "\\" in path
        or pure.is_absolute()
        or PureWindowsPath(path).drive
        or ".." in pure.parts
    ):
        raise Refused(f"{path!r} is not a path below the data root. Pick one from the list.")
    found = (root / pure).resolve()
    if found != root and root not in found.parents:
        raise Refused(f"{path!r} leads out of the data root through a link. Copy the data into it.")
    if not found.exists():
        raise Refused(f"There is no {path!r} below the data root. Pick one from the list.")
    return found


def contained_file(path: str, endings: tuple[str, ...]) -> Path:
    """Give a file below the data root with one of the given endings.

    Raises:
        Refused: see `contained`; or not a file of this kind.
    """
    found = contained(path)
    if not found.is_file() or found.suffix.lower() not in endings:
        raise Refused(f"{path!r} is not a file ending in {', '.join(endings)}.")
    return found


def pictures_in(path: str) -> list[Path]:
    """Give the picture files directly in a folder below the data root, by name.

    Raises:
        Refused: see `contained`; not a folder, or no picture in it.
    """
    folder = contained(path)
    if not folder.is_dir():
        raise Refused(f"{path!r} is not a folder.")
    pictures = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in PICTURE_ENDINGS and file.is_file()
    )
    if not pictures:
        raise Refused(f"There is no picture in {path!r} ({', '.join(PICTURE_ENDINGS)}).")
    return pictures


def listing(path: str, wanted: Wanted) -> Listing:
    """Give what the picker shows of a folder.

    Raises:
        Refused: see `contained`; or not a folder.
    """
    folder = contained(path)
    if not folder.is_dir():
        raise Refused(f"{path!r} is not a folder.")
    root = settings.DATA_ROOT.resolve()
    here = folder.relative_to(root)
    entries = sorted(_entries(folder, root, wanted), key=lambda e: (not e.is_folder, e.name))
    parts = () if here == Path() else here.parts
    n_pictures = _n_pictures(folder)
    return Listing(
        path="/".join(parts),
        parents=tuple((part, "/".join(parts[: depth + 1])) for depth, part in enumerate(parts)),
        entries=tuple(entries[:MOST_ENTRIES]),
        n_hidden=max(0, len(entries) - MOST_ENTRIES),
        can_pick=(wanted is Wanted.PICTURES and n_pictures > 0)
        or (wanted is Wanted.MANIFEST and bool(parts)),
        note=f"{n_pictures:,} pictures" if n_pictures else "",
    )


def _entries(folder: Path, root: Path, wanted: Wanted) -> Iterator[Entry]:
    endings = {Wanted.MANIFEST: MANIFEST_ENDINGS, Wanted.WEIGHTS: WEIGHT_ENDINGS}.get(wanted, ())
    for item in folder.iterdir():
        if item.name.startswith("."):
            continue
        found = item.resolve()
        if root not in found.parents:
            continue
        path = item.relative_to(root).as_posix()
        if found.is_dir():
            yield Entry(name=item.name, path=path, is_folder=True, note="", can_pick=False)
        elif found.suffix.lower() in endings:
            size = _in_words(found.stat().st_size)
            yield Entry(name=item.name, path=path, is_folder=False, note=size, can_pick=True)


def _n_pictures(folder: Path) -> int:
    return sum(1 for file in folder.iterdir() if file.suffix.lower() in PICTURE_ENDINGS)


def _in_words(n_bytes: int) -> str:
    if n_bytes < 1_000_000:
        return f"{n_bytes / 1000:.0f} kB"
    return f"{n_bytes / 1_000_000:.1f} MB"
