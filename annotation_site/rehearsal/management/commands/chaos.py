"""`manage.py chaos`: short runs with kills, broken lines and jumping clocks; nothing may be lost."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from annotation_site.annotation.models import Response
from annotation_site.rehearsal import databases, server
from annotation_site.rehearsal.chaos import Broken, faults_after, play
from annotation_site.rehearsal.stage import build_round

LOG_TAIL = 4_000
"""So much of the server's log is shown after a run with faults."""


class Command(BaseCommand):
    """Play runs on a database of their own and check what must hold after each."""

    help = "Chaos runs over real HTTP: kill -9, dropped lines, replays, reordering, clock jumps."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--runs", type=int, default=3)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--database", choices=databases.NAMES, default="sqlite")
        parser.add_argument("--people", type=int, default=5)
        parser.add_argument("--inside", action="store_true", help="(internal) use this database")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Set up the database, or play in it."""
        if options["inside"]:
            self._play(options)
            return
        with tempfile.TemporaryDirectory(prefix="gazecheck-chaos-") as name:
            folder = Path(name)
            with databases.database(options["database"], folder) as url:
                env = server.environment(folder, url)
                server.manage(["migrate", "--verbosity", "0"], env)
                done = subprocess.run(  # noqa: S603  (our own program)
                    [sys.executable, str(settings.BASE_DIR / "manage.py"), "chaos", "--inside",
                     f"--runs={options['runs']}", f"--seed={options['seed']}",
                     f"--people={options['people']}"],
                    env=env, cwd=settings.BASE_DIR, check=False,
                )  # fmt: skip
        if done.returncode:
            raise CommandError("something that must hold did not; see above")

    def _play(self, options: dict[str, Any]) -> None:
        env, folder = dict(os.environ), Path(settings.VAR)
        bad = all_kills = all_cut = 0
        with server.serving(env, folder, workers=2, threads=2) as site:
            for number in range(options["runs"]):
                seed = options["seed"] + number
                began = time.monotonic()
                round_ = build_round(
                    n_items=12, redundancy=2, block_size=6, n_practice=0, n_gold=0,
                    n_repeats=0, name=f"run {seed}",
                )  # fmt: skip
                try:
                    run = asyncio.run(
                        play(
                            round_,
                            port=site.port,
                            workers=site.workers,
                            seed=seed,
                            n_people=options["people"],
                        )
                    )
                except Broken as error:
                    faults, n_sent, n_heard, n_kills, n_cut = [str(error)], 0, 0, 0, 0
                else:
                    faults = faults_after(run)
                    n_sent, n_heard = len(run.sent), len(run.replies)
                    n_kills, n_cut = run.n_kills, run.n_cut
                    if not n_heard:
                        faults.append("no answer was given at all, so nothing was tried")
                if faults:
                    self.stderr.write(site.log.read_text(errors="replace")[-LOG_TAIL:])
                stored = Response.objects.of_round(round_).count()
                bad += bool(faults)
                all_kills, all_cut = all_kills + n_kills, all_cut + n_cut
                self.stdout.write(
                    f"run {seed}: {n_sent} sent, {n_heard} acknowledged, {stored} stored, "
                    f"{n_kills} kills, {n_cut} answers cut off, {time.monotonic() - began:.1f} s: {'; '.join(faults) or 'all holds'}"
                )
        self.stdout.write(f"{options['runs'] - bad} of {options['runs']} runs: all holds")
        self.stdout.write(f"{all_kills} kills, {all_cut} answers cut off before their reply")
        if bad:
            raise CommandError(f"{bad} runs with faults")
