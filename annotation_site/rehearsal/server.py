"""The site under gunicorn with settings as in production, on a port of this machine alone."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError

from annotation_site.demo.processes import free_port

FIRST_PORT = 8410
STARTS_WITHIN_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running site.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        process: gunicorn's arbiter.
        log: What it printed.
    """

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def workers(self) -> list[int]:
        """Give the process ids of gunicorn's workers that live now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError):
            return [int(pid) for pid in children.read_text().split()]
        return []


def environment(folder: Path, database_url: str) -> dict[str, str]:
    """Give the variables of a site in production that keeps all it has in one folder."""
    return {
        **os.environ,
        "GAZECHECK_VAR": str(folder),
        "GAZECHECK_DATABASE_URL": database_url,
        "GAZECHECK_SECRET_KEY": secrets.token_urlsafe(60),
        "GAZECHECK_BEHIND_TLS": "1",
        "GAZECHECK_DEBUG": "0",
        "GAZECHECK_ALLOWED_HOSTS": "localhost",
        "OMP_NUM_THREADS": "1",
    }


def manage(arguments: list[str], env: Mapping[str, str]) -> str:
    """Run a management command in a process of its own; give what it printed.

    Raises:
        CommandError: It failed.
    """
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        env=dict(env), cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CommandError(f"{' '.join(arguments)}: {done.stderr.strip()[-1500:]}")
    return done.stdout


@contextlib.contextmanager
def serving(
    env: Mapping[str, str],
    folder: Path,
    *,
    workers: int = 2,
    threads: int = 4,
    worker_class: str = "gthread",
) -> Iterator[Site]:
    """Run the site while the block runs.

    Args:
        env: As `environment` gives it.
        folder: For the log.
        workers: Processes.
        threads: In each process.
        worker_class: gunicorn's; `sync` closes a connection after each reply, so that whoever is
            idle takes the next request.

    Yields:
        The running site.

    Raises:
        CommandError: It did not start.
    """
    port = free_port(FIRST_PORT)
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own program)
            [sys.executable, "-m", "gunicorn", "annotation_site.wsgi:application",
             "--bind", f"127.0.0.1:{port}", "--worker-class", worker_class,
             "--workers", str(workers), "--threads", str(threads), "--keep-alive", "60",
             "--timeout", "120"],
            env=dict(env), cwd=settings.BASE_DIR, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    site = Site(port=port, process=process, log=log)
    try:
        _wait(site)
        yield site
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(site: Site) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while True:
        if _answers(site.port):
            return
        if site.process.poll() is not None or time.monotonic() > until:
            tail = site.log.read_text(errors="replace")[-1500:]
            raise CommandError(f"the server did not start: {tail.strip()}")
        time.sleep(0.2)


def _answers(port: int) -> bool:
    """Ask whether the site is up."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Host": "localhost", "X-Forwarded-Proto": "https"}
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
        connection.request("GET", "/health/", headers=headers)
        return connection.getresponse().status == 200
    return False
