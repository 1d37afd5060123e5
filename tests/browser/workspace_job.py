"""A lead's whole job in the workspace, by keyboard alone: the same steps on made-up and on real images."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

Look = Callable[[Page, str], None]
"""Judge, and perhaps keep, a page that stands in a named state."""


def whole_job(page: Page, folder: Path, look: Look) -> None:
    """Find the worst slice, mark it, undo, redo, reload, matrix, choose images, export.

    Args:
        page: The workspace, without any mark.
        folder: Where what is exported goes.
        look: Called in every state.
    """
    expect(page.locator("#workspace[data-state=ready]")).to_be_visible()
    expect(page.locator("[data-population]")).to_contain_text("slices")
    n = page.locator("tbody[data-rows] tr").count()
    expect(page.locator("[data-n-marked]")).to_contain_text(f"0 of {n}")
    look(page, "opened")
    worst = _find_the_worst(page)
    moved = _mark(page, worst)
    look(page, "marked")
    _undo_and_redo(page, moved, n)
    page.reload()
    expect(page.locator("[data-n-marked]")).to_contain_text(f"1 of {n}")
    expect(page.locator(f"tr[data-number='{worst}'].is-active")).to_be_visible()
    expect(page.locator("[data-population]")).to_contain_text("slices")
    _matrix(page, n, look)
    _slice_of_chosen_images(page, worst, look)
    _figure(page, folder, n)


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


def _undo_and_redo(page: Page, moved: list[str], n: int) -> None:
    page.keyboard.press("Control+z")
    expect(page.locator("[data-n-marked]")).to_contain_text(f"0 of {n}")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("[data-n-marked]")).to_contain_text(f"1 of {n}")
    assert _spuriousness(page) == moved


def _matrix(page: Page, n: int, look: Look) -> None:
    page.keyboard.press("m")
    cell = page.locator("[data-key='0.1']")
    inside = cell.inner_text()
    cell.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-n-shown]")).to_have_text(re.compile(rf"\d+ / {n} slices"))
    expect(page.locator(".ws-panel.is-chosen h3")).to_contain_text(f"{inside} image")
    look(page, "matrix")
    cell.focus()  # a look at the narrow page shows another panel
    page.keyboard.press("Enter")
    expect(page.locator("[data-n-shown]")).to_have_text(f"{n} slices")


def _slice_of_chosen_images(page: Page, worst: int, look: Look) -> None:
    """What a lasso does, without a pointer; undoing brings the old slices back."""
    size = page.locator(f"tr[data-number='{worst}'] [data-of=size]").inner_text()
    page.locator(f"tr[data-number='{worst}'] button").focus()
    page.keyboard.press("p")
    page.keyboard.press("i")
    expect(page.locator("[data-n-chosen]")).to_have_text(f"{size} images chosen")
    look(page, "points")
    page.get_by_role("button", name="Save as slice").press("Enter")
    page.locator("#ws-slice-name").fill("looks at water")
    page.keyboard.press("Enter")
    expect(page.locator("[data-toasts]")).to_contain_text("Saved “looks at water”")
    expect(page.locator("[data-rows]")).to_contain_text("looks at water")
    page.locator("[data-undo]").press("Enter")
    expect(page.locator("[data-rows]")).not_to_contain_text("looks at water")


def _figure(page: Page, folder: Path, n: int) -> None:
    page.locator("[data-open=export]").press("Enter")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Figure as SVG").press("Enter")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert f"{n} slices of " in path.read_text(encoding="utf-8")
    link = page.get_by_role("link", name="CSV: Slices with their measures and marks")
    with page.expect_download() as waiting:
        link.press("Enter")
    waiting.value.save_as(folder / "slices.csv")
    assert len((folder / "slices.csv").read_text(encoding="utf-8").splitlines()) == n + 1
