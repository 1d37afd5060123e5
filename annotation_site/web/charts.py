"""Figures as inline SVG text: they print, they work without scripts, and a test can read them.

Colours come from classes in static/css/base.css, never from style attributes, which the content
security policy forbids. Every figure has a title for screen readers; the page shows the same
numbers as a table beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from annotation_site.web import svg
from annotation_site.web.svg import WIDTH
from annotation_site.web.wording import MINUS, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value with its interval, drawn as a dot on a bar; all in [0, 1]."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRow:
    """One line of an interval figure: a name, the value before and the value after."""

    name: str
    before: Mark
    after: Mark
    is_strong: bool = False


def line_with_elbow(
    *,
    x: Sequence[float],
    y: Sequence[float],
    second: Sequence[float] = (),
    elbow: float | None = None,
    chosen: float | None = None,
    title: str,
    x_name: str,
    y_name: str,
) -> SafeString:
    """Draw a curve, optionally a second dashed one, with the elbow ringed and the choice ruled.

    Args:
        x: positions, rising, two or more.
        y: heights at them.
        second: heights of the second curve, or empty.
        elbow: position of the elbow, one of `x`.
        chosen: position of a dashed rule.
        title: read out instead of the figure.
        x_name: below the axis.
        y_name: above the axis.
    """
    if len(x) < 2:
        return SafeString("")
    height, left, right, top, bottom = 240, 44, 20, 26, 40
    ys = [*y, *second]
    floor, ceiling = svg.round_range(min(ys), max(ys))

    def at_x(value: float) -> float:
        return left + (value - x[0]) / (x[-1] - x[0]) * (WIDTH - left - right)

    def at_y(value: float) -> float:
        return height - bottom - (value - floor) / (ceiling - floor) * (height - top - bottom)

    parts = [
        svg.rule(left, at_y(tick), WIDTH - right, at_y(tick), "chart-grid")
        + svg.text(left - 8, at_y(tick) + 4, f"{tick:.2f}", anchor="end")
        for tick in svg.round_ticks(floor, ceiling)
    ]
    parts += [
        svg.text(at_x(value), height - bottom + 18, f"{value:,.0f}", anchor="middle")
        for value in svg.thinned(x, 10)
    ]
    if chosen is not None and x[0] <= chosen <= x[-1]:
        parts.append(svg.rule(at_x(chosen), top, at_x(chosen), height - bottom, "chart-mark"))
    if second:
        parts.append(svg.line(map(at_x, x), map(at_y, second), "chart-line chart-line--second"))
    parts.append(svg.line(map(at_x, x), map(at_y, y), "chart-line"))
    parts += [svg.dot(at_x(px), at_y(py), 3, "chart-dot") for px, py in zip(x, y, strict=True)]
    if elbow is not None and elbow in x:
        px, py = at_x(elbow), at_y(y[list(x).index(elbow)])
        parts += _elbow(px, py, f"elbow: {elbow:,.0f}", lowest=height - bottom)
    parts.append(svg.rule(left, height - bottom, WIDTH - right, height - bottom, "chart-axis"))
    parts.append(svg.text(0, 12, y_name))
    parts.append(svg.text(WIDTH - right, height - 4, x_name, anchor="end"))
    return svg.figure(parts, height, title)


def _elbow(x: float, y: float, words: str, *, lowest: float) -> list[SafeString]:
    """Ring a point and name it, below it where there is room, to the left at the right edge."""
    end = "end" if x > WIDTH - 160 else "start"
    beside = x + (10 if end == "start" else -10)
    below = y + (20 if y < lowest - 30 else -12)
    return [
        svg.dot(x, y, 6, "chart-elbow"),
        svg.text(beside, below, words, anchor=end, css="chart-strong"),
    ]


def histogram(
    *,
    edges: Sequence[float],
    counts: Sequence[int],
    threshold: float | None = None,
    most: int = 0,
    title: str,
) -> SafeString:
    """Draw bars over [edges[0], edges[-1]], those below the threshold in the spurious colour.

    Args:
        edges: one more than counts, rising.
        counts: images per bin.
        threshold: where the kept ones begin; None to colour all bars alike.
        most: height of the axis, to compare several figures; 0 takes the highest bar.
        title: read out instead of the figure.
    """
    width, height, left, right, top, bottom = 480, 172, 40, 12, 24, 26
    ceiling = max(most, *counts, 1)
    span = edges[-1] - edges[0]

    def at_x(value: float) -> float:
        return left + (value - edges[0]) / span * (width - left - right)

    parts = [
        svg.rule(left, top, width - right, top, "chart-grid"),
        svg.text(left - 8, top + 4, f"{ceiling:,}", anchor="end"),
        svg.text(left - 8, height - bottom + 4, "0", anchor="end"),
    ]
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        # A class with one image must be seen beside one with a thousand.
        tall = max(count / ceiling * (height - top - bottom), 1.5)
        box = (at_x(low) + 1, height - bottom - tall, at_x(high) - at_x(low) - 2, tall)
        if count:
            parts.append(_bar(box, low, high, count, threshold))
    parts.append(svg.rule(left, height - bottom, width - right, height - bottom, "chart-axis"))
    parts += [
        svg.text(at_x(value), height - bottom + 18, f"{value:.2g}", anchor="middle")
        for value in svg.ticks(edges[0], edges[-1], 5)
    ]
    if threshold is not None:
        px = at_x(threshold)
        parts.append(svg.rule(px, top - 8, px, height - bottom, "chart-mark"))
        end = "end" if px > width / 2 else "start"
        shift = -6 if end == "end" else 6
        label = f"kept from {threshold:.2f}"
        parts.append(svg.text(px + shift, top - 10, label, anchor=end, css="chart-strong"))
    return svg.figure(parts, height, title, width)


def _bar(
    box: tuple[float, float, float, float],
    low: float,
    high: float,
    count: int,
    threshold: float | None,
) -> SafeString:
    css = "chart-bar"
    if threshold is not None:
        css += " chart-bar--below" if (low + high) / 2 < threshold else " chart-bar--above"
    x, y, width, height = (svg.number(length) for length in box)
    words = f"{low:.2f} to {high:.2f}: {count:,} images"
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1"><title>{}</title></rect>',
        css,
        x,
        y,
        width,
        height,
        words,
    )


def intervals(
    rows: Sequence[MarkRow], *, title: str, before_name: str, after_name: str
) -> SafeString:
    """Draw, line by line, a hollow dot before and a filled dot after, each with its interval.

    Args:
        rows: at least one; values in [0, 1].
        title: read out instead of the figure.
        before_name: said in the tool tip of the hollow dots.
        after_name: said in the tool tip of the filled dots.
    """
    left, right, top, line = 150, 60, 24, 40
    height = top + line * len(rows) + 6

    def at_x(value: float) -> float:
        return left + value * (WIDTH - left - right)

    parts = [
        svg.rule(at_x(tick), top - 4, at_x(tick), height - 6, "chart-grid")
        + svg.text(at_x(tick), 12, percent(tick, 0), anchor="middle")
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    for place, row in enumerate(rows):
        middle = top + line * (place + 0.5)
        css = "chart-strong" if row.is_strong else "chart-name"
        parts.append(svg.text(0, middle + 4, svg.shortened(row.name, 22), css=css))
        parts += _mark(row.before, at_x, middle - 6, f"{row.name}, {before_name}", second=True)
        parts += _mark(row.after, at_x, middle + 6, f"{row.name}, {after_name}", second=False)
        change = _change(row)
        if change:
            parts.append(svg.text(WIDTH, middle + 4, change, anchor="end", css="chart-strong"))
    return svg.figure(parts, height, title)


def _change(row: MarkRow) -> str:
    if row.before.value is None or row.after.value is None:
        return ""
    points = round(100 * (row.after.value - row.before.value))
    return "±0" if points == 0 else f"{'+' if points > 0 else MINUS}{abs(points)}"


def _mark(
    mark: Mark, at_x: Callable[[float], float], y: float, name: str, *, second: bool
) -> list[SafeString]:
    if mark.value is None:
        return []
    extra = "--second" if second else ""
    words = f"{name}: {percent(mark.value)}"
    parts = []
    if mark.low is not None and mark.high is not None:
        words += f", 95 % interval {percent(mark.low)} to {percent(mark.high)}"
        css = f"chart-interval{' chart-interval' + extra if extra else ''}"
        parts.append(svg.rule(at_x(mark.low), y, at_x(mark.high), y, css))
    css = f"chart-dot{' chart-dot' + extra if extra else ''}"
    parts.append(
        format_html(
            '<circle class="{}" cx="{}" cy="{}" r="4.5"><title>{}</title></circle>',
            css,
            svg.number(at_x(mark.value)),
            svg.number(y),
            words,
        )
    )
    return parts
