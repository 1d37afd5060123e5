"""The figures of a report as SVG."""

from collections.abc import Mapping
from typing import Any

from engine.benches.mitigation.page_tables import counted
from engine.benches.svg import Point, Series, dot_figure, line_figure

Report = Mapping[str, Any]
Drawn = dict[str, tuple[str, str]]
"""File name to the figure and what it shows in a sentence."""

CURVES = {
    "answers": "answers",
    "subset_size": "size",
    "subset_size_val": "sizeval",
    "strictness": "strictness",
    "space_dimension": "dimension",
    "strategies": "strategies",
}


def figures_of(report: Report) -> Drawn:
    """Draw every figure of a report.

    Args:
        report: A bench's report.

    Returns:
        File name to (SVG, description); names end in the kind of figure.
    """
    name = report["data"] if report["mode"] == "head" else f"{report['data']}-all-layers"
    curves = report.get("curves", {})
    drawn: dict[str, tuple[str, str]] = {"routes": _routes(report)}
    for curve, kind in CURVES.items():
        if curve in curves and _points(curves[curve]):
            drawn[kind] = _curve(report, curves[curve])
    if curves.get("noise"):
        drawn["noise"] = _noise(report, curves["noise"])
    if curves.get("consistency"):
        drawn["consistency"] = _consistency(report, curves["consistency"])
    return {f"{name}-{kind}.svg": figure for kind, figure in drawn.items()}


def _points(curve: Report) -> bool:
    return all(points for points in curve["series"].values()) and bool(curve["series"])


def _about(report: Report) -> str:
    return (
        f"{report['command']}; {counted(len(report['seeds']), 'seed')}, preset {report['preset']}; "
        "95 % intervals of a bootstrap over seeds and test objects"
    )


def _point(value: float, figure: Report) -> Point:
    interval = figure.get("interval")
    return Point(x=value, y=figure["mean"], interval=tuple(interval) if interval else None)


def _routes(report: Report) -> tuple[str, str]:
    rows = {"before": report["before"], **report["routes"]}
    series = [
        Series(
            name=label,
            points=tuple(_point(0.0, figures[of]) for figures in rows.values()),
        )
        for label, of in (("worst group", "worst_group"), ("average", "average"))
    ]
    title = f"{report['data']}: accuracy on test by route"
    svg = dot_figure(
        title, list(rows), series, x_label="accuracy on test", description=_about(report)
    )
    return svg, title


def _curve(report: Report, curve: Report) -> tuple[str, str]:
    series = []
    for of, label in (("worst_group", "worst group"), ("average", "average")):
        for name, points in curve["series"].items():
            series.append(
                Series(
                    name=f"{name}, {label}",
                    points=tuple(_point(float(p["value"]), p[of]) for p in points),
                    dashed=of == "average",
                )
            )
    title = f"{report['data']}: accuracy by {curve['label']}"
    svg = line_figure(
        title,
        series,
        x_label=curve["label"],
        y_label="accuracy on test",
        description=_about(report),
    )
    return svg, title


def _noise(report: Report, noise: Report) -> tuple[str, str]:
    series = []
    for votes in noise["votes"]:
        rows = [row for row in noise["rows"] if row["votes"] == votes]
        if rows:
            points = tuple(_point(row["slip_rate"], row["worst_group"]) for row in rows)
            series.append(Series(name=f"{counted(votes, 'vote')} a query", points=points))
    title = f"{report['data']}: worst group by annotators' slips"
    svg = line_figure(
        title,
        series,
        x_label="share of answers mixed up",
        y_label="worst-group accuracy on test",
        description=_about(report),
    )
    return svg, title


def _consistency(report: Report, found: Report) -> tuple[str, str]:
    series = [
        Series(
            name=f"{measure} in the {name}",
            points=tuple(
                Point(x=float(budget), y=figure["mean"])
                for budget, figure in zip(found["budgets"], measures[measure], strict=True)
            ),
            dashed=name == "feature space",
        )
        for name, measures in found["series"].items()
        for measure in ("attention", "features")
    ]
    title = f"{report['data']}: how alike images of one cluster are"
    svg = line_figure(
        title,
        series,
        x_label="clusters",
        y_label="mean cosine within a cluster",
        description=_about(report),
    )
    return svg, title
