"""A round's report, as the result page shows it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from annotation_site.projects.models import Dataset, Image
from annotation_site.web import charts

ROUTES = {
    "before": ("Before", "the reference model, as it was registered"),
    "erm": ("All images", "head refitted on every training image, without answers"),
    "slim_tr": ("Curated subset", "head refitted on the curated training subset"),
    "slim_val": ("Curated validation", "head refitted on the curated validation subset"),
    "random_subset": ("Random subset", "head refitted on as many images, drawn at random"),
    "class_balanced": ("Class balanced", "head refitted on as many images of each class"),
}
"""Name and meaning of each way to a classifier, in the order of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLine:
    """One classifier's accuracies beside those of the reference model."""

    key: str
    name: str
    meaning: str
    evaluation: Mapping[str, Any]
    change_average: float | None
    change_worst: float | None
    c: float | None
    is_kept: bool

    @property
    def is_worse(self) -> bool:
        """Whether its worst group is worse than before."""
        return self.change_worst is not None and self.change_worst < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """One group's accuracy before and after, for the table under the figure."""

    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """The scores of one class."""

    name: str
    figure: SafeString
    bins: list[tuple[float, float, int]]
    on_core: int
    kept: int
    total: int


SCREENED_BY = {
    "cues": "All of them may enter the subset; where one thing draws attention away in a class, it "
    "is found in every class and balanced.",
    "better_half": "The better half of each class may enter the subset.",
    "threshold": "Only they may enter the subset, or the best of a class where they are too few.",
    "median_pooled": "Images above the median of all classes may enter the subset.",
    "none": "All images may enter the subset, whatever their score.",
    "oracle": "Images that were answered with yes may enter the subset.",
}
"""What each rule of screening does, for the lead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One feature group of the subset."""

    index: int
    class_name: str
    environment: int
    available: int
    chosen: int
    images: list[Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRow:
    """The feature groups of one core, over all environments; None where there is none."""

    name: str
    cells: list[Cell | None]


def route_lines(report: Mapping[str, Any]) -> list[RouteLine]:
    """Give the classifiers of a report, the reference first, all that there are."""
    before, after = report["before"], report["after"]
    kept = report.get("verdict", {}).get("kept_model", "before")
    order = [key for key in ROUTES if key in after] + [key for key in after if key not in ROUTES]
    lines = [_route_line("before", before, None, kept, None)]
    strengths = report.get("regularisation", {})
    return lines + [_route_line(k, after[k], before, kept, strengths.get(k)) for k in order]


def _route_line(
    key: str,
    evaluation: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    kept: str,
    c: float | None,
) -> RouteLine:
    name, meaning = ROUTES.get(key, (key.replace("_", " ").capitalize(), ""))
    return RouteLine(
        key=key,
        name=name,
        meaning=meaning,
        evaluation=evaluation,
        change_average=_change(before, evaluation, "average"),
        change_worst=_change(before, evaluation, "worst_group"),
        c=c,
        is_kept=key == kept,
    )


def _change(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], measure: str
) -> float | None:
    if before is None or before.get(measure) is None or after.get(measure) is None:
        return None
    return float(after[measure] - before[measure])


def chosen_route(report: Mapping[str, Any], asked: str | None) -> str:
    """Give the route whose groups are drawn: the one asked for, else the kept one, else any."""
    after = report["after"]
    kept = report.get("verdict", {}).get("kept_model", "")
    for key in (asked, kept, "slim_tr", *after):
        if key in after:
            return str(key)
    return ""


def group_lines(report: Mapping[str, Any], route: str) -> list[GroupLine]:
    """Give the groups before and after one route, the worst before first."""
    before = report["before"]["groups"]
    after = report["after"].get(route, {}).get("groups", {})
    lines = [
        GroupLine(
            name=name,
            before=before[name],
            after=after.get(name, {}),
            change=_change(before[name], after.get(name, {}), "accuracy"),
        )
        for name in before
    ]
    return sorted(
        lines, key=lambda line: (line.before["accuracy"] is None, line.before["accuracy"])
    )


def group_figure(lines: Sequence[GroupLine], route_name: str) -> SafeString:
    """Draw the groups before and after."""
    return charts.intervals(
        [
            charts.MarkRow(
                name=line.name,
                before=_mark(line.before),
                after=_mark(line.after),
                is_strong=place == 0,
            )
            for place, line in enumerate(lines)
        ],
        title=f"Accuracy of each group with 95 % interval, before and after: {route_name}.",
        before_name="before",
        after_name=route_name,
    )


def _mark(group: Mapping[str, Any]) -> charts.Mark:
    low, high = group.get("interval") or (None, None)
    return charts.Mark(value=group.get("accuracy"), low=low, high=high)


def class_scores(report: Mapping[str, Any]) -> list[ClassScores]:
    """Give the score histograms of all classes, each on its own scale."""
    histogram, screening = report["score_histogram"], report["screening"]
    edges = histogram["edges"]
    found = []
    for name, counts in histogram["by_class"].items():
        on_core, total = screening["on_core"][name]
        title = f"Attention scores of {name}: {on_core:,} of {total:,} images look at the object."
        found.append(
            ClassScores(
                name=name,
                figure=charts.histogram(
                    edges=edges, counts=counts, threshold=screening["threshold"], title=title
                ),
                bins=list(zip(edges, edges[1:], counts, strict=False)),
                on_core=on_core,
                kept=screening["kept"][name][0],
                total=total,
            )
        )
    return found


def images_by_row(dataset: Dataset, rows: Iterable[int]) -> dict[int, Image]:
    """Load images by their rows, in one query."""
    return {image.row: image for image in dataset.images.filter(row__in=set(rows))}


def example_rows(report: Mapping[str, Any]) -> set[int]:
    """Give all rows whose pictures the page shows."""
    examples = [row for rows in report.get("examples", {}).values() for row in rows]
    return set(examples) | {row for cell in report.get("cells", []) for row in cell["rows"][:4]}


def cell_rows(report: Mapping[str, Any], images: Mapping[int, Image]) -> list[CellRow]:
    """Lay the feature groups out: a line per core, a column per environment."""
    cells = report.get("cells", [])
    environments = sorted({cell["environment"] for cell in cells})
    cores: dict[str, dict[int, Cell]] = {}
    for cell in cells:
        cores.setdefault(cell["class"], {})[cell["environment"]] = Cell(
            index=cell["index"],
            class_name=cell["class"],
            environment=cell["environment"],
            available=cell["available"],
            chosen=cell["chosen"],
            images=[images[row] for row in cell["rows"][:4] if row in images],
        )
    return [
        CellRow(name=name, cells=[found.get(environment) for environment in environments])
        for name, found in cores.items()
    ]
