"""Doing a job. Runs in worker processes only, and is the only module that reaches the pipeline."""

import base64
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from annotation_site.annotation import rounds
from annotation_site.annotation.models import Round
from annotation_site.jobs import closing
from annotation_site.jobs.grids import grid_bytes
from annotation_site.jobs.importing import THUMB_SIDE, import_images
from annotation_site.jobs.models import Job, JobKind
from annotation_site.jobs.running import carry_out
from annotation_site.jobs.watching import JobWatcher
from annotation_site.projects import data_root
from annotation_site.projects.models import Project
from annotation_site.quality import votes as counted
from engine.artifacts.codecs import to_json
from engine.artifacts.provenance import provenance
from engine.artifacts.store import ArtifactStore, full_disk_explained
from engine.attention.clustering import k_means
from engine.attention.sightings import look_at
from engine.data.manifest import Split
from engine.data.pictures import encode_webp, open_picture
from engine.errors import InvalidInput
from engine.labeling.votes import Answer, Vote, VoteTable
from engine.models.checkpoints import save_classifier
from engine.pipeline.config import PipelineConfig, merge
from engine.pipeline.executors import executor_of
from engine.pipeline.run import Run

DATASET_INFO = "dataset.json"
PRACTICE_CANDIDATES = 6
MOST_TRIED = 60
ENVIRONMENTS = 4
"""Environment clusters of the live view, where a round's settings leave their number to the data."""
PUBLISH_RESULT = "annotation_site.review.services.publish_result"
PUBLISH_TRIAL = "annotation_site.review.services.publish_trial"
KEEP_SPACE = "annotation_site.live.services.keep_space"
KEEP_CONTROLS = "annotation_site.live.controls.keep_controls"
"""By name: what shows results lies above this app."""


def run(job_id: int) -> None:
    """Do a job, and write how it ended; a job that another worker has is left alone.

    Args:
        job_id: Primary key of the `Job`.
    """
    carry_out(job_id, _work)


