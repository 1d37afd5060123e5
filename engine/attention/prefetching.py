"""Fetch the next items, batches of pictures above all, while the last are worked on."""

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Int

from engine.data.images import ImageBatch, Preprocessing, image_batches
from engine.data.manifest import ImageManifest

T = TypeVar("T")

_PATIENCE = 0.1
"""Seconds after which a full queue looks whether anyone is still interested."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fetched(Generic[T]):
    """An item; or, last of all, why there is none: an error, or the end."""

    items: tuple[T, ...] = ()
    error: BaseException | None = None


def fetched_ahead(items: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """Take items in a thread of their own, up to a few ahead of the caller.

    Decoding pictures lets go of Python's lock, as the network's arithmetic does: both run at
    once. Order, items and errors are those of the plain loop; a caller that stops early stops
    the thread.

    Args:
        items: Where the items come from.
        depth: How many may wait, at least 1.

    Yields:
        The items in their order.
    """
    waiting: queue.Queue[_Fetched[T]] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(fetched: _Fetched[T]) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(fetched, timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def fetch() -> None:
        try:
            for item in items:
                if not put(_Fetched(items=(item,))):
                    return
            put(_Fetched())
        except BaseException as error:  # noqa: BLE001  raised again where the caller is
            put(_Fetched(error=error))

    thread = threading.Thread(target=fetch, name="fetch ahead", daemon=True)
    thread.start()
    try:
        while (fetched := waiting.get()).items:
            yield from fetched.items
        if fetched.error is not None:
            raise fetched.error
    finally:
        stopped.set()
        thread.join()


def batches_ahead(
    manifest: ImageManifest,
    rows: Int[np.ndarray, " m"],
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    workers: int = 0,
) -> Generator[ImageBatch, None, None]:
    """Read rows in batches, decoding the next ones while the last are worked on.

    Args:
        manifest: The data set.
        rows: Positions in the manifest; may repeat.
        preprocessing: Size and statistics.
        batch_size: Images a batch, at least 1; the last batch may be smaller.
        workers: Processes that decode; 0 decodes in a thread of this one.

    Returns:
        The batches of `engine.data.images.image_batches`; to be closed by who stops early.

    Raises:
        ManifestError: A picture has become unreadable since the manifest was checked.
    """
    batches = image_batches(
        manifest, rows.astype(np.int64), preprocessing, batch_size=batch_size, workers=workers
    )
    return batches if workers else fetched_ahead(batches)
