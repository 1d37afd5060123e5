"""`manage.py bench_workspace`: how quick the lead's workspace is in a browser without a GPU."""

import json
import os
import platform
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import BaseCommand, CommandError
from django.urls import reverse

from annotation_site.accounts.models import User
from annotation_site.rehearsal import databases, server
from annotation_site.rehearsal.browsing import Visit, measure
from annotation_site.rehearsal.slices_scene import make_scene

BARS = {
    "pan_p95_ms": 40.0,
    "lasso_ms": 30.0,
    "propagation_ms": 500.0,
    "first_points_ms": 1000.0,
    "gesture_p95_ms": 40.0,
}
BACKEND = "django.contrib.auth.backends.ModelBackend"


class Command(BaseCommand):
    """Serve the real page with made-up slices as in production, drive Chromium, and clean up."""

    help = "Measure panning, lasso, marks and first paint of the workspace in headless Chromium."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--points", type=int, default=200_000)
        parser.add_argument("--slices", type=int, default=50)
        parser.add_argument("--frames", type=int, default=300)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", type=Path, help="write the figures to this file")
        parser.add_argument("--build", action="store_true", help="(internal) make the workspace")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Measure, or do the internal step."""
        if not 1 <= options["slices"] <= options["points"]:
            raise CommandError("--slices must lie between 1 and --points")
        if options["build"]:
            self.stdout.write(json.dumps(_build(options)))
            return
        figures = _measured(options)
        figures["settings"] = {
            name: options[name] for name in ("points", "slices", "frames", "seed")
        }
        figures["machine"] = {
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
        }
        if options["json"]:
            options["json"].write_text(json.dumps(figures, indent=1) + "\n")
        for name, bar in BARS.items():
            reached = "reached" if figures[name] <= bar else "MISSED"
            self.stdout.write(f"{name:>18}  {figures[name]:8.1f}  {reached} ({bar:.0f})")
        for movement in ("pan", "gesture"):
            found = figures["details"][movement]
            if found["changed"] < found["frames"]:
                self.stderr.write(
                    f"{movement}: only {found['changed']} of {found['frames']} frames changed"
                )


def _measured(options: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="gazecheck-bench-") as name:
        folder = Path(name)
        with databases.database("sqlite", folder) as url:
            # over plain HTTP on this machine: a browser keeps secure cookies for TLS alone
            env = {**server.environment(folder, url), "GAZECHECK_BEHIND_TLS": "0"}
            server.manage(["migrate", "--verbosity", "0"], env)
            server.manage(["collectstatic", "--noinput", "--verbosity", "0"], env)
            made = server.manage(
                ["bench_workspace", "--build", f"--points={options['points']}",
                 f"--slices={options['slices']}", f"--seed={options['seed']}"],
                env,
            )  # fmt: skip
            told = json.loads(made.strip().splitlines()[-1])
            with server.serving(env, folder, workers=1, threads=4) as site:
                visit = Visit(
                    origin=f"http://localhost:{site.port}",
                    path=told["path"],
                    session=told["session"],
                    frames=options["frames"],
                )
                return measure(visit)


def _build(options: dict[str, Any]) -> dict[str, str]:
    """Make a lead who is signed in, and a workspace."""
    lead = User.objects.create_user(username="bench")
    workspace = make_scene(
        lead, n_images=options["points"], n_slices=options["slices"], seed=options["seed"]
    )
    session = SessionStore()
    session[SESSION_KEY] = str(lead.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = lead.get_session_auth_hash()
    session.create()
    return {
        "path": reverse("workspace:page", args=[workspace.project.public_id]),
        "session": str(session.session_key),
    }
