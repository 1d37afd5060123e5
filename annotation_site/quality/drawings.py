"""Figures of the quality pages: how times and shares lie, rather than their means alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.html import format_html
from django.utils.safestring import SafeString
from jaxtyping import Float

from annotation_site.quality.time_bins import TimeBins
from annotation_site.web import charts, svg
from engine.labeling.intervals import Interval

_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800)


def times(bins: TimeBins | None, *, least: float = 0.0, most: float = 0.0) -> SafeString:
    """Draw how answers' times lie, on a logarithmic axis, with the rules' limits ruled.

    Args:
        bins: The times, counted; nothing is drawn of none.
        least: Limit of plausibility; 0 for none.
        most: Limit of idling; 0 for none.
    """
    if bins is None:
        return SafeString("")
    low, high = bins.edges[0], bins.edges[-1]
    width, height, left, top, bottom = 480.0, 172.0, 40.0, 24.0, 26.0
    ceiling = max(bins.counts)

    def at_x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - 12)

    parts = [
        svg.rule(left, top, width - 12, top, "chart-grid"),
        svg.text(left - 8, top + 4, f"{ceiling:,}", anchor="end"),
        svg.text(left - 8, height - bottom + 4, "0", anchor="end"),
    ]
    for start, end, count in zip(bins.edges, bins.edges[1:], bins.counts, strict=False):
        tall = max(count / ceiling * (height - top - bottom), 1.5)
        middle = math.exp((start + end) / 2)
        box = (at_x(start) + 1, height - bottom - tall, at_x(end) - at_x(start) - 2, tall)
        odd = middle < least or (most > 0 and middle > most)
        if count:
            words = f"{math.exp(start):.2g} to {math.exp(end):.2g} s: {count:,} answers"
            parts.append(_bar(box, words, is_odd=odd))
    parts.append(svg.rule(left, height - bottom, width - 12, height - bottom, "chart-axis"))
    parts += [
        svg.text(at_x(math.log(tick)), height - bottom + 18, f"{tick:g}", anchor="middle")
        for tick in _TICKS
        if low <= math.log(tick) <= high
    ]
    for limit, words in ((least, "too fast"), (most, "waited")):
        if limit > 0 and low <= math.log(limit) <= high:
            px = at_x(math.log(limit))
            parts.append(svg.rule(px, top - 8, px, height - bottom, "chart-mark"))
            parts.append(svg.text(px, top - 10, words, anchor="middle", css="chart-strong"))
    title = f"Times of {bins.n:,} answers, logarithmic; the middle one took {bins.median:.1f} s."
    return svg.figure(parts, height, title, width)


def _bar(box: tuple[float, float, float, float], words: str, *, is_odd: bool) -> SafeString:
    """Draw a bar, in another colour where it lies beyond a rule's limit."""
    x, y, width, height = (svg.number(length) for length in box)
    return format_html(
        '<rect class="chart-bar{}" x="{}" y="{}" width="{}" height="{}" rx="1"><title>{}</title>'
        "</rect>",
        " chart-bar--odd" if is_odd else "",
        x,
        y,
        width,
        height,
        words,
    )