def _work(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    with full_disk_explained(settings.VAR):
        return WORK[JobKind(job.kind)](job, watcher)


def settings_of(project: Project) -> PipelineConfig:
    """Give the pipeline's settings of a project.

    What a built benchmark set recommends lies beside its manifest; what the lead chose goes over it.

    Args:
        project: With its data set and its reference model.

    Returns:
        The settings.

    Raises:
        EngineError: A setting is wrong.
    """
    manifest = data_root.contained(project.dataset.manifest_path)
    info = (manifest if manifest.is_dir() else manifest.parent) / DATASET_INFO
    table: dict[str, Any] = {}
    if info.is_file():
        table = dict(json.loads(info.read_text()).get("settings", {}))
    model = project.reference_model
    chosen: dict[str, Any] = {"architecture": model.architecture, **model.settings}
    if model.target_layer:
        chosen["target_layer"] = model.target_layer
    if model.weights_path:
        weights = data_root.contained_file(model.weights_path, data_root.WEIGHT_ENDINGS)
        chosen |= {"source": "file", "weights": str(weights)}
    layout = project.dataset.layout
    if layout == "manifest" and manifest.is_dir():
        layout = "folders"
    data = {"manifest": str(manifest), "layout": layout}
    table = merge(table, {"classifier": chosen, "data": data})
    return PipelineConfig.from_mapping(table, origin=f"the settings of {project.name}")


def _run_of(project: Project, watcher: JobWatcher, **changes: Any) -> Run:
    return Run(
        settings_of(project),
        ArtifactStore(settings.ARTIFACTS),
        watcher=watcher,
        executor=executor_of(settings.EXECUTOR),
        **changes,
    )


def _register(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Freeze the data, bring its pictures in, look where the classifier looks."""
    project = job.project
    run = _run_of(project, watcher)
    dataset, model = project.dataset, project.reference_model
    manifest = run.load("manifest")
    classifier, extraction = run.load("classifier"), run.load("extraction")
    watcher.stage_started("bringing in the pictures", cached=False)
    import_images(dataset, manifest, extraction, watcher.progress)
    run.ensure("space")
    dataset.artifact_key = run.ensure("manifest").key
    dataset.save(update_fields=["artifact_key"])
    model.artifact_key = run.ensure("classifier").key
    model.found_layer = classifier.target_layer
    model.ready_at = timezone.now()
    model.save(update_fields=["artifact_key", "found_layer", "ready_at"])
    dead = float(np.mean(extraction.dead_true))
    if dead:
        watcher.note(f"{dead:.1%} of the images have no positive evidence for their class")
    return {"images": len(manifest), "seconds": run.seconds}


def _propose(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Measure the consistency curve and propose a budget at its elbow."""
    round_ = _round_of(job)
    run = _run_of(job.project, watcher, asked=_asked(round_))
    run.require_judges()
    curve = run.load("budget")
    round_.consistency_curve = {
        name: np.asarray(getattr(curve, name)).tolist()
        for name in ("budgets", "attention", "features")
    }
    round_.proposed_budget = run.proposed_budget()
    round_.save(update_fields=["consistency_curve", "proposed_budget"])
    return {"proposed": round_.proposed_budget}


def _prepare(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Pick the queries and candidates for practice."""
    round_ = _round_of(job)
    asked = _asked(round_)
    run = _run_with_budget(job.project, watcher, round_.budget, asked)
    queries = run.load("queries").queries
    taken = (*asked, *(query.row for query in queries))
    spare = _run_with_budget(job.project, watcher, PRACTICE_CANDIDATES, taken)
    keys = dict(job.project.dataset.images.values_list("row", "pk"))
    _keep_space(round_, run)
    _keep_controls(round_, run)
    rounds.finish_preparing(
        round=round_,
        tasks=[rounds.PickedTask(image_id=keys[q.row], cluster=q.cluster) for q in queries],
        candidates=[keys[query.row] for query in spare.load("queries").queries],
        queries_key=run.ensure("queries").key,
    )
    return {"images": len(queries)}


def _keep_space(round_: Round, run: Run) -> None:
    """Leave the training images' places for the live view, which spreads answers without torch."""
    space, manifest, config = run.load("space"), run.load("manifest"), run.config
    rows = np.asarray(space.rows)
    trained = manifest.splits[rows] == Split.TRAIN.value
    environment = np.asarray(space.environment)[trained]
    n_clusters = min(config.disentangling.environment_k or ENVIRONMENTS, len(environment))
    import_string(KEEP_SPACE)(
        round=round_,
        rows=rows[trained],
        classes=manifest.labels[rows[trained]],
        environments=k_means(environment, n_clusters, seed=config.seed).labels,
        coordinates=np.asarray(space.core)[trained],
        spreading=config.spreading,
    )


def _keep_controls(round_: Round, run: Run) -> None:
    """Leave heat by random weights for the page of gold, which runs without torch."""
    found = run.load("control_heat")
    import_string(KEEP_CONTROLS)(
        dataset=round_.project.dataset,
        rows=np.asarray(found.rows),
        grids={
            part: [grid_bytes(heat) for heat in np.asarray(getattr(found, part))]
            for part in ("head", "network")
        },
        side=int(found.network.shape[1]),
    )


def _run_with_budget(
    project: Project, watcher: JobWatcher, budget: int, asked: tuple[int, ...]
) -> Run:
    config = settings_of(project)
    config = replace(config, queries=replace(config.queries, budget=budget))
    return Run(
        config,
        ArtifactStore(settings.ARTIFACTS),
        asked=asked,
        watcher=watcher,
        executor=executor_of(settings.EXECUTOR),
    )


def _asked(round_: Round) -> tuple[int, ...]:
    """Rows that other rounds of the project ask about."""
    others = round_.project.rounds.exclude(pk=round_.pk)
    rows = others.filter(tasks__isnull=False).values_list("tasks__image__row", flat=True)
    return tuple(sorted(set(rows)))


def _close(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """From the frozen votes to the page of results and its files."""
    round_ = _round_of(job)
    votes = votes_of(job.project)
    run = _run_of(job.project, watcher, votes=votes)
    evaluation = run.finish()
    curated = closing.Curated(
        manifest=run.load("manifest"),
        votes=votes,
        labels=run.load("labels"),
        space=run.load("space"),
        scores=run.load("scores"),
        screening=run.load("screening"),
        subset=run.load("subset"),
    )
    report = closing.describe(curated, evaluation) | _circumstances(run)
    report["warnings"] = [*run.notes, *report["warnings"]]
    report["dataset"] = job.project.dataset.name
    report["ledger"] = counted.ledger_versions(job.project)
    watcher.stage_started("writing files", cached=False)
    folder = _fresh_folder(settings.MEDIA_ROOT / "exports" / round_.public_id)
    closing.write_files(curated, run.load("core_masks"), run.config.core_masks, report, folder)
    given = counted.votes_of(job.project)
    closing.write_responses(given, curated.manifest, folder / "responses.csv")
    _write_torch_index(folder / "subset_rows.pt", np.asarray(curated.subset.rows))
    _write_checkpoint(run, report["verdict"]["kept_model"], folder)
    with transaction.atomic():
        import_string(PUBLISH_RESULT)(
            round=round_,
            job=job,
            scores=curated.scores_by_row(),
            kept=curated.kept_by_row(),
            cell=curated.cell_by_row(),
            report=to_json(report),
            artifacts={name: run.ensure(name).key for name in run.seconds},
            folder=folder,
        )
        rounds.finish_closing(round=round_, votes_key=run.ensure("votes").key, by=job.created_by)
    return {"verdict": report["verdict"], "seconds": run.seconds}


def votes_of(project: Project, ledger: Mapping[str, int] | None = None) -> VoteTable:
    """Give the votes that count, of all rounds of a project, as the engine reads them.

    Args:
        project: The project.
        ledger: Of a result, to read the votes that it rests on; the present ones without.
    """
    given = counted.votes_of(project) if not ledger else counted.votes_as_of(project, ledger)
    return VoteTable.of(
        Vote(
            row=vote.row,
            annotator=vote.annotator,
            answer=Answer(vote.answer),
            seconds=vote.seconds,
        )
        for vote in given
    )


def _circumstances(run: Run) -> dict[str, Any]:
    options = run.config.as_json()
    del options["data"]  # holds paths of this machine
    return {
        "preset": run.config.preset,
        "seed": run.config.seed,
        "options": options,
        "versions": provenance(),
        "seconds": run.seconds,
    }


def _fresh_folder(folder: Path) -> Path:
    """Make an empty folder, without what an interrupted attempt left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write_torch_index(path: Path, rows: np.ndarray) -> None:
    """Write the subset's rows as a tensor that `torch.load(weights_only=True)` reads."""
    import torch

    torch.save(torch.from_numpy(rows.astype(np.int64)), path)


def _write_checkpoint(run: Run, kept: str, folder: Path) -> None:
    """Write the classifier to keep: the reference itself where nothing was better."""
    classifier = run.load("classifier") if kept == "before" else run.classifier_of(kept)
    target = folder / "checkpoint"
    target.mkdir()
    save_classifier(classifier, target)
    shutil.make_archive(str(target), "zip", target)
    shutil.rmtree(target)


def _try(job: Job, watcher: JobWatcher) -> dict[str, Any]:
    """Run a retrained classifier, and the reference, on a folder of pictures."""
    route, name = str(job.params["route"]), str(job.params["folder"])
    folder = data_root.contained(name)
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in data_root.PICTURE_ENDINGS
    )
    if not paths:
        msg = f"there are no pictures in {name or 'the data root'}; pick a folder that holds some"
        raise InvalidInput(msg)
    run = _run_of(job.project, watcher, votes=votes_of(job.project, job.params.get("ledger")))
    watcher.stage_started("looking at the pictures", cached=False)
    new, old = run.classifier_of(route), run.load("classifier")
    chosen = paths[:MOST_TRIED]
    after = look_at(new, chosen, on_progress=watcher.progress)
    before = look_at(old, chosen, on_progress=watcher.progress)
    names = new.class_names
    pictures = [
        {
            "name": path.name,
            "predicted": names[after.predicted[i]],
            "confidence": float(after.confidence[i]),
            "before": names[before.predicted[i]],
            "before_confidence": float(before.confidence[i]),
            "grid": base64.b64encode(grid_bytes(after.maps[i])).decode(),
            "before_grid": base64.b64encode(grid_bytes(before.maps[i])).decode(),
            "grid_side": int(after.maps.shape[1]),
            "picture": base64.b64encode(encode_webp(open_picture(path), 2 * THUMB_SIDE)).decode(),
        }
        for i, path in enumerate(chosen)
    ]
    import_string(PUBLISH_TRIAL)(job=job, pictures=pictures, n_found=len(paths))
    return {"pictures": len(chosen), "found": len(paths)}


def _round_of(job: Job) -> Round:
    assert job.round is not None  # the views enqueue these kinds with their round
    return job.round


WORK: Mapping[JobKind, Callable[[Job, JobWatcher], dict[str, Any]]] = {
    JobKind.REGISTER: _register,
    JobKind.PROPOSE: _propose,
    JobKind.PREPARE: _prepare,
    JobKind.CLOSE: _close,
    JobKind.TRY: _try,
}
