"""Every colour that says something can be told from its ground, in both themes."""

import itertools

import pytest
from playwright.sync_api import Page

from tests.browser.workspace_page import opened
from tests.browser.workspace_stub import serving
from tests.browser.workspace_world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LEAST = 3.0  # WCAG 2.2, 1.4.11: graphics
_COLOURS = """async () => {
  const { colourOf, themeColours } = await import('/static/js/workspace/colours.js');
  const theme = themeColours();
  const shares = Array.from({ length: 101 }, (_, i) => i / 100);
  const hues = new Map(shares.map((_, i) => [i, i % 8]));
  const all = (encoding, sliceOf) => shares.map((share, i) =>
    colourOf(sliceOf(share, i), encoding, { hues, theme, hasMarks: true }));
  return { grounds: [theme.surface, theme.sunken], isDark: theme.isDark, colours: {
    accuracy: all('accuracy', (accuracy) => ({ accuracy })),
    spuriousness: all('spuriousness', (share) => ({ score: 1 - share })),
    slice: all('slice', (_, number) => ({ number })),
  } };
}"""

_LATE = """
window.ResizeObserver = class extends ResizeObserver {
  constructor(told) { super((...given) => setTimeout(() => told(...given), 600)); }
};"""
_OF_MATRIX = """() => [...new Set([...document.querySelectorAll("[data-matrix] .ws-tile__line")]
  .map((line) => line.getAttribute("stroke")).filter((stroke) => stroke !== "currentColor"))]"""


def luminance(colour: list[int]) -> float:
    """Relative luminance of red, green, blue in 0 to 255, as WCAG 2.2 defines it."""
    shares = [value / 255 for value in colour]
    r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: list[int], other: list[int]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out_from_their_ground(page: Page, scheme: str):
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    with serving(World(n=30, n_slices=3)) as address:
        opened(page, address)
        found = page.evaluate(_COLOURS)
        assert found["isDark"] == (scheme == "dark")
        for encoding, colours in found["colours"].items():
            worst = min(contrast(one, ground) for one in colours for ground in found["grounds"])
            assert worst >= LEAST, f"{encoding}: {worst:.2f}"
        # a greater share is lighter all along the scale, so that grey print keeps the order
        light = [luminance(one) for one in found["colours"]["accuracy"]]
        assert all(b >= a - 1e-3 for a, b in itertools.pairwise(light))
        assert max(light) - min(light) > 0.15


def test_the_switch_of_themes_changes_the_scale(page: Page):
    page.emulate_media(color_scheme="light")
    with serving(World(n=30, n_slices=3)) as address:
        opened(page, address)
        stroke = "document.querySelector('.ws-tile__line').getAttribute('stroke')"
        before = page.evaluate(stroke)
        page.locator("[data-theme-switch]").press("Enter")
        assert page.evaluate(stroke) != before


def test_the_matrix_has_its_colours_however_late_the_stage_knows_its_size(page: Page):
    page.add_init_script(_LATE)
    with serving(World(n=60, n_slices=6)) as address:
        opened(page, f"{address}?view=matrix")
        page.wait_for_function(f"() => ({_OF_MATRIX})().length > 1")


def test_the_matrix_follows_the_theme(page: Page):
    page.emulate_media(color_scheme="light")
    with serving(World(n=60, n_slices=6)) as address:
        opened(page, f"{address}?view=matrix")
        page.wait_for_function(f"() => ({_OF_MATRIX})().length > 1")
        before = page.evaluate(_OF_MATRIX)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"() => !({_OF_MATRIX})().includes('{before[0]}')")
