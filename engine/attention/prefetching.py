"""Fetch the next items while the last are worked on."""

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_PATIENCE = 0.1
"""Seconds after which a full queue looks whether anyone is still interested."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fetched(Generic[T]):
    """An item; or, last of all, why there is none: an error, or the end."""

    items: tuple[T, ...] = ()
    error: BaseException | None = None


def fetched_ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
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
