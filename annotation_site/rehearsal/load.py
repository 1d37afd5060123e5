"""Load on a site from a process of its own: people who answer without a pause, or who think.

Run as `python -m annotation_site.rehearsal.load PLAN`, with the plan as JSON; prints what it
measured as JSON. Imports neither Django nor the engine, so that the machine is left to the server.
"""

import asyncio
import json
import random
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from annotation_site.rehearsal.light import LightBrowser, Lost, Reply

OK, CREATED, FOUND = 200, 201, 302
RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to play.

    Attributes:
        port: The server's.
        link: Path of the annotator link.
        people: At once.
        seconds: For how long.
        think_seconds: Mean of the exponential pause before each answer; 0: none.
        pictures: Whether every picture is fetched as well.
        low_water: Ask for tasks when fewer than this are known: 1 asks before every answer, 3 is
            what the page's script does.
        n_practice: Practice items of the round.
        seed: Of the pauses and answers.
        acknowledged: File that gets the id of every answer the server has acknowledged.
    """

    port: int
    link: str
    people: int
    seconds: float
    think_seconds: float
    pictures: bool
    low_water: int
    n_practice: int
    seed: int
    acknowledged: str


@dataclass(slots=True)
class Measured:
    """What came of it; times in seconds.

    Attributes:
        times: Kind of request to how long each took.
        errors: What went wrong, in words.
        acknowledged: Ids of answers that the server said it has.
        sittings: How many were begun.
    """

    times: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    sittings: int = 0

    async def timed(self, kind: str, wanted: int, ask: Callable[[], Any]) -> Reply | None:
        """Ask and note how long it took; None where the reply was not the wanted one."""
        began = time.perf_counter()
        try:
            reply: Reply = await ask()
        except Lost as error:
            self.errors.append(str(error))
            return None
        self.times.setdefault(kind, []).append(time.perf_counter() - began)
        if reply.status != wanted:
            self.errors.append(f"{kind}: {reply.status} {reply.body[:200]!r}")
            return None
        return reply


class Annotator:
    """One simulated person after another in one place: when a sitting ends, the next one comes."""

    def __init__(self, plan: Plan, measured: Measured, number: int) -> None:
        self.plan = plan
        self.measured = measured
        self.rng = random.Random(f"{plan.seed}:{number}")  # noqa: S311  (a simulation)
        self.browser = LightBrowser(plan.port)
        self.sitting = ""
        self.last = -1

    async def arrive(self) -> bool:
        """Consent, practise, begin; say whether a sitting was got."""
        plan, measured, browser = self.plan, self.measured, self.browser
        await browser.close()
        browser.cookies.clear()
        if await measured.timed("consent", OK, lambda: browser.get(plan.link)) is None:
            return False
        begun = await measured.timed(
            "start", FOUND, lambda: browser.post_form(f"{plan.link}start/", {"consent": "on"})
        )
        if begun is None:
            return False
        self.sitting = begun.headers["location"].split("/")[2]
        base = f"/s/{self.sitting}/"
        for position in range(plan.n_practice):
            fields = {"position": str(position), "answer": "yes"}
            ask = partial(browser.post_form, f"{base}practice/answer/", fields)
            await measured.timed("practice", FOUND, ask)
        await measured.timed(
            "practice", FOUND, lambda: browser.post_form(f"{base}practice/finish/", {})
        )
        page = await measured.timed("page", OK, lambda: browser.get(base))
        measured.sittings += page is not None
        return page is not None

    async def work(self, until: float) -> None:
        """Answer until the time is up."""
        self.last = -1
        known: list[dict[str, Any]] = []
        if self.plan.think_seconds:  # people do not begin in the same instant
            await asyncio.sleep(self.rng.expovariate(1 / self.plan.think_seconds))
        while time.perf_counter() < until:
            if len(known) < self.plan.low_water:
                reply = await self.measured.timed("next", OK, self._next)
                if reply is None:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                found = reply.json()["tasks"]
                known += found if self.plan.low_water > 1 else found[:1]
                self.last = known[-1]["position"] if known else self.last
            if not known:
                if await self.arrive():
                    self.last = -1
                continue
            task = known.pop(0)
            if self.plan.pictures:
                see = partial(self.browser.get, task["picture"])
                await self.measured.timed("picture", OK, see)
            if self.plan.think_seconds:
                await asyncio.sleep(self.rng.expovariate(1 / self.plan.think_seconds))
            await self._answer(task)

    async def _next(self) -> Reply:
        after = f"?after={self.last}" if self.last >= 0 else ""
        return await self.browser.get(f"/s/{self.sitting}/ahead/{after}")

    async def _answer(self, task: dict[str, Any]) -> None:
        client_uuid = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        body = {
            "assignment": task["assignment"],
            "answer": self.rng.choice(("yes", "yes", "yes", "no")),
            "client_uuid": client_uuid,
            "shown_to_answer_ms": 900.0,
            "hidden_ms": 0,
            "blur_ms": 0,
            "input_kind": "key",
            "overlay": {"opacity": 0.7, "contour": 1},
        }
        stored = await self.measured.timed(
            "answer", OK, lambda: self.browser.post_json(f"/s/{self.sitting}/answer/", body)
        )
        if stored is not None:
            self.measured.acknowledged.append(client_uuid)


async def play(plan: Plan) -> dict[str, Any]:
    """Let everybody arrive, then work for the time; give the figures."""
    arriving = Measured()
    people = [Annotator(plan, arriving, number) for number in range(plan.people)]
    for person in people:
        if not await person.arrive():
            raise SystemExit(f"nobody gets in: {arriving.errors[:3]}")
    measured = Measured()
    for person in people:
        person.measured = measured
    began = time.perf_counter()
    await asyncio.gather(*(person.work(began + plan.seconds) for person in people))
    lasted = time.perf_counter() - began
    for person in people:
        await person.browser.close()
    with Path(plan.acknowledged).open("a") as file:
        file.writelines(f"{each}\n" for each in measured.acknowledged)
    return {
        "seconds": lasted,
        "answers": len(measured.acknowledged),
        "answers_per_second": len(measured.acknowledged) / lasted,
        "sittings": arriving.sittings + measured.sittings,
        "errors": len(arriving.errors) + len(measured.errors),
        "first_errors": [*arriving.errors, *measured.errors][:5],
        "times": {
            kind: {"n": len(times), "p50_ms": quantile(times, 0.5), "p95_ms": quantile(times, 0.95),
                   "max_ms": quantile(times, 1.0)}
            for kind, times in measured.times.items()
        },
    }  # fmt: skip


def quantile(seconds: list[float], share: float) -> float:
    """Give a quantile in milliseconds: the smallest value that `share` of them do not exceed."""
    ordered = sorted(seconds)
    rank = max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))
    return round(1000 * ordered[rank], 2)


def main() -> None:
    """Play the plan that the command line names."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.write(json.dumps(asyncio.run(play(plan))))


if __name__ == "__main__":
    main()