def shares(
    values: Float[np.ndarray, " n"], *, chance: float | None, n_categories: int
) -> SafeString:
    """Draw how the images' shares of the most frequent answer lie, with coin flips' mean ruled."""
    if len(values) == 0:
        return SafeString("")
    edges = np.linspace(1 / max(n_categories, 2), 1.0, 11)
    counts, _ = np.histogram(values, np.concatenate([edges[:-1], [1.0 + 1e-9]]))
    mean = float(values.mean())
    words = f"; coin flips would give {chance:.2f}" if chance is not None else ""
    return charts.histogram(
        edges=edges.tolist(),
        counts=counts.tolist(),
        title=f"Share of the most frequent answer of {len(values):,} images, mean {mean:.2f}{words}.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A value with its interval, and whose it is."""

    name: str
    value: float
    interval: Interval
    is_second: bool = False


def dots(
    rows: Sequence[Dot],
    *,
    low: float,
    high: float,
    title: str,
    mark: float | None = None,
    as_percent: bool = False,
) -> SafeString:
    """Draw values with their intervals, one below the other.

    Args:
        rows: At least one.
        low: Left end of the axis; what lies beyond is drawn at the end.
        high: Right end.
        title: Read out instead of the figure.
        mark: Where a dashed rule stands.
        as_percent: Whether the axis is of shares.
    """
    left, right, top, line = 150.0, 24.0, 24.0, 22.0
    height = top + line * len(rows) + 6

    def at_x(value: float) -> float:
        inside = min(max(value, low), high)
        return left + (inside - low) / (high - low) * (svg.WIDTH - left - right)

    def words(value: float) -> str:
        return f"{100 * value:.0f} %" if as_percent else f"{value:.2g}"

    parts = [
        svg.rule(at_x(tick), top - 4, at_x(tick), height - 6, "chart-grid")
        + svg.text(at_x(tick), 12, words(tick), anchor="middle")
        for tick in svg.ticks(low, high, 4)
    ]
    if mark is not None:
        parts.append(svg.rule(at_x(mark), top - 4, at_x(mark), height - 6, "chart-mark"))
    for place, row in enumerate(rows):
        middle = top + line * (place + 0.5)
        extra = " chart-interval--second" if row.is_second else ""
        ends = at_x(row.interval[0]), at_x(row.interval[1])
        parts.append(svg.text(0, middle + 4, svg.shortened(row.name, 22), css="chart-name"))
        parts.append(svg.rule(ends[0], middle, ends[1], middle, f"chart-interval{extra}"))
        parts.append(
            format_html(
                '<circle class="chart-dot{}" cx="{}" cy="{}" r="4"><title>{}</title></circle>',
                " chart-dot--second" if row.is_second else "",
                svg.number(at_x(row.value)),
                svg.number(middle),
                f"{row.name}: {words(row.value)}, 95 % interval "
                f"{words(row.interval[0])} to {words(row.interval[1])}",
            )
        )
    return svg.figure(parts, height, title)


def paces(
    positions: Float[np.ndarray, " m"], seconds: Float[np.ndarray, " m"], is_odd: Sequence[bool]
) -> SafeString:
    """Draw one annotator's times by place in the sitting, on a logarithmic axis."""
    known = (seconds > 0) & ~np.isnan(seconds)
    if not known.any():
        return SafeString("")
    low = math.log(min(0.3, float(seconds[known].min())))
    high = math.log(max(20.0, float(seconds[known].max())))
    height, left, right, top, bottom = 200.0, 44.0, 20.0, 22.0, 30.0
    last = max(float(positions.max()), 1.0)

    def at_y(value: float) -> float:
        return height - bottom - (value - low) / (high - low) * (height - top - bottom)

    parts = [
        svg.rule(left, at_y(math.log(tick)), svg.WIDTH - right, at_y(math.log(tick)), "chart-grid")
        + svg.text(left - 8, at_y(math.log(tick)) + 4, f"{tick:g} s", anchor="end")
        for tick in (0.5, 1, 2, 5, 10, 20, 60, 300)
        if low <= math.log(tick) <= high
    ]
    for at in np.flatnonzero(known).tolist():
        px = left + positions[at] / last * (svg.WIDTH - left - right)
        css = "chart-dot chart-dot--second" if is_odd[at] else "chart-dot"
        parts.append(svg.dot(float(px), at_y(math.log(float(seconds[at]))), 3, css))
    parts.append(svg.rule(left, height - bottom, svg.WIDTH - right, height - bottom, "chart-axis"))
    parts.append(svg.text(svg.WIDTH - right, height - 8, "place in the sitting", anchor="end"))
    parts.append(svg.text(0, 12, "active time; hollow: hidden, reloaded or implausible"))
    title = f"Times of {int(known.sum())} answers by place in the sitting, logarithmic."
    return svg.figure(parts, height, title)
