"""One simulated person's way through a round, over the real HTTP endpoints, in simulated time."""

import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from annotation_site.annotation.allocation import lease_of
from annotation_site.annotation.leases import renewed
from annotation_site.annotation.timing import Timing, judge
from annotation_site.rehearsal.crowd import Annotator, Judgement, Truth
from annotation_site.rehearsal.light import LightBrowser, Lost, Reply
from annotation_site.rehearsal.scene import Stage
from annotation_site.rehearsal.virtual_time import VirtualClock

OK, FOUND, CONFLICT, BROKEN = 200, 302, 409, 500
READING_SECONDS = 35.0
"""Median time over the notice before the work."""
FEEDBACK_SECONDS = 4.0
QUESTIONS_SECONDS = 45.0
LOW_WATER = 3
"""More tasks are asked for when fewer than this are known, as the page's script does."""
TRIES = 3
TRY_AGAIN_SECONDS = 1.0
SAYS_SO = 0.5
"""Share of those leaving who press the button; the others close the tab."""
DAY_ONE = datetime(2000, 1, 1, tzinfo=UTC)
_PICTURE = re.compile(r"/image/([\w-]+)\.webp")


@dataclass(slots=True)
class Told:
    """What the rehearsal has seen of one person.

    Attributes:
        kind: Of the crowd.
        arrived: In simulated seconds from the opening.
        outcome: turned_away, no_consent_page, practising, screened_out, working, left, vanished,
            or completed.
        sitting: Public id; empty where nothing was given.
        promised: Tasks of the sitting.
        ended: When the person was last there.
    """

    kind: str
    arrived: float
    outcome: str = "turned_away"
    sitting: str = ""
    promised: int = 0
    ended: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One answer that the server acknowledged.

    Attributes:
        at: In simulated seconds from the opening.
        seconds: That the answer took.
        quality: Of its time, by the site's own rule, on the simulation's clock.
    """

    at: float
    seconds: float
    quality: str


@dataclass(slots=True)
class Record:
    """Everything a rehearsal has seen.

    Attributes:
        people: In the order of their arrival.
        sent: Client id of each acknowledged answer -> what is known of it.
        times: Kind of request -> real seconds that each took.
        errors: What went wrong, in words.
        reloads: Pages loaded anew.
        elsewhere: Answers given on a page that another tab had left behind.
    """

    people: list[Told] = field(default_factory=list)
    sent: dict[str, Sent] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    reloads: int = 0
    elsewhere: int = 0


Expire = Callable[[str], Awaitable[None]]
"""Gives back the places of the sitting with a public id, as the end of its lease does."""


@dataclass(slots=True)
class Tab:
    """One tab of the task page: what it knows, and what it shows."""

    browser: LightBrowser
    known: list[dict[str, Any]] = field(default_factory=list)
    exposures: int = 1


class Over(Exception):
    """There is nothing left for this person to do; a state, not a fault."""


class Visitor:
    """Somebody who comes once."""

    def __init__(
        self, person: Annotator, stage: Stage, clock: VirtualClock, record: Record, port: int
    ) -> None:
        self.person = person
        self.stage = stage
        self.clock = clock
        self.record = record
        browser = LightBrowser(port)
        self.tabs = [Tab(browser), Tab(LightBrowser(port, cookies=browser.cookies))]
        self.tab = self.tabs[0]
        self.now = 0.0
        self.told = Told(kind=person.name, arrived=0.0)
        self.base = ""
        self.lease_until = 0.0

    async def live(self, arrival: float, expire: Expire) -> None:
        """Come at a moment, and go when done or when it is enough."""
        self.told.arrived = arrival
        self.record.people.append(self.told)
        await self._wait_until(arrival)
        try:
            await self._arrive()
            await self._practise()
            await self._work()
            await self._finish()
        except Over:
            pass
        except Lost as error:
            self.record.errors.append(str(error))
        self.told.ended = self.now
        for tab in self.tabs:
            await tab.browser.close()
        if self.base and self.told.outcome not in {"completed", "left", "screened_out"}:
            await self._wait_until(self.lease_until)
            await expire(self.told.sitting)

    async def _arrive(self) -> None:
        link = f"/a/{self.stage.round.link_token}/"
        page = await self._ask("consent", lambda: self.tab.browser.get(link), OK)
        if b'name="consent"' not in page.body:
            raise Over
        await self._spend(self.person.takes(READING_SECONDS))
        fields = {"consent": "on"}
        begun = await self._ask(
            "start", lambda: self.tab.browser.post_form(f"{link}start/", fields), FOUND, CONFLICT
        )
        if begun.status != FOUND:
            raise Over
        self.told.sitting = begun.headers["location"].split("/")[2]
        self.told.outcome = "practising"
        self.told.promised = self.stage.scene.tasks_per_sitting
        self.base = f"/s/{self.told.sitting}/"
        self.lease_until = self.now + lease_of(self.told.promised).total_seconds()

    async def _practise(self) -> None:
        while True:
            await self._ask("page", lambda: self.tab.browser.get(f"{self.base}practice/"), OK)
            for position, truth in self.stage.practice.items():
                judgement = self.person.judge(truth)
                await self._spend(judgement.seconds + self.person.takes(FEEDBACK_SECONDS))
                await self._form(
                    "practice/answer/", {"position": str(position), "answer": judgement.answer}
                )
            where = (await self._form("practice/finish/", {})).headers["location"]
            if not where.endswith("practice/"):
                break
            await self._form("practice/repeat/", {})
        if where.endswith("done/"):
            self.told.outcome = "screened_out"
            raise Over
        self.told.outcome = "working"

    async def _work(self) -> None:
        await self._load(self.tab)
        leaves_after = None
        if self.person.happens(self.person.kind.leaves):
            leaves_after = self.person.rng.randrange(max(1, self.told.promised))
        answered = 0
        while True:
            if leaves_after is not None and answered >= leaves_after:
                await self._leave()
            if self.person.happens(self.person.kind.switches):
                self.tab = self.tabs[1 - self.tabs.index(self.tab)]
                if not self.tab.known:
                    await self._load(self.tab)
            elif self.person.happens(self.person.kind.reloads):
                self.record.reloads += 1
                await self._load(self.tab)
                self.tab.exposures += 1
            task = await self._next()
            if task is None:
                return
            answered += await self._answer(task)

    async def _load(self, tab: Tab) -> None:
        """Open the task page: what it shows is noted as served, what follows is asked for."""
        page = await self._ask("page", lambda: tab.browser.get(self.base), OK, FOUND)
        tab.known, tab.exposures = [], 1
        if page.status == FOUND:
            return
        await self._look_ahead(tab)
        if tab.known:
            shown = {"assignment": tab.known[0]["assignment"]}
            await self._ask(
                "serve", lambda: tab.browser.post_json(f"{self.base}serve/", shown), OK, CONFLICT
            )

    async def _look_ahead(self, tab: Tab) -> None:
        after = f"?after={tab.known[-1]['position']}" if tab.known else ""
        reply = await self._ask("next", lambda: tab.browser.get(f"{self.base}ahead/{after}"), OK)
        tab.known += reply.json()["tasks"]

    async def _next(self) -> dict[str, Any] | None:
        """Give the task on the page; None when every task has an answer."""
        if len(self.tab.known) < LOW_WATER:
            await self._look_ahead(self.tab)
        if not self.tab.known:
            await self._load(self.tab)
        return self.tab.known[0] if self.tab.known else None

    async def _answer(self, task: dict[str, Any]) -> int:
        """Answer what the page shows; say whether it counted."""
        judgement = self.person.judge(self._truth(task))
        shown_at = self.now
        await self._spend(judgement.seconds)
        client_uuid = str(uuid.UUID(int=self.person.rng.getrandbits(128), version=4))
        body = {
            "assignment": task["assignment"],
            "answer": judgement.answer,
            "client_uuid": client_uuid,
            "shown_to_answer_ms": round(judgement.seconds * 1000, 1),
            "hidden_ms": round(judgement.hidden_seconds * 1000, 1),
            "blur_ms": 0,
            "input_kind": "key",
            "overlay": {"opacity": 0.7, "contour": 1},
        }
        browser = self.tab.browser
        reply = await self._ask(
            "answer", lambda: browser.post_json(f"{self.base}answer/", body), OK, CONFLICT
        )
        said = reply.json()
        if said.get("client_uuid") == client_uuid:
            self.record.sent[client_uuid] = Sent(
                at=self.now, seconds=judgement.seconds, quality=self._quality(judgement, shown_at)
            )
        self._renew()
        self.tab.known.pop(0)
        self.tab.exposures = 1
        if reply.status == CONFLICT:
            self.record.elsewhere += said.get("status") == "elsewhere"
            await self._load(self.tab)  # "Continue here"
            return 0
        return 1

    def _truth(self, task: dict[str, Any]) -> Truth:
        found = _PICTURE.search(task["picture"])
        assert found is not None  # the server names every picture so
        return self.stage.truths[found.group(1)]

    def _quality(self, judgement: Judgement, shown_at: float) -> str:
        """Judge the time as the site would if nobody had been hurried."""
        timing = Timing(
            shown_to_answer_ms=judgement.seconds * 1000,
            hidden_ms=judgement.hidden_seconds * 1000,
            blur_ms=0.0,
            overlay={},
        )
        return judge(
            timing,
            exposures=self.tab.exposures,
            served_at=DAY_ONE + timedelta(seconds=shown_at),
            received_at=DAY_ONE + timedelta(seconds=self.now),
        )

    def _renew(self) -> None:
        held = DAY_ONE + timedelta(seconds=self.lease_until)
        until = renewed(held, DAY_ONE + timedelta(seconds=self.now))
        self.lease_until = (until - DAY_ONE).total_seconds()

    async def _leave(self) -> None:
        self.told.outcome = "vanished"
        if self.person.happens(SAYS_SO):
            await self._form("withdraw/", {})
            self.told.outcome = "left"
        raise Over

    async def _finish(self) -> None:
        if self.stage.scene.end_questions:
            await self._spend(self.person.takes(QUESTIONS_SECONDS))
            await self._form("questions/answer/", {})
        page = await self._ask("page", lambda: self.tab.browser.get(f"{self.base}done/"), OK, FOUND)
        if page.status == OK:
            self.told.outcome = "completed"

    async def _form(self, path: str, fields: dict[str, str]) -> Reply:
        browser = self.tab.browser
        return await self._ask(
            "form", lambda: browser.post_form(f"{self.base}{path}", fields), FOUND
        )

    async def _ask(self, kind: str, ask: Callable[[], Awaitable[Reply]], *wanted: int) -> Reply:
        """Ask, and once more where the line broke; every id makes that harmless.

        Raises:
            Over: The server said something else than it should.
            Lost: It did not answer at all.
        """
        for attempt in range(TRIES):
            began = time.perf_counter()
            try:
                reply = await ask()
            except Lost:
                if attempt == TRIES - 1:
                    raise
                await self._spend(TRY_AGAIN_SECONDS)
                continue
            self.record.times.setdefault(kind, []).append(time.perf_counter() - began)
            if reply.status not in wanted:
                self.record.errors.append(f"{kind}: {reply.status} {reply.body[:160]!r}")
                raise Over
            return reply
        raise AssertionError  # the last attempt has returned or raised

    async def _spend(self, seconds: float) -> None:
        await self._wait_until(self.now + seconds)

    async def _wait_until(self, moment: float) -> None:
        self.now = await self.clock.until(moment)
