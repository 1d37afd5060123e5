"""A run: settings, data, answers and a store, and any stage of it on demand."""

import time
from typing import Any

from engine.artifacts.store import Artifact, ArtifactStore
from engine.data.manifest import ImageManifest
from engine.labeling.budget import propose_budget
from engine.labeling.votes import VoteTable
from engine.models.classifier import Classifier
from engine.pipeline.config import PipelineConfig
from engine.pipeline.executors import Executor, LocalExecutor
from engine.pipeline.pipeline import SilentWatcher, StageRunner, Watcher
from engine.pipeline.retraining import classifier_with, route_stage
from engine.pipeline.sources import known_digest, read_data, remember_digest
from engine.pipeline.stages import build_stages, most_queries

LAST = ("core_masks", "evaluation")
"""What `run` makes; everything else is on the way there."""


class Run:
    """One run of the pipeline; makes what is asked for and nothing else."""

    def __init__(
        self,
        config: PipelineConfig,
        store: ArtifactStore,
        *,
        votes: VoteTable | None = None,
        asked: tuple[int, ...] = (),
        watcher: Watcher | None = None,
        executor: Executor | None = None,
    ) -> None:
        """Prepare a run; the data set is read and checked unless its files are known already.

        Args:
            config: All settings.
            store: Where artifacts are.
            votes: The answers, where there are any.
            asked: Rows that earlier rounds asked about.
            watcher: Told of stages and progress.
            executor: Where stages that go over the pictures are computed; here if left out.

        Raises:
            ManifestError: The data set cannot be used.
        """
        self.config = config
        self.store = store
        self.votes = votes
        self.asked = asked
        self.watcher = watcher or SilentWatcher()
        self.executor = executor or LocalExecutor()
        self._read: ImageManifest | None = None
        self.digest = self._digest()
        stages = build_stages(
            config,
            self.digest,
            votes=votes,
            asked=asked,
            read=self._read,
            executor=self.executor,
        )
        self.runner = StageRunner(stages, store, seed=config.seed, watcher=self.watcher)

    def _digest(self) -> str:
        known = known_digest(self.store, self.config.data)
        if known is not None:
            return known
        self.watcher.stage_started("reading", cached=False)
        started = time.monotonic()
        self._read = read_data(self.config.data, self.watcher.progress)
        remember_digest(self.store, self.config.data, self._read.digest)
        self.watcher.stage_finished("reading", time.monotonic() - started, cached=False)
        return self._read.digest

    def with_votes(self, votes: VoteTable) -> "Run":
        """Give the same run with answers."""
        return Run(
            self.config,
            self.store,
            votes=votes,
            asked=self.asked,
            watcher=self.watcher,
            executor=self.executor,
        )

    def ensure(self, stage: str) -> Artifact:
        """Make a stage's artifact, and what it needs, unless it is there."""
        return self.runner.ensure(stage)

    def load(self, stage: str) -> Any:
        """Give a stage's value, making it first where needed."""
        return self.runner.load(stage)

    def proposed_budget(self) -> int:
        """Give the number of images to ask about at the elbow of the consistency curve."""
        return propose_budget(self.load("budget"), highest=most_queries(self.load("manifest")))

    def retraining_stages(self) -> list[str]:
        """Give the names of the stages that retrain, one a route."""
        return [route_stage(route) for route in self.config.retraining.routes]

    def warnings(self) -> list[str]:
        """Collect what the stages have to say beside their results."""
        stages = ("scores", "screening", "subset")
        spoken = [warning for stage in stages for warning in self.load(stage).warnings]
        return list(dict.fromkeys(spoken))

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds that each stage asked for so far took when it was made."""
        return self.runner.seconds

    def finish(self) -> dict[str, Any]:
        """Make everything, and give the evaluation's report."""
        for stage in self.runner.on_the_way_to(LAST):
            self.ensure(stage)
        report: dict[str, Any] = self.load("evaluation")
        return report

    def classifier_of(self, route: str) -> Classifier:
        """Give the retrained classifier of a route."""
        trained = self.load(route_stage(route))
        if isinstance(trained, Classifier):
            return trained
        return classifier_with(self.load("classifier"), trained)
