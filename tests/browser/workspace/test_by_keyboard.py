"""The lead's workspace in Chromium, by keyboard: marks, notes, the matrix, undo, files, wrong labels."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.workspace_page import opened, press, seen, spuriousness, toast
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
                assert b"24 slices of 1,200 images (val), coloured by accuracy" in data
                scale = data.split(b">0 %<")[1].split(b">100 %<")[0]
                assert len(set(re.findall(rb'fill="(rgb[^"]+)"', scale))) >= 16
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
