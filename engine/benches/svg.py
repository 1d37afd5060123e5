"""Figures as SVG text: lines and dots with intervals, readable on light and on dark pages.

A figure carries its own colours for both, chosen by the reader's preference, and its own
background, so that it reads the same wherever it is embedded.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

import numpy as np

Number = int | float
Interval = tuple[Number, Number]
WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 44, 56
MARKS = ("circle", "square", "diamond", "triangle", "cross", "ring")
"""Shapes tell series apart where colours cannot."""

STYLE = """
svg { --ink: #1f2328; --faint: #d0d7de; --paper: #ffffff;
  --s0: #0550ae; --s1: #bc4c00; --s2: #1a7f37; --s3: #8250df; --s4: #57606a; --s5: #a40e26; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --faint: #3d444d; --paper: #0d1117;
  --s0: #79c0ff; --s1: #ffa657; --s2: #7ee787; --s3: #d2a8ff; --s4: #9198a1; --s5: #ff7b72; } }
text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.title { font-weight: 600; font-size: 14px; }
.grid { stroke: var(--faint); stroke-width: 1; }
.axis { stroke: var(--ink); stroke-width: 1; }
.band { opacity: .16; stroke: none; }
.line { fill: none; stroke-width: 2; }
.whisker { stroke-width: 2; opacity: .7; }
.about { font-size: 11px; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured value.

    Attributes:
        x: Where it stands; in a dot figure not read.
        y: Its value.
        interval: Lower and upper end, where known.
    """

    x: Number
    y: Number
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one name.

    Attributes:
        name: In the legend.
        points: In the order to join them.
        dashed: Draw the line dashed.
        continues: Name of the series whose colour and marks this one has; its own if empty.
    """

    name: str
    points: tuple[Point, ...]
    dashed: bool = False
    continues: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """From values to pixels."""

    low: Number
    high: Number
    start: Number
    end: Number

    def at(self, value: Number) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(float(self.start + share * (self.end - self.start)), 1)


def ticks(low: Number, high: Number, wanted: int = 6) -> list[float]:
    """Give round values from at or below `low` to at or above `high`.

    Args:
        low: The least value shown.
        high: The greatest value shown.
        wanted: About how many.

    Returns:
        Rising values, at least two.
    """
    if high - low < 1e-9:  # one value: give it room
        low, high = low - 0.05, high + 0.05
    extent = high - low
    raw = extent / max(wanted - 1, 1)
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * unit for unit in (1, 2, 2.5, 5, 10) if power * unit >= raw * (1 - 1e-9))
    first, last = int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9))
    return [round(float(number * step), 10) for number in range(first, max(last, first + 1) + 1)]


def shown(value: Number) -> str:
    """Write a number as short as it can be told."""
    return f"{value:.10g}"


def line_figure(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    description: str = "",
    logarithmic: bool = False,
) -> str:
    """Draw series over a common axis, each with its intervals as a band.

    Args:
        title: Above the figure.
        series: At least one with a point.
        x_label: Below the figure.
        y_label: Beside it.
        description: How it was made, in small print below.
        logarithmic: Both axes; all values above 0.

    Returns:
        SVG text, the same for the same arguments.
    """
    drawn = [_in_powers(one) for one in series] if logarithmic else series
    everything = [point for one in drawn for point in one.points]
    ends = min(p.x for p in everything), max(p.x for p in everything)
    across = _powers(*ends) if logarithmic else ticks(*ends)
    up = _powers(*_extent(everything)) if logarithmic else ticks(*_extent(everything))
    legend_rows = (len(series) + 1) // 2
    bottom = HEIGHT + 20 * legend_rows
    x = _Scale(low=across[0], high=across[-1], start=LEFT, end=WIDTH - RIGHT)
    y = _Scale(low=up[0], high=up[-1], start=HEIGHT - BOTTOM, end=TOP)
    parts = [
        *_grid(x, y, across, up, power if logarithmic else shown),
        *_labels(x_label, y_label),
        *(part for one, n in _numbered(drawn) for part in _series(one, n, len(series), x, y)),
        *_legend(series, HEIGHT - 4),
    ]
    return _document(title, description, parts, bottom)


