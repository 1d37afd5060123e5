"""A closed round with its result, as the worker would have left it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from annotation_site.annotation.models import RoundState
from annotation_site.exports.models import ExportFile
from annotation_site.projects.models import Project
from annotation_site.review.models import RoundResult
from tests.site import factories

GROUPS = ("bird-land", "bird-water", "mammal-land", "mammal-water")


def evaluation(worst: float, others: float = 0.9) -> dict[str, Any]:
    """Give an evaluation whose worst group is `bird-water`."""
    accuracies = {group: worst if group == "bird-water" else others for group in GROUPS}
    return {
        "average": sum(accuracies.values()) / 4,
        "worst_group": worst,
        "worst_group_name": "bird-water",
        "group_mean": sum(accuracies.values()) / 4,
        "train_weighted": None,
        "groups": {
            group: {
                "n": 100,
                "correct": round(100 * accuracy),
                "accuracy": accuracy,
                "interval": [max(0.0, accuracy - 0.08), min(1.0, accuracy + 0.08)],
            }
            for group, accuracy in accuracies.items()
        },
        "attention": None,
        "notes": [],
    }


def report(*, improved: bool = True) -> dict[str, Any]:
    """Give a report over the forty images of `factories.make_project`."""
    after = {
        "erm": evaluation(0.6),
        "slim_tr": evaluation(0.8 if improved else 0.3),
        "slim_val": evaluation(0.7 if improved else 0.35),
        "random_subset": evaluation(0.38),
    }
    cells = [
        {
            "index": index,
            "class": name,
            "environment": environment,
            "available": 6,
            "chosen": 3,
            "rows": [row for row in range(24) if row % 4 == index][:3],
        }
        for index, (name, environment) in enumerate(
            (name, environment) for name in factories.CLASS_NAMES for environment in (0, 1)
        )
    ]
    return {
        "dataset": "made",
        "split": "test",
        "n_images": 40,
        "n_train": 24,
        "asked": 12,
        "annotated": 12,
        "annotated_share": 0.5,
        "answers": {"yes": 7, "no": 4, "cannot_tell": 1, "not_loaded": 0},
        "yes_by_class": {"bird": [4, 2], "mammal": [3, 2]},
        "score_histogram": {
            "edges": [edge / 20 for edge in range(21)],
            "by_class": {name: [1, 2] * 10 for name in factories.CLASS_NAMES},
        },
        "screening": {
            "rule": "better_half",
            "threshold": 0.5,
            "on_core": {name: [9, 12] for name in factories.CLASS_NAMES},
            "kept": {name: [6, 12] for name in factories.CLASS_NAMES},
        },
        "cells": cells,
        "subset_size": 12,
        "warnings": ["mammal: two answers only"],
        "examples": {"on_core": [0, 1, 2], "elsewhere": [3, 4], "border": [5]},
        "before": evaluation(0.4),
        "after": after,
        "regularisation": dict.fromkeys(after, 0.01),
        "verdict": {
            "improved": improved,
            "text": "The worst group went from 40 % to 80 %."
            if improved
            else "Retraining did not help.",
            "kept_model": "slim_tr" if improved else "before",
        },
        "preset": "default",
        "seed": 0,
        "options": {"preset": "default", "spreading": {"kernel": "knn", "alpha": 0.5}},
        "versions": {"python": "3.11"},
        "seconds": {"votes": 0.1},
    }


def make_result(project: Project, *, improved: bool = True) -> RoundResult:
    """Make a closed round of a project, its result and one file to download."""
    closed = factories.make_round(project, state=RoundState.CLOSED)
    scores = np.linspace(0, 1, 40, dtype="<f4")
    cell = np.full(40, -1, dtype="<i2")
    said = report(improved=improved)
    for found in said["cells"]:
        cell[found["rows"]] = found["index"]
    result = RoundResult.objects.create(
        round=closed,
        scores=scores.tobytes(),
        kept=(scores >= 0.5).astype(np.uint8).tobytes(),
        cell=cell.tobytes(),
        report=said,
        artifacts={"votes": "c" * 64},
    )
    add_file(result, "subset.csv", b"row,id\n0,picture_000.jpg\n")
    return result


def add_file(result: RoundResult, name: str, content: bytes) -> ExportFile:
    """Write a file below the media root and offer it."""
    path = Path("exports") / result.round.public_id / name
    (Path(settings.MEDIA_ROOT) / path).parent.mkdir(parents=True, exist_ok=True)
    (Path(settings.MEDIA_ROOT) / path).write_bytes(content)
    return ExportFile.objects.create(
        result=result,
        kind="subset_csv",
        name=name,
        path=path.as_posix(),
        content_type="text/csv",
        n_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
