"""The workspace's page as tests open, look at and press it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.looking import assert_accessible

PATIENCE = 30_000  # milliseconds; a busy machine is no reason to fail
expect.set_options(timeout=PATIENCE)
SIZES = {"light": (1440, 900), "dark": (1440, 900), "360": (360, 780), "200": (720, 450)}


@contextmanager
def watched_page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test when a script does."""
    errors: list[str] = []
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, reduced_motion="reduce", accept_downloads=True
    )
    made = context.new_page()
    made.set_default_timeout(PATIENCE)
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on(
        "console",
        lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield made
    context.close()
    assert errors == [], errors


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("#workspace[data-state=ready]")).to_be_visible()
    expect(page.locator("[data-population]")).to_contain_text("slices")
    return page


def seen(
    page: Page, name: str, *, kinds: tuple[str, ...] = ("light", "dark", "360", "200")
) -> None:
    """Axe finds nothing in both themes, narrow, and at twice the size; nothing overflows."""
    folder = os.environ.get("GAZECHECK_SCREENSHOTS")
    for kind in kinds:
        width, height = SIZES[kind]
        page.emulate_media(color_scheme="dark" if kind == "dark" else "light")
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(300)  # the stage draws anew after it was resized
        assert_accessible(page)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} overflows at {kind}: {wide} px"
        if folder:
            page.screenshot(path=Path(folder) / f"workspace-{name}-{kind}.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 900})


def toast(page: Page):
    return page.locator("[data-toasts]")


def spuriousness(page: Page, number: int) -> str:
    return page.locator(f"tr[data-number='{number}'] [data-of=spuriousness]").inner_text()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
