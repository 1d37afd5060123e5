"""What tests of whole runs share: a classifier that trains in a second, and changed manifests."""

import csv
from collections.abc import Callable
from pathlib import Path

from engine.data.csv_text import csv_writer

CLASSIFIER: dict[str, object] = {
    "architecture": "gazecheck/small_cnn",
    "source": "finetune",
    "pretrained": "none",
    "image_size": 32,
}
SETTINGS: dict[str, dict[str, object]] = {
    "classifier": CLASSIFIER,
    "fine_tuning": {"epochs": 1, "lr": 0.05},
    "queries": {"budget": 8},
    "space": {"components": 4, "method": "principal_components"},
    "subset": {"fraction": 0.5},
    "last_layer": {"c_grid": [0.1, 1.0]},
}
"""Of a whole run on a few dozen images."""
NO_OBJECT = dict.fromkeys(("mask", "x0", "y0", "x1", "y1"), "")
"""What a row of a manifest says of an object that nobody marked."""

Rows = list[dict[str, str]]


def rewritten(manifest: Path, name: str, change: Callable[[Rows], Rows]) -> Path:
    """Write a changed manifest beside another."""
    with manifest.open(newline="") as lines:
        rows = change(list(csv.DictReader(lines)))
    out = manifest.with_name(name)
    with out.open("w", newline="") as lines:
        csv_writer(lines).writerows([list(rows[0]), *(list(row.values()) for row in rows)])
    return out


def without_objects(manifest: Path, name: str) -> Path:
    """Write a manifest in which no row names an object."""
    return rewritten(manifest, name, lambda rows: [{**row, **NO_OBJECT} for row in rows])
