"""`manage.py bench_serving`: how many answers a second this site takes on this machine."""

import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from annotation_site.rehearsal import databases, server
from annotation_site.rehearsal.load import Plan
from annotation_site.rehearsal.stage import build_round, compare

N_PRACTICE = 3
BARS = {"sqlite": 80.0, "postgres": 150.0}
SLOWEST_P95_MS = 150.0


class Command(BaseCommand):
    """Start a database and the site as in production, answer over HTTP, count, and clean up."""

    help = "Measure answers per second and latency of the site under gunicorn, over real HTTP."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--annotators", type=int, default=60)
        parser.add_argument("--clients", type=int, default=8)
        parser.add_argument("--items", type=int, default=20_000)
        parser.add_argument("--redundancy", type=int, default=5)
        parser.add_argument("--block", type=int, default=40)
        parser.add_argument("--seconds", type=float, default=60.0)
        parser.add_argument("--think", type=float, default=1.0)
        parser.add_argument("--database", choices=databases.NAMES, default="sqlite")
        parser.add_argument("--workers", type=int, default=4)
        parser.add_argument("--threads", type=int, default=1)
        parser.add_argument("--worker-class", default="sync", help="gunicorn's: sync or gthread")
        parser.add_argument(
            "--low-water", type=int, default=3,
            help="ask for tasks when fewer are known; 1: before every answer, 3: as the page does",
        )  # fmt: skip
        parser.add_argument("--pictures", action="store_true", help="fetch every picture as well")
        parser.add_argument("--json", type=Path, help="write the figures to this file")
        # What the command asks of itself in a process with the other database:
        parser.add_argument("--build", action="store_true", help="(internal) make the round")
        parser.add_argument("--compare", type=Path, help="(internal) count rows against this file")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Measure, or do one of the internal steps."""
        if options["build"]:
            round_ = build_round(
                n_items=options["items"], redundancy=options["redundancy"],
                block_size=options["block"], n_practice=N_PRACTICE,
            )  # fmt: skip
            self.stdout.write(f"/a/{round_.link_token}/")
        elif options["compare"]:
            found = compare(options["compare"].read_text().split())
            self.stdout.write(json.dumps(dataclasses.asdict(found)))
        else:
            self._measure(options)

    def _measure(self, options: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory(prefix="gazecheck-bench-") as name:
            folder = Path(name)
            with databases.database(options["database"], folder) as url:
                env = server.environment(folder, url)
                server.manage(["migrate", "--verbosity", "0"], env)
                made = server.manage(
                    ["bench_serving", "--build", f"--items={options['items']}",
                     f"--redundancy={options['redundancy']}", f"--block={options['block']}"],
                    env,
                )  # fmt: skip
                link = made.strip().splitlines()[-1]
                with server.serving(
                    env,
                    folder,
                    workers=options["workers"],
                    threads=options["threads"],
                    worker_class=options["worker_class"],
                ) as site:
                    fast = self._play(folder, site.port, link, options, options["clients"], 0.0, 1)
                    slow = self._play(
                        folder, site.port, link, options,
                        options["annotators"], options["think"], 2,
                    )  # fmt: skip
                acks = folder / "acknowledged"
                found = json.loads(server.manage(["bench_serving", "--compare", str(acks)], env))
        self._tell(options, fast, slow, found)

    def _play(
        self,
        folder: Path,
        port: int,
        link: str,
        options: dict[str, Any],
        people: int,
        think: float,
        seed: int,
    ) -> dict[str, Any]:
        plan = Plan(
            port=port, link=link, people=people, seconds=options["seconds"], think_seconds=think,
            pictures=options["pictures"], low_water=options["low_water"], n_practice=N_PRACTICE, seed=seed,
            acknowledged=str(folder / "acknowledged"),
        )  # fmt: skip
        written = folder / f"plan-{seed}.json"
        written.write_text(json.dumps(dataclasses.asdict(plan)))
        done = subprocess.run(  # noqa: S603  (our own program)
            [sys.executable, "-m", "annotation_site.rehearsal.load", str(written)],
            cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise CommandError(f"the load failed: {done.stderr.strip()[-1000:]}")
        played: dict[str, Any] = json.loads(done.stdout)
        return played

    def _tell(
        self,
        options: dict[str, Any],
        fast: dict[str, Any],
        slow: dict[str, Any],
        found: dict[str, int],
    ) -> None:
        times = slow["times"]
        figures = {
            "answers_per_second": round(fast["answers_per_second"], 1),
            "next_p50_ms": times["next"]["p50_ms"],
            "next_p95_ms": times["next"]["p95_ms"],
            "answer_p50_ms": times["answer"]["p50_ms"],
            "answer_p95_ms": times["answer"]["p95_ms"],
            "errors": fast["errors"] + slow["errors"],
            "surplus": found["surplus"],
            "lost": found["lost"],
            "duplicates": found["duplicates"],
            "miscounted": found["miscounted"],
            "responses": found["responses"],
            "acknowledged": fast["answers"] + slow["answers"],
            "settings": {
                name: options[name]
                for name in ("database", "annotators", "clients", "items", "redundancy", "block",
                             "seconds", "think", "workers", "threads", "worker_class", "low_water", "pictures")
            },
            "throughput": fast,
            "latency": slow,
            "machine": {
                "cores": os.cpu_count(), "load": os.getloadavg()[0],
                "python": platform.python_version(),
            },
        }  # fmt: skip
        if options["json"]:
            options["json"].write_text(json.dumps(figures, indent=1) + "\n")
        for name, value in figures.items():
            if not isinstance(value, dict):
                self.stdout.write(f"{name:>20}  {value}")
        for error in [*fast["first_errors"], *slow["first_errors"]]:
            self.stderr.write(error)
        bar = BARS[options["database"]]
        faults = ("errors", "surplus", "lost", "duplicates", "miscounted")
        good = (
            figures["answers_per_second"] >= bar
            and max(figures["next_p95_ms"], figures["answer_p95_ms"]) <= SLOWEST_P95_MS
            and not any(figures[name] for name in faults)
        )
        self.stdout.write(
            f"{'reached' if good else 'MISSED'}: {bar:.0f} answers/s, p95 {SLOWEST_P95_MS:.0f} ms, no faults"
        )
        if any(figures[name] for name in faults):
            raise CommandError("an answer was lost, doubled or refused; see above")
