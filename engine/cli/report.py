"""What a stage's result looks like in a few words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table


def summary(kind: str, value: Any) -> dict[str, Any]:
    """Give the few facts of a stage's value that a person wants to see at once.

    Args:
        kind: The artifact's kind.
        value: Its loaded value.

    Returns:
        Names to JSON values.
    """
    if kind == "evaluation":
        return dict(value)
    facts = _FACTS.get(kind)
    return facts(value) if facts else {}


def _share(flags: Any) -> float:
    return round(float(np.mean(flags)), 4)


def _of_put_in(space: Any) -> dict[str, Any]:
    """Tell how far images can be trusted that were put in because there are so many."""
    if np.isnan(space.core_trustworthiness_put_in):
        return {}
    return {
        "fitted": space.n_fitted,
        "core_trustworthiness_put_in": space.core_trustworthiness_put_in,
        "environment_trustworthiness_put_in": space.environment_trustworthiness_put_in,
    }


_FACTS: Mapping[str, Any] = {
    "manifest": lambda m: {"images": len(m), "classes": list(m.class_names), "digest": m.digest},
    "classifier": lambda c: {"architecture": c.architecture, "target_layer": c.target_layer},
    "extraction": lambda e: {
        "images": len(e.rows),
        "grid": list(e.maps_true.shape[1:]),
        "dead_true": _share(e.dead_true),
        "dead_predicted": _share(e.dead_predicted),
    },
    "control_heat": lambda c: {"images": len(c.rows)},
    "space": lambda s: {
        "images": len(s.rows),
        "method": s.method,
        "core_trustworthiness": s.core_trustworthiness,
        "environment_trustworthiness": s.environment_trustworthiness,
        **_of_put_in(s),
    },
    "budget": lambda b: {"budgets": list(b.budgets)},
    "queries": lambda q: {"rows": np.asarray(q.rows).tolist()},
    "votes": lambda v: {"votes": len(v.rows), "images": len(set(v.rows.tolist()))},
    "labels": lambda a: {
        "core": int((a.labels == 1).sum()),
        "spurious": int((a.labels == 0).sum()),
    },
    "scores": lambda s: {"mean": round(float(np.mean(s.scores)), 4), "warnings": list(s.warnings)},
    "screening": lambda s: {
        "kept": int(s.kept.sum()),
        "of": len(s.kept),
        "warnings": list(s.warnings),
    },
    "subset": lambda s: {"images": len(s.rows)},
    "core_masks": lambda m: {"images": len(m.rows)},
    "retraining": lambda r: {"c": getattr(r, "C", None)},
}


def print_comparison(report: Mapping[str, Any]) -> None:
    """Print before and after as a table, every route and every group.

    Args:
        report: The evaluation's report: `before`, and `after` by route.
    """
    routes = {"before": report["before"], **report["after"]}
    groups = list(report["before"]["groups"])
    table = Table(title=f"accuracy on {report['split']}", box=None)
    table.add_column("route", no_wrap=True)
    for name in ("average", "worst group", *groups):
        table.add_column(name, justify="right")
    for route, result in routes.items():
        cells = [result["average"], result["worst_group"]]
        cells += [result["groups"][group]["accuracy"] for group in groups]
        table.add_row(route, *("-" if cell is None else f"{cell:.3f}" for cell in cells))
    Console().print(table)
