"""The table of headline figures: one line a figure, one column a version of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from annotation_site.quality.figures import Agreement, Overview, TimeLine
from annotation_site.web.wording import NONE, percent
from engine.labeling.agreement import CrowdInterval
from engine.labeling.intervals import Interval
from engine.labeling.timings import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A figure as it is written.

    Attributes:
        value: The figure; a dash where there is none.
        interval: Its 95 % interval; empty where there is none.
        note: Beside it: spread, number, chance level, or why there is no figure.
    """

    value: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A figure under each version."""

    name: str
    help: str
    cells: tuple[Cell, ...]


def column_name(version: int, head: int) -> str:
    """Name a version of the ledger."""
    if version == 0:
        return "As collected"
    return f"Ledger {version}{', now' if version == head else ''}"


def lines_of(overviews: Sequence[Overview]) -> tuple[Line, ...]:
    """Write the headline figures of one or more versions side by side."""
    makers = (
        ("Answers", "to the queries, unsure ones as well", _answers),
        ("Annotators", "with an answer that counts", _annotators),
        ("Consistency", "share of the most frequent answer, averaged over images", _consistency),
        ("Above chance", "0 for coin flips, 1 for agreement", _above_chance),
        ("Krippendorff's alpha", "agreement with chance taken off, nominal", _alpha),
        ("Gwet's AC1", "the same; does not fall where one answer is rare", _ac1),
        ("Pairs that agree", "of two answers to one image; chance not taken off", _percent),
        ("Mean time", "over images' means, quality A and B", _time),
    )
    return tuple(
        Line(name=name, help=words, cells=tuple(make(overview) for overview in overviews))
        for name, words, make in makers
    )


def _answers(found: Overview) -> Cell:
    parts = [f"{found.n_unsure:,} unsure"] if found.n_unsure else []
    if found.out_answers:
        parts.append(f"{found.out_answers:,} left out one by one")
    return Cell(value=f"{found.n_answers:,}", note=", ".join(parts))


def _annotators(found: Overview) -> Cell:
    note = f"{found.out_people:,} left out" if found.out_people else ""
    return Cell(value=f"{found.n_people:,}", note=note)


def _consistency(found: Overview) -> Cell:
    share = found.consistency
    if share.mean is None or share.chance is None:
        return Cell(value=NONE, note=share.reason)
    deviation = f"± {100 * share.deviation:.1f} over images, " if share.deviation else ""
    note = (
        f"{deviation}{share.n_items:,} images of {share.answers_per_item:.1f} answers; "
        f"chance {percent(share.chance, 0)}"
    )
    return Cell(
        value=percent(share.mean),
        interval=_interval(found.consistency_interval.interval, as_percent=True),
        note=_and_why(note, found.consistency_interval),
    )


def _above_chance(found: Overview) -> Cell:
    share = found.consistency
    if share.above_chance is None:
        return Cell(value=NONE, note=share.reason)
    return Cell(value=f"{share.above_chance:.2f}")


def _agreement(figure: Agreement, *, as_percent: bool = False) -> Cell:
    statistic = figure.statistic
    if statistic.value is None:
        return Cell(value=NONE, note=statistic.reason)
    value = percent(statistic.value) if as_percent else f"{statistic.value:.2f}"
    return Cell(
        value=value,
        interval=_interval(figure.crowd.interval, as_percent=as_percent),
        note=_and_why("", figure.crowd),
    )


def _alpha(found: Overview) -> Cell:
    return _agreement(found.agreement["alpha"])


def _ac1(found: Overview) -> Cell:
    return _agreement(found.agreement["ac1"])


def _percent(found: Overview) -> Cell:
    return _agreement(found.agreement["percent"], as_percent=True)


def _time(found: Overview) -> Cell:
    return spread_cell(next(line for line in found.times if line.key == "believable").over_images)


def spread_cell(found: Spread) -> Cell:
    """Write a mean time with its standard deviation and what it is over."""
    if found.mean is None:
        return Cell(value=NONE, note="no time is known")
    deviation = f" ± {found.deviation:.1f}" if found.deviation is not None else ""
    return Cell(value=f"{found.mean:.1f}{deviation} s", note=f"n = {found.n:,}")


def time_cells(line: TimeLine) -> tuple[Cell, Cell, Cell]:
    """Write the three means of one kind of answers: over images, answers, people."""
    return (
        spread_cell(line.over_images),
        spread_cell(line.over_answers),
        spread_cell(line.over_people),
    )


def _interval(interval: Interval | None, *, as_percent: bool) -> str:
    if interval is None:
        return ""
    low, high = interval
    if as_percent:
        return f"{100 * low:.1f} to {100 * high:.1f}"
    return f"{low:.2f} to {high:.2f}"


def _and_why(note: str, crowd: CrowdInterval) -> str:
    if crowd.interval is not None or not crowd.reason:
        return note
    return f"{note}; no interval: {crowd.reason}" if note else f"no interval: {crowd.reason}"
