"""Playing a rehearsal in a process, a database and a folder of its own; all are gone afterwards."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from annotation_site.rehearsal import databases, server

LOOK_EVERY_SECONDS = 0.2
ENDS_WITHIN_SECONDS = 30
_TAIL = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a rehearsal is.

    Attributes:
        hours: Of simulated time.
        came: People by then.
        people: Who come in all.
        answers: Acknowledged by the server.
    """

    hours: float
    came: int
    people: int
    answers: int

    def write(self, path: Path) -> None:
        """Put it where the outer process looks; whole, or as it was before."""
        staging = path.with_suffix(".staging")
        staging.write_text(json.dumps(asdict(self)))
        staging.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Standing | None":
        """Read it; None before the first."""
        with contextlib.suppress(FileNotFoundError):
            return cls(**json.loads(path.read_text()))
        return None


Watch = Callable[[Standing | None], None]
"""Is told how far it is, again and again; what it raises ends the rehearsal."""


def play_apart(plan: Mapping[str, Any], *, database: str, watch: Watch) -> dict[str, Any]:
    """Play a plan; this process's database is neither read nor written.

    Args:
        plan: As `plans.plan_of` gives it.
        database: One of `databases.NAMES`.
        watch: Told several times a second.

    Returns:
        The report.

    Raises:
        CommandError: It stopped; says why.
    """
    with tempfile.TemporaryDirectory(prefix="gazecheck-rehearsal-") as name:
        folder = Path(name)
        result = folder / "result.json"
        standing, written, log = folder / "standing.json", folder / "plan.json", folder / "log"
        written.write_text(json.dumps({**plan, "result": str(result), "standing": str(standing)}))
        with databases.database(database, folder) as url:
            env = server.environment(folder, url)
            server.manage(["migrate", "--verbosity", "0"], env)
            watch(None)
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603  (our own program)
                    [sys.executable, str(settings.BASE_DIR / "manage.py"), "rehearse",
                     f"--inside={written}"],
                    env=env, cwd=settings.BASE_DIR, stdout=output, stderr=subprocess.STDOUT,
                )  # fmt: skip
                try:
                    while process.poll() is None:
                        time.sleep(LOOK_EVERY_SECONDS)
                        watch(Standing.read(standing))
                finally:
                    _end(process)
        if process.returncode:
            said = log.read_text(errors="replace").strip()[-_TAIL:]
            raise CommandError(f"the rehearsal stopped: {said or 'it said nothing'}")
        report: dict[str, Any] = json.loads(result.read_text())
        return report


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt it where it still runs: it then ends its server itself."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=ENDS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
