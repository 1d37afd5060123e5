"""What a closed round's page shows and offers, made from the stages' values."""

import json
import math
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int
from PIL import Image as PillowImage

from annotation_site.annotation.summaries import VoteRow
from engine.attention.space import AttentionSpace
from engine.curation.core_masks import CoreMaskConfig, CoreMasks, render_mask
from engine.curation.screening import Screening
from engine.curation.subset import Subset
from engine.data.csv_text import csv_writer, guarded
from engine.data.manifest import ImageManifest, Split
from engine.labeling.aggregation import AttentionLabels
from engine.labeling.spreading import AttentionScores
from engine.labeling.votes import VoteTable

SAMPLES = 12
BINS = 20
SLIM_ROUTES = ("slim_tr", "slim_val")
ON_CORE = 0.5
"""Scores from here on are taken to say that attention is on the core: rather than not."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curated:
    """Everything between the answers and the retraining, for one round."""

    manifest: ImageManifest
    votes: VoteTable
    labels: AttentionLabels
    space: AttentionSpace
    scores: AttentionScores
    screening: Screening
    subset: Subset

    @property
    def train(self) -> Int[np.ndarray, " t"]:
        """Positions of the training images in the space."""
        of_train = self.manifest.splits[np.asarray(self.space.rows)] == Split.TRAIN.value
        positions: np.ndarray = np.flatnonzero(of_train)
        return positions

    @property
    def train_rows(self) -> Int[np.ndarray, " t"]:
        """Rows of the training images, in the order of the screening."""
        rows: np.ndarray = np.asarray(self.space.rows)[self.train]
        return rows

    def scores_by_row(self) -> Float[np.ndarray, " n"]:
        """The score of every row of the manifest, NaN for rows outside the space."""
        scores = np.full(len(self.manifest), np.nan, dtype=np.float32)
        scores[np.asarray(self.space.rows)] = self.scores.scores
        return scores

    @property
    def on_core(self) -> Bool[np.ndarray, " t"]:
        """Whether each training image is taken to look at the core, whatever rule screens."""
        on_core: np.ndarray = np.asarray(self.scores.scores)[self.train] >= ON_CORE
        return on_core

    def on_core_by_row(self) -> Bool[np.ndarray, " n"]:
        """The same for every row; False outside the training images."""
        on_core = np.zeros(len(self.manifest), dtype=bool)
        on_core[self.train_rows] = self.on_core
        return on_core

    def kept_by_row(self) -> Bool[np.ndarray, " n"]:
        """Which training images screening left as candidates for the subset."""
        kept = np.zeros(len(self.manifest), dtype=bool)
        kept[self.train_rows] = np.asarray(self.screening.kept)
        return kept

    def cue_by_row(self) -> Int[np.ndarray, " n"]:
        """The cue that each training image shows, 0 for none."""
        shown = np.zeros(len(self.manifest), dtype=np.int64)
        shown[self.train_rows] = np.asarray(self.screening.shown)
        return shown

    def cell_by_row(self) -> Int[np.ndarray, " n"]:
        """The cell of every row in the subset, -1 where it was not drawn."""
        cells = np.full(len(self.manifest), -1, dtype=np.int16)
        table = self.cells()
        position = {(cell["core"], cell["environment"]): cell["index"] for cell in table}
        for row, core, environment in zip(
            np.asarray(self.subset.rows).tolist(),
            np.asarray(self.subset.core).tolist(),
            np.asarray(self.subset.environment).tolist(),
            strict=True,
        ):
            cells[row] = position[core, environment]
        return cells

    def cells(self) -> list[dict[str, Any]]:
        """The subset's feature groups with sample rows."""
        table, drawn = self.subset.cells, self.subset
        names = self.manifest.class_names
        found = []
        for index, (core, environment, available, allotted) in enumerate(
            zip(table.core, table.environment, table.available, table.allotted, strict=True)
        ):
            inside = (np.asarray(drawn.core) == core) & (
                np.asarray(drawn.environment) == environment
            )
            found.append(
                {
                    "index": index,
                    "core": int(core),
                    "class": names[int(core)] if int(core) < len(names) else f"core {int(core)}",
                    "environment": int(environment),
                    "available": int(available),
                    "chosen": int(allotted),
                    "rows": np.asarray(drawn.rows)[inside][:SAMPLES].tolist(),
                }
            )
        return found


