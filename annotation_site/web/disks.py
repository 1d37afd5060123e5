"""A full disk, told to whoever can free some space."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from annotation_site.web.refusals import Refused


@contextlib.contextmanager
def full_disk_explained(place: Path) -> Iterator[None]:
    """Turn a full disk's OSError into a refusal that says where and what to do.

    Raises:
        Refused: The disk is full; nothing half-written remains.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise Refused(
            f"No space left on the disk of {place}; nothing half-written remains. "
            "Free some space and press Retry."
        ) from error
