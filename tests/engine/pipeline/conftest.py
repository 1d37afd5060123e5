import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STAGES = (
    "manifest",
    "classifier",
    "extraction",
    "space",
    "queries",
    "votes",
    "labels",
    "scores",
    "cues",
    "screening_rule",
    "screening",
    "feature_groups",
    "subset",
    "core_masks",
    "retraining_erm",
    "retraining_random_subset",
    "retraining_slim_tr",
    "cues_val",
    "screening_val",
    "feature_groups_val",
    "subset_val",
    "retraining_slim_val",
    "attention",
    "evaluation",
)
"""The stages of a run in the order they are made; `budget` is made where none is chosen."""


class Commands:
    """Starts commands as processes, waits for them, and sends them signals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        script = Path(__file__).with_name("forking.py")
        self.server = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def start(self, *argv: str, **order: str) -> int:
        """Start a command; gives its process id."""
        self.number += 1
        streams = {name: str(self._stream(name)) for name in ("out", "err")}
        return int(self._ask({"argv": argv, **streams, **order})["pid"])

    def wait(self, pid: int) -> int:
        """Wait for a command's end; gives its exit code."""
        return int(self._ask({"wait": pid})["code"])

    def interrupt_when_held(self) -> int:
        """Send Ctrl-C's signal to the command that holds a stage; gives its exit code."""
        held = self._answer()["held"]
        os.kill(held, signal.SIGINT)
        return self.wait(held)

    def run(self, *argv: str, **order: str) -> int:
        """Run a command to its end."""
        return self.wait(self.start(*argv, **order))

    @property
    def out(self) -> Any:
        """What the last command printed, as JSON."""
        return json.loads(self._stream("out").read_text())

    @property
    def err(self) -> str:
        """What the last command said on the error stream."""
        return self._stream("err").read_text()

    def close(self) -> None:
        """End the server."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.wait(timeout=30)
        self.server.stdout.close()

    def _stream(self, name: str) -> Path:
        return self.folder / f"{self.number}.{name}"

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.server.stdout is not None
        line = self.server.stdout.readline()
        assert line, "the server of the tests' commands ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Real processes for `gazecheck`, started in a moment."""
    server = Commands(tmp_path_factory.mktemp("commands"))
    yield server
    server.close()
