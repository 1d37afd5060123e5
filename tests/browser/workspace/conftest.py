"""A page that fails its test when a script does."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.workspace_page import PATIENCE
from tests.browser.workspace_stub import render
from tests.browser.workspace_world import World

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module", autouse=True)
def _templates() -> None:
    """Load addresses and templates once, before a browser waits for them."""
    render(World(n=30, n_slices=3))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
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
    assert errors == []
