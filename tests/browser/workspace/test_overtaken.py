"""What the lead is told in Chromium when somebody else was faster, and what the page shows then."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.workspace_page import opened, press, seen, toast
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NEWER = "Newer slices were made of these images. Reload the page to see them."
UNSEEN = "Object.defineProperty(document, 'hidden', { value: true })"
"""Has the page ask for no news by itself."""
FASTER = "Somebody changed the slices a moment ago."


def test_marks_of_overtaken_slices_are_refused_in_words_that_stay(page: Page):
    world = World(refuse={"marks": NEWER, "image_marks": NEWER, "undo": NEWER})
    with serving(world) as address:
        opened(page, f"{address}?slice=2&order=typical")
        press(page, "c")
        bad = page.locator(".ws-toast.is-bad")
        expect(bad).to_contain_text(f"Not saved. {NEWER}")
        expect(bad.get_by_role("button", name="Mark all the same")).to_have_count(0)
        expect(page.locator("[data-n-marked]")).to_contain_text("0 of 24")
        seen(page, "overtaken", kinds=("light", "dark", "360"))
        world.refuse.clear()
        press(page, "c")
        expect(toast(page)).to_contain_text("Slice 2 marked as core")
        expect(bad).to_contain_text(NEWER)
        bad.get_by_role("button", name="Dismiss").press("Enter")
        expect(bad).to_have_count(0)
        world.refuse["image_marks"] = NEWER
        page.locator("[data-thumbs] button").first.press("Enter")
        press(page, "s")
        expect(page.locator("[data-light-status]")).to_have_text(f"Not saved. {NEWER}")


def test_mark_that_somebody_else_overtook_can_be_set_all_the_same(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=2")
        page.evaluate(UNSEEN)
        world.refuse["marks"] = "Ada marked slice 2 a moment ago."
        world.mark({"slices": [2], "kind": "spurious"}, by="Ada")
        page.evaluate("document.querySelector('[data-mark=core]').click()")
        bad = page.locator(".ws-toast.is-bad")
        expect(bad).to_contain_text("Ada marked slice 2")
        expect(page.locator("tr[data-number='2'] .ws-tag")).to_contain_text("spurious")
        world.refuse.clear()
        bad.get_by_role("button", name="Mark all the same").press("Enter")
        expect(toast(page)).to_contain_text("Slice 2 marked as core")


def test_rename_after_another_leads_is_told_and_shows_the_slices_as_they_are(page: Page):
    world = World(refuse={"changes": FASTER})
    with serving(world) as address:
        opened(page, f"{address}?slice=3")
        page.evaluate(UNSEEN)
        world.names[5] = "walls"
        world.set_version += 1
        world.revision += 1
        page.locator("details:has([data-rename]) > summary").press("Enter")
        page.locator("[data-rename] input").fill("birds")
        press(page, "Enter")
        bad = page.locator(".ws-toast.is-bad")
        expect(bad).to_contain_text(f"Not saved. {FASTER}")
        expect(page.locator("tr[data-number='5']")).to_contain_text("walls")
        expect(page.locator("[data-rename] input")).to_have_value("birds")
        expect(bad).to_be_visible()


def test_large_picture_tells_the_score_after_the_latest_mark(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=2&order=typical")
        page.locator("[data-thumbs] button").first.press("Enter")
        said = page.locator("[data-light-score]")
        expect(said).to_have_text("Spuriousness is not known before the first mark.")
        press(page, "Escape", "c")
        expect(page.locator("[data-n-marked]")).to_contain_text("1 of 24")
        page.locator("[data-thumbs] button").first.press("Enter")
        expect(said).to_have_text("Spuriousness 0.00, from other marks.")
        world.mark({"slices": [2], "kind": "spurious"}, by="Ada")
        expect(said).to_have_text("Spuriousness 1.00, from other marks.")


def test_back_takes_the_layout_back_too(page: Page):
    with serving(World()) as address:
        opened(page, address)
        chosen = page.locator("[data-choose=layout][aria-pressed=true]")
        before = chosen.get_attribute("value") or ""
        press(page, "e")
        expect(page).to_have_url(re.compile("layout="))
        page.go_back()
        expect(chosen).to_have_attribute("value", before)
        expect(page).not_to_have_url(re.compile("layout="))
