"""The workspace of a real server, made-up images: the lead's whole job by keyboard alone."""

import os
import re
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
    worst = _find_the_worst(page)
    moved = _mark(page, worst)
    _undo_and_redo(page, moved)
    page.reload()
    expect(page.locator("[data-n-marked]")).to_contain_text("1 of 16")
    expect(page.locator(f"tr[data-number='{worst}'].is-active")).to_be_visible()
    expect(page.locator("[data-population]")).to_contain_text("slices")
    _matrix(page)
    _slice_of_chosen_images(page, worst)
    _figure(page, tmp_path)
    assert errors == []


def _sign_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("Name").fill("mira")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#workspace[data-state=ready]")).to_be_visible()
    expect(page.locator("[data-population]")).to_contain_text("900 images (val) · 16 slices")
    _accessible_in_both_themes(page)


def _accessible_in_both_themes(page: Page) -> None:
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        assert_accessible(page)


def _find_the_worst(page: Page) -> int:
    page.locator("[data-guide=worst]").focus()
    page.keyboard.press("Enter")
    worst = int(page.locator("tr.is-active").get_attribute("data-number") or -1)
    shown = page.locator("tbody [data-of=accuracy]").all_inner_texts()
    shares = [int(text.removesuffix(" %")) for text in shown]
    assert shares == sorted(shares)
    assert page.locator("tbody tr").first.get_attribute("data-number") == str(worst)
    expect(page.locator("[data-thumbs] img").first).to_be_visible()
    return worst


def _spuriousness(page: Page) -> list[str]:
    return sorted(page.locator("tbody [data-of=spuriousness]").all_inner_texts())


def _mark(page: Page, worst: int) -> list[str]:
    assert set(_spuriousness(page)) == {"\u2013"}
    page.keyboard.press("s")
    expect(page.locator("[data-toasts]")).to_contain_text(f"Slice {worst} marked as spurious")
    expect(page.locator(f"tr[data-number='{worst}'] .ws-tag")).to_contain_text("spurious")
    moved = _spuriousness(page)
    assert any(0.55 < float(text) < 1 for text in moved), "no other slice changed"
    return moved


def _undo_and_redo(page: Page, moved: list[str]) -> None:
    page.keyboard.press("Control+z")
    expect(page.locator("[data-n-marked]")).to_contain_text("0 of 16")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("[data-n-marked]")).to_contain_text("1 of 16")
    assert _spuriousness(page) == moved


def _matrix(page: Page) -> None:
    page.keyboard.press("m")
    cell = page.locator("[data-key='0.1']")
    n = int(cell.inner_text())
    cell.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-n-shown]")).to_have_text(re.compile(r"\d+ / 16 slices"))
    expect(page.locator(".ws-panel.is-chosen h3")).to_contain_text(f"{n} images")
    _accessible_in_both_themes(page)
    page.keyboard.press("Enter")
    expect(page.locator("[data-n-shown]")).to_have_text("16 slices")


def _slice_of_chosen_images(page: Page, worst: int) -> None:
    """What a lasso does, without a pointer; undoing brings the old slices back."""
    size = page.locator(f"tr[data-number='{worst}'] [data-of=size]").inner_text()
    page.locator(f"tr[data-number='{worst}'] button").focus()
    page.keyboard.press("p")
    page.keyboard.press("i")
    expect(page.locator("[data-n-chosen]")).to_have_text(f"{size} images chosen")
    _accessible_in_both_themes(page)
    page.get_by_role("button", name="Save as slice").press("Enter")
    page.locator("#ws-slice-name").fill("looks at water")
    page.keyboard.press("Enter")
    expect(page.locator("[data-toasts]")).to_contain_text("Saved “looks at water”")
    expect(page.locator("[data-rows]")).to_contain_text("looks at water")
    page.locator("[data-undo]").press("Enter")
    expect(page.locator("[data-rows]")).not_to_contain_text("looks at water")


def _figure(page: Page, folder: Path) -> None:
    page.locator("[data-open=export]").press("Enter")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Figure as SVG").press("Enter")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert "16 slices of 900 images (val)" in path.read_text(encoding="utf-8")
    link = page.get_by_role("link", name="CSV: Slices with their measures and marks")
    with page.expect_download() as waiting:
        link.press("Enter")
    waiting.value.save_as(folder / "slices.csv")
    assert len((folder / "slices.csv").read_text(encoding="utf-8").splitlines()) == 17
