"""Pictures of slices in cells of the matrix, in Chromium: shared, asked for, and come by themselves."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.workspace_page import opened, seen
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def panel(page: Page):
    return page.locator(".ws-panel").filter(has_text="Truth: landbird, predicted: waterbird")


def test_a_cells_own_pictures_take_the_place_of_the_slices(page: Page):
    world = World()
    inside = (world.label == 0) & (world.predicted == 1)
    numbers = sorted({int(place) + 1 for place in world.slice_of[inside]})
    with serving(world) as address:
        opened(page, f"{address}?view=matrix")
        corners = panel(page).locator(".ws-shared")
        expect(corners).to_have_count(len(numbers))
        expect(panel(page)).to_contain_text(f"{len(numbers)} of {len(numbers)} pictures")
        seen(page, "cells")
        panel(page).get_by_role("button", name="Make pictures").press("Enter")
        expect(page.locator("[data-bands]")).to_contain_text("Finding pictures, 3 of 24")
        assert world.asked_cell == "0.1"
        world.cells["0.1"] = {str(number): f"/w/pictures/{100 + number}.svg" for number in numbers}
        world.job = None
        expect(corners).to_have_count(0)
        expect(panel(page).locator("image").first).to_have_attribute(
            "href", f"/w/pictures/{100 + numbers[0]}.svg"
        )
        expect(panel(page).get_by_role("button", name="Make pictures")).to_be_hidden()
        expect(page.locator("[data-bands]")).not_to_contain_text("Finding pictures")


def test_a_reviewer_sees_what_is_shared_and_orders_nothing(page: Page):
    with serving(World(is_lead=False)) as address:
        opened(page, f"{address}?view=matrix")
        expect(panel(page)).to_contain_text("pictures are of the whole slice")
        expect(panel(page).get_by_role("button", name="Make pictures")).to_have_count(0)


def test_the_papers_figure_is_ordered_and_offered_once_it_has_a_picture(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, address)
        page.locator("[data-open=export]").press("Enter")
        says = page.locator("[data-hulls-say]")
        expect(says).to_have_text("0 of 24 slices have a picture inside their hull.")
        expect(page.get_by_role("link", name="Hulls as SVG")).to_be_hidden()
        page.get_by_role("button", name="Make its pictures").press("Enter")
        expect(page.locator("[data-pictures-say]")).to_contain_text("Finding pictures")
        assert world.asked_cell == "hulls"
        world.hulls, world.job = (24, 24), None
        expect(says).to_have_text("24 of 24 slices have a picture inside their hull.")
        link = page.get_by_role("link", name="Hulls as SVG")
        expect(link).to_have_attribute("href", "/w/export/hulls.svg")
        seen(page, "hulls", kinds=("light", "dark", "360"))
