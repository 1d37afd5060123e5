"""The stages in order, as data: what each reads, which settings it depends on, what it computes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Int64

from engine.artifacts import codecs
from engine.attention.extraction import Extraction, extract
from engine.attention.space import AttentionSpace, build_attention_space
from engine.data.manifest import ImageManifest, Split
from engine.errors import NotEnoughLabels
from engine.labeling.aggregation import AttentionLabels, aggregate_votes
from engine.labeling.budget import (
    ConsistencyCurve,
    candidate_budgets,
    consistency_curve,
    consistency_sample,
    propose_budget,
)
from engine.labeling.carrying import carry_scores
from engine.labeling.queries import Query, select_queries
from engine.labeling.spreading import AttentionScores, spread_labels
from engine.labeling.votes import VoteTable
from engine.models.checkpoints import load_classifier, save_classifier
from engine.models.classifier import Classifier
from engine.pipeline.choosing import rule_stages
from engine.pipeline.config import PipelineConfig
from engine.pipeline.controls import control_stage
from engine.pipeline.curating import curation_stages
from engine.pipeline.executors import Executor, LocalExecutor
from engine.pipeline.mapping import stream_extraction
from engine.pipeline.pipeline import Inputs, Stage, loader
from engine.pipeline.pools import POOLS, pool_of
from engine.pipeline.retraining import retraining_stages
from engine.pipeline.sources import (
    load_manifest,
    make_reference,
    manifest_root,
    read_data,
    save_manifest,
    votes_digest,
    weights_digest,
)
from engine.progress import Progress
from engine.randomness import generator, integer_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """The images to ask about, in the order they were picked."""

    queries: tuple[Query, ...]

    @property
    def rows(self) -> Int64[np.ndarray, " q"]:
        """Their rows in the manifest."""
        return np.array([query.row for query in self.queries], dtype=np.int64)


def build_stages(
    config: PipelineConfig,
    digest: str,
    *,
    votes: VoteTable | None,
    asked: tuple[int, ...] = (),
    read: ImageManifest | None = None,
    executor: Executor | None = None,
) -> dict[str, Stage]:
    """Give every stage of a run.

    Args:
        config: All settings.
        digest: The manifest's content digest.
        votes: The answers; None where nobody was asked yet.
        asked: Rows that earlier rounds asked about, which are not asked again.
        read: The data set, where it was read a moment ago to know its digest.
        executor: Where stages that go over the pictures are computed; here if left out.

    Returns:
        Name to stage.
    """
    where = executor or LocalExecutor()
    stages = [
        _manifest(config, digest, read),
        _classifier(config, where),
        _extraction(config, where),
        control_stage(config),
        _space(config),
        _budget(config),
        *(_queries(config, asked, pool) for pool in POOLS),
        _votes(votes),
        _labels(config),
        _scores(config),
        _scores_of_validation(config),
        *rule_stages(config),
        *curation_stages(config),
    ]
    return {stage.name: stage for stage in [*stages, *retraining_stages(config, where)]}


def _manifest(config: PipelineConfig, digest: str, read: ImageManifest | None) -> Stage:
    def load(folder: Path) -> ImageManifest:
        return load_manifest(folder, root=manifest_root(config.data), digest=digest)

    return Stage(
        name="manifest",
        kind="manifest",
        version=1,
        inputs=(),
        config={"digest": digest},
        compute=lambda _inputs, progress: read or read_data(config.data, progress),
        save=save_manifest,
        load=load,
    )


def _classifier(config: PipelineConfig, executor: Executor) -> Stage:
    settings: dict[str, Any] = codecs.to_json(config.classifier)
    if config.classifier.source == "file":
        # where the file lies does not matter, what is in it does
        settings |= {"weights": weights_digest(Path(config.classifier.weights))}
    elif config.classifier.source == "finetune":
        settings["fine_tuning"] = codecs.to_json(config.fine_tuning)
    else:
        settings["precision"] = config.extraction.precision

    def compute(inputs: Inputs, progress: Progress) -> Classifier:
        return make_reference(config, inputs["manifest"], progress, executor)

    return Stage(
        name="classifier",
        kind="classifier",
        version=1,
        inputs=("manifest",),
        config=settings,
        seeded=config.classifier.source != "file",
        compute=compute,
        save=save_classifier,
        load=load_classifier,
    )


def _extraction(config: PipelineConfig, executor: Executor) -> Stage:
    settings = codecs.to_json(config.extraction)
    del settings["batch_size"], settings["workers"]  # they change the time, not the result

    def compute(inputs: Inputs, progress: Progress) -> Extraction:
        return extract(
            inputs["manifest"],
            inputs["classifier"],
            config.extraction,
            device=config.device,
            on_progress=progress,
        )

    return Stage(
        name="extraction",
        kind="extraction",
        version=2,
        inputs=("manifest", "classifier"),
        config=settings,
        compute=compute,
        stream=lambda inputs, progress, folder: stream_extraction(
            config, executor, inputs, progress, folder
        ),
        load=loader(Extraction),
    )


def _space(config: PipelineConfig) -> Stage:
    def compute(inputs: Inputs, progress: Progress) -> AttentionSpace:
        manifest, extraction = inputs["manifest"], inputs["extraction"]
        rows = np.flatnonzero(manifest.splits != Split.TEST.value).astype(np.int64)
        return build_attention_space(
            np.asarray(extraction.core_vectors),
            np.asarray(extraction.environment_vectors),
            rows,
            np.asarray(manifest.splits[rows] == Split.TRAIN.value),
            config.space,
            seed=config.seed,
            at=rows,
            on_progress=progress,
        )

    return Stage(
        name="space",
        kind="space",
        version=1,
        inputs=("manifest", "extraction"),
        config=codecs.to_json(config.space),
        seeded=True,
        compute=compute,
        load=loader(AttentionSpace),
    )


def _askable(
    inputs: Inputs, pool: Split = Split.TRAIN
) -> tuple[AttentionSpace, Int[np.ndarray, " m"], Any]:
    """One split's part of the space, its classes, and which of its rows can be asked about."""
    space = pool_of(inputs["space"], inputs["manifest"], pool)
    alive = ~np.asarray(inputs["extraction"].dead_true)[space.rows]
    return space, inputs["manifest"].labels[space.rows], alive


