"""A folder of immutable artifacts: each is there whole, or not at all.

objects/<kind>/<key>/        one artifact: artifact.json and its files
objects/<kind>/.staging-*    unfinished; removed when its maker fails, or by `collect_garbage`
objects/<kind>/.unfinished-* likewise, but kept when its maker is stopped: its next maker goes on there
locks/<key>                  held while an artifact is being made; the kernel frees it
refs/<name>                  a text file with a key
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.artifacts.provenance import provenance
from engine.artifacts.recipe import Recipe
from engine.errors import ArtifactCorrupt, ArtifactMissing, InvalidInput, OutOfSpace

_META = "artifact.json"
_STAGING = ".staging-"
_UNFINISHED = ".unfinished-"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_STALE_AFTER_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One finished artifact.

    Attributes:
        kind: The stage's word.
        key: Its recipe's key.
        path: The folder that holds its files.
        meta: The content of artifact.json.
    """

    kind: str
    key: str
    path: Path
    meta: dict[str, Any]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def full_disk_explained(place: Path) -> Iterator[None]:
    """Turn a full disk's OSError into an `OutOfSpace` that says where and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        msg = (
            f"no space left on the disk of {place}; finished stages are kept and nothing "
            "half-written remains: free some space and run again"
        )
        raise OutOfSpace(msg) from error


class ArtifactStore:
    """The store below one folder."""

    def __init__(self, root: Path) -> None:
        """Name the store's folder; it is made when something is written.

        Args:
            root: The folder.
        """
        self.root = root

    def folder(self, kind: str, key: str) -> Path:
        """Give the folder an artifact has, or would have."""
        return self.root / "objects" / kind / key

    def has(self, recipe: Recipe) -> bool:
        """Tell whether the recipe's artifact is finished."""
        return (self.folder(recipe.kind, recipe.key) / _META).is_file()

    def open(self, kind: str, key: str) -> Artifact:
        """Give a finished artifact.

        Args:
            kind: The stage's word.
            key: The recipe's key, or its first letters when they are unmistakable.

        Returns:
            The artifact.

        Raises:
            ArtifactMissing: There is none of that kind and key, or several.
            ArtifactCorrupt: Its artifact.json cannot be read.
        """
        folder = self.folder(kind, key)
        if not (folder / _META).is_file():
            near = sorted((self.root / "objects" / kind).glob(f"{key}*/{_META}")) if key else []
            if len(near) != 1:
                what = "several artifacts" if near else "no artifact"
                msg = f"{what} of kind {kind} with key {key!r} in {self.root}; see gazecheck store list"
                raise ArtifactMissing(msg)
            folder = near[0].parent
        try:
            meta = json.loads((folder / _META).read_text())
        except (OSError, ValueError) as error:
            msg = f"{folder / _META} cannot be read ({error}); remove the folder and run again"
            raise ArtifactCorrupt(msg) from error
        return Artifact(kind=kind, key=folder.name, path=folder, meta=meta)

    def create(
        self,
        recipe: Recipe,
        write: Callable[[Path], None],
        *,
        resumable: bool = False,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> Artifact:
        """Make an artifact once, whole.

        If another process is making the same artifact, wait for it and use its result.

        Args:
            recipe: How it is made.
            write: Called with an empty folder; writes the artifact's files into it.
            resumable: `write` can go on where it was stopped or killed: its folder may hold what
                it wrote before. Only a full disk has it removed. Files whose names begin with a
                dot are its notes, and no part of the artifact.
            while_waiting: Called about twice a second while another process is at it; may raise.

        Returns:
            The finished artifact, this call's or the other's.

        Raises:
            OutOfSpace: The disk is full; nothing half-written remains.
        """
        with full_disk_explained(self.root), self._lock(recipe.key, while_waiting):
            if not self.has(recipe):
                self._write_whole(recipe, write, resumable=resumable)
        return self.open(recipe.kind, recipe.key)

    def _write_whole(
        self, recipe: Recipe, write: Callable[[Path], None], *, resumable: bool
    ) -> None:
        target = self.folder(recipe.kind, recipe.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        if resumable:
            staging = target.with_name(f"{_UNFINISHED}{recipe.key}")
            staging.mkdir(exist_ok=True)
            (staging / _META).unlink(missing_ok=True)
        else:
            staging = Path(tempfile.mkdtemp(prefix=f"{_STAGING}{recipe.key}-", dir=target.parent))
        started = time.monotonic()
        try:
            write(staging)
            written = sorted(path for path in staging.rglob("*") if path.is_file())
            files = [path for path in written if not path.name.startswith(".")]
            meta = recipe.as_json() | {
                "key": recipe.key,
                "files": {
                    path.relative_to(staging).as_posix(): {
                        "sha256": _digest(path),
                        "bytes": path.stat().st_size,
                    }
                    for path in files
                },
                "provenance": provenance(),
                "seconds": round(time.monotonic() - started, 3),
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            (staging / _META).write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n")
            for path in (*files, staging / _META):
                _fsync(path)
            for note in set(written).difference(files):
                note.unlink()
            staging.chmod(0o755)
            staging.rename(target)
            _fsync(target.parent)
        except BaseException as error:
            is_full = isinstance(error, OSError) and error.errno in _FULL
            if is_full or not (resumable and any(staging.iterdir())):
                shutil.rmtree(staging, ignore_errors=True)
            raise

    @contextlib.contextmanager
    def _lock(self, key: str, while_waiting: Callable[[], None]) -> Iterator[None]:
        path = self.root / "locks" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    while_waiting()
                    time.sleep(0.5)
            yield

    def artifacts(self) -> list[Artifact]:
        """List every finished artifact, oldest first."""
        found = [
            self.open(path.parent.parent.name, path.parent.name)
            for path in (self.root / "objects").glob(f"*/*/{_META}")
            if not path.parent.name.startswith(".")
        ]
        return sorted(found, key=lambda artifact: (artifact.meta["created_at"], artifact.key))

    def verify(self, artifact: Artifact) -> None:
        """Compare an artifact's files with the digests written when it was made.

        Raises:
            ArtifactCorrupt: A file is missing or differs.
        """
        for name, facts in artifact.meta["files"].items():
            path = artifact.path / name
            if not path.is_file():
                msg = f"{path} is missing; remove {artifact.path} and run again"
                raise ArtifactCorrupt(msg)
            if _digest(path) != facts["sha256"]:
                msg = f"{path} is not what was written; remove {artifact.path} and run again"
                raise ArtifactCorrupt(msg)

    def set_ref(self, name: str, key: str) -> None:
        """Remember a key under a name, e.g. `demo/space`."""
        path = self._ref(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with full_disk_explained(self.root):
            unfinished = path.with_name(f"{path.name}{_STAGING}{os.getpid()}")
            unfinished.write_text(key + "\n")
            unfinished.replace(path)

    def get_ref(self, name: str) -> str | None:
        """Give the key remembered under a name, or None."""
        path = self._ref(name)
        return path.read_text().strip() if path.is_file() else None

    def _ref(self, name: str) -> Path:
        parts = name.split("/")
        if not all(part and part not in {".", ".."} for part in parts):
            msg = f"a ref's name is words joined by slashes, got {name!r}"
            raise InvalidInput(msg)
        return self.root.joinpath("refs", *parts)

    def collect_garbage(self) -> int:
        """Remove what unfinished work left a day ago or longer; what is being made stays.

        Returns:
            The number of folders removed.
        """
        limit = time.time() - _STALE_AFTER_SECONDS
        objects = self.root / "objects"
        stale = [
            path
            for path in (*objects.glob(f"*/{_STAGING}*"), *objects.glob(f"*/{_UNFINISHED}*"))
            if max(p.stat().st_mtime for p in (path, *path.iterdir())) < limit
        ]
        return sum(self._removed_unless_being_made(path) for path in stale)

    def _removed_unless_being_made(self, folder: Path) -> bool:
        key = folder.name.removeprefix(_STAGING).removeprefix(_UNFINISHED).split("-")[0]
        lock = self.root / "locks" / key
        with lock.open("a") if lock.is_file() else contextlib.nullcontext() as file:
            if file is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
            shutil.rmtree(folder, ignore_errors=True)
        return True
