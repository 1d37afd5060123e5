"""`manage.py rehearse`: plays a simulated crowd through the real site, before money is spent."""

import asyncio
import dataclasses
import json
import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from annotation_site.annotation.models import Round
from annotation_site.rehearsal import databases
from annotation_site.rehearsal.apart import Standing, Watch, play_apart
from annotation_site.rehearsal.crowd import USUAL_MIX, read_mix
from annotation_site.rehearsal.plans import (
    Play,
    Terms,
    enough_people,
    minutes_of,
    plan_of,
    read_plan,
)
from annotation_site.rehearsal.playing import rehearse
from annotation_site.rehearsal.scene import Scene, scene_of
from annotation_site.rehearsal.telling import table

TELL_EVERY_SECONDS = 5.0
OWN_SETTINGS = (
    "items",
    "redundancy",
    "block",
    "practice",
    "gold",
    "repeats",
    "checks",
    "pass_mark",
)


class Command(BaseCommand):
    """Start a database and the site of its own, let a crowd come, and tell what to expect."""

    help = (
        "Play a simulated crowd through the real pages of a round, and predict cost, finish time, "
        "agreement with its interval, the elbow and the share of unusable answers."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--round", help="public id of a round whose settings are taken")
        parser.add_argument("--annotators", type=int, help="how many come; default: enough")
        parser.add_argument("--items", type=int, help="queries; default 120")
        parser.add_argument("--redundancy", type=int, help="answers for each; default 5")
        parser.add_argument("--block", type=int, help="queries in a sitting; default 40; 0: all")
        parser.add_argument("--practice", type=int, help="practice items; default 3")
        parser.add_argument("--gold", type=int, help="gold tasks in a sitting; default 0")
        parser.add_argument("--repeats", type=int, help="repeated queries in a sitting; default 0")
        parser.add_argument("--checks", type=int, help="attention checks in a sitting; default 0")
        parser.add_argument(
            "--pass-mark", type=int, help="practice answers to get right; default 0"
        )
        parser.add_argument(
            "--crowd", default=",".join(f"{name}={share}" for name, share in USUAL_MIX.items()),
            help="shares of the kinds of people; default %(default)s",
        )  # fmt: skip
        parser.add_argument("--per-hour", type=float, default=120.0, help="arrivals an hour")
        parser.add_argument("--hourly", type=float, default=9.0, help="pay, any currency")
        parser.add_argument("--reward", type=float, help="for a sitting, instead of --hourly")
        parser.add_argument("--screen-out-reward", type=float, default=0.0)
        parser.add_argument(
            "--fee", type=float, default=0.0, help="the panel's, a share of the pay"
        )
        parser.add_argument("--share-yes", type=float, default=0.6, help="of the items")
        parser.add_argument("--contested", type=float, default=0.15, help="share of hard items")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--speed", type=float, default=0.0,
            help="simulated seconds in a real one; 0: as fast as the server answers",
        )  # fmt: skip
        parser.add_argument("--lanes", type=int, default=8, help="requests under way at once")
        parser.add_argument("--database", choices=databases.NAMES, default="sqlite")
        parser.add_argument("--workers", type=int, default=3)
        parser.add_argument("--json", type=Path, help="write everything to this file")
        parser.add_argument(
            "--inside", type=Path, help="(internal) play this plan in this database"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Rehearse, or play what the outer command has prepared."""
        if options["inside"]:
            self._inside(options["inside"])
            return
        found = play_apart(self._plan(options), database=options["database"], watch=self._watch())
        if options["json"]:
            options["json"].write_text(json.dumps(found, indent=1) + "\n")
        self.stdout.write(table(found))
        faults = found["server"]["faults"]
        if any(faults.values()):
            raise CommandError(f"the site did not hold: {faults}")

    def _plan(self, options: dict[str, Any]) -> dict[str, Any]:
        scene = self._scene(options)
        for name in ("per_hour", "hourly"):
            if not options[name] > 0:
                raise CommandError(f"--{name.replace('_', '-')} must be above 0")
        reward = options["reward"]
        terms = Terms(
            reward=options["hourly"] * minutes_of(scene) / 60 if reward is None else reward,
            screened_out=options["screen_out_reward"], fee=options["fee"],
        )  # fmt: skip
        play = Play(
            annotators=options["annotators"] or enough_people(scene), mix=read_mix(options["crowd"]),
            per_hour=options["per_hour"], seed=options["seed"], speed=options["speed"],
            lanes=options["lanes"], workers=options["workers"],
        )  # fmt: skip
        return plan_of(scene, play, terms)

    def _scene(self, options: dict[str, Any]) -> Scene:
        names = dict(zip(
            OWN_SETTINGS,
            ("n_items", "redundancy", "block_size", "n_practice", "n_gold", "n_repeats",
             "n_checks", "pass_mark"), strict=True,
        ))  # fmt: skip
        said = {names[own]: options[own] for own in names if options[own] is not None}
        said |= {"share_yes": options["share_yes"], "share_contested": options["contested"]}
        if not options["round"]:
            return Scene(**{"n_items": 120, **said})
        try:
            round_ = Round.objects.get(public_id=options["round"])
        except Round.DoesNotExist as error:
            raise CommandError(f"there is no round {options['round']!r}") from error
        if {"n_items", "redundancy"} & set(said):
            said |= {"targets": [], "clusters": []}
        return dataclasses.replace(scene_of(round_), **said)

    def _inside(self, written: Path) -> None:
        said = json.loads(written.read_text())
        scene, play, terms = read_plan(said)
        found = asyncio.run(
            rehearse(
                scene, play, terms, env=dict(os.environ), folder=Path(settings.VAR),
                tell=lambda standing: standing.write(Path(said["standing"])),
            )
        )  # fmt: skip
        Path(said["result"]).write_text(json.dumps(found))

    def _watch(self) -> Watch:
        told_at = time.monotonic()

        def watch(standing: Standing | None) -> None:
            nonlocal told_at
            if standing is None or time.monotonic() - told_at < TELL_EVERY_SECONDS:
                return
            told_at = time.monotonic()
            self.stderr.write(
                f"{standing.hours:6.2f} h: {standing.came} of {standing.people} people, "
                f"{standing.answers} answers"
            )

        return watch
