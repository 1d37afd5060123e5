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
from engine.pipeline.settling import require_judges, settled
from engine.pipeline.sources import known_digest, read_data, remember_digest
from engine.pipeline.stages import build_stages, most_queries

LAST = ("core_masks", "evaluation")
"""What `run` makes; everything else is on the way there."""


class Run:
    """One run of the pipeline; makes what is asked for and nothing else.

    Attributes:
        config: The settings, fitted to the data (`engine.pipeline.settling`).
        notes: What was left out of the settings given, and why.
    """

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
        self.runner = self._runner()
        self.config, self.notes = settled(config, self._manifest())
        if self.notes:
            self.runner = self._runner()

    def _manifest(self) -> ImageManifest:
        read = self._read
        found: ImageManifest = self.runner.load("manifest") if read is None else read
        return found

    def _runner(self) -> StageRunner:
        stages = build_stages(
            self.config,
            self.digest,
            votes=self.votes,
            asked=self.asked,
            read=self._read,
            executor=self.executor,
        )
        return StageRunner(stages, self.store, seed=self.config.seed, watcher=self.watcher)

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
        """Collect what the settings and the stages have to say beside their results."""
        stages = ("scores", "screening", "subset")
        spoken = [warning for stage in stages for warning in self.load(stage).warnings]
        return list(dict.fromkeys([*self.notes, *spoken]))

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds that each stage asked for so far took when it was made."""
        return self.runner.seconds

    def require_judges(self) -> None:
        """Refuse, before anything is asked or trained, where no image can judge classifiers.

        Raises:
            InvalidInput: The split of the evaluation has no image.
        """
        require_judges(self.config, self.load("manifest"))

    def finish(self) -> dict[str, Any]:
        """Make everything, and give the evaluation's report.

        Raises:
            InvalidInput: No image can judge classifiers.
        """
        self.require_judges()
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
