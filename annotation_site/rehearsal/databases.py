"""Databases for one rehearsal: a SQLite file, or a PostgreSQL server of its own that is gone after."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from django.core.management import CommandError

STARTS_WITHIN_SECONDS = 60
NAMES = ("sqlite", "postgres")
SERVER_USERS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root. Debian's package brings the first; the second is everywhere."""


@contextlib.contextmanager
def database(name: str, folder: Path) -> Iterator[str]:
    """Give the address of an empty database while the block runs.

    Args:
        name: One of `NAMES`.
        folder: Where a SQLite file is put.

    Yields:
        A value for GAZECHECK_DATABASE_URL.

    Raises:
        CommandError: PostgreSQL is not installed, or does not start.
    """
    if name == "sqlite":
        yield f"sqlite:///{folder / 'rehearsal.sqlite3'}"
        return
    with _postgres() as url:
        yield url


def programs() -> Path | None:
    """Find PostgreSQL's server programs: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def server_user() -> str:
    """Give the user that a server started by root runs as.

    Raises:
        CommandError: This machine has none of `SERVER_USERS`.
    """
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in SERVER_USERS:
        if name in known:
            return name
    raise CommandError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(SERVER_USERS)}"
    )


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    where = programs()
    if where is None:
        raise CommandError(
            "no PostgreSQL server found; install it (Debian: apt install postgresql)"
        )
    user = server_user() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="gazecheck-pg-"))
    data = folder / "data"
    if user:
        shutil.chown(folder, user)
    log = folder / "log"
    try:
        _run([str(where / "initdb"), "-D", str(data), "-U", "site", "-A", "trust", "-E", "UTF8",
              "--no-locale"], folder, user)  # fmt: skip
        with log.open("wb") as output:
            server = subprocess.Popen(  # noqa: S603  (as below)
                # The socket lies in a folder that only its owner may enter; no port is opened.
                [str(where / "postgres"), "-D", str(data), "-k", str(folder),
                 "-c", "listen_addresses=", "-c", "max_connections=60"],
                cwd=folder, user=user, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            _wait(where, folder, server, log)
            _run([str(where / "createdb"), "-h", str(folder), "-U", "site", "site"], folder, user)
            yield f"postgres://site@{quote(str(folder), safe='')}/site"
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], folder: Path, user: str | None) -> None:
    done = subprocess.run(  # noqa: S603  (PostgreSQL's own programs)
        command, cwd=folder, user=user, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-500:]}")


def _wait(where: Path, folder: Path, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    ready = [str(where / "pg_isready"), "-q", "-h", str(folder)]
    while subprocess.run(ready, check=False).returncode:  # noqa: S603  (as above)
        if server.poll() is not None or time.monotonic() > until:
            tail = log.read_text(errors="replace")[-500:]
            raise CommandError(f"PostgreSQL did not start: {tail.strip()}")
        time.sleep(0.1)
