"""Running stages: each opens its inputs, calls one pure function, creates one artifact."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from engine.artifacts import codecs
from engine.artifacts.recipe import Recipe
from engine.artifacts.store import Artifact, ArtifactStore
from engine.errors import UnknownOption
from engine.progress import Progress


@runtime_checkable
class Watcher(Protocol):
    """Who watches a run; any method may raise `Cancelled` to stop it."""

    def stage_started(self, name: str, *, cached: bool) -> None:
        """A stage begins, or is found finished."""

    def progress(self, done: int, total: int) -> None:
        """The running stage has done so much."""

    def stage_finished(self, name: str, seconds: float, *, cached: bool) -> None:
        """A stage is finished."""

    def note(self, text: str) -> None:
        """Something the person should know."""


class SilentWatcher:
    """Watches nothing."""

    def stage_started(self, name: str, *, cached: bool) -> None:
        """Take no notice."""

    def progress(self, done: int, total: int) -> None:
        """Take no notice."""

    def stage_finished(self, name: str, seconds: float, *, cached: bool) -> None:
        """Take no notice."""

    def note(self, text: str) -> None:
        """Take no notice."""


Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the pipeline.

    Attributes:
        name: Its name in the run, e.g. `screening_val`.
        kind: Its artifact's kind, the stage's word, e.g. `screening`.
        version: Raised when its output would change for equal inputs and settings.
        inputs: Names of the stages it reads.
        config: The settings that its output depends on, as a JSON value.
        compute: (loaded inputs, progress) -> the value.
        seeded: Whether it draws.
        save: (value, folder): write the value.
        load: (folder) -> the value.
        stream: (loaded inputs, progress, folder): write what `compute` and `save` would, part by
            part, going on with what a stopped process left in the folder. None: at once.
    """

    name: str
    kind: str
    version: int
    inputs: tuple[str, ...]
    config: Mapping[str, Any]
    compute: Callable[[Inputs, Progress], Any]
    load: Callable[[Path], Any]
    seeded: bool = False
    save: Callable[[Any, Path], None] = codecs.save
    stream: Callable[[Inputs, Progress, Path], None] | None = None

    def make(self, inputs: Inputs, progress: Progress, folder: Path) -> None:
        """Compute the value and write it into a folder."""
        if self.stream is None:
            self.save(self.compute(inputs, progress), folder)
        else:
            self.stream(inputs, progress, folder)


def loader(cls: type) -> Callable[[Path], Any]:
    """Give what reads a stage's value of a class back from its folder."""
    return lambda folder: codecs.load(cls, folder)


class StageRunner:
    """Makes the artifacts of named stages, each once, and loads them."""

    def __init__(
        self, stages: Mapping[str, Stage], store: ArtifactStore, *, seed: int, watcher: Watcher
    ) -> None:
        """Take the stages of a run.

        Args:
            stages: Name to stage; every input named is among them.
            store: Where artifacts are.
            seed: The run's seed, part of the recipe of stages that draw.
            watcher: Told of stages and progress.
        """
        self.stages = stages
        self.store = store
        self.watcher = watcher
        self.seconds: dict[str, float] = {}
        self._seed = seed
        self._values: dict[str, Any] = {}
        self._artifacts: dict[str, Artifact] = {}

    def stage(self, name: str) -> Stage:
        """Give a stage by name.

        Raises:
            UnknownOption: There is no such stage.
        """
        if name not in self.stages:
            raise UnknownOption.of("stage", name, self.stages)
        return self.stages[name]

    def recipe(self, name: str) -> Recipe:
        """Give the recipe of a stage, which names its artifact before it is made."""
        stage = self.stage(name)
        return Recipe(
            kind=stage.kind,
            version=stage.version,
            config=codecs.to_json(stage.config),
            inputs={needed: self.recipe(needed).key for needed in stage.inputs},
            seed=self._seed if stage.seeded else None,
        )

    def on_the_way_to(self, names: Iterable[str]) -> list[str]:
        """Give the stages that some stages need, and these themselves, in the order to make them."""
        order: dict[str, None] = {}
        for name in names:
            order |= dict.fromkeys([*self.on_the_way_to(self.stage(name).inputs), name])
        return list(order)

    def ensure(self, name: str) -> Artifact:
        """Make a stage's artifact, and what it needs, unless they are finished already.

        Raises:
            EngineError: What the stage itself refuses; finished stages are kept.
        """
        if name in self._artifacts:
            return self._artifacts[name]
        stage, recipe = self.stage(name), self.recipe(name)
        cached = self.store.has(recipe)
        if cached:
            artifact = self.store.open(recipe.kind, recipe.key)
            self.watcher.stage_started(name, cached=True)
            self.watcher.stage_finished(name, float(artifact.meta["seconds"]), cached=True)
        else:
            for needed in stage.inputs:
                self.ensure(needed)
            artifact = self._make(stage, recipe)
        self.seconds[name] = float(artifact.meta["seconds"])
        self._artifacts[name] = artifact
        return artifact

    def _make(self, stage: Stage, recipe: Recipe) -> Artifact:
        inputs = {needed: self.load(needed) for needed in stage.inputs}
        self.watcher.stage_started(stage.name, cached=False)
        started = time.monotonic()
        artifact = self.store.create(
            recipe,
            lambda folder: stage.make(inputs, self.watcher.progress, folder),
            resumable=stage.stream is not None,
            while_waiting=lambda: self.watcher.progress(0, 0),
        )
        self.watcher.stage_finished(stage.name, time.monotonic() - started, cached=False)
        return artifact

    def load(self, name: str) -> Any:
        """Give a stage's value, making it first where needed."""
        if name not in self._values:
            self._values[name] = self.stage(name).load(self.ensure(name).path)
        return self._values[name]
