"""Scores of single images set by hand, in Chromium: large picture, chosen points, undo."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.workspace_page import opened, press, seen, toast
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_lead_sets_a_score_in_the_large_picture_by_key(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=2&order=typical")
        page.locator("[data-thumbs] button").first.press("Enter")
        said = page.locator("[data-light-score]")
        expect(said).to_have_text("Spuriousness is not known before the first mark.")
        press(page, "s")
        expect(said).to_have_text("▲ This image was marked spurious by Mira: spuriousness 1.00.")
        expect(page.locator("[data-own=spurious]")).to_have_attribute("aria-pressed", "true")
        assert list(world.image_marks.values()) == ["spurious"]
        seen(page, "own-mark", kinds=("light", "dark", "360"))
        press(page, "ArrowRight")
        expect(said).to_have_text("Spuriousness 0.50, from other marks.")
        press(page, "Escape")
        marked = page.locator("[data-thumbs] .ws-own-mark")
        expect(marked).to_have_text(["▲ spurious by hand"])
        press(page, "Control+z")
        expect(marked).to_have_count(0)
        assert world.image_marks == {}


def test_chosen_points_are_marked_at_once_and_carry_a_sign(page: Page, tmp_path: Path):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=3&view=scatter&colour=spuriousness")
        press(page, "i")
        size = int((world.slice_of == 2).sum())
        page.locator("[data-chosen=core]").press("Enter")
        expect(toast(page)).to_contain_text(f"{size} images marked as core by hand")
        assert world.image_marks == {int(row): "core" for row in (world.slice_of == 2).nonzero()[0]}
        signs = page.locator("[data-group=own] .ws-own-core").get_attribute("d") or ""
        assert signs.count("M") == size
        expect(page.locator("[data-group=own]")).to_be_visible()
        seen(page, "own-points")
        assert _figure(page, tmp_path).count('stroke-linecap="round"') == 2  # rim and sign
        page.locator("[data-chosen=unmark]").press("Enter")
        expect(page.locator("[data-group=own] .ws-own-core")).to_have_attribute("d", "")
        press(page, "v")
        expect(page.locator("[data-group=own]")).to_be_hidden()
        assert "stroke-linecap" not in _figure(page, tmp_path)


def _figure(page: Page, folder: Path) -> str:
    page.get_by_role("button", name="Export").press("Enter")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Figure as SVG").press("Enter")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    page.keyboard.press("Escape")
    return path.read_text(encoding="utf-8")


def test_reviewer_sees_scores_and_sets_none(page: Page):
    world = World(is_lead=False)
    world.mark_images({"images": list(range(world.n)), "kind": "core"})
    with serving(world) as address:
        opened(page, f"{address}?slice=2&order=typical")
        page.locator("[data-thumbs] button").first.press("Enter")
        expect(page.locator("[data-light-score]")).to_contain_text("marked core by Mira")
        expect(page.locator("[data-own=core]")).to_be_hidden()
        press(page, "s")
        assert set(world.image_marks.values()) == {"core"}
