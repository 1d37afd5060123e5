"""Views kept under a name, in Chromium: saved with chosen images, opened, renamed, deleted."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.workspace_page import opened, press, seen
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_view_is_saved_with_its_images_and_opened_by_another(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=3&view=scatter&colour=confidence")
        press(page, "i")
        size = int((world.slice_of == 2).sum())
        chosen = page.locator("[data-n-chosen]")
        expect(chosen).to_have_text(f"{size} images chosen")
        page.locator("[data-open=views]").press("Enter")
        expect(page.locator("[data-views-say]")).to_have_text("No view was saved yet.")
        page.get_by_label("Name of this view").fill("Small birds")
        press(page, "Enter")
        expect(page.locator("[data-views-say]")).to_have_text("“Small birds” was saved.")
        seen(page, "views")
        world.is_lead = False
        link = page.get_by_role("link", name="Small birds").get_attribute("href") or ""
        page.goto(address + link[1:])
        expect(chosen).to_have_text(f"{size} images chosen")
        expect(page.locator("[data-colour]")).to_have_value("confidence")
        page.reload()
        expect(chosen).to_have_text(f"{size} images chosen")
        press(page, "Escape")  # another choice is another view
        assert "saved=" not in page.url
        assert "split=val" in page.url


def test_a_view_is_renamed_and_deleted(page: Page):
    world = World()
    world.keep_view({"name": "Old", "query": "?view=matrix", "images": []})
    with serving(world) as address:
        opened(page, address)
        page.locator("[data-open=views]").press("Enter")
        page.get_by_text("Change", exact=True).press("Enter")
        page.get_by_label("New name of “Old”").fill("New")
        press(page, "Enter")
        expect(page.get_by_role("link", name="New")).to_be_visible()
        page.get_by_text("Change", exact=True).press("Enter")
        page.get_by_role("button", name="Delete").press("Enter")
        expect(page.locator("[data-views] li")).to_have_count(0)
        assert world.views == []


def test_a_view_that_is_gone_says_so_and_the_page_works(page: Page):
    with serving(World()) as address:
        opened(page, f"{address}?saved=v9")
        expect(page.locator("[data-toasts]")).to_contain_text("could not be opened")
        press(page, "p")
        expect(page.locator("[data-stage][data-view=scatter]")).to_be_visible()


def test_the_split_stays_in_the_address(page: Page):
    with serving(World()) as address:
        opened(page, f"{address}?split=test")
        press(page, "p")
        expect(page.locator("[data-stage][data-view=scatter]")).to_be_visible()
        assert page.url.endswith("?split=test&view=scatter")
