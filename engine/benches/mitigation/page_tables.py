"""The tables of a report as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]
UNKNOWN = "-"


def number(value: float | None, digits: int = 3) -> str:
    """Write a share without its leading zero, a dash where it is not known."""
    if value is None:
        return UNKNOWN
    text = f"{abs(value):.{digits}f}"
    short = text.removeprefix("0") if abs(value) < 1 else text
    return f"-{short}" if value < 0 and float(text) else short


def counted(n: int, thing: str) -> str:
    """Write a number of things, one of them without an s."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def spread_text(figure: Figures) -> str:
    """Write mean and deviation."""
    return f"{number(figure['mean'])} ± {number(figure['std'])}"


def interval_text(figure: Figures) -> str:
    """Write an interval."""
    low, high = figure["interval"]
    return f"{number(low, 2)} to {number(high, 2)}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table, its first column to the left and the others to the right."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def tables_of(report: Figures) -> list[tuple[str, str, str]]:
    """Give every table of a report.

    Args:
        report: A bench's report.

    Returns:
        (kind of figure to show below it, title, Markdown) for each.
    """
    curves = report.get("curves", {})
    found = [
        ("routes", "Accuracy (SLIM's tables 2 and 3)", _routes(report)),
        ("", "Paired differences", _paired(report)),
        ("", "What each route costs (table 4)", _costs(report)),
        ("", "Attention on the object (table 5)", _attention(report)),
        ("", "Scores of the training images against the truth", _scores(report)),
        ("", "What screening keeps and the subset holds", _groups(report)),
        ("", "C chosen on val reweighted to the training shares", _reweighted(report)),
        ("", "Ablations: one switch each", _ablations(report)),
        ("answers", "Number of answers (table 7)", _curve(curves.get("answers"))),
        ("size", "Subset size (table 8)", _curve(curves.get("subset_size"))),
        ("sizeval", "Subset size of slim_val (table 8)", _curve(curves.get("subset_size_val"))),
        ("noise", "Annotators' slips", _noise(curves.get("noise"))),
        ("strictness", "Strictness of the question", _curve(curves.get("strictness"))),
        ("dimension", "Dimension of the attention space", _curve(curves.get("space_dimension"))),
        ("strategies", "Which images are asked about", _curve(curves.get("strategies"))),
        ("consistency", "Consistency of clusters (figure 4)", _consistency(curves)),
        ("", "Consistency of neighbours, the first seed", _neighbours(report)),
    ]
    return [entry for entry in found if entry[2]]


def _routes(report: Figures) -> str:
    rows = []
    named = {"before (the reference)": report["before"], **report["routes"]}
    for name, figures in named.items():
        worst, average = figures["worst_group"], figures["average"]
        groups = [number(group["mean"]) for group in figures["groups"].values()]
        label = name if name.startswith("before") else f"`{name}`"
        rows.append(
            [label, spread_text(worst), interval_text(worst), spread_text(average), *groups]
        )
    names = list(report["before"]["groups"])
    return table(["route", "worst group", "95 %", "average", *names], rows)


def _paired(report: Figures) -> str:
    rows = [
        [
            f"`{name}`".replace(" - ", "` - `"),
            *(
                f"{number(pair[of]['mean'])} ({interval_text(pair[of])})"
                for of in ("worst_group", "average")
            ),
        ]
        for name, pair in report["paired"].items()
    ]
    return table(["", "worst group", "average"], rows) if rows else ""


def _costs(report: Figures) -> str:
    rows = []
    for name, figures in report["routes"].items():
        labels, training = figures["labels"], figures["training"]
        rows.append(
            [
                f"`{name}`",
                str(labels["attention"]),
                str(labels["groups"]),
                f"{training['rows']:.0f}",
                f"{training['of_train']:.2f}",
                f"{training['data_x_epochs']:.2f}",
            ]
        )
    head = ["route", "answers", "group labels", "rows trained on", "of train", "data x epochs"]
    return table(head, rows)


def _attention(report: Figures) -> str:
    looks = report.get("attention") or {}
    shown = {
        "attention_precision": "precision@.8",
        "aiou_ratio": "AIoU ratio",
        "binary_iou": "IoU@.5",
        "spurious_mass": "mass on the artefact",
    }
    known = [name for name in shown if any(name in measures for measures in looks.values())]
    rows = [
        [
            f"`{route}`",
            *(
                number(measures[name][of]["mean"]) if name in measures else UNKNOWN
                for name in known
                for of in ("worst_group", "average")
            ),
        ]
        for route, measures in looks.items()
    ]
    head = [f"{shown[name]}, {of}" for name in known for of in ("worst", "average")]
    return table(["route", *head], rows) if rows and known else ""


