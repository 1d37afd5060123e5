"""One short run of people, lines and servers that misbehave, and what must hold afterwards.

People send answers twice at once, hang up before the reply, hold answers back and send them in
another order, replay old ones, work in two tabs, take back, stop and come back. Meanwhile a worker
process is killed and the clock that leases are judged by jumps ahead.
"""

import asyncio
import contextlib
import os
import random
import signal
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Count, F, Q
from django.utils import timezone

from annotation_site.annotation.counting import overfull, recount
from annotation_site.annotation.leases import release_all_expired
from annotation_site.annotation.models import Assignment, Response, Round, Sitting
from annotation_site.rehearsal.light import LightBrowser, Lost, Reply

OK, FOUND, NOT_FOUND, CONFLICT, BROKEN = 200, 302, 404, 409, 500
TRIES = 200
TRY_AGAIN_SECONDS = 0.15
LONGEST_RUN_SECONDS = 120.0
STEPS = 24
REPLIES_BETWEEN_KILLS = 20
LONGEST_ANSWER_SECONDS = 0.02
"""A kill strikes so long after an answer was sent at most: before, during or after its commit."""
POLL_SECONDS = 0.001
KILLS = 0.6
"""Share of the troubles that are kills; the others are jumps of the clock."""
JUMP = timedelta(days=2)
BEHAVIOURS = {
    "answer": 50, "twice": 10, "hang_up": 10, "hold_back": 10, "replay": 8, "other_tab": 5,
    "undo": 4, "reload": 4, "stop": 2,
}  # fmt: skip
ODD_TIMES: tuple[object, ...] = (900.0, 900.0, -5, 1e12, "soon", None, 86_400_000)


class Broken(Exception):
    """Something that must hold did not."""


