"""`manage.py bench_export`: how long an export takes, and how much memory its process needs."""

import json
import os
import platform
import resource
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils.module_loading import import_string

from annotation_site.annotation.models import Round
from annotation_site.exports.services import ask_for_export
from annotation_site.jobs.management.commands.db_worker import Command as Worker
from annotation_site.jobs.models import JobState
from annotation_site.jobs.tasks import run_job
from annotation_site.jobs.workers import CHORES
from annotation_site.rehearsal import databases, server

MOST_SECONDS = 60.0
MOST_MEGABYTES = 200.0
KILO = 1000.0
BUILD = "annotation_site.rehearsal.crowded.build_crowded_round"
"""By name: the process that is measured loads what a worker loads, and no more."""


class Command(BaseCommand):
    """Fill a database of its own, export from it as a worker does, measure, and clean up."""

    help = "Measure seconds and peak memory of exporting a round with many answers."
    requires_system_checks = Worker.requires_system_checks
    """As few as a worker runs, or the process that is measured would load every page."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--answers", type=int, default=200_000)
        parser.add_argument("--redundancy", type=int, default=5)
        parser.add_argument("--block", type=int, default=40)
        parser.add_argument(
            "--database", choices=databases.NAMES, action="append",
            help="may be given twice; both, where PostgreSQL is installed, without",
        )  # fmt: skip
        parser.add_argument("--json", type=Path, help="write the figures to this file")
        # What the command asks of itself in a process with the other database:
        parser.add_argument("--build", action="store_true", help="(internal) fill the database")
        parser.add_argument("--export", action="store_true", help="(internal) export and measure")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Measure, or do one of the internal steps."""
        if options["build"]:
            import_string(BUILD)(
                n_answers=options["answers"],
                redundancy=options["redundancy"],
                block_size=options["block"],
            )
        elif options["export"]:
            self.stdout.write(json.dumps(_export()))
        else:
            self._measure(options)

    def _measure(self, options: dict[str, Any]) -> None:
        names = options["database"] or [
            name for name in databases.NAMES if name == "sqlite" or databases.programs()
        ]
        figures: dict[str, Any] = {
            "answers": options["answers"],
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
            "load_before": os.getloadavg()[0],
        }
        for name in names:
            figures[name] = self._measure_on(name, options)
            self.stdout.write(f"{name}: {json.dumps(figures[name])}")
        if options["json"]:
            options["json"].write_text(json.dumps(figures, indent=1) + "\n")
        slow = [name for name in names if figures[name]["seconds"] > MOST_SECONDS]
        large = [name for name in names if figures[name]["peak_rss_mb"] >= MOST_MEGABYTES]
        if slow or large:
            raise CommandError(
                f"over {MOST_SECONDS:.0f} s: {slow or 'none'}; "
                f"{MOST_MEGABYTES:.0f} MB or more: {large or 'none'}"
            )

    def _measure_on(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        with (
            tempfile.TemporaryDirectory(prefix="gazecheck-bench-") as place,
            databases.database(name, Path(place)) as url,
        ):
            env = server.environment(Path(place), url)
            server.manage(["migrate", "--verbosity", "0"], env)
            server.manage(
                ["bench_export", "--build", f"--answers={options['answers']}",
                 f"--redundancy={options['redundancy']}", f"--block={options['block']}"],
                env,
            )  # fmt: skip
            said = server.manage(["bench_export", "--export"], env)
        measured: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return measured


def _export() -> dict[str, Any]:
    """Export in this process just as a worker would, through the queue's own function."""
    export = ask_for_export(round=Round.objects.get(), asked_by=None)
    for chore in CHORES:
        import_string(chore)()  # a worker's heart does so before its first job
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    assert export.job is not None  # it was made a moment ago
    run_job.call(export.job.pk)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    export.job.refresh_from_db()
    if export.job.state != JobState.DONE:
        raise CommandError(f"the export failed: {export.job.error}\n{export.job.traceback}")
    heavy = sorted({"torch", "sklearn", "umap", "pandas"} & set(sys.modules))
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2
        ),
        "peak_rss_mb": round(after.ru_maxrss * 1024 / KILO**2, 1),
        "rss_before_mb": round(before.ru_maxrss * 1024 / KILO**2, 1),
        "rows": export.job.result["rows"],
        "bytes": export.job.result["bytes"],
        "heavy_modules": heavy,
    }
