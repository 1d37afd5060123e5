"""A whole rehearsal in a database of its own: set up, serve, let the crowd come, count."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async

from annotation_site.annotation import services
from annotation_site.annotation.models import Response, Sitting, TaskRole
from annotation_site.rehearsal import server
from annotation_site.rehearsal.apart import Standing
from annotation_site.rehearsal.crowd import arrivals, gather
from annotation_site.rehearsal.load import quantile
from annotation_site.rehearsal.plans import Play, Terms
from annotation_site.rehearsal.prediction import Asked, Vote, predict, shares_of
from annotation_site.rehearsal.scene import Scene, Stage, set_up
from annotation_site.rehearsal.stage import compare, unanswered_but_done
from annotation_site.rehearsal.virtual_time import VirtualClock
from annotation_site.rehearsal.visiting import Record, Visitor

TELL_EVERY = 1.0
"""Real seconds between two looks at how far it is."""


async def rehearse(
    scene: Scene,
    play: Play,
    terms: Terms,
    *,
    env: Mapping[str, str],
    folder: Path,
    tell: Callable[[Standing], None],
) -> dict[str, Any]:
    """Play a rehearsal in this process's database, which must be empty and of its own.

    Args:
        scene: The round.
        play: The crowd.
        terms: What people are paid.
        env: For the server.
        folder: For its log.
        tell: Gets how far it is, now and then.

    Returns:
        The report, ready for JSON.
    """
    stage = await sync_to_async(set_up)(scene, seed=play.seed)
    record = Record()
    began = time.monotonic()
    with server.serving(env, folder, workers=play.workers, threads=1, worker_class="sync") as site:
        clock = VirtualClock(lanes=play.lanes, speed=play.speed)
        telling = asyncio.create_task(_tell(tell, clock, record, play))
        try:
            await clock.run(_lives(stage, play, clock, record, site.port))
        finally:
            telling.cancel()
    lasted = time.monotonic() - began
    return await sync_to_async(_report)(stage, play, terms, record, lasted)


def _lives(stage: Stage, play: Play, clock: VirtualClock, record: Record, port: int) -> list[Any]:
    crowd = gather(play.annotators, play.mix, seed=play.seed, choices=stage.scene.answers)
    moments = arrivals(play.annotators, per_hour=play.per_hour, seed=play.seed)
    return [
        Visitor(person, stage, clock, record, port).live(moment, _expire)
        for person, moment in zip(crowd, moments, strict=True)
    ]


async def _expire(public_id: str) -> None:
    await sync_to_async(_expire_now)(public_id)


def _expire_now(public_id: str) -> None:
    services.expire(sitting=Sitting.objects.get(public_id=public_id))


async def _tell(
    tell: Callable[[Standing], None], clock: VirtualClock, record: Record, play: Play
) -> None:
    while True:
        await asyncio.sleep(TELL_EVERY)
        came = sum(told.arrived <= clock.now for told in record.people)
        tell(
            Standing(
                hours=clock.now / 3600, came=came, people=play.annotators, answers=len(record.sent)
            )
        )


def _report(
    stage: Stage, play: Play, terms: Terms, record: Record, lasted: float
) -> dict[str, Any]:
    scene = stage.scene
    pictures = stage.round.tasks.asked().order_by("position").values_list("image__public_id")
    asked = Asked(
        truths=[stage.truths[public_id].answer for (public_id,) in pictures],
        answers=scene.answers,
        targets=scene.targets or [scene.redundancy] * scene.n_items,
    )
    people = sorted(record.people, key=lambda told: told.arrived)
    settings = dataclasses.asdict(scene)
    for name in ("targets", "clusters"):  # one for each item: told by their number
        settings[name] = len(settings[name])
    return {
        **predict(_votes(stage, record), people, asked, terms),
        "behaviour": {
            "reloads": record.reloads,
            "answers_in_an_older_tab": record.elsewhere,
        },
        "server": _server(record, lasted),
        "settings": {
            "scene": settings,
            "play": {**dataclasses.asdict(play), "mix": shares_of(play.mix)},
            "terms": dataclasses.asdict(terms),
        },
    }


def _server(record: Record, lasted: float) -> dict[str, Any]:
    """Hold what was acknowledged against what is stored, and tell how long replies took."""
    found = compare(record.sent)
    return {
        "faults": {
            "errors": len(record.errors),
            "lost": found.lost,
            "duplicates": found.duplicates,
            "surplus": found.surplus,
            "miscounted": found.miscounted,
            "unanswered": unanswered_but_done(),
        },
        "first_errors": record.errors[:5],
        "acknowledged": len(record.sent),
        "stored": found.responses,
        "seconds": lasted,
        "answers_per_second": len(record.sent) / lasted,
        "times": {
            kind: {
                "n": len(times),
                "p50_ms": quantile(times, 0.5),
                "p95_ms": quantile(times, 0.95),
            }
            for kind, times in sorted(record.times.items())
        },
    }


def _votes(stage: Stage, record: Record) -> list[Vote]:
    """Read every stored answer to a query, and put it on the simulation's clock."""
    of_queries = Response.objects.of_round(stage.round).filter(
        assignment__task__role=TaskRole.QUERY
    )
    current = set(of_queries.current().values_list("pk", flat=True))
    rows = of_queries.values_list(
        "pk", "client_uuid", "assignment__task__position", "assignment__sitting__public_id",
        "answer",
    )  # fmt: skip
    votes = []
    for key, client_uuid, position, sitting, answer in rows:
        sent = record.sent.get(str(client_uuid))
        if sent is not None:  # else the line broke for good, and nobody knows when it was given
            votes.append(
                Vote(at=sent.at, item=position, rater=sitting, answer=answer,
                     quality=sent.quality, counted=key in current)
            )  # fmt: skip
    return votes