def _scores(report: Figures) -> str:
    names = ("core_share", "accuracy", "auroc", "brier", "ece")
    rows = [
        [name, *(_known(measures[of]) for of in names)]
        for name, measures in report["diagnostics"].get("scores", {}).items()
    ]
    head = ["class", "share of yes", "accuracy", "AUROC", "Brier", "calibration error"]
    return table(head, rows) if rows else ""


def _known(figure: Figures) -> str:
    return UNKNOWN if figure["mean"] is None else spread_text(figure)


def _groups(report: Figures) -> str:
    rows = [
        [
            name,
            f"{told['train']['mean']:.0f}",
            number(told["yes_share"]["mean"], 2),
            spread_text(told["kept_share"]),
            f"{told['in_subset']['mean']:.0f} ± {told['in_subset']['std']:.0f}",
        ]
        for name, told in report["diagnostics"].get("groups", {}).items()
    ]
    head = ["group", "of train", "share of yes", "share kept", "in the subset"]
    return table(head, rows) if rows else ""


def _reweighted(report: Figures) -> str:
    rows = []
    for name, figures in (report.get("reweighted_choice") or {}).items():
        own = report["routes"][name]
        chosen = [_grid(own["c"]), _grid(figures["c"])]
        worst = [spread_text(own["worst_group"]), spread_text(figures["worst_group"])]
        rows.append([f"`{name}`", worst[0], chosen[0], worst[1], chosen[1]])
    head = ["route", "worst group", "C", "worst group, reweighted", "C, reweighted"]
    return table(head, rows) if rows else ""


def _grid(values: Sequence[float | None]) -> str:
    return ", ".join(UNKNOWN if value is None else f"{value:g}" for value in values)


def _ablations(report: Figures) -> str:
    rows = []
    for name, figures in report.get("ablations", {}).items():
        changes = ", ".join(f"`{key}={value}`" for key, value in figures["changes"].items())
        against = figures["against"]
        difference = UNKNOWN
        if against:
            worst = against["worst_group"]
            difference = f"{number(worst['mean'])} ({interval_text(worst)})"
        rows.append(
            [
                f"{name.replace('_', ' ')}: {figures['about']}",
                changes,
                spread_text(figures["worst_group"]),
                spread_text(figures["average"]),
                difference,
            ]
        )
    head = ["ablation", "setting", "worst group", "average", "worst group against the default"]
    return table(head, rows) if rows else ""


def _curve(curve: Figures | None) -> str:
    if not curve or not curve["series"]:
        return ""
    names = list(curve["series"])
    values: list[Any] = []
    for points in curve["series"].values():
        values += [point["value"] for point in points if point["value"] not in values]
    rows = []
    for value in values:
        cells = []
        for name in names:
            at = [point for point in curve["series"][name] if point["value"] == value]
            cells += (
                [spread_text(at[0]["worst_group"]), number(at[0]["average"]["mean"])]
                if at
                else [UNKNOWN, UNKNOWN]
            )
        rows.append([str(value), *cells])
    head = [f"{name.replace('_', ' ')}, {of}" for name in names for of in ("worst", "average")]
    return table([curve["label"], *head], rows)


def _noise(noise: Figures | None) -> str:
    if not noise:
        return ""
    at = {(row["slip_rate"], row["votes"]): row for row in noise["rows"]}
    rows = [
        [
            f"{rate:.0%} slips",
            *(
                spread_text(at[rate, votes]["worst_group"]) if (rate, votes) in at else UNKNOWN
                for votes in noise["votes"]
            ),
        ]
        for rate in noise["slip_rates"]
    ]
    text = table(["", *(counted(votes, "vote") for votes in noise["votes"])], rows)
    cost = (noise["shown"] or {}).get("cost")
    if cost:
        worst = cost["worst_group"]
        text += (
            f"\n\n{noise['shown']['slip_rate']:.0%} slips with {noise['shown']['votes']} votes cost "
            f"{number(worst['mean'])} of worst-group accuracy ({interval_text(worst)}), paired."
        )
    return text


def _consistency(curves: Figures) -> str:
    found = curves.get("consistency")
    if not found:
        return ""
    names = list(found["series"])
    rows = [
        [
            str(budget),
            *(
                number(found["series"][name][of][at]["mean"])
                for name in names
                for of in ("attention", "features")
            ),
        ]
        for at, budget in enumerate(found["budgets"])
    ]
    head = [f"{name}: {of}" for name in names for of in ("attention", "features")]
    return table(["clusters", *head], rows)


def _neighbours(report: Figures) -> str:
    found = report.get("neighbours")
    if not found:
        return ""
    rows = [
        [
            name,
            number(told["cosine"]),
            number(told["distance"]),
            number(told["similarity"]),
        ]
        for name, told in {**found["spaces"], "random pairs": found["random"]}.items()
    ]
    head = ["space", "cosine of features", "earth mover's distance of maps", "1 / (1 + distance)"]
    return table(head, rows)
