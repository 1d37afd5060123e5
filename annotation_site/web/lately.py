"""Values that may be some seconds old: given at once, and worked out anew beside the request.

What a page tells of a million answers takes seconds to work out, and another answer comes every
few. Such a value is worked out once while somebody waits; from then on whoever asks is given the
last one, and where that is older than agreed a thread makes the next. A page that shows one says
how old it is.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connections

T = TypeVar("T")
_REST = 10
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Generic[T]):
    """A value, when it was begun on the monotonic clock, and the seconds that it took."""

    value: T
    begun: float
    took: float

    @property
    def age(self) -> float:
        """Seconds since it was begun: what came later is not in it."""
        return time.monotonic() - self.begun


class Lately(Generic[T]):
    """The last value of each key, and at most one thread a key that makes the next."""

    def __init__(self, *, seconds: float, most: int) -> None:
        """Keep values.

        Args:
            seconds: From this age on a value is made anew, beside the request; one that takes long
                is made anew more seldom, so that a thread is at work a tenth of the time at most.
            most: Keys kept; the least asked for makes room.
        """
        self.seconds = seconds
        self._most = most
        self._values: OrderedDict[Hashable, Made[T]] = OrderedDict()
        self._making: set[Hashable] = set()
        self._lock = threading.Lock()

    def known(self, key: Hashable) -> Made[T] | None:
        """Give the last value of a key, however old; None where there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def recall(self, key: Hashable, make: Callable[[], T]) -> Made[T]:
        """Give the last value of a key, made now where there is none.

        Args:
            key: What the value is of.
            make: Works it out; in a thread with connections of its own where there is an older one.
        """
        found = self.known(key)
        if found is None:
            return self.keep(key, make)
        if found.age >= max(self.seconds, _REST * found.took):
            self._renew(key, make)
        return found

    def keep(self, key: Hashable, make: Callable[[], T]) -> Made[T]:
        """Make the value of a key now, and keep it."""
        begun = time.monotonic()
        value = make()
        made = Made(value=value, begun=begun, took=time.monotonic() - begun)
        with self._lock:
            self._values[key] = made
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return made

    def _renew(self, key: Hashable, make: Callable[[], T]) -> None:
        with self._lock:
            if key in self._making:
                return
            self._making.add(key)
        threading.Thread(target=self._run, args=(key, make), name="renew", daemon=True).start()

    def _run(self, key: Hashable, make: Callable[[], T]) -> None:
        try:
            self.keep(key, make)
        except Exception:  # the page has an older value; the log says why it stays
            logger.exception("figures of %s could not be worked out anew", key)
        finally:
            connections.close_all()
            with self._lock:
                self._making.discard(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
