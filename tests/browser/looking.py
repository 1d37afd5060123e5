"""What a person would see: canvases that are painted, pictures that are there, no axe finding."""

import os
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

NARROW = {"width": 360, "height": 780}
WIDE = {"width": 1280, "height": 900}
OF_COLOURS = ("color-contrast", "link-in-text-block")
_PAINTED = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  let opaque = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 8) { opaque += 1; seen.add((data[i] >> 4) * 256 + (data[i + 1] >> 4) * 16 + (data[i + 2] >> 4)); }
  }
  return {pixels: canvas.width * canvas.height, opaque, colours: seen.size};
}"""


def painted(page: Page, selector: str) -> dict[str, int]:
    """Count what is drawn on the first canvas of a selector."""
    found: dict[str, int] = page.eval_on_selector(selector, _PAINTED)
    return found


def assert_pictures(page: Page, selector: str, at_least: int) -> None:
    """Pictures are there and decoded."""
    page.wait_for_selector(selector)
    sizes = page.eval_on_selector_all(
        selector,
        """images => Promise.all(images.map(async image => {
            image.loading = 'eager';
            try { await image.decode(); } catch (error) { return 0; }
            return image.naturalWidth;
        }))""",
    )
    assert len(sizes) >= at_least
    assert all(size > 1 for size in sizes), sizes


def assert_pictures_soon(page: Page, selector: str, at_least: int) -> None:
    """Pictures come by themselves when the job behind the page is done."""
    page.wait_for_selector(selector, timeout=300_000)
    page.wait_for_load_state("load")
    assert_pictures(page, selector, at_least)


def assert_accessible(page: Page, *, rules: tuple[str, ...] = ()) -> None:
    """Axe finds nothing, by all of its rules or by the named ones."""
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    results = Axe().run(page, options=options)
    assert results.violations_count == 0, results.generate_report()


def look(page: Page, name: str) -> None:
    """Check a page in both themes and narrow, and keep its screenshots where asked to."""
    folder = os.environ.get("GAZECHECK_SCREENSHOTS")
    # The dark theme changes colours and nothing else, so only what judges colours is asked again.
    for scheme, size, rules in (
        ("light", WIDE, ()),
        ("dark", WIDE, OF_COLOURS),
        ("light", NARROW, ()),
    ):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.wait_for_timeout(250)  # the theme's transition
        assert_accessible(page, rules=rules)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{name} overflows at {size['width']} px: {wide}"
        if folder:
            kind = "360" if size is NARROW else scheme
            path = Path(folder) / f"{name}-{kind}.png"
            page.screenshot(path=path, full_page=size is WIDE and name != "task")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
