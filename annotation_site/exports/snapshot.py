"""Reading a database as it was at one moment, while others go on writing."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

P = ParamSpec("P")
T = TypeVar("T")


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """See one state of the database while the block runs; nothing can be written in it.

    PostgreSQL: one read-only transaction at REPEATABLE READ. SQLite: one deferred read transaction,
    which under WAL neither waits for writers nor makes them wait.

    Raises:
        RuntimeError: A transaction has begun already: its first statement settled what it sees.
    """
    if connection.in_atomic_block:
        raise RuntimeError("a snapshot needs a transaction of its own")
    if connection.vendor == "sqlite":
        with _sqlite_snapshot():
            yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT 1")  # the first statement takes the snapshot
        # Every cursor is read to its end, so plans must not favour its first rows.
        cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
        yield


@contextlib.contextmanager
def _sqlite_snapshot() -> Iterator[None]:
    # The site's transactions are IMMEDIATE: such a one would lock every annotator out.
    usual = connection.transaction_mode  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
    connection.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM sqlite_master LIMIT 1")  # takes the snapshot
            yield
    finally:
        connection.transaction_mode = usual  # type: ignore[attr-defined]
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = OFF")


class Aside:
    """Does things on a connection of its own, outside the snapshot, one after the other."""

    def __enter__(self) -> "Aside":
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.submit(_close).result()
        self._pool.shutdown()

    def do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function there and wait for it; what it raises is raised here."""
        return self._pool.submit(call, *args, **kwargs).result()


def _close() -> None:
    connection.close()  # of the thread that calls
