"""Running the same stages in memory: hundreds of settings that differ in one switch share the rest.

A benchmark changes one setting at a time and asks for a handful of figures each time. Written to a
store, each of its small results would cost a folder and several writes to the disk; here values lie
in a dictionary under the same recipe keys, so that equal stages of different settings are made
once, and a changed setting makes anew only what depends on it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.artifacts import codecs
from engine.artifacts.recipe import Recipe
from engine.artifacts.store import ArtifactStore
from engine.errors import UnknownOption
from engine.pipeline.pipeline import SilentWatcher, Stage, Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A stage's value that is there already.

    Attributes:
        key: The key of the artifact it was loaded from.
        value: The value.
    """

    key: str
    value: Any


@dataclass(slots=True, kw_only=True)
class Memory:
    """Values by recipe key, shared among runners.

    Attributes:
        values: What was made so far.
        store: Where the stages named in `kept` are written, so that they outlive the process.
        kept: Names of stages that take long.
    """

    values: dict[str, Any] = field(default_factory=dict)
    store: ArtifactStore | None = None
    kept: frozenset[str] = frozenset()


class MemoryRunner:
    """Makes the values of named stages, each once per memory."""

    def __init__(
        self,
        stages: Mapping[str, Stage],
        memory: Memory,
        *,
        seed: int,
        given: Mapping[str, Given] | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        """Take the stages of a run.

        Args:
            stages: Name to stage; every input named is among them, or given.
            memory: Where values are.
            seed: The run's seed, part of the recipe of stages that draw.
            given: Values that take the place of the stages of their names, whatever settings and
                seed those have: the recipes of later stages hold their keys.
            watcher: Told of progress within stages.
        """
        self.stages = stages
        self._memory = memory
        self._seed = seed
        self._given = dict(given or {})
        self._watcher = watcher or SilentWatcher()
        self._keys: dict[str, str] = {name: value.key for name, value in self._given.items()}

    def key(self, name: str) -> str:
        """Give the key of a stage's value."""
        if name not in self._keys:
            self._keys[name] = self.recipe(name).key
        return self._keys[name]

    def recipe(self, name: str) -> Recipe:
        """Give the recipe of a stage that is not given.

        Raises:
            UnknownOption: There is no such stage.
        """
        if name not in self.stages:
            raise UnknownOption.of("stage", name, self.stages)
        stage = self.stages[name]
        return Recipe(
            kind=stage.kind,
            version=stage.version,
            config=codecs.to_json(stage.config),
            inputs={needed: self.key(needed) for needed in stage.inputs},
            seed=self._seed if stage.seeded else None,
        )

    def load(self, name: str) -> Any:
        """Give a stage's value, making it and what it needs first where needed.

        Raises:
            EngineError: What the stage itself refuses.
        """
        if name in self._given:
            return self._given[name].value
        key = self.key(name)
        if key not in self._memory.values:
            self._memory.values[key] = self._make(self.stages[name])
        return self._memory.values[key]

    def _make(self, stage: Stage) -> Any:
        store, recipe = self._memory.store, self.recipe(stage.name)
        if store is None or stage.name not in self._memory.kept:
            return stage.compute(self._inputs(stage.inputs), self._watcher.progress)
        if not store.has(recipe):
            inputs = self._inputs(stage.inputs)
            store.create(
                recipe,
                lambda folder: stage.make(inputs, self._watcher.progress, folder),
                resumable=stage.stream is not None,
                while_waiting=lambda: self._watcher.progress(0, 0),
            )
        return stage.load(store.open(recipe.kind, recipe.key).path)

    def _inputs(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.load(name) for name in names}