def describe(curated: Curated, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Give the report that the result page reads.

    Args:
        curated: The stages' values.
        evaluation: The evaluation's report: before, and after by route.

    Returns:
        A JSON value.
    """
    manifest, votes = curated.manifest, curated.votes
    train = manifest.rows_of(Split.TRAIN)
    asked = np.unique(votes.rows)
    annotated = int((np.asarray(curated.labels.n_votes) > 0).sum())
    answers = Counter(answer.value for answer in votes.answers)
    return {
        "split": evaluation["split"],
        "n_images": len(manifest),
        "n_train": len(train),
        "asked": len(asked),
        "annotated": annotated,
        "annotated_share": annotated / len(train),
        "answers": {
            name: answers.get(name, 0) for name in ("yes", "no", "cannot_tell", "not_loaded")
        },
        "yes_by_class": _yes_by_class(curated),
        "score_histogram": _histogram(curated),
        "screening": _screening(curated),
        "cells": curated.cells(),
        "subset_size": len(curated.subset.rows),
        "warnings": list(
            dict.fromkeys(
                [*curated.scores.warnings, *curated.screening.warnings, *curated.subset.warnings]
            )
        ),
        "examples": _examples(curated),
        "before": _on_page(evaluation["before"]),
        "after": {route: _on_page(result) for route, result in evaluation["after"].items()},
        "regularisation": {route: result.get("c") for route, result in evaluation["after"].items()},
        "verdict": verdict(evaluation["before"], evaluation["after"]),
    }


def _on_page(result: Mapping[str, Any]) -> dict[str, Any]:
    """Give an evaluation with the means of its attention measures only."""
    attention = result.get("attention")
    if not attention:
        return {**result, "attention": None}
    means = {
        name: (attention.get(measure) or {}).get("mean")
        for name, measure in _SHOWN_MEASURES.items()
    }
    return {**result, "attention": means}


_SHOWN_MEASURES = {
    "precision": "attention_precision",
    "iou": "binary_iou",
    "soft_iou": "soft_iou",
    "object_mass": "object_mass",
    "spurious_mass": "spurious_mass",
}


def verdict(before: Mapping[str, Any], after: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Say in a sentence whether retraining helped, and which classifier to keep.

    The better of the two curated routes is offered, by its worst group; where neither beats the
    reference, the reference is kept.
    """
    curated = {route: after[route] for route in SLIM_ROUTES if route in after}
    if not curated:
        return {
            "improved": False,
            "text": "No curated route was retrained.",
            "kept_model": "before",
        }
    best = max(curated, key=lambda route: curated[route]["worst_group"])
    old, new = before["worst_group"], curated[best]["worst_group"]
    went = f"The worst group went from {old * 100:.1f} % to {new * 100:.1f} %"
    if new <= old:
        text = f"{went}: retraining did not help, so the old classifier is kept."
        return {"improved": False, "text": text, "kept_model": "before"}
    text = went
    if "erm" in after:
        other = after["erm"]["worst_group"]
        beside = "above" if new > other else "not above"
        text += (
            f"; that is {beside} retraining on every image without answers ({other * 100:.1f} %)"
        )
    return {"improved": True, "text": f"{text}.", "kept_model": best}


def _yes_by_class(curated: Curated) -> dict[str, list[int]]:
    labels, classes = np.asarray(curated.labels.labels), curated.manifest.labels
    return {
        name: [int(((labels == kind) & (classes == index)).sum()) for kind in (1, 0)]
        for index, name in enumerate(curated.manifest.class_names)
    }


def _histogram(curated: Curated) -> dict[str, Any]:
    scores = np.asarray(curated.scores.scores)[curated.train]
    classes = curated.manifest.labels[curated.train_rows]
    edges = np.linspace(0, 1, BINS + 1)
    return {
        "edges": edges.round(4).tolist(),
        "by_class": {
            name: np.histogram(scores[classes == index], bins=edges)[0].tolist()
            for index, name in enumerate(curated.manifest.class_names)
        },
    }


def _screening(curated: Curated) -> dict[str, Any]:
    classes = curated.manifest.labels[curated.train_rows]

    def counted(which: Bool[np.ndarray, " t"]) -> dict[str, list[int]]:
        return {
            name: [int(which[classes == index].sum()), int((classes == index).sum())]
            for index, name in enumerate(curated.manifest.class_names)
        }

    return {
        "rule": curated.screening.rule,
        "threshold": ON_CORE,
        "on_core": counted(curated.on_core),
        "kept": counted(np.asarray(curated.screening.kept)),
    }


def _examples(curated: Curated) -> dict[str, list[int]]:
    """Rows that clearly look at the core, that clearly do not, and those in between."""
    rows, on_core = curated.train_rows, curated.on_core
    scores = np.asarray(curated.scores.scores)[curated.train]
    classes = curated.manifest.labels[rows]
    order = np.argsort(-scores, kind="stable")
    near = np.argsort(np.abs(scores - ON_CORE), kind="stable")
    return {
        "on_core": _mixed(order[on_core[order]], classes, rows),
        "elsewhere": _mixed(order[::-1][~on_core[order[::-1]]], classes, rows),
        "border": _mixed(near, classes, rows),
    }


def _mixed(
    ranked: Int[np.ndarray, " k"], classes: Int[np.ndarray, " t"], rows: Int[np.ndarray, " t"]
) -> list[int]:
    """Take the first few of a ranking, every class in turn."""
    present = np.unique(classes[ranked])
    each = max(1, SAMPLES // max(1, len(present)))
    chosen = [ranked[classes[ranked] == label][:each] for label in present]
    return [int(row) for part in chosen for row in rows[part]][:SAMPLES]


def write_files(
    curated: Curated,
    masks: CoreMasks,
    config: CoreMaskConfig,
    report: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write what a lead takes away; the checkpoint is written by the runner.

    Args:
        curated: The stages' values.
        masks: The core masks of the subset.
        config: Whether they are drawn soft or binary.
        report: The page's report.
        folder: An existing folder.
    """
    records = curated.manifest.records
    scores = curated.scores_by_row()
    rows = np.asarray(curated.subset.rows).tolist()
    chosen = [
        {
            "row": row,
            "id": records[row].image_id,
            "path": records[row].path,
            "label": curated.manifest.class_names[records[row].label],
            "score": round(float(scores[row]), 6),
            "core": int(core),
            "environment": int(environment),
            "weight": round(float(weight), 6),
        }
        for row, core, environment, weight in zip(
            rows,
            curated.subset.core,
            curated.subset.environment,
            curated.subset.weights,
            strict=True,
        )
    ]
    _write_csv(folder / "subset.csv", chosen)
    pq.write_table(pa.Table.from_pylist(chosen), folder / "subset.parquet")
    on_core, kept = curated.on_core_by_row(), curated.kept_by_row()
    shown = curated.cue_by_row()
    _write_csv(
        folder / "scores.csv",
        [
            {
                "row": int(row),
                "id": records[row].image_id,
                "split": records[row].split.value,
                "label": curated.manifest.class_names[records[row].label],
                "score": round(float(scores[row]), 6),
                "on_core": int(on_core[row]),
                "kept": int(kept[row]),
                "cue": int(shown[row]),
            }
            for row in np.flatnonzero(np.isfinite(scores))
        ],
    )
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    _write_masks(folder / "core_masks.zip", curated.manifest, masks, config)


def write_responses(given: Sequence[VoteRow], manifest: ImageManifest, path: Path) -> None:
    """Write the current votes, one a row; annotators are known by a random id alone.

    Args:
        given: The votes, at least one.
        manifest: The data set.
        path: Where to.
    """
    _write_csv(
        path,
        [
            {
                "row": vote.row,
                "id": manifest.records[vote.row].image_id,
                "round": vote.round,
                "annotator": vote.annotator,
                "answer": vote.answer,
                "seconds": "" if math.isnan(vote.seconds) else round(vote.seconds, 3),
            }
            for vote in given
        ],
    )


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, safe to open in a spreadsheet."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(rows[0])
        writer.writerows(
            [guarded(value) if isinstance(value, str) else value for value in row.values()]
            for row in rows
        )


def _write_masks(
    path: Path, manifest: ImageManifest, masks: CoreMasks, config: CoreMaskConfig
) -> None:
    """Write a grey PNG per image of the subset: 255 is core, 0 is not."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for row, mask in zip(np.asarray(masks.rows).tolist(), masks.masks, strict=True):
            with PillowImage.open(manifest.picture_path(row)) as picture:
                size = (picture.height, picture.width)
            grey = np.rint(render_mask(np.asarray(mask), size, config) * 255).astype(np.uint8)
            # a fixed date keeps the archive the same whenever it is made
            name = f"{row:07d}.png"
            with archive.open(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), "w") as file:
                PillowImage.fromarray(grey).save(file, format="PNG")