def _numbered(series: Sequence[Series]) -> list[tuple[Series, int]]:
    """Give each series the number that its colour and marks go by."""
    names = [one.name for one in series]
    return [
        (one, names.index(one.continues) if one.continues else at) for at, one in enumerate(series)
    ]


def dot_figure(
    title: str,
    rows: Sequence[str],
    series: Sequence[Series],
    *,
    x_label: str,
    description: str = "",
) -> str:
    """Draw one row a name, with a mark and an interval for each series.

    Args:
        title: Above the figure.
        rows: Names, from above.
        series: Each with one point a row, in the order of the rows; its `y` lies along the axis.
        x_label: Below the figure.
        description: How it was made, in small print below.

    Returns:
        SVG text, the same for the same arguments.
    """
    everything = [point for one in series for point in one.points]
    across = ticks(*_extent(everything))
    left = 24 + 7.2 * max(len(name) for name in rows)
    height = TOP + 30 * len(rows) + BOTTOM
    x = _Scale(low=across[0], high=across[-1], start=left, end=WIDTH - RIGHT)
    floor = height - BOTTOM
    parts = [
        *(_vertical(x, value, floor) for value in across),
        f'<line class="axis" x1="{left}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>',
        _text(x_label, (left + WIDTH - RIGHT) / 2, height - 16, anchor="middle"),
    ]
    for at, name in enumerate(rows):
        middle = TOP + 30 * at + 15
        parts.append(_text(name, left - 10, middle + 4, anchor="end"))
        for n, one in enumerate(series):
            place = middle + 10 * (n - (len(series) - 1) / 2)
            parts.extend(_dot(one.points[at], n, x, place))
    parts.extend(_legend(series, height))
    return _document(title, description, parts, height + 20 * ((len(series) + 1) // 2))


def _extent(points: Sequence[Point]) -> Interval:
    ends = [end for p in points for end in (*(p.interval or ()), p.y)]
    return min(ends), max(ends)


def _vertical(x: _Scale, value: Number, floor: Number) -> str:
    place = x.at(value)
    line = f'<line class="grid" x1="{place}" x2="{place}" y1="{TOP}" y2="{floor}"/>'
    return line + _text(shown(value), place, floor + 18, anchor="middle")


def power(exponent: Number) -> str:
    """Write a power of ten in words of everyday: 0.01, 10, 1k, 1M."""
    value = 10.0**exponent
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _in_powers(one: Series) -> Series:
    """Give a series' values as exponents of ten."""
    points = tuple(
        Point(
            x=float(np.log10(p.x)),
            y=float(np.log10(p.y)),
            interval=(float(np.log10(p.interval[0])), float(np.log10(p.interval[1])))
            if p.interval
            else None,
        )
        for p in one.points
    )
    return replace(one, points=points)


def _powers(low: Number, high: Number) -> list[float]:
    """Give whole exponents from at or below `low` to at or above `high`."""
    first, last = int(np.floor(low + 1e-9)), int(np.ceil(high - 1e-9))
    return [float(exponent) for exponent in range(first, max(last, first + 1) + 1)]


def _grid(
    x: _Scale,
    y: _Scale,
    across: Sequence[Number],
    up: Sequence[Number],
    written: Callable[[Number], str],
) -> list[str]:
    floor = HEIGHT - BOTTOM
    parts = []
    for value in up:
        place = y.at(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place}" y2="{place}"/>'
            + _text(written(value), LEFT - 8, place + 4, anchor="end")
        )
    for value in across:
        place = x.at(value)
        parts.append(
            f'<line class="axis" x1="{place}" x2="{place}" y1="{floor}" y2="{floor + 5}"/>'
            + _text(written(value), place, floor + 20, anchor="middle")
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
    return parts


def _labels(x_label: str, y_label: str) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">'
    return [
        _text(x_label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, anchor="middle"),
        f"{turned}{escape(y_label)}</text>",
    ]


def _series(one: Series, number: int, of: int, x: _Scale, y: _Scale) -> list[str]:
    """A line with its marks; its intervals as a band, or as whiskers where bands would pile up."""
    colour = f"var(--s{number % 6})"
    whiskers = of > 2 and any(p.interval for p in one.points)
    aside = 4 * (number - (of - 1) / 2) if whiskers else 0
    places = [(x.at(p.x) + aside, y.at(p.y)) for p in one.points]
    joined = " ".join(f"{a:g},{b:g}" for a, b in places)
    dash = ' stroke-dasharray="6 4"' if one.dashed else ""
    known = [(a, p.interval) for (a, _), p in zip(places, one.points, strict=True) if p.interval]
    parts = []
    if of > 2:
        parts += [_whisker(number, (a, y.at(low)), (a, y.at(high))) for a, (low, high) in known]
    elif len(known) == len(one.points) > 1:
        upper = [f"{a:g},{y.at(high):g}" for a, (_, high) in known]
        lower = [f"{a:g},{y.at(low):g}" for a, (low, _) in reversed(known)]
        outline = " ".join([*upper, *lower])
        parts.append(f'<polygon class="band" style="fill:{colour}" points="{outline}"/>')
    parts.append(f'<polyline class="line" style="stroke:{colour}"{dash} points="{joined}"/>')
    parts.extend(_mark(number, a, b) for a, b in places)
    return parts


def _whisker(number: int, start: tuple[Number, Number], end: tuple[Number, Number]) -> str:
    return (
        f'<line class="whisker" style="stroke:var(--s{number % 6})" x1="{start[0]:g}" '
        f'y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}"/>'
    )


def _dot(point: Point, number: int, x: _Scale, place: Number) -> list[str]:
    parts = []
    if point.interval:
        low, high = (x.at(end) for end in point.interval)
        parts.append(_whisker(number, (low, place), (high, place)))
    return [*parts, _mark(number, x.at(point.y), place)]


def _mark(number: int, a: Number, b: Number) -> str:
    colour = f"var(--s{number % 6})"
    shape = MARKS[number % len(MARKS)]
    if shape in {"circle", "ring"}:
        fill = colour if shape == "circle" else "var(--paper)"
        return f'<circle cx="{a}" cy="{b}" r="4" style="fill:{fill};stroke:{colour}"/>'
    outlines = {
        "square": "-4,-4 4,-4 4,4 -4,4",
        "diamond": "0,-5 5,0 0,5 -5,0",
        "triangle": "0,-5 5,4 -5,4",
        "cross": "-4,-1.5 4,-1.5 4,1.5 -4,1.5",
    }
    return f'<polygon transform="translate({a} {b})" style="fill:{colour}" points="{outlines[shape]}"/>'


def _legend(series: Sequence[Series], top: Number) -> list[str]:
    parts = []
    for at, (one, number) in enumerate(_numbered(series)):
        a, b = LEFT + 290 * (at % 2), top + 20 * (at // 2)
        parts.append(_mark(number, a, b) + _text(one.name, a + 12, b + 4))
    return parts


def _text(text: str, a: Number, b: Number, *, anchor: str = "start") -> str:
    return f'<text x="{a:g}" y="{b:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _document(title: str, description: str, parts: Sequence[str], height: Number) -> str:
    told = textwrap.wrap(description, 100)
    lines = [
        f'<text class="about" x="16" y="{height + 8 + 15 * at:g}">{escape(line)}</text>'
        for at, line in enumerate(told)
    ]
    whole = height + 15 * len(told) + 4
    body = "\n".join([*parts, *lines])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole:g}" '
        f'width="{WIDTH}" height="{whole:g}" role="img" aria-label="{escape(title)}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f'<rect width="{WIDTH}" height="{whole:g}" style="fill:var(--paper)"/>\n'
        f'<text class="title" x="16" y="24">{escape(title)}</text>\n{body}\n</svg>\n'
    )
