"""The lead's workspace in Chromium, by keyboard, in every state a panel can be in."""

import math
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import assert_accessible
from tests.browser.workspace_page import opened, press, seen, toast
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def spuriousness(page: Page, number: int) -> str:
    return page.locator(f"tr[data-number='{number}'] [data-of=spuriousness]").inner_text()


# ---- the whole job, by keyboard -----------------------------------------------------------------


def test_lead_works_by_keyboard_alone(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, address)
        # find the worst slice: the first guide, reached by Tab
        page.locator("[data-guide=worst]").focus()
        press(page, "Enter")
        worst = int(page.locator("tr.is-active").get_attribute("data-number") or 0)
        accuracies = {i + 1: world.slice(i, world.scores())["accuracy"] for i in range(24)}
        assert accuracies[worst] == min(accuracies.values())
        expect(page.locator("[data-name]")).to_have_text(f"Slice {worst}")
        expect(page.locator("[data-thumbs] img").first).to_be_visible()
        # mark it; others change, and stay apart from what a person set
        press(page, "s")
        expect(toast(page)).to_contain_text(f"Slice {worst} marked as spurious")
        expect(page.locator(f"tr[data-number='{worst}'] .ws-tag")).to_contain_text("spurious")
        assert spuriousness(page, worst) == "1.00"
        other = worst + 1 if worst % world.across else worst - 1
        moved = spuriousness(page, other)
        assert 0.5 < float(moved) < 1
        assert "is-spread" in (
            page.locator(f"tr[data-number='{other}'] [data-of=spuriousness]").get_attribute("class")
            or ""
        )
        # undo and redo
        press(page, "Control+z")
        expect(page.locator("[data-n-marked]")).to_contain_text("0 of 24")
        assert spuriousness(page, other) == "\u2013"
        press(page, "Control+Shift+z")
        expect(page.locator("[data-n-marked]")).to_contain_text("1 of 24")
        assert spuriousness(page, other) == moved
        # a reload keeps the mark and what was looked at
        page.reload()
        expect(page.locator(f"tr[data-number='{worst}'].is-active")).to_be_visible()
        expect(page.locator("[data-n-marked]")).to_contain_text("1 of 24")
        expect(page.locator("[data-population]")).to_contain_text("slices")


def test_mosaic_is_one_tab_stop_with_arrows_and_a_note(page: Page):
    with serving(World()) as address:
        opened(page, f"{address}?layout=even&slice=8")
        mosaic = page.get_by_role("listbox")
        mosaic.focus()
        press(page, "ArrowRight")
        expect(page.get_by_role("option", name="Slice 9,")).to_have_attribute(
            "aria-selected", "true"
        )
        expect(mosaic).to_have_attribute("aria-activedescendant", "ws-tile-9")
        expect(page.locator(".ws-lifted")).to_be_attached()
        expect(page.locator("[data-card] canvas")).to_have_count(6)
        press(page, "ArrowDown")
        expect(page.locator("[data-name]")).to_have_text("Slice 15")
        press(page, "Enter")
        dialog = page.get_by_role("dialog", name="Mark Slice 15")
        expect(dialog).to_be_visible()
        press(page, "ArrowDown")  # core to spurious
        page.get_by_label("Note", exact=True).fill("background: water")
        press(page, "Enter")
        expect(dialog).to_be_hidden()
        expect(page.locator("[data-mark-line]")).to_have_text(
            "▲ Marked spurious by Mira: background: water"
        )
        # several at once
        mosaic.focus()
        press(page, "Space", "ArrowRight")
        expect(page.locator("[data-name]")).to_have_text("Slice 16")


def test_matrix_speaks_in_words_and_filters_everything(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, address)
        press(page, "m")
        n = int(((world.label == 0) & (world.predicted == 1)).sum())
        cell = page.get_by_role("button", name="truth landbird, predicted waterbird", exact=False)
        cell = cell.and_(page.locator("[data-key='0.1']"))
        expect(cell).to_have_text(str(n))
        cell.focus()
        press(page, "Enter")
        inside = set(world.slice_of[(world.label == 0) & (world.predicted == 1)] + 1)
        expect(page.locator("[data-n-shown]")).to_have_text(f"{len(inside)} / 24 slices")
        assert "cell=0,1" in page.url
        # the images of the cell, and then of one slice inside it
        captions = page.locator("[data-thumbs] figcaption")
        expect(captions.first).to_contain_text("is landbird, said waterbird")
        page.locator("tbody button").first.focus()
        press(page, "Enter")
        expect(page.locator("[data-cell-line]")).to_contain_text("Only: truth landbird")
        for text in captions.all_inner_texts():
            assert "is landbird, said waterbird" in text
        page.go_back()
        page.go_back()
        expect(page.locator("[data-n-shown]")).to_have_text("24 slices")


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
    import numpy as np

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


def test_figure_and_files_are_exported(page: Page, tmp_path: Path):
    with serving(World()) as address:
        opened(page, f"{address}?layout=even")
        page.get_by_role("button", name="Export").press("Enter")
        for kind, begins in (("SVG", b"<?xml"), ("PNG", b"\x89PNG")):
            with page.expect_download() as waiting:
                page.get_by_role("button", name=f"Figure as {kind}").press("Enter")
            path = tmp_path / waiting.value.suggested_filename
            waiting.value.save_as(path)
            data = path.read_bytes()
            assert data.startswith(begins)
            if kind == "SVG":
                assert data.count(b"data:image/svg+xml;base64") == 24
                assert b"24 slices of 1,200 images (val)" in data
        expect(page.get_by_role("link", name="CSV: Marks")).to_have_attribute(
            "href", "/w/export/marks.csv"
        )


def test_second_lead_is_seen_within_a_poll(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, address)
        world.mark({"slices": [4], "kind": "core"}, by="Rob")
        expect(page.locator("tr[data-number='4'] .ws-tag")).to_contain_text("core")
        expect(toast(page)).to_contain_text("Another person marked slice 4")


def test_twenty_undos_return_to_the_start(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, address)
        for number in range(1, 11):
            page.locator(f"tr[data-number='{number}'] button").focus()
            press(page, "Enter", "s" if number % 2 else "c")
            expect(page.locator("[data-n-marked]")).to_contain_text(f"{number} of 24")
        page.reload()
        expect(page.locator("[data-n-marked]")).to_contain_text("10 of 24")
        for left in range(9, -1, -1):
            press(page, "Control+z")
            expect(page.locator("[data-n-marked]")).to_contain_text(f"{left} of 24")
        expect(page.locator("[data-undo]")).to_be_disabled()
        assert world.marks == {}


def test_flag_in_the_lightbox(page: Page):
    world = World()
    with serving(world) as address:
        opened(page, f"{address}?slice=2&order=typical")
        page.locator("[data-thumbs] button").first.press("Enter")
        dialog = page.locator("[data-dialog=lightbox]")
        expect(dialog).to_be_visible()
        seen(page, "lightbox", kinds=("light", "dark", "360"))
        press(page, "f")
        expect(page.locator("[data-light-status]")).to_have_text("Saved: the label is wrong.")
        press(page, "ArrowRight", "Escape")
        expect(page.locator("[data-thumbs] .ws-flagged")).to_have_count(1)
        assert len(world.flagged) == 1


# ---- states -------------------------------------------------------------------------------------

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
