"""The pieces of inline SVG figures, escaped; see `charts` for the figures."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

WIDTH = 640
"""Of a wide figure, in its own units; the page scales it."""


def figure(
    parts: Iterable[SafeString], height: float, title: str, width: float = WIDTH
) -> SafeString:
    """Wrap parts into a figure that is read out by its title."""
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        number(width),
        number(height),
        title,
        mark_safe("".join(parts)),  # noqa: S308  # every part went through format_html
    )


def line(xs: Iterable[float], ys: Iterable[float], css: str) -> SafeString:
    """Draw a broken line through points."""
    points = format_html_join(
        " ", "{},{}", ((number(x), number(y)) for x, y in zip(xs, ys, strict=True))
    )
    return format_html('<polyline class="{}" points="{}"/>', css, points)


def rule(x1: float, y1: float, x2: float, y2: float, css: str) -> SafeString:
    """Draw a straight line."""
    return format_html(
        '<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>',
        css,
        number(x1),
        number(y1),
        number(x2),
        number(y2),
    )


def dot(x: float, y: float, radius: float, css: str) -> SafeString:
    """Draw a dot."""
    return format_html(
        '<circle class="{}" cx="{}" cy="{}" r="{}"/>', css, number(x), number(y), radius
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", css: str = "") -> SafeString:
    """Write words; `anchor` says which end of them lies at x."""
    return format_html(
        '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>',
        css or "chart-words",
        number(x),
        number(y),
        anchor,
        words,
    )


def round_range(low: float, high: float) -> tuple[float, float]:
    """Widen a range to multiples of a tenth."""
    low, high = int(low * 10) / 10, -int(-high * 10 // 1) / 10
    return (low, high) if high > low else (low - 0.1, high + 0.1)


def ticks(low: float, high: float, n: int) -> list[float]:
    """Give the ends of `n` equal steps."""
    return [low + (high - low) * step / n for step in range(n + 1)]


def round_ticks(low: float, high: float) -> list[float]:
    """Give at most six round numbers of a range whose ends are multiples of a tenth."""
    tenths = round((high - low) * 10)
    step = next(size for size in (1, 2, 5, 10, tenths) if tenths <= 5 * size)
    return [low + n / 10 for n in range(0, tenths + 1, step)]


def thinned(values: Sequence[float], most: int) -> list[float]:
    """Give at most so many of the values, evenly."""
    step = -(-len(values) // most)
    return list(values[::step])


def shortened(words: str, most: int) -> str:
    """Cut words to a length."""
    return words if len(words) <= most else words[: most - 1] + "…"


def number(value: float) -> str:
    """Format a coordinate briefly and the same in every locale."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
