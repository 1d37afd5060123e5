"""The demo's server and worker as child processes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings

from engine.errors import EngineError

STARTS_WITHIN_SECONDS = 60


def free_port(wanted: int) -> int:
    """Give the wanted port, or the next free one."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The demo's running site.

    Attributes:
        origin: Its address.
        logs: Folder of the logs.
        children: The processes by name.
    """

    origin: str
    logs: Path
    children: Mapping[str, "subprocess.Popen[bytes]"]

    def check(self) -> None:
        """Make sure that nobody waits for a process that is gone.

        Raises:
            EngineError: One has ended.
        """
        for name, process in self.children.items():
            if process.poll() is not None:
                msg = (
                    f"the demo's {name} ended with code {process.returncode}; see "
                    f"{self.logs / name}.log, then type the same command again to go on"
                )
                raise EngineError(msg)


@contextlib.contextmanager
def serving(port: int, logs: Path) -> Iterator[Serving]:
    """Run server and worker while the block runs.

    Args:
        port: Of the server, on this machine alone.
        logs: Folder for their logs.

    Yields:
        The running site.
    """
    logs.mkdir(parents=True, exist_ok=True)
    manage = str(settings.BASE_DIR / "manage.py")
    commands = {
        "server": [
            sys.executable, "-m", "gunicorn", "annotation_site.wsgi:application",
            "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "8",
        ],
        "worker": [sys.executable, manage, "db_worker", "--interval", "0.5", "--no-reload"],
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        children = {
            name: stack.enter_context(_child(command, logs / f"{name}.log"))
            for name, command in commands.items()
        }
        site = Serving(origin=f"http://127.0.0.1:{port}", logs=logs, children=children)
        _wait_for(site)
        yield site


@contextlib.contextmanager
def _child(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("w") as file:
        process = subprocess.Popen(  # noqa: S603  # our own programs
            command,
            cwd=settings.BASE_DIR,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ,
            start_new_session=True,  # a Ctrl-C reaches the demo, which stops its children in order
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for(site: Serving) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while True:
        try:
            with urlopen(f"{site.origin}/health/", timeout=5):  # noqa: S310  # the demo's own server
                return
        except (URLError, OSError):
            site.check()
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