@dataclass(slots=True)
class Run:
    """What a run has seen.

    Attributes:
        round: Its round.
        sent: Every id that was ever sent.
        replies: Id -> status and body of its acknowledgement.
        faults: What must not be, in words.
        n_replies: How often the server has answered.
        n_kills: How many worker processes were killed, each while an answer was under way.
        n_cut: Answers whose line broke before the reply came.
        under_way: Answers that were sent and are not replied to yet.
    """

    round: Round
    sent: set[str] = field(default_factory=set)
    replies: dict[str, tuple[int, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    n_replies: int = 0
    n_kills: int = 0
    n_cut: int = 0
    under_way: int = 0

    def heard(self, client_uuid: str, reply: Reply) -> None:
        """Note an acknowledgement; the same id must always get the same."""
        if reply.status >= BROKEN:
            self.faults.append(f"status {reply.status}: {reply.body[:120]!r}")
            return
        said = (reply.status, reply.json())
        if said[1].get("client_uuid") != client_uuid:
            return  # refused: nothing was stored
        before = self.replies.setdefault(client_uuid, said)
        if before != said:
            self.faults.append(f"one id, two replies: {before} and {said}")


class Person:
    """Somebody with a bad line, little patience and two tabs."""

    def __init__(self, run: Run, port: int, seed: str) -> None:
        self.run = run
        self.rng = random.Random(seed)  # noqa: S311  (a simulation)
        self.browser = LightBrowser(port)
        self.port = port
        self.base = ""
        self.held: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []

    async def live(self) -> None:
        """Come, work badly, and in the end let everything held back arrive."""
        if not await self._arrive():
            return
        for _ in range(STEPS):
            tasks = (await self._insist(lambda: self.browser.get(f"{self.base}ahead/"))).json()
            if tasks["state"] == "practising":  # the lease ran out before the work had begun
                await self._begin()
                continue
            if not tasks["tasks"] and tasks["state"] not in {"expired", "withdrawn"}:
                break
            what = self.rng.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]
            await self._behave(what, tasks["tasks"])
        self.rng.shuffle(self.held)
        for body in self.held:
            await self._send(body)
        await self.browser.close()

    async def _arrive(self) -> bool:
        link = f"/a/{self.run.round.link_token}/"
        await self._insist(lambda: self.browser.get(link))
        begun = await self._insist(
            lambda: self.browser.post_form(f"{link}start/", {"consent": "on"})
        )
        if begun.status != FOUND:
            return False
        self.base = f"/s/{begun.headers['location'].split('/')[2]}/"
        await self._begin()
        return True

    async def _begin(self) -> None:
        await self._insist(lambda: self.browser.post_form(f"{self.base}practice/finish/", {}))

    async def _behave(self, what: str, tasks: list[dict[str, Any]]) -> None:
        if what == "stop" or not tasks:
            await self._insist(lambda: self.browser.post_form(f"{self.base}withdraw/", {}))
            await self._insist(lambda: self.browser.post_form(f"{self.base}resume/", {}))
            return
        if what == "reload":
            shown = {"assignment": tasks[0]["assignment"]}
            await self._insist(lambda: self.browser.get(self.base))
            await self._insist(lambda: self.browser.post_json(f"{self.base}serve/", shown))
            return
        if what == "replay" and self.done:
            await self._send(self.rng.choice(self.done))
            return
        if what == "undo" and self.done:
            named = {"client_uuid": self.rng.choice(self.done)["client_uuid"]}
            await self._insist(lambda: self.browser.post_json(f"{self.base}undo/", named))
            return
        seen = self.rng.choice(self.done)["assignment"] if self.done else tasks[0]["assignment"]
        body = self._body(seen if what == "other_tab" else tasks[0]["assignment"])
        if what == "hold_back":
            self.held.append(body)
        elif what == "hang_up":
            self.run.sent.add(body["client_uuid"])
            await self.browser.send_and_hang_up(f"{self.base}answer/", body)
            self.held.append(body)
        elif what == "twice":
            other = LightBrowser(self.port, cookies=dict(self.browser.cookies))
            await asyncio.gather(self._send(body), self._send(body, other))
            await other.close()
        else:
            await self._send(body)

    def _body(self, assignment: str) -> dict[str, Any]:
        return {
            "assignment": assignment,
            "answer": self.rng.choice(("yes", "no", "cannot_tell")),
            "client_uuid": str(uuid.UUID(int=self.rng.getrandbits(128), version=4)),
            "shown_to_answer_ms": self.rng.choice(ODD_TIMES),
            "delay_ms": self.rng.choice((0, 0, 5_000)),
        }

    async def _send(self, body: dict[str, Any], browser: LightBrowser | None = None) -> None:
        """Send until the server has said something, as the page's queue does."""
        through = browser or self.browser
        self.run.sent.add(body["client_uuid"])
        reply = await self._insist(lambda: self._post(through, body))
        self.run.heard(body["client_uuid"], reply)
        self.done.append(body)

    async def _post(self, through: LightBrowser, body: dict[str, Any]) -> Reply:
        self.run.under_way += 1
        try:
            return await through.post_json(f"{self.base}answer/", body)
        except Lost:
            self.run.n_cut += 1
            raise
        finally:
            self.run.under_way -= 1

    async def _insist(self, ask: Callable[[], Any]) -> Reply:
        for _ in range(TRIES):
            try:
                reply: Reply = await ask()
            except Lost:
                await asyncio.sleep(TRY_AGAIN_SECONDS)
                continue
            self.run.n_replies += 1
            if reply.status >= BROKEN:
                self.run.faults.append(f"status {reply.status}: {reply.body[:120]!r}")
            return reply
        raise Broken("the server did not come back")


async def play(
    round_: Round, *, port: int, workers: Callable[[], list[int]], seed: int, n_people: int = 5
) -> Run:
    """Play one run to its end.

    Args:
        round_: An open round of its own.
        port: The server's.
        workers: Gives the process ids of the server's workers.
        seed: Decides everything but the machine's own timing.
        n_people: At once.

    Raises:
        Broken: The server did not come back, or the run got stuck.
    """
    run = Run(round=round_)
    people = [Person(run, port, f"{seed}:{number}") for number in range(n_people)]
    trouble = asyncio.create_task(_make_trouble(run, workers, random.Random(seed)))  # noqa: S311
    try:
        async with asyncio.timeout(LONGEST_RUN_SECONDS):
            await asyncio.gather(*(person.live() for person in people))
    except TimeoutError as error:
        raise Broken("the run got stuck") from error
    finally:
        trouble.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await trouble
    return run


async def _make_trouble(run: Run, workers: Callable[[], list[int]], rng: random.Random) -> None:
    """Kill a worker process without warning, and let the leases' clock jump.

    A kill waits until an answer is under way, and until the server has answered for a while since
    the last one: where every worker is killed before it has begun, nothing is tried out.
    """
    killed_at = 0
    while True:
        await asyncio.sleep(rng.uniform(0.1, 0.8))
        if rng.random() < KILLS:
            alive = workers()
            if alive and run.n_replies - killed_at >= REPLIES_BETWEEN_KILLS:
                while not run.under_way:
                    await asyncio.sleep(POLL_SECONDS)
                await asyncio.sleep(rng.uniform(0.0, LONGEST_ANSWER_SECONDS))
                killed_at = run.n_replies
                run.n_kills += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(alive), signal.SIGKILL)
        else:
            await sync_to_async(release_all_expired)(now=timezone.now() + JUMP)


def faults_after(run: Run) -> list[str]:
    """Say what does not hold after a run; nothing may."""
    found = list(run.faults)
    own = Response.objects.of_round(run.round)
    stored = {str(each) for each in own.values_list("client_uuid", flat=True)}
    lost = set(run.replies) - stored
    unknown = stored - run.sent
    if lost:
        found.append(f"{len(lost)} acknowledged answers are lost")
    if unknown:
        found.append(f"{len(unknown)} answers that nobody sent")
    if own.count() != len(stored):
        found.append("an id is stored twice")
    miscounted = recount(round=run.round)
    if miscounted:
        found.append(f"{len(miscounted)} counters differ from a recount")
    if overfull(run.round):
        found.append(f"{overfull(run.round)} tasks hold more than they want")
    votes = own.votes().values("assignment__task", "assignment__task__target").order_by()
    too_many = votes.annotate(n=Count("pk")).filter(n__gt=F("assignment__task__target")).count()
    if too_many:
        found.append(f"{too_many} tasks have more votes than they want")
    in_round = Assignment.objects.filter(sitting__round=run.round)
    answered = in_round.filter(state="answered").count()
    if own.current().count() != answered:
        found.append(f"{answered} answered places, {own.current().count()} votes")
    if own.filter(assignment__served_at=None).exists():
        found.append("an answer to something never shown")
    sizes = Sitting.objects.filter(round=run.round).annotate(
        n=Count("assignments", filter=~Q(assignments__state="void"))
    )
    if sizes.exclude(n=F("n_promised")).exists():
        found.append("a block is not what was promised")
    return found
