"""Runs of the product's own stages in memory, one for each seed and change of settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import nn

from engine.artifacts.store import ArtifactStore
from engine.attention.extraction import extract
from engine.attention.heads import LinearHead, class_maps_under_heads
from engine.benches.answers import simulate_crowd
from engine.benches.mitigation.settings import BenchConfig
from engine.benches.mitigation.subject import Subject
from engine.errors import EngineError
from engine.labeling.votes import VoteTable
from engine.models.classifier import Classifier, head_of
from engine.pipeline.memory import Memory, MemoryRunner
from engine.pipeline.pipeline import SilentWatcher, Watcher
from engine.pipeline.retraining import route_stage, rows_only
from engine.pipeline.stages import build_stages
from engine.training.last_layer import Head

KEPT = (
    "space",
    "corruption",
    *(route_stage(name) for name in ("jtt", "group_dro", "corm", "crayon")),
)
"""Stages that take long, and are written to the store so that a bench can be gone on with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """How a retrained classifier does on test.

    Attributes:
        predicted: The class it gives each row.
        hits: Which rows it classifies rightly.
        head: Its last layer; None where all layers were trained.
        maps: Where it looks, for every class; None for a head, whose maps are made together with
            those of the other heads, and for a network whose maps have no closed form.
    """

    predicted: Int64[np.ndarray, " m"]
    hits: Bool[np.ndarray, " m"]
    head: Head | None
    maps: Float32[np.ndarray, "m c h w"] | None = None


class Experiment:
    """One seed under one setting: any stage of the product on demand."""

    def __init__(
        self, subject: Subject, config: BenchConfig, memory: Memory, watcher: Watcher
    ) -> None:
        """Prepare; nothing is computed before it is asked for."""
        self.subject = subject
        self.config = config
        self._memory = memory
        self._watcher = watcher

    def _runner(self, votes: VoteTable | None) -> MemoryRunner:
        pipeline = self.config.pipeline
        return MemoryRunner(
            build_stages(pipeline, self.subject.manifest.digest, votes=votes),
            self._memory,
            seed=pipeline.seed,
            given=self.subject.given,
            watcher=self._watcher,
        )

    @cached_property
    def runner(self) -> MemoryRunner:
        """The stages, with the simulated crowd's answers to this setting's queries."""
        unanswered = self._runner(None)
        asked = ["queries", *(["queries_val"] if self.config.pipeline.validation.budget else [])]
        if self.config.pipeline.screening.rule == "oracle":
            asked = ["space"]  # every image of train and val
        rows = [int(row) for stage in asked for row in np.asarray(unanswered.load(stage).rows)]
        votes = simulate_crowd(
            self.subject.truth, rows, self.config.crowd, seed=self.config.pipeline.seed
        )
        return self._runner(votes)

    def load(self, stage: str) -> Any:
        """Give a stage's value."""
        return self.runner.load(stage)

    def outcome(self, route: str) -> Outcome:
        """Retrain by a route and judge it on test.

        Raises:
            EngineError: What the route refuses.
        """
        subject = self.subject
        trained = self.load(route_stage(route))
        if isinstance(trained, Head):
            features = np.asarray(subject.extraction.features)[subject.test]
            predicted = trained.logits(features).argmax(axis=1)
            return self._judged(predicted, head=trained)
        key = f"looks of {self.runner.key(route_stage(route))}"
        if key not in self._memory.values:
            self._memory.values[key] = self._look(trained)
        found: Outcome = self._memory.values[key]
        return found

    def _look(self, classifier: Classifier) -> Outcome:
        """Judge a classifier whose layers were all trained, and see where it looks."""
        subject, config = self.subject, self.config.pipeline.extraction
        linear = head_of(classifier)
        if linear is None:
            part = rows_only(subject.manifest, subject.test)
            predicted = np.asarray(extract(part, classifier, config).logits).argmax(axis=1)
            return self._judged(predicted)
        classes, maps = class_maps_under_heads(
            subject.manifest,
            classifier,
            [plain_head(linear)],
            subject.test,
            config,
            on_progress=self._watcher.progress,
        )
        return self._judged(classes[0], maps=maps[0])

    def _judged(
        self,
        predicted: Int64[np.ndarray, " m"],
        *,
        head: Head | None = None,
        maps: Float32[np.ndarray, "m c h w"] | None = None,
    ) -> Outcome:
        hits = predicted == self.subject.truths
        return Outcome(predicted=predicted, hits=hits, head=head, maps=maps)


def plain_head(linear: nn.Linear) -> LinearHead:
    """Give a network's own last layer as arrays."""
    weight = linear.weight.detach().numpy().astype(np.float64)
    bias = linear.bias if "bias" in dict(linear.named_parameters()) else torch.zeros(len(weight))
    return LinearHead(weight=weight, bias=bias.detach().numpy().astype(np.float64))


class Laboratory:
    """Makes experiments that share what they have in common."""

    def __init__(
        self,
        subject: Subject,
        config: BenchConfig,
        store: ArtifactStore,
        watcher: Watcher | None = None,
    ) -> None:
        """Take the subject and its default settings; spaces are kept in the store."""
        self.subject = subject
        self.config = config
        kept = set(KEPT)
        if config.pipeline.retraining.mode == "finetune":
            kept |= {route_stage(route) for route in config.pipeline.retraining.routes}
        self._memory = Memory(store=store, kept=frozenset(kept))
        self._watcher = watcher or SilentWatcher()
        self._experiments: dict[tuple[int, str], Experiment] = {}

    def experiment(self, seed: int, change: Mapping[str, Any] | None = None) -> Experiment:
        """Give a seed's run, under the defaults or with settings changed."""
        name = (seed, json.dumps(change or {}, sort_keys=True))
        if name not in self._experiments:
            config = self.config.changed(change or {}).with_seed(seed)
            self._experiments[name] = Experiment(self.subject, config, self._memory, self._watcher)
        return self._experiments[name]


def why_not(error: EngineError) -> str:
    """Say in one line why something cannot be reported."""
    return str(error).splitlines()[0]