def _budget(config: PipelineConfig) -> Stage:
    def compute(inputs: Inputs, progress: Progress) -> ConsistencyCurve:
        space, classes, alive = _askable(inputs)
        extraction = inputs["extraction"]
        budgets = candidate_budgets(int(alive.sum()), len(inputs["manifest"].class_names))
        seed = integer_seed(config.seed, "budget")
        # drawn before vectors and maps are read: of a large data set few are
        some = np.flatnonzero(alive)
        some = some[consistency_sample(len(some), seed)]
        rows = space.rows[some]
        return consistency_curve(
            space.core[some],
            np.asarray(extraction.core_vectors)[rows],
            np.asarray(extraction.maps_true)[rows],
            classes[some],
            budgets,
            seed=seed,
            on_progress=progress,
        )

    return Stage(
        name="budget",
        kind="budget",
        version=1,
        inputs=("manifest", "extraction", "space"),
        config={},
        seeded=True,
        compute=compute,
        load=loader(ConsistencyCurve),
    )


def most_queries(manifest: ImageManifest) -> int:
    """Give the most images that a proposal may ask about: a twentieth of the training images."""
    return max(1, len(manifest.rows_of(Split.TRAIN)) // 20)


def _queries(config: PipelineConfig, asked: tuple[int, ...], pool: Split) -> Stage:
    inputs: tuple[str, ...] = ("manifest", "extraction", "space")
    settings = {**codecs.to_json(config.queries), "asked": sorted(asked)}
    if config.queries.strategy == "influence":
        settings["spreading"] = codecs.to_json(config.spreading)
    if pool is Split.VALIDATION:
        settings |= {"budget": config.validation.budget, "pool": pool.value}
    elif config.queries.budget == 0:
        inputs = (*inputs, "budget")

    def compute(inputs: Inputs, _progress: Progress) -> Queries:
        space, classes, alive = _askable(inputs, pool)
        budget = settings["budget"]
        if pool is Split.TRAIN and budget == 0:
            highest = most_queries(inputs["manifest"])
            budget = propose_budget(inputs["budget"], highest=highest)
        return Queries(
            queries=select_queries(
                space,
                classes,
                alive,
                budget,
                generator(config.seed, f"queries{POOLS[pool]}"),
                asked=asked,
                pick=config.queries.pick,
                strategy=config.queries.strategy,
                spreading=config.spreading,
            )
        )

    return Stage(
        name=f"queries{POOLS[pool]}",
        kind="queries",
        version=1,
        inputs=inputs,
        config=settings,
        seeded=True,
        compute=compute,
        load=loader(Queries),
    )


def _votes(votes: VoteTable | None) -> Stage:
    def compute(_inputs: Inputs, _progress: Progress) -> VoteTable:
        if votes is None or len(votes.rows) == 0:
            msg = (
                "there are no answers yet; give --votes FILE, --simulate for a benchmark's true "
                "regions, or put the queries to people on the site"
            )
            raise NotEnoughLabels(msg)
        return votes

    return Stage(
        name="votes",
        kind="votes",
        version=1,
        inputs=(),
        config={"digest": "" if votes is None else votes_digest(votes)},
        compute=compute,
        load=loader(VoteTable),
    )


def _labels(config: PipelineConfig) -> Stage:
    def compute(inputs: Inputs, _progress: Progress) -> AttentionLabels:
        return aggregate_votes(inputs["votes"], config.aggregation, n_rows=len(inputs["manifest"]))

    return Stage(
        name="labels",
        kind="labels",
        version=1,
        inputs=("manifest", "votes"),
        config=codecs.to_json(config.aggregation),
        compute=compute,
        load=loader(AttentionLabels),
    )


def _scores(config: PipelineConfig) -> Stage:
    def compute(inputs: Inputs, _progress: Progress) -> AttentionScores:
        space, manifest = inputs["space"], inputs["manifest"]
        trained = np.asarray(manifest.splits[space.rows] == Split.TRAIN.value)
        classes = manifest.labels[space.rows]
        spread = spread_labels(
            np.asarray(space.core)[trained],
            inputs["labels"].restricted_to(space.rows[trained]),
            classes[trained],
            config.spreading,
            class_names=manifest.class_names,
        )
        scores, known = np.zeros(len(space.rows)), np.zeros(len(space.rows), dtype=bool)
        scores[trained], known[trained] = spread.scores, spread.known
        carried = carry_scores(np.asarray(space.core), classes, known, scores)
        carried[trained] = spread.scores
        answered = np.isin(classes, np.unique(classes[known]))
        return replace(spread, scores=carried, known=known | (~trained & answered))

    return Stage(
        name="scores",
        kind="scores",
        version=1,
        inputs=("manifest", "space", "labels"),
        config=codecs.to_json(config.spreading),
        compute=compute,
        load=loader(AttentionScores),
    )


def _scores_of_validation(config: PipelineConfig) -> Stage:
    """The validation images' scores from their own answers; as long as their part of the space."""

    def compute(inputs: Inputs, _progress: Progress) -> AttentionScores:
        space = pool_of(inputs["space"], inputs["manifest"], Split.VALIDATION)
        return spread_labels(
            np.asarray(space.core),
            inputs["labels"].restricted_to(space.rows),
            inputs["manifest"].labels[space.rows],
            config.spreading,
            class_names=inputs["manifest"].class_names,
        )

    return Stage(
        name="scores_val",
        kind="scores",
        version=1,
        inputs=("manifest", "space", "labels"),
        config={**codecs.to_json(config.spreading), "pool": Split.VALIDATION.value},
        compute=compute,
        load=loader(AttentionScores),
    )
