"""What a bench studies: a data set, the classifier under study, and where that looks.

All three are those of seed 0, whatever the bench's seeds: a bench seed redraws the attention space,
queries, answers, clusters and subset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int64

from engine.artifacts.store import ArtifactStore
from engine.attention.extraction import Extraction
from engine.benches.answers import TrueAnswers
from engine.data.groups import GroupIndex
from engine.data.manifest import ImageManifest, Split
from engine.models.classifier import Classifier
from engine.pipeline.config import PipelineConfig
from engine.pipeline.memory import Given
from engine.pipeline.pipeline import Watcher
from engine.pipeline.routes import objects_of
from engine.pipeline.run import Run

FIRST = ("manifest", "classifier", "extraction")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A data set with its reference classifier.

    Attributes:
        name: The data set's name.
        config: The settings that made manifest, classifier and extraction.
        given: These three, for the runners.
        truth: What somebody who knows the true regions says of each map.
        test: Rows that are evaluated.
        groups: The data's groups, or its classes where it names none.
        has_groups: Whether it names groups.
        objects: The object of each evaluated row.
        seconds: What the three stages took when they were made.
    """

    name: str
    config: PipelineConfig
    given: Mapping[str, Given]
    truth: TrueAnswers
    test: Int64[np.ndarray, " m"]
    groups: GroupIndex
    has_groups: bool
    objects: Int64[np.ndarray, " m"]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def manifest(self) -> ImageManifest:
        """The data set."""
        value: ImageManifest = self.given["manifest"].value
        return value

    @property
    def truths(self) -> Int64[np.ndarray, " m"]:
        """The true class of each evaluated row."""
        return np.asarray(self.manifest.labels[self.test])

    @property
    def classifier(self) -> Classifier:
        """The classifier under study."""
        value: Classifier = self.given["classifier"].value
        return value

    @property
    def extraction(self) -> Extraction:
        """Its features and maps of every row."""
        value: Extraction = self.given["extraction"].value
        return value


def prepare(name: str, table: Mapping[str, Any], store: ArtifactStore, watcher: Watcher) -> Subject:
    """Read the data set, train the classifier under study and look through it, unless it is done.

    Args:
        name: The data set's name.
        table: Its own settings: where it is, how its reference is made.
        store: Where the three artifacts are kept.
        watcher: Told of stages and progress.

    Returns:
        The subject.

    Raises:
        EngineError: The data set or the classifier cannot be used.
    """
    config = PipelineConfig.from_mapping({**table, "seed": 0}, origin=f"the settings of {name}")
    run = Run(config, store, watcher=watcher)
    keys = {stage: run.ensure(stage).key for stage in FIRST}
    given = {stage: Given(key=keys[stage], value=run.load(stage)) for stage in FIRST}
    manifest: ImageManifest = given["manifest"].value
    extraction: Extraction = given["extraction"].value
    groups = GroupIndex.of(manifest)
    test = manifest.rows_of(Split.TEST)
    objects = objects_of(manifest)
    return Subject(
        name=name,
        config=config,
        given=given,
        truth=TrueAnswers(manifest, np.asarray(extraction.maps_true)),
        test=test,
        groups=GroupIndex.of_classes(manifest) if groups.is_empty else groups,
        has_groups=not groups.is_empty,
        objects=np.arange(len(test)) if objects is None else objects[test],
        seconds=dict(run.seconds),
    )
