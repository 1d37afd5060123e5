"""The lead's workspace in Chromium, in every state a panel can be in."""

import math

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import assert_accessible
from tests.browser.workspace_page import opened, press, seen, toast
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


VIEWS = {
    "map": "?layout=map&colour=accuracy",
    "even": "?layout=even&colour=spuriousness&slice=5",
    "points": "?view=scatter&colour=slice",
    "matrix": "?view=matrix&cell=0,1",
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_are_accessible(page: Page, view: str):
    world = World()
    world.mark({"slices": [5], "kind": "spurious", "note": "water"})
    world.mark({"slices": [20], "kind": "core"})
    with serving(world) as address:
        opened(page, address + VIEWS[view])
        seen(page, view)


@pytest.mark.parametrize("dialog", ["log", "export", "keys"])
def test_dialogs_are_accessible(page: Page, dialog: str):
    world = World()
    world.mark({"slices": [5], "kind": "mixed"})
    with serving(world) as address:
        opened(page, address)
        page.locator(f"[data-open={dialog}]").press("Enter")
        seen(page, dialog)
        press(page, "Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("empty", "No slices yet"),
        ("nothing", "have not been read yet"),
        ("running", "The slices are being made"),
        ("failed", "could not be made"),
    ],
)
def test_before_there_are_slices(page: Page, state: str, words: str):
    with serving(World(state=state)) as address:
        page.goto(address)
        expect(page.locator("main")).to_contain_text(words)
        seen(page, f"state-{state}")


def test_no_match_offers_a_way_back(page: Page):
    with serving(World()) as address:
        opened(page, f"{address}?find=zebra")
        expect(page.locator("[data-no-match]")).to_be_visible()
        seen(page, "no-match", kinds=("light", "dark"))
        page.get_by_role("button", name="Clear the filters").press("Enter")
        expect(page.locator("[data-n-shown]")).to_have_text("24 slices")


def test_payload_fails_and_comes_on_retry(page: Page):
    world = World(fail={"payload"})
    with serving(world) as address:
        page.goto(address)
        expect(page.get_by_role("alert")).to_contain_text("The server has no payload now.")
        seen(page, "error")
        world.fail.clear()
        page.get_by_role("button", name="Try again").press("Enter")
        expect(page.locator("#workspace[data-state=ready]")).to_be_visible()


def test_points_fail_and_the_rest_still_works(page: Page):
    world = World(fail={"columns"})
    with serving(world) as address:
        page.goto(address)
        band = page.locator(".ws-band")
        expect(band).to_contain_text("The points could not be loaded")
        expect(page.locator("tbody tr")).to_have_count(24)
        seen(page, "partial", kinds=("light", "dark"))
        world.fail.clear()
        band.get_by_role("button", name="Try again").press("Enter")
        expect(page.locator("[data-population]")).to_contain_text("slices")
        expect(band).to_have_count(0)


def test_images_fail_and_come_on_retry(page: Page):
    world = World(fail={"slices"})
    with serving(world) as address:
        opened(page, f"{address}?slice=1")
        expect(page.locator("[data-thumbs]")).to_contain_text("could not be loaded")
        world.fail.clear()
        page.locator("[data-thumbs]").get_by_role("button", name="Try again").press("Enter")
        expect(page.locator("[data-thumbs] img").first).to_be_visible()


