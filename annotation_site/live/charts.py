"""The score map: places of the attention space in bins, so that any number of images can be drawn."""

import io
from dataclasses import dataclass, fields

import numpy as np
from django.utils.html import format_html
from django.utils.safestring import SafeString
from jaxtyping import Bool, Float, Int

from annotation_site.web import svg
from engine.labeling.preview import Preview

ACROSS, DOWN = 128, 80
SHADES = 9
MOST_CLASSES = 12
"""Of more classes than these, the map shows all of them together only."""
MOST_RINGS = 1_000
CELL = 6.0
MARGIN = 8.0
_FULL = (8, 2)
"""A place with at least so many images is drawn large, or middling; else small."""
_SIZES = (5.6, 4.4, 3.2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Counts and sums of scores by class and place, and the answered images.

    Attributes:
        counts: Images; classes x down x across.
        sums: Of their scores.
        at: Across and down of each answered image, in [0, 1].
        kind: Its class; 0 where classes are not told apart.
        posterior: Its probability of yes.
        votes: Yes and no.
        rows: Its row in the data set.
    """

    counts: Int[np.ndarray, "c h w"]
    sums: Float[np.ndarray, "c h w"]
    at: Float[np.ndarray, "a 2"]
    kind: Int[np.ndarray, " a"]
    posterior: Float[np.ndarray, " a"]
    votes: Int[np.ndarray, "a 2"]
    rows: Int[np.ndarray, " a"]

    def packed(self) -> bytes:
        """Give the bytes that a snapshot keeps."""
        out = io.BytesIO()
        np.savez_compressed(
            out, **{field.name: getattr(self, field.name) for field in fields(self)}
        )
        return out.getvalue()

    @classmethod
    def unpacked(cls, packed: bytes) -> "Chart":
        """Read what `packed` wrote."""
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            return cls(**{field.name: file[field.name] for field in fields(cls)})


def chart_of(
    coordinates: Float[np.ndarray, "n d"],
    classes: Int[np.ndarray, " n"],
    found: Preview,
    yes: Int[np.ndarray, " n"],
    no: Int[np.ndarray, " n"],
    posterior: Float[np.ndarray, " n"],
    rows: Int[np.ndarray, " n"],
) -> Chart:
    """Put images into bins by their first two coordinates.

    Args:
        coordinates: Of all images.
        classes: From 0.
        found: Their scores.
        yes: Votes of yes.
        no: Votes of no.
        posterior: Of the answered images.
        rows: In the data set.
    """
    places = coordinates[:, :2].astype(np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    places = (places - low) / np.where(high > low, high - low, 1.0)
    places[:, 1] = 1.0 - places[:, 1]
    n_classes = int(classes.max()) + 1
    kind = classes.astype(np.int64) if n_classes <= MOST_CLASSES else np.zeros_like(classes)
    n_kinds = int(kind.max()) + 1
    across, down = (
        np.minimum((places[:, axis] * cells).astype(np.int64), cells - 1)
        for axis, cells in ((0, ACROSS), (1, DOWN))
    )
    number = (kind * DOWN + down) * ACROSS + across
    size, shape = n_kinds * DOWN * ACROSS, (n_kinds, DOWN, ACROSS)
    ringed = np.flatnonzero(yes + no > 0)
    ringed = ringed[:: -(-len(ringed) // MOST_RINGS) or 1]
    return Chart(
        counts=np.bincount(number, minlength=size).reshape(shape).astype(np.int32),
        sums=np.bincount(number, found.scores, size).reshape(shape).astype(np.float32),
        at=places[ringed].astype(np.float32),
        kind=kind[ringed].astype(np.int32),
        posterior=posterior[ringed].astype(np.float32),
        votes=np.stack([yes, no], axis=1)[ringed].astype(np.int32),
        rows=rows[ringed].astype(np.int32),
    )


def draw(chart: Chart, kind: int | None, name: str) -> SafeString:
    """Draw the map of one class, or of all.

    Args:
        chart: The bins.
        kind: A class of the chart; None for all.
        name: What is shown, for the title.
    """
    width, height = ACROSS * CELL + 2 * MARGIN, DOWN * CELL + 2 * MARGIN
    counts = chart.counts.sum(axis=0) if kind is None else chart.counts[kind]
    sums = chart.sums.sum(axis=0) if kind is None else chart.sums[kind]
    inside = counts > 0
    mean = np.where(inside, sums / np.where(inside, counts, 1), 0.5)
    shade = np.minimum((mean * SHADES).astype(np.int64), SHADES - 1)
    parts = []
    least = np.inf
    for size, at_least in zip(_SIZES, (*_FULL, 1), strict=True):
        full = (counts >= at_least) & (counts < least)
        least = at_least
        parts += [_dots(full & (shade == s), s, size) for s in range(SHADES)]
    shown = np.ones(len(chart.kind), dtype=bool) if kind is None else chart.kind == kind
    parts += [_ring(chart, i) for i in np.flatnonzero(shown).tolist()]
    title = (
        f"Map of {name}: {int(counts.sum()):,} images by the score of each place, "
        f"{int(shown.sum()):,} answered ones ringed."
    )
    return svg.figure(parts, height, title, width)


def _dots(which: Bool[np.ndarray, "h w"], shade: int, size: float) -> SafeString:
    """Draw the chosen bins as one path: a line without length and with round ends is a dot."""
    down, across = np.nonzero(which)
    if len(down) == 0:
        return SafeString("")
    points = "".join(
        f"M{svg.number(MARGIN + (x + 0.5) * CELL)} {svg.number(MARGIN + (y + 0.5) * CELL)}h0"
        for x, y in zip(across.tolist(), down.tolist(), strict=True)
    )
    return format_html(
        '<path class="live-dot live-shade--{}" stroke-width="{}" d="{}"/>', shade, size, points
    )


def _ring(chart: Chart, i: int) -> SafeString:
    x, y = (
        MARGIN + float(share) * cells * CELL
        for share, cells in zip(chart.at[i], (ACROSS, DOWN), strict=True)
    )
    yes, no = chart.votes[i].tolist()
    return format_html(
        '<circle class="live-ring live-ring--{}" cx="{}" cy="{}" r="5"><title>{}</title></circle>',
        "core" if chart.posterior[i] >= 0.5 else "spurious",
        svg.number(x),
        svg.number(y),
        f"Image {int(chart.rows[i])}: {yes} yes, {no} no; {chart.posterior[i]:.0%} yes",
    )
