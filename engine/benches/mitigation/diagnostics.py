"""Beside the accuracies: how good the scores are, what the cells and the subset hold."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from engine.artifacts import codecs
from engine.benches.mitigation.figures import Json, spread
from engine.benches.mitigation.laboratory import Experiment
from engine.benches.mitigation.study import Study
from engine.data.manifest import Split
from engine.errors import EngineError
from engine.evaluation.calibration import Calibration, calibrate
from engine.evaluation.neighbours import compare_spaces
from engine.labeling.votes import Answer, AttentionLabel
from engine.pipeline.pools import pool_of

TRUTH = {Answer.YES: AttentionLabel.CORE, Answer.NO: AttentionLabel.SPURIOUS}
MEASURES = ("core_share", "accuracy", "balanced_accuracy", "auroc", "brier", "ece")


def diagnostics(study: Study) -> Json:
    """Give what explains the accuracies, over the seeds.

    Args:
        study: The bench under way.

    Returns:
        `scores`: by class, and for all, the share of yes among the training images and how good
        their scores are against it; `groups`: by group the share of yes, the share that screening
        keeps, and the images in the subset.
    """
    scores: dict[str, list[Calibration]] = {}
    groups: dict[str, list[dict[str, float]]] = {}
    for number, experiment in enumerate(study.experiments()):
        try:
            for name, found in _scores(experiment).items():
                scores.setdefault(name, []).append(found)
            for name, counted in _groups(experiment).items():
                groups.setdefault(name, []).append(counted)
        except EngineError as error:
            study.not_reported["diagnostics"] = str(error)
            return {}
        study.watcher.progress(number + 1, len(study.seeds))
    return {
        "scores": {
            name: {of: spread([getattr(one, of) for one in found]) for of in MEASURES}
            for name, found in scores.items()
        },
        "groups": {
            name: {of: spread([one[of] for one in counted]) for of in counted[0]}
            for name, counted in groups.items()
        },
    }


def _truth(experiment: Experiment, rows: Int[np.ndarray, " t"]) -> Int[np.ndarray, " t"]:
    """What a faultless annotator says of each row: core, spurious, or -1 where nothing is seen."""
    subject = experiment.subject
    said = [subject.truth.of(int(row), experiment.config.crowd) for row in rows]
    return np.array([int(TRUTH.get(answer, AttentionLabel.UNLABELED)) for answer in said])


def _scores(experiment: Experiment) -> dict[str, Calibration]:
    manifest = experiment.subject.manifest
    rows = np.asarray(experiment.load("space").rows)
    train = np.asarray(manifest.splits[rows] == Split.TRAIN.value)
    scores = np.asarray(experiment.load("scores").scores, dtype=np.float64)[train]
    truth, classes = _truth(experiment, rows[train]), manifest.labels[rows[train]]
    parts: dict[str, Any] = {"all": np.ones(len(classes), dtype=bool)}
    parts |= {name: classes == c for c, name in enumerate(manifest.class_names)}
    return {
        name: calibrate(scores[here], truth[here])
        for name, here in parts.items()
        if (truth[here] >= 0).any()
    }


def _groups(experiment: Experiment) -> dict[str, dict[str, float]]:
    subject = experiment.subject
    space = pool_of(experiment.load("space"), subject.manifest, Split.TRAIN)
    rows = np.asarray(space.rows)
    kept = np.asarray(experiment.load("screening").kept)
    drawn = np.isin(rows, np.asarray(experiment.load("subset").rows))
    truth, group = _truth(experiment, rows), subject.groups.groups[rows]
    return {
        name: {
            "train": float(here.sum()),
            "yes_share": float((truth[here] == AttentionLabel.CORE).mean()),
            "kept_share": float(kept[here].mean()),
            "in_subset": float(drawn[here].sum()),
        }
        for g, name in enumerate(subject.groups.names)
        for here in [group == g]
        if here.any()
    }


def neighbours(study: Study) -> Json:
    """Compare neighbours in attention space and in feature space, of the first seed."""
    subject, experiment = study.laboratory.subject, study.experiments()[0]
    space = pool_of(experiment.load("space"), subject.manifest, Split.TRAIN)
    rows = np.asarray(space.rows)
    features = np.asarray(subject.extraction.features)[rows]
    found: Mapping[str, Any] = codecs.to_json(
        compare_spaces(
            {"attention space": np.asarray(space.core), "feature space": features},
            features,
            np.asarray(subject.extraction.maps_true)[rows],
            on_progress=study.watcher.progress,
        )
    )
    return dict(found)