def test_offline_saves_nothing_and_says_so(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=1")
        expect(page.locator("[data-thumbs] img").first).to_be_visible()
        page.context.set_offline(True)
        page.locator("[data-name]").focus()
        press(page, "c")
        expect(toast(page)).to_contain_text("Not saved. The server cannot be reached")
        expect(page.locator(".ws-band")).to_contain_text("cannot be reached")
        expect(page.locator("[data-n-marked]")).to_contain_text("0 of 24")
        seen(page, "offline", kinds=("light", "dark"))
        page.context.set_offline(False)
        press(page, "c")
        expect(page.locator("[data-n-marked]")).to_contain_text("1 of 24")
        expect(page.locator(".ws-band")).to_have_count(0)


def test_reviewer_reads_but_does_not_mark(page: Page):
    world = World(is_lead=False)
    with serving(world) as address:
        opened(page, f"{address}?slice=2")
        expect(page.locator("[data-mark=core]")).to_be_hidden()
        press(page, "s")
        expect(toast(page)).to_contain_text("a lead marks")
        assert world.marks == {}
        seen(page, "reader", kinds=("light", "dark"))


def test_slow_server_shows_the_shape_of_what_comes(page: Page):
    world = World(is_held=True)
    with serving(world) as address:
        page.goto(address, wait_until="commit")
        expect(page.locator("#workspace[data-state=loading]")).to_be_visible()
        expect(page.locator("[data-stage-words]")).to_have_text("Loading the slices…")
        seen(page, "loading", kinds=("light", "dark"))
        world.gate.set()
        expect(page.locator("#workspace[data-state=ready]")).to_be_visible()


def test_pictures_that_are_missing_are_made_and_come_by_themselves(page: Page):
    world = World(bare=True)
    with serving(world) as address:
        opened(page, f"{address}?layout=even")
        band = page.locator(".ws-band")
        expect(band).to_contain_text("24 of 24 slices have no picture yet")
        expect(page.locator(".ws-tile.is-bare")).to_have_count(24)
        seen(page, "bare", kinds=("light", "dark", "360"))
        band.get_by_role("button", name="Make the pictures").press("Enter")
        expect(band).to_contain_text("Finding pictures, 3 of 24")
        world.bare, world.job = False, None
        expect(page.locator(".ws-tile image[href]")).to_have_count(24)
        expect(band).to_have_count(0)


def test_a_failed_job_is_told_and_a_retraining_is_no_picture_job(page: Page):
    world = World(bare=True)
    world.job = {"kind": "invert", "state": "failed", "error": "The classifier has no linear head."}
    with serving(world) as address:
        opened(page, address)
        band = page.locator(".ws-band")
        expect(band).to_contain_text("The last job failed: The classifier has no linear head.")
        world.job = {
            "kind": "mend",
            "state": "running",
            "stage": "retraining",
            "done": 1,
            "total": 3,
        }
        page.reload()
        expect(band).to_contain_text("24 of 24 slices have no picture yet")
        expect(band.get_by_role("button", name="Make the pictures")).to_be_visible()


def test_stale_slices_say_so(page: Page):
    with serving(World(fail={"stale"})) as address:
        opened(page, address)
        expect(page.locator(".ws-bands").first).to_contain_text("another model")


@pytest.mark.parametrize(
    ("n", "n_slices", "classes"), [(1, 1, 2), (2, 2, 2), (30, 30, 10), (900, 500, 40)]
)
def test_extreme_numbers(page: Page, n: int, n_slices: int, classes: int):
    names = tuple(f"kind {i}" for i in range(classes))
    with serving(World(n=n, n_slices=n_slices, classes=names)) as address:
        opened(page, address)
        expect(page.locator("tbody tr")).to_have_count(n_slices)
        expect(page.locator(".ws-tile")).to_have_count(n_slices)
        for key in ("p", "m", "v"):
            press(page, key)
            assert_accessible(page)


def test_address_brings_back_every_part_of_the_state(page: Page):
    state = {
        "view": "scatter", "layout": "map", "colour": "slice", "slice": "4", "also": "5,6",
        "sort": "size", "descending": "1", "predicted": "1", "mark": "none", "accuracy": "0.95",
        "order": "border", "opacity": "40", "threshold": "20", "contour": "0", "at": "2.5,400,300",
    }  # fmt: skip
    with serving(World()) as address:
        opened(page, address + "?" + "&".join(f"{key}={value}" for key, value in state.items()))
        for colour in ("accuracy", "slice"):  # the whole address is written anew
            page.locator("[data-colour]").select_option(colour)
        found = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    found_at = [float(part) for part in found.pop("at").split(",")]
    assert all(
        math.isclose(a, b, abs_tol=0.02) for a, b in zip(found_at, (2.5, 400, 300), strict=True)
    )
    del state["at"]
    assert found == state
