"""A rehearsal's prediction as pictures; the page shows the same numbers as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from annotation_site.web import charts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What the page draws; empty text where there is too little to draw.

    Attributes:
        right: Labels that are right, against answers, with the elbow.
        widths: Widths of the intervals, against answers.
        time: Answers that are there, against time.
    """

    right: SafeString
    widths: SafeString
    time: SafeString


def pictures_of(found: Mapping[str, Any]) -> Pictures:
    """Draw a prediction.

    Args:
        found: As `prediction.predict` gives it.
    """
    points = found["curve"]
    return Pictures(right=_right(points, found["elbow"]), widths=_widths(points), time=_time(found))


def _right(points: Sequence[Mapping[str, Any]], bend: Mapping[str, Any]) -> SafeString:
    at = bend.get("answers")
    return charts.line_with_elbow(
        x=[point["answers"] for point in points],
        y=[point["right"] for point in points],
        elbow=at,
        title=f"Share of labels that are right against answers; the elbow lies at {at} answers.",
        x_name="answers",
        y_name="labels that are right",
    )


def _widths(points: Sequence[Mapping[str, Any]]) -> SafeString:
    names = ("alpha_width", "consistency_width")
    drawn = [point for point in points if all(point[name] is not None for name in names)]
    return charts.line_with_elbow(
        x=[point["answers"] for point in drawn],
        y=[point["alpha_width"] for point in drawn],
        second=[point["consistency_width"] for point in drawn],
        title="Widths of the 95 % intervals of alpha and of consistency against answers.",
        x_name="answers",
        y_name="width of the 95 % interval",
    )


def _time(found: Mapping[str, Any]) -> SafeString:
    wanted = found["answers"]["wanted"]
    points = [{"minutes": 0.0, "share": 0.0}] + [
        {"minutes": 60 * point["hours"], "share": point["answers"] / wanted}
        for point in found["curve"]
    ]
    rising = [points[0]]
    for point in points[1:]:
        if point["minutes"] > rising[-1]["minutes"]:
            rising.append(point)
    return charts.line_with_elbow(
        x=[point["minutes"] for point in rising],
        y=[point["share"] for point in rising],
        title="Share of the wanted answers that are there, against minutes since opening.",
        x_name="minutes since opening",
        y_name="answers that are there",
    )
