"""`manage.py bench_site`: server time of a large project's pages, in a database of its own."""

import json
import os
import platform
import shlex
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand

from annotation_site.annotation.models import Round
from annotation_site.rehearsal import databases, server
from annotation_site.rehearsal.site_times import measure_pages
from annotation_site.rehearsal.stage import REHEARSAL_LEAD

MOST_MS = 200.0


class Command(BaseCommand):
    """Fill a database of its own, ask for its pages, measure, and clean up."""

    help = "Measure server time and queries of the pages of a project with very many answers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--images", type=int, default=200_000)
        parser.add_argument("--answers", type=int, default=1_000_000)
        parser.add_argument("--slices", type=int, default=50, help="of as many images, on one map")
        parser.add_argument("--rounds", type=int, default=20, help="measured requests of a page")
        parser.add_argument("--database", choices=databases.NAMES, default="postgres")
        parser.add_argument("--json", type=Path, help="write the figures to this file")
        # What the command asks of itself in a process with the other database:
        parser.add_argument("--measure", action="store_true", help="(internal) ask for the pages")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Measure, or do the internal step."""
        if options["measure"]:
            round_ = Round.objects.select_related("project", "created_by").get()
            self.stdout.write(json.dumps(measure_pages(round_, rounds=options["rounds"])))
            return
        figures = {
            "bench": "site",
            "command": shlex.join(["manage.py", *sys.argv[1:]]),
            "machine": {
                "processor": f"{platform.machine()}, {os.cpu_count()} cores",
                "python": platform.python_version(),
            },
            "images": options["images"],
            "answers": options["answers"],
            "slices": options["slices"],
            "rounds": options["rounds"],
            "database": options["database"],
            "pages": self._measured(options),
        }
        for page, found in figures["pages"].items():
            slow = "  slow" if found["p95_ms"] > MOST_MS else ""
            self.stdout.write(
                f"{page:<28} median {found['median_ms']:>8.1f} ms  p95 {found['p95_ms']:>8.1f} ms"
                f"  {found['queries']:>3} queries{slow}"
            )
        if options["json"]:
            options["json"].parent.mkdir(parents=True, exist_ok=True)
            options["json"].write_text(json.dumps(figures, indent=1) + "\n")

    def _measured(self, options: dict[str, Any]) -> dict[str, Any]:
        with (
            tempfile.TemporaryDirectory(prefix="gazecheck-bench-") as place,
            databases.database(options["database"], Path(place)) as url,
        ):
            env = server.environment(Path(place), url)
            server.manage(["migrate", "--verbosity", "0"], env)
            server.manage(
                ["seed_large", f"--images={options['images']}", f"--answers={options['answers']}"],
                env,
            )
            server.manage(
                [
                    "seed_workspace",
                    f"--lead={REHEARSAL_LEAD}",
                    f"--points={options['images']}",
                    f"--slices={options['slices']}",
                ],
                env,
            )
            said = server.manage(["bench_site", "--measure", f"--rounds={options['rounds']}"], env)
        found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return found
