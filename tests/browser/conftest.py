"""A running demo and a headless Chromium."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.workspace_page import watched_page
from tests.browser.workspace_stub import render
from tests.browser.workspace_world import World

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS = 1500
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningDemo:
    """What `make demo` prints."""

    origin: str
    annotator: str
    lead: str
    password: str
    output: str


def chromium() -> str | None:
    """Give the path of a Chromium on this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Run the demo as a newcomer does, in a folder of its own unless one is given."""
    given = os.environ.get("GAZECHECK_DEMO_VAR")
    var = Path(given) if given else tmp_path_factory.mktemp("var")
    data = os.environ.get("GAZECHECK_DEMO_DATA", "stampbirds")
    cache = os.environ.get("GAZECHECK_CACHE", str(ROOT / "var" / "cache"))
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--data", data, "--cache", cache, "--port", "8300"],
        cwd=ROOT,
        env={**os.environ, "GAZECHECK_VAR": str(var), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _read_links(process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _read_links(process: "subprocess.Popen[str]") -> RunningDemo:
    assert process.stdout is not None  # opened as a pipe above
    watchdog = threading.Timer(READY_WITHIN_SECONDS, process.kill)
    watchdog.start()
    said = ""
    for line in process.stdout:
        said += line
        if "one-time password" in line:
            break
    watchdog.cancel()
    found = {
        name: re.search(pattern, said)
        for name, pattern in {
            "annotator": r"(http\S+/a/\S+)",
            "lead": r"(http\S+/projects/\S+)",
            "password": r"one-time password (\S+)",
        }.items()
    }
    missing = [name for name, match in found.items() if match is None]
    assert not missing, f"the demo did not print {missing}:\n{said[-3000:]}"
    values = {name: match.group(1) for name, match in found.items() if match}
    origin = values["lead"].split("/projects/")[0]
    return RunningDemo(origin=origin, output=said, **values)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; closed with its module, for a process can drive only one at a time."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def _templates() -> None:
    """Load addresses and templates once, before a browser waits for them."""
    render(World(n=30, n_slices=3))


@pytest.fixture
def page(browser: Browser, _templates: None) -> Iterator[Page]:
    """A page that fails its test when a script does."""
    with watched_page(browser) as made:
        yield made
