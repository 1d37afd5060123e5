"""The tables that can be taken away: slices, images, marks, the log; and what run they are of."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import engine
from annotation_site.exports.csv_cells import WRITERS
from annotation_site.exports.tables import Column, Row, integer, number, text, time
from annotation_site.projects.models import Image
from annotation_site.workspace.marking import image_scores_of, mark_rows, marks_of, scores_of
from annotation_site.workspace.models import LabelFlag, Workspace
from annotation_site.workspace.payload import run_id
from annotation_site.workspace.versions import version_of
from engine.data.csv_text import csv_writer

SCHEMA_VERSION = 1
BATCH = 2_000
RUN = text("run", "what was found and which version of the slices")
COLUMNS: dict[str, tuple[Column, ...]] = {
    "slices": (
        RUN,
        integer("slice", "number, never used again"),
        text("name", "what people call it"),
        integer("images", "in the slice"),
        integer("errors", "of these, classified wrongly"),
        number("accuracy", "share classified rightly"),
        number("confidence", "mean probability of the predicted class"),
        number("coherence", "mean cosine of the images' vectors with their mean"),
        text("predicted", "class that nearly all are taken for; empty for a mixed slice"),
        number("attention_score", "probability that the attention is correct"),
        number("spuriousness", "1 - attention score"),
        number("doubt", "standard deviation left, 1 where no mark reaches"),
        text("mark", "what a person said; empty for nothing"),
        text("note", "why"),
        text("marked_by", "user name"),
    ),
    "images": (
        RUN,
        integer("row", "position in the manifest"),
        text("image_id", "in the manifest"),
        text("label", "class in the manifest"),
        text("predicted", "class the model says"),
        number("confidence", "probability of the predicted class"),
        number("own_confidence", "probability of the label"),
        integer("slice", "number"),
        number("x", "on the map"),
        number("y", "on the map"),
        number("attention_score", "probability that the attention is correct"),
        text("mark", "core or spurious, where a person set this image's score; else empty"),
        text("marked_by", "user name"),
        text("label_flag", "wrong, right, or empty: nobody looked"),
        text("should_be", "right class, where a person named it"),
    ),
    "marks": (
        RUN,
        integer("slice", "number"),
        text("name", "what people call it"),
        text("mark", "core, spurious, mixed or wrong_labels"),
        number("score", "attention score given by hand"),
        text("note", "why"),
        text("by", "user name"),
        time("at", "in UTC"),
    ),
    "log": (
        RUN,
        integer("revision", "number of the act"),
        time("at", "in UTC"),
        text("by", "user name"),
        text("kind", "mark, change, undo, redo or flag"),
        text("state", "in_force, undone or dropped"),
        text("words", "what was done"),
    ),
}


def slice_rows(workspace: Workspace) -> Iterator[Row]:
    """Give one row a slice."""
    version, rows, run = version_of(workspace), mark_rows(workspace), run_id(workspace)
    scores, figures = scores_of(workspace, version, marks_of(rows)), version.figures
    names = version.images.class_names
    for at, one in enumerate(version.slices.slices):
        mark, predicted = rows.get(one.number), int(figures.predicted[at])
        score = float(scores.scores[at])
        yield (
            run, one.number, one.name, int(version.slices.sizes()[at]), int(figures.errors[at]),
            float(figures.accuracy[at]), float(figures.confidence[at]),
            float(figures.coherence[at]), names[predicted] if predicted >= 0 else "", score,
            1.0 - score, float(scores.doubt[at]), mark.kind if mark else "",
            mark.note if mark else "", mark.by.username if mark and mark.by else "",
        )  # fmt: skip


def image_rows(workspace: Workspace) -> Iterator[Row]:
    """Give one row an image, a few thousand read at a time."""
    version, run = version_of(workspace), run_id(workspace)
    images, names = version.images, version.images.class_names
    scores = image_scores_of(workspace, version, marks_of(mark_rows(workspace)))
    own = {mark.number: mark for mark in workspace.image_marks.select_related("by")}
    flags = {
        row: (is_wrong, should_be)
        for row, is_wrong, should_be in LabelFlag.objects.filter(
            project=workspace.project
        ).values_list("image__row", "label_is_wrong", "should_be")
    }
    for start in range(0, len(images), BATCH):
        part = np.arange(start, min(start + BATCH, len(images)))
        rows = images.rows[part].tolist()
        ids = dict(
            Image.objects.filter(
                dataset__project_id=workspace.project_id, row__gte=rows[0], row__lte=rows[-1]
            ).values_list("row", "image_id")
        )
        for at, row in zip(part.tolist(), rows, strict=True):
            is_wrong, should_be = flags.get(row, (None, None))
            mark = own.get(at)
            yield (
                run, row, ids.get(row, ""), names[images.labels[at]], names[images.predicted[at]],
                float(images.confidence[at]), float(images.own[at]),
                int(version.slices.assignment[at]), float(images.coordinates[at, 0]),
                float(images.coordinates[at, 1]), float(scores[at]), mark.kind if mark else "",
                mark.by.username if mark and mark.by else "",
                "" if is_wrong is None else "wrong" if is_wrong else "right",
                "" if should_be is None else names[should_be],
            )  # fmt: skip


def _mark_lines(workspace: Workspace) -> Iterator[Row]:
    version, run = version_of(workspace), run_id(workspace)
    for number_, row in mark_rows(workspace).items():
        name = version.slices.named(number_).name
        by = row.by.username if row.by else ""
        yield (run, number_, name, row.kind, row.score, row.note, by, row.at)


def _log_lines(workspace: Workspace) -> Iterator[Row]:
    run = run_id(workspace)
    events = workspace.events.select_related("by").defer("members", "marks", "change")
    for event in events.order_by("revision").iterator(chunk_size=BATCH):
        by = event.by.username if event.by else ""
        yield (run, event.revision, event.at, by, event.kind, event.state, event.words)


ROWS: dict[str, Callable[[Workspace], Iterator[Row]]] = {
    "slices": slice_rows,
    "images": image_rows,
    "marks": _mark_lines,
    "log": _log_lines,
}


def as_csv(name: str, rows: Iterator[Row]) -> Iterator[str]:
    """Write a table as CSV, in pieces; text that a spreadsheet might run is guarded."""
    writers = [WRITERS[column.kind] for column in COLUMNS[name]]
    out = io.StringIO(newline="")
    writer = csv_writer(out)
    writer.writerow([column.name for column in COLUMNS[name]])
    for n, row in enumerate(rows, start=1):
        writer.writerow([write(value) for write, value in zip(writers, row, strict=True)])
        if n % BATCH == 0:
            yield _taken(out)
    yield _taken(out)


def as_jsonl(name: str, rows: Iterator[Row]) -> Iterator[str]:
    """Write a table as JSON, an object a line, in pieces."""
    names = [column.name for column in COLUMNS[name]]
    lines: list[str] = []
    for row in rows:
        value = dict(zip(names, row, strict=True))
        lines.append(json.dumps(value, ensure_ascii=False, default=lambda at: at.isoformat()))
        if len(lines) == BATCH:
            yield "\n".join(lines) + "\n"
            lines.clear()
    if lines:
        yield "\n".join(lines) + "\n"


def _taken(out: io.StringIO) -> str:
    written = out.getvalue()
    out.seek(0)
    out.truncate()
    return written


def run_facts(workspace: Workspace) -> dict[str, Any]:
    """Say what the tables rest on."""
    version = version_of(workspace)
    facts = version.images.facts
    return {
        "format": "gazecheck-slices",
        "schema_version": SCHEMA_VERSION,
        "gazecheck": engine.__version__,
        "run": run_id(workspace),
        "project": {"id": workspace.project.public_id, "name": workspace.project.name},
        "dataset": {
            "name": workspace.project.dataset.name,
            "digest": workspace.project.dataset.digest,
            "classes": version.images.class_names,
        },
        "classifier": workspace.classifier_key,
        "split": workspace.split,
        "images": len(version.images),
        "slices": len(version.slices),
        "threshold": facts["threshold"],
        "stop_reason": facts["reason"],
        "curve": facts["curve"],
        "revision": workspace.revision,
        "set_version": workspace.set_version,
        "options": workspace.options,
        "tables": {
            name: [
                {"name": one.name, "kind": one.kind.value, "meaning": one.meaning}
                for one in columns
            ]
            for name, columns in COLUMNS.items()
        },
    }


_ATTRIBUTION = {"grad_cam": "GradCAM", "grad_cam_plus_plus": "GradCAM++", "x_grad_cam": "XGradCAM"}


def _seen_and_laid_out(facts: Mapping[str, Any]) -> str:
    """Name the maps and the layout. Slices of before these were kept had GradCAM's and UMAP's."""
    method = facts.get("attribution", "grad_cam")
    maps = f"{_ATTRIBUTION.get(method, method.replace('_', ' '))} map of the predicted class"
    if facts.get("laid_out_by", "umap") != "umap":
        return f"{maps}, and laid out in the plane by their first two principal components"
    return (
        f"{maps}, reduced to 32 principal components and laid out in the plane by UMAP "
        "(20 neighbours, least distance .05)"
    )


def methods_paragraph(workspace: Workspace) -> str:
    """Write what was done, for a paper's section on methods."""
    version, rows = version_of(workspace), mark_rows(workspace)
    facts, model = version.images.facts, workspace.project.reference_model
    kinds = dict.fromkeys(("core", "spurious", "mixed", "wrong_labels"), 0)
    for row in rows.values():
        kinds[row.kind] += 1
    said = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in kinds.items() if n)
    n_images = workspace.image_marks.count()
    single = f" and set the score of {n_images:,} single images by hand" if n_images else ""
    changed = sum(1 for _ in workspace.events.filter(kind="change", state="in_force"))
    stop = (
        f"k was raised until every slice of at least three images had a mean cosine of at least "
        f"{facts['threshold']} with its mean"
        if facts["reason"] == "coherent"
        else f"the number of slices was stopped by the rule “{facts['reason']}” at a threshold of "
        f"{facts['threshold']}"
    )
    return (
        f"We examined {len(version.images):,} images ({workspace.get_split_display()}) of "
        f"{workspace.project.dataset.name} as classified by {model.name} "
        f"({model.architecture}). Features of the last layer with a spatial grid were averaged under the "
        f"{_seen_and_laid_out(facts)}. The plane was cut by k-means; {stop}. After {changed} changes by hand there were {len(version.slices)} slices "
        "(AttributionScanner, IEEE TVCG 2025). "
        f"People marked {len(rows)} of them ({said or 'none'}){single}; marks were spread to all slices "
        "and images by Gaussian-process regression over the plane with a prior of .5, inside the "
        f"predicted class where there are more than two classes. Gazecheck {engine.__version__}, "
        f"run {run_id(workspace)}, revision {workspace.revision}.\n"
    )
