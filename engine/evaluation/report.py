"""Evaluations as plain JSON values, as a table of text, and side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.evaluation.accuracy import Evaluation, GroupAccuracy
from engine.evaluation.bootstrap import ObjectIntervals
from engine.evaluation.localization import MEASURES, Localization, Measure

Json = dict[str, object]


def evaluation_to_json(evaluation: Evaluation) -> Json:
    """Turn an evaluation into values that `json.dumps` takes.

    Args:
        evaluation: The evaluation.

    Returns:
        `average`, `worst_group` (its accuracy), `worst_group_name`, `groups` by name, `group_mean`,
        `train_weighted`, `attention` and the rest; None where something is not known.
    """
    return {
        "n": evaluation.n,
        "correct": evaluation.correct,
        "average": evaluation.average,
        "average_interval": list(evaluation.average_interval),
        "group_mean": evaluation.group_mean,
        "train_weighted": evaluation.train_weighted,
        "worst_group": evaluation.worst_group,
        "worst_group_name": evaluation.worst_group_name,
        "groups": {group.name: _group(group) for group in evaluation.groups},
        "grouped_by": evaluation.grouped_by,
        "object_intervals": _intervals(evaluation),
        "attention": _attention(evaluation.localization),
        "notes": list(evaluation.notes),
    }


def _group(group: GroupAccuracy) -> Json:
    return {
        "n": group.n,
        "correct": group.correct,
        "accuracy": group.accuracy,
        "interval": None if group.interval is None else list(group.interval),
    }


def _intervals(evaluation: Evaluation) -> Json | None:
    found: ObjectIntervals | None = evaluation.object_intervals
    if found is None:
        return None
    names = [group.name for group in evaluation.groups]
    return {
        "level": found.level,
        "n_objects": found.n_objects,
        "average": list(found.average),
        "worst_group": None if found.worst_group is None else list(found.worst_group),
        "groups": {
            name: None if interval is None else list(interval)
            for name, interval in zip(names, found.groups, strict=True)
        },
    }


def _attention(localization: Localization | None) -> Json | None:
    if localization is None:
        return None
    measures = {name: _measure(getattr(localization, name)) for name in MEASURES}
    return {**measures, "n_dead": localization.n_dead, "notes": list(localization.notes)}


def _measure(measure: Measure | None) -> Json | None:
    if measure is None:
        return None
    return {
        "n": measure.n,
        "mean": measure.mean,
        "worst_group": measure.worst_group,
        "worst_group_name": measure.worst_group_name,
        "groups": dict(measure.groups),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a change of classifier did.

    Attributes:
        average_change: After minus before, plain average.
        worst_group_change: After minus before, worst group (each its own).
        group_changes: After minus before for every group that both know.
        worse: Whether the worst group fell, or stayed while the average fell: keep the old model.
        warnings: Plain sentences, one for each thing that got worse; none where nothing did.
    """

    average_change: float
    worst_group_change: float
    group_changes: tuple[tuple[str, float], ...]
    worse: bool
    warnings: tuple[str, ...]


def compare(before: Evaluation, after: Evaluation) -> Comparison:
    """Set two evaluations of the same rows side by side.

    Args:
        before: The classifier as it was.
        after: The new one.

    Returns:
        The changes, and a warning for each fall.
    """
    old = {group.name: group.accuracy for group in before.groups}
    new = {group.name: group.accuracy for group in after.groups}
    changes = tuple(
        (name, value - was)
        for name, value in new.items()
        if value is not None and (was := old.get(name)) is not None
    )
    average = after.average - before.average
    worst = after.worst_group - before.worst_group
    falls = [
        (f"worst {before.grouped_by}", before.worst_group, after.worst_group),
        ("average", before.average, after.average),
        *((name, old[name] or 0.0, new[name] or 0.0) for name, _ in changes),
    ]
    return Comparison(
        average_change=average,
        worst_group_change=worst,
        group_changes=changes,
        worse=worst < 0 or (worst == 0 and average < 0),
        warnings=tuple(
            f"{name} fell from {was:.3f} to {now:.3f}" for name, was, now in falls if now < was
        ),
    )


def comparison_text(evaluations: Mapping[str, Evaluation]) -> str:
    """Write evaluations as a table, one line each, a column for every group.

    Args:
        evaluations: By name, in the order wanted.

    Returns:
        Lines of equal width; "-" where a number is not known.
    """
    groups = list(dict.fromkeys(g.name for e in evaluations.values() for g in e.groups))
    lines = [["", "n", "average", "worst", "group mean", "train-weighted", *groups]]
    for name, evaluation in evaluations.items():
        of_group = {group.name: group.accuracy for group in evaluation.groups}
        figures = [
            evaluation.average,
            evaluation.worst_group,
            evaluation.group_mean,
            evaluation.train_weighted,
            *(of_group.get(group) for group in groups),
        ]
        shown = ["-" if figure is None else f"{figure:.3f}" for figure in figures]
        lines.append([name, str(evaluation.n), *shown])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )
