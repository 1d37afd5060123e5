"""Hours of people's time in minutes of the machine's: a clock that jumps to whoever is next.

People ask to be woken at a time of the simulation. Whoever wakes takes a lane and keeps it until
the next wait, so that requests go out in the order of simulated time, several at once as in life,
and nobody waits for nothing.
"""

import asyncio
import heapq
import time
from collections.abc import Coroutine, Iterable
from typing import Any


class VirtualClock:
    """Wakes people in the order of simulated time."""

    def __init__(self, *, lanes: int, speed: float = 0.0) -> None:
        """Begin at 0 seconds.

        Args:
            lanes: So many people may be at something in the same moment.
            speed: Simulated seconds in a real one, at most; 0: as fast as the server answers.
        """
        self.now = 0.0
        self._lanes = lanes
        self._speed = speed
        self._running = 0
        self._order = 0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._began = time.monotonic()
        self._pending: asyncio.TimerHandle | None = None

    async def until(self, moment: float) -> float:
        """Give the lane back until a moment of the simulation; say what time it is then."""
        self._running -= 1
        woken = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._waiting, (moment, self._order, woken))
        self._wake()
        await woken
        return max(moment, 0.0)

    async def run(self, lives: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Let people live, each from their own first wait on, until all are done."""
        tasks = [asyncio.create_task(self._live(life)) for life in lives]
        # Nobody may be woken before everybody has said when: the first moments are put in order.
        self._running = len(tasks)
        self._began = time.monotonic()
        try:
            await asyncio.gather(*tasks)
        finally:
            if self._pending is not None:
                self._pending.cancel()
            for task in tasks:
                task.cancel()

    async def _live(self, life: Coroutine[Any, Any, None]) -> None:
        try:
            await life
        finally:
            self._running -= 1
            self._wake()

    def _wake(self) -> None:
        while self._waiting and self._running < self._lanes:
            moment, _, woken = self._waiting[0]
            early = self._began + moment / self._speed - time.monotonic() if self._speed else 0.0
            if early > 0:
                self._wake_in(early)
                return
            heapq.heappop(self._waiting)
            if woken.cancelled():
                continue
            self.now = max(self.now, moment)
            self._running += 1
            woken.set_result(None)

    def _wake_in(self, seconds: float) -> None:
        if self._pending is not None:
            self._pending.cancel()
        self._pending = asyncio.get_running_loop().call_later(seconds, self._wake)
