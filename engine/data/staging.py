"""Whole or absent: files and folders that appear under their name only when they are complete."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import OutOfSpace


def _translated(error: OSError, target: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutOfSpace(f"no space left while writing {target}; free some room and run it again")
    return error


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder that takes the target's name when the block ends well.

    An older folder of that name is replaced. When the block raises, the staging folder is removed
    and the older folder stays as it was.

    Args:
        target: The folder's final path; its parent is made where missing.

    Yields:
        The staging folder, beside the target.

    Raises:
        OutOfSpace: The disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".staging-{target.name}-", dir=target.parent))
    except OSError as error:
        raise _translated(error, target) from error
    try:
        staging.chmod(0o755)  # mkdtemp gives 0o700: another user's worker could not read it
        yield staging
        _swap(staging, target)
    except OSError as error:
        raise _translated(error, target) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _swap(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".staging-{target.name}-old-", dir=target.parent))
    try:
        target.rename(old / "replaced")
        try:
            staging.rename(target)
        except OSError:
            (old / "replaced").rename(target)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def staged_file(target: Path) -> Iterator[Path]:
    """Give a path for a new file that replaces the target when the block ends well.

    Args:
        target: The file's final path; its folder is made where missing.

    Yields:
        A path with the target's suffix, in the same folder.

    Raises:
        OutOfSpace: The disk is full.
    """
    staging: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".staging-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        staging = Path(name)
        staging.chmod(0o644)
        yield staging
        staging.replace(target)
    except OSError as error:
        raise _translated(error, target) from error
    finally:
        if staging is not None:
            staging.unlink(missing_ok=True)
