"""The workspace's points in Chromium: chosen by key and by lasso, and drawn pixel by pixel."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.workspace_page import opened, press, toast
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_points_are_chosen_by_key_and_by_lasso_alike(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=3")
        press(page, "p", "i")
        size = int((world.slice_of == 2).sum())
        expect(page.locator("[data-n-chosen]")).to_have_text(f"{size} images chosen")
        # the same by a lasso drawn around it: slices lie in cells of their own
        press(page, "Escape", "l")
        expect(page.locator("[data-choice]")).to_be_hidden()
        box = page.locator("[data-stage]").bounding_box()
        assert box is not None
        x, y, k = page.evaluate(
            """() => { const g = document.querySelector('[data-view][transform]').transform.baseVal;
              return [g.getItem(0).matrix.e, g.getItem(0).matrix.f, g.getItem(1).matrix.a]; }"""
        )
        side = 1000 / max(world.across, world.down) * k
        ring = [(2.0, 0.0), (3.0, 0.0), (3.0, 1.0), (2.0, 1.0), (2.0, 0.0)]
        places = [(box["x"] + x + u * side, box["y"] + y + v * side) for u, v in ring]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=4)
        page.mouse.up()
        expect(page.locator("[data-n-chosen]")).to_have_text(f"{size} images chosen")
        # look at them, then save them as a slice of their own
        page.get_by_role("button", name="Look at them").press("Enter")
        expect(page.locator("[data-thumbs] img").first).to_be_visible()
        page.get_by_role("button", name="Save as slice").press("Enter")
        page.get_by_label("Name", exact=True).fill("small birds")
        press(page, "Enter")
        expect(toast(page)).to_contain_text(f"Saved “small birds”, {size} images")
        expect(page.locator("[data-choice]")).to_be_hidden()
        assert world.seen == [(1, 1)]


def test_chosen_images_stay_when_another_lead_changes_the_slices(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=3")
        press(page, "p", "i")
        size = int((world.slice_of == 2).sum())
        expect(page.locator("[data-n-chosen]")).to_have_text(f"{size} images chosen")
        world.names[5] = "walls"
        world.set_version += 1
        world.revision += 1
        expect(toast(page)).to_contain_text("changed by another person", timeout=15_000)
        expect(page.locator("[data-n-chosen]")).to_have_text(f"{size} images chosen")
        page.get_by_role("button", name="Save as slice").press("Enter")
        page.get_by_label("Name", exact=True).fill("small birds")
        press(page, "Enter")
        expect(toast(page)).to_contain_text(f"Saved “small birds”, {size} images")
        assert world.seen == [(2, 2)]


def test_points_have_the_pixels_they_should(page: Page):
    with serving(World(n=30, n_slices=3)) as address:
        opened(page, address)
        pixels = page.evaluate(
            """async () => {
              const { splat } = await import('/static/js/workspace/points.js');
              const out = new Uint32Array(8 * 4);
              splat(out, 8, 4, { xs: Float32Array.of(1.6, 5, 90), ys: Float32Array.of(1.6, 2, 2),
                colours: Uint32Array.of(7, 9, 5) }, { k: 1, x: 0, y: 0 }, 2);
              return [...out]; }"""
        )
    expected = [0] * 32
    for place, colour in (((1, 1), 7), ((4, 1), 9)):
        for dx in (0, 1):
            for dy in (0, 1):
                expected[(place[1] + dy) * 8 + place[0] + dx] = colour
    assert pixels == expected


@pytest.mark.parametrize("corners", [3, 4, 40, 120])
def test_lasso_agrees_with_the_even_odd_rule(page: Page, corners: int):
    rng = np.random.default_rng(corners)
    points = rng.random((4000, 2)).astype(np.float32)
    ring = rng.random((corners, 2)) * 1.4 - 0.2
    with serving(World(n=30, n_slices=3)) as address:
        opened(page, address)
        found = page.evaluate(
            """async ([xs, ys, ring]) => {
              const { pointsInside } = await import('/static/js/workspace/selection.js');
              return [...pointsInside(Float32Array.from(xs), Float32Array.from(ys), ring)]; }""",
            [points[:, 0].tolist(), points[:, 1].tolist(), ring.tolist()],
        )
    x, y = points[:, 0].astype(float), points[:, 1].astype(float)
    odd = np.zeros(len(points), dtype=bool)
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, 1, axis=0), strict=True):
        crosses = (ay > y) != (by > y)
        if ay != by:
            odd ^= crosses & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    assert found == odd.astype(int).tolist()
