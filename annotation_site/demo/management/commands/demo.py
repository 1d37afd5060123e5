"""`manage.py demo`: from nothing to a project with an open round, its server and its worker.

With --headless the whole job is done over HTTP by simulated annotators and a lead, down to the
before/after table, and the figures are written to report.json.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round, RoundState
from annotation_site.demo import project as steps
from annotation_site.demo.crowd import Person, Regions
from annotation_site.demo.http import Browser
from annotation_site.demo.processes import free_port, serving
from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects.models import Project
from engine.errors import EngineError

QUERIES, QUERIES_HEADLESS = 24, 120
ANNOTATORS = 4


class Command(BaseCommand):
    """Run the demo."""

    help = "Build the demo project, open a round, and serve it until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the data set, the port and the mode."""
        parser.add_argument("--data", default="stampbirds", help="stampbirds, solar or shapes")
        parser.add_argument("--cache", type=Path, default=settings.VAR / "cache")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--queries", type=int, default=0, help="images to ask about")
        parser.add_argument("--headless", action="store_true", help="answer by simulation and end")
        parser.add_argument("--report", type=Path, default=settings.VAR / "demo" / "report.json")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Build, serve, and wait or answer."""
        self.console = Console(stderr=True)
        self.timings: dict[str, float] = {}
        try:
            self._run(**options)
        except EngineError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.console.print("\nStopped. Type the same command to go on where this ended.")

    def _run(
        self,
        *,
        data: str,
        cache: Path,
        port: int,
        queries: int,
        headless: bool,
        report: Path,
        **_: Any,
    ) -> None:
        call_command("migrate", verbosity=0)
        with self._timed("data"), self._bar("Building the data set") as update:
            built = steps.build_data(data, cache, self.console.print, update)
        lead, password = steps.lead_with_password()
        with serving(free_port(port), settings.VAR / "demo") as self.site:
            origin = self.site.origin
            project, job = steps.open_project(built, lead)
            if job is not None:
                with self._timed("register"):
                    self._wait(job)
            truth = steps.regions_of(built, project)
            budget = queries or (QUERIES_HEADLESS if headless else QUERIES)
            round_ = self._open_round(project, lead, truth, budget, fresh=headless)
            if headless:
                self._answer(origin, round_, truth)
                self._close(origin, round_, password)
                self._write_report(round_, built.name, report)
            else:
                self._invite(origin, project, round_, password)

    def _open_round(
        self, project: Project, lead: User, truth: Regions, budget: int, *, fresh: bool
    ) -> Round:
        unfinished = project.rounds.exclude(state=RoundState.CLOSED)
        if not fresh and (waiting := unfinished.filter(state=RoundState.OPEN).first()):
            return waiting
        # a round that an interrupted demo left half set up, or that a headless one must not mix with
        unfinished.delete()
        if fresh:
            project.rounds.all().delete()
        with self._timed("round"):
            round_ = steps.new_round(project, lead, budget=budget, wait=self._wait)
            steps.settle_practice(round_, truth)
        return round_

    def _invite(self, origin: str, project: Project, round_: Round, password: str) -> None:
        spent = sum(self.timings.values())
        out = Console()
        out.print(f"\n[bold]The demo is ready[/bold] ({spent:.0f} s after the install).\n")
        out.print(f"  Annotator   {origin}/a/{round_.link_token}/", soft_wrap=True)
        out.print(f"  Lead        {origin}/projects/{project.public_id}/", soft_wrap=True)
        out.print(f"              name {steps.LEAD}, one-time password {password}")
        out.print(
            f"\nAnswer {round_.tasks.count()} images at the first address, then close the round at the "
            "second.\nCtrl-C ends server and worker; nothing is lost.\n"
        )
        while True:
            time.sleep(2)
            self.site.check()

    def _answer(self, origin: str, round_: Round, truth: Regions) -> None:
        total = round_.tasks.count()
        with self._timed("answers"), self._bar("Answering over HTTP") as update:
            done = 0

            def count() -> None:
                nonlocal done
                done += 1
                update(done, total)

            for number in range(ANNOTATORS):
                if done == total:  # a small round is one person's, and the next is turned away
                    break
                Person(origin, f"/a/{round_.link_token}/", truth, seed=number).work(count)
        if done != total:
            raise CommandError(
                f"{done} of {total} questions were answered; see var/demo/server.log"
            )

    def _close(self, origin: str, round_: Round, password: str) -> None:
        """Close the round as the lead does: sign in, press the button."""
        browser = Browser(origin)
        browser.get("/sign-in/")
        browser.post("/sign-in/", {"username": steps.LEAD, "password": password})
        browser.get(f"/rounds/{round_.public_id}/")
        browser.post(f"/rounds/{round_.public_id}/close/", {})
        with self._timed("close"):
            self._wait(Job.objects.get(round=round_, kind=JobKind.CLOSE))
        browser.get(f"/rounds/{round_.public_id}/result/")

    def _write_report(self, round_: Round, name: str, path: Path) -> None:
        round_.refresh_from_db()
        found = round_.result.report
        report = {
            "dataset": name,
            "annotated": found["annotated"],
            "n_train": found["n_train"],
            "subset_size": found["subset_size"],
            "before": found["before"],
            "after": found["after"],
            "verdict": found["verdict"],
            "warnings": found["warnings"],
            "regularisation": found["regularisation"],
            "seconds": {**found["seconds"], **{f"demo_{k}": v for k, v in self.timings.items()}},
            "seed": found["seed"],
            "preset": found["preset"],
            "versions": found["versions"],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n")
        self._print_table(report)
        self.stdout.write(f"{path}")

    def _print_table(self, report: dict[str, Any]) -> None:
        self.stdout.write(
            f"{report['dataset']}: {report['annotated']} of {report['n_train']} training images "
            f"annotated, {report['subset_size']} used"
        )
        self.stdout.write(f"{'':<16}{'average':>9}{'worst group':>13}")
        for route, result in {"before": report["before"], **report["after"]}.items():
            self.stdout.write(f"{route:<16}{result['average']:>9.3f}{result['worst_group']:>13.3f}")

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.timings[name] = round(time.monotonic() - started, 1)

    @contextmanager
    def _bar(self, words: str) -> Iterator[Any]:
        columns = (
            TextColumn("{task.description:<44}"), BarColumn(bar_width=24), MofNCompleteColumn(),
            TimeElapsedColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(words, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total or None)

    def _wait(self, job: Job) -> None:
        with self._bar(f"{job.get_kind_display()}") as update:
            bar_words = ""

            def show(now: Job) -> None:
                nonlocal bar_words
                self.site.check()
                if now.stage != bar_words:
                    bar_words = now.stage
                    self.console.print(f"  {now.stage}", highlight=False, style="dim")
                update(now.done, now.total)

            steps.wait_for(job, show)
