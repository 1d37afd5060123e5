"""The whole job on the demo, in Chromium: annotator, lead, result, downloads."""

import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import RunningDemo
from tests.browser.looking import assert_pictures, assert_pictures_soon, look, painted
from tests.browser.workspace_job import whole_job
from tests.browser.workspace_page import seen

pytestmark = [pytest.mark.browser, pytest.mark.slow]
QUESTIONS = 24


def test_annotator_and_lead_do_the_whole_job(demo: RunningDemo, browser: Browser):
    errors: list[str] = []
    _annotate(_page(browser, errors), demo)
    lead = _page(browser, errors)
    _sign_in(lead, demo)
    _close_round(lead)
    _read_result(lead)
    _try_checkpoint(lead)
    _other_pages(lead, demo)
    assert errors == []


def test_lead_reads_the_slices_of_real_photographs_by_keyboard(
    demo: RunningDemo, browser: Browser, tmp_path: Path
):
    if "Demo: stampbirds" not in demo.output and "stampbirds cannot be had" in demo.output:
        pytest.skip(
            "stampbirds needs photographs of Debian's packages; this machine has not got them"
        )
    errors: list[str] = []
    page = _page(browser, errors)
    page.emulate_media(reduced_motion="reduce")  # colours are judged at rest
    page.set_viewport_size({"width": 1440, "height": 900})
    _sign_in(page, demo)
    page.goto(f"{demo.lead}workspace/")
    make = page.get_by_role("button", name="Make the slices")
    if make.count():  # else a demo's folder was given, with its slices
        make.press("Enter")
        expect(page.locator("#workspace[data-state=ready]")).to_be_visible(timeout=900_000)
    whole_job(page, tmp_path, lambda shown, name: seen(shown, f"birds-{name}"))
    assert errors == []


def _page(browser: Browser, errors: list[str]) -> Page:
    page = browser.new_context(accept_downloads=True).new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda request: (
            errors.append(request.url)
            if not re.match(r"(http://127\.0\.0\.1|data:|blob:)", request.url)
            else None
        ),
    )
    return page


def _annotate(page: Page, demo: RunningDemo) -> None:
    page.goto(demo.annotator)
    expect(page.get_by_role("heading", name="Before you start")).to_be_visible()
    look(page, "consent")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Start practice").click()
    for number in range(3):
        expect(page.get_by_text(f"{number + 1} of 3")).to_be_visible()
        expect(page.locator("canvas[data-heat]")).to_be_visible()
        assert painted(page, "canvas[data-heat]")["colours"] > 20
        if number == 0:
            look(page, "practice")
        page.keyboard.press("y")
        expect(page.get_by_role("status").first).to_contain_text(re.compile("right|Look again"))
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Start", exact=True).click()
    for number in range(QUESTIONS):
        _answer(page, number)
    expect(page.get_by_text(re.compile(r"Thank you", re.IGNORECASE))).to_be_visible()
    expect(page.get_by_text(re.compile(rf"\b{QUESTIONS}\b")).first).to_be_visible()
    look(page, "done")


def _answer(page: Page, number: int) -> None:
    expect(page.locator("[data-count]")).to_have_text(f"{number + 1} of {QUESTIONS}")
    yes = page.locator("[data-answer=yes]")
    expect(yes).to_be_enabled()
    if number == 0:
        assert_pictures(page, "img[data-photo]", 1)
        heat = painted(page, "canvas[data-heat]")
        assert heat["opaque"] > heat["pixels"] * 0.02
        assert heat["colours"] > 20
        look(page, "task")
        # a mistake is taken back with one key
        page.keyboard.press("n")
        expect(page.locator("[data-count]")).to_have_text(f"2 of {QUESTIONS}")
        page.keyboard.press("z")
        expect(page.locator("[data-count]")).to_have_text(f"1 of {QUESTIONS}")
        expect(yes).to_be_enabled()
    page.wait_for_timeout(400)  # nobody answers within a third of a second
    page.keyboard.press("n" if number % 3 else "y")


def _sign_in(page: Page, demo: RunningDemo) -> None:
    page.goto(demo.lead)
    look(page, "sign-in")
    page.get_by_label("Name").fill("lead")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(demo.lead)
    assert_pictures(page, "main .picture img", 4)
    look(page, "project")
    page.goto(f"{demo.origin}/projects/")
    look(page, "projects")
    page.goto(demo.lead)


def _close_round(page: Page) -> None:
    page.get_by_role("link", name=re.compile(r"Round 1")).first.click()
    expect(page.get_by_text(re.compile(rf"\b{QUESTIONS}\b")).first).to_be_visible()
    look(page, "round-open")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Close round 1").click()
    confirm = page.locator("dialog[open] button[type=submit], dialog[open] [data-confirm-yes]")
    if confirm.count():
        confirm.first.click()
    expect(
        page.get_by_text(re.compile("queued|running|Freezing|spread", re.IGNORECASE)).first
    ).to_be_visible()
    look(page, "round-closing")
    link = page.get_by_role("link", name="See the result")
    expect(link).to_be_visible(timeout=600_000)
    link.click()


def _read_result(page: Page) -> None:
    expect(page.get_by_role("heading", name="Accuracy, before and after")).to_be_visible()
    for name in ("Before", "Curated", "Random"):
        expect(page.get_by_role("rowheader", name=re.compile(name)).first).to_be_visible()
    assert_pictures(page, "main .picture img", 12)
    shown = page.locator("main .picture[data-grid]:visible")
    shown.first.scroll_into_view_if_needed()
    expect(shown.first.locator("canvas")).to_be_visible()
    assert painted(page, "main .picture[data-state=drawn] canvas")["colours"] > 10
    look(page, "result")
    files = {}
    for link in page.locator("#downloads a[download]").all():
        with page.expect_download() as waiting:
            link.click()
        download = waiting.value
        name = download.suggested_filename.removeprefix("round-1-")
        files[name] = download.path().read_bytes()
    subset = list(csv.DictReader(io.StringIO(files["subset.csv"].decode())))
    assert len(subset) > 50
    assert len({row["row"] for row in subset}) == len(subset)
    with zipfile.ZipFile(io.BytesIO(files["core_masks.zip"])) as masks:
        assert len(masks.namelist()) == len(subset)
    assert {"subset.parquet", "subset_rows.pt", "checkpoint.zip"} <= set(files)


def _try_checkpoint(page: Page) -> None:
    name = page.get_by_role("link", name=re.compile("^Demo: ")).first.inner_text()
    folder = page.get_by_label("Folder of pictures")
    folder.fill(f"{name.removeprefix('Demo: ')}/images")
    page.get_by_role("button", name="Try it").click()
    assert_pictures_soon(page, "main .picture img", 12)
    look(page, "trial")


def _other_pages(page: Page, demo: RunningDemo) -> None:
    page.goto(f"{demo.origin}/projects/new/")
    expect(page.get_by_label("Data set")).to_be_visible()
    look(page, "new-project")
    page.goto(f"{demo.lead}members/")
    expect(page.get_by_role("heading", name=re.compile("Members|Invite")).first).to_be_visible()
    look(page, "members")
    page.goto(f"{demo.origin}/nowhere/")
    look(page, "not-found")
