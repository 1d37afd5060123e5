"""The workspace of a real server, made-up images: the lead's whole job by keyboard alone."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT
from tests.browser.looking import assert_accessible
from tests.browser.workspace_job import whole_job

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 60_000
PASSWORD = "mira-leads-here"  # noqa: S105  # of a made-up person


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a folder of its own, with a workspace of 900 made-up images in 16 slices."""
    env = {**os.environ, "GAZECHECK_VAR": str(tmp_path_factory.mktemp("var"))}
    env["GAZECHECK_DEBUG"] = "1"

    def manage(*words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        return subprocess.check_output(command, cwd=ROOT, env=env, text=True)

    manage("migrate", "-v0")
    seed = ("--lead", "mira", "--password", PASSWORD, "--points", "900", "--slices", "16")
    path = manage("seed_workspace", *seed).strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "manage.py", "runserver", "--noreload", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/health/")
            yield f"http://127.0.0.1:{port}{path}"
        finally:
            server.send_signal(signal.SIGINT)


def _wait(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address)  # noqa: S310  # this machine's own
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(1)
        else:
            return
    raise AssertionError(f"nothing answers at {address}")


def test_lead_does_the_whole_job_by_keyboard(browser: Browser, address: str, tmp_path: Path):
    page = browser.new_context(reduced_motion="reduce", accept_downloads=True).new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.set_viewport_size({"width": 1440, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    _sign_in(page, address)
    whole_job(page, tmp_path, lambda shown, _name: _accessible_in_both_themes(shown))
    assert errors == []


def _sign_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("Name").fill("mira")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#workspace[data-state=ready]")).to_be_visible()
    expect(page.locator("[data-population]")).to_contain_text("900 images (val) · 16 slices")


def _accessible_in_both_themes(page: Page) -> None:
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        assert_accessible(page)
