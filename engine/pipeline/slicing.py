"""The stages behind the lead's workspace: vectors of the predicted class, map, slices.

They stand beside a run's own stages: nobody needs them to curate, and what they depend on is chosen
in the workspace.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from engine.artifacts import codecs
from engine.attention.plotting import PlotConfig, plot_coordinates
from engine.attention.predicted import PredictedVectors, predicted_vectors
from engine.data.manifest import ImageManifest, Split
from engine.errors import InvalidInput, UnknownOption
from engine.pipeline.pipeline import Inputs, Stage, StageRunner, loader
from engine.pipeline.run import Run
from engine.progress import Progress
from engine.randomness import integer_seed
from engine.slicing.finding import FindingConfig, FoundSlices, find_slices

ALL = "all"
FEWEST = 3
"""Images that a map takes."""
VECTORS, MAP, SLICES = "predicted_vectors", "map", "slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicingOrder:
    """What to cut.

    Attributes:
        split: `train`, `val`, `test`, or `all` of them.
        plot: How the map is laid out.
        finding: When slices are fine enough.
    """

    split: str = Split.VALIDATION.value
    plot: PlotConfig = field(default_factory=PlotConfig)
    finding: FindingConfig = field(default_factory=FindingConfig)

    def __post_init__(self) -> None:
        known = [*(split.value for split in Split), ALL]
        if self.split not in known:
            raise UnknownOption.of("split", self.split, known)

    def rows(self, manifest: ImageManifest) -> Int64[np.ndarray, " m"]:
        """Give the rows of the split, rising."""
        if self.split == ALL:
            return np.arange(len(manifest), dtype=np.int64)
        return manifest.rows_of(Split(self.split))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageMap:
    """Where images are plotted.

    Attributes:
        coordinates: Of the split's images.
    """

    coordinates: Float[np.ndarray, "m 2"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sliced:
    """A split cut into slices.

    Attributes:
        vectors: Of its images, and their rows.
        vectors_file: Where they lie on disk, as .npy.
        coordinates: On the map.
        found: The slices and how they came about.
        keys: Of the artifacts, by stage.
    """

    vectors: PredictedVectors
    vectors_file: Path
    coordinates: Float[np.ndarray, "m 2"]
    found: FoundSlices
    keys: dict[str, str]


def slicing_stages(run: Run, order: SlicingOrder) -> dict[str, Stage]:
    """Give the stages, which read a run's manifest, classifier and extraction.

    Args:
        run: The run.
        order: What to cut.

    Returns:
        Name to stage.
    """
    stages = (_vectors(run, order), _map(run, order), _slices(run, order))
    return {stage.name: stage for stage in stages}


def slice_images(run: Run, order: SlicingOrder) -> Sliced:
    """Cut a split into slices, making what is not there yet.

    Args:
        run: A run; its watcher is told.
        order: What to cut.

    Returns:
        The slices and what they rest on.

    Raises:
        InvalidInput: The split has fewer than three images.
    """
    n_images = len(order.rows(run.load("manifest")))
    if n_images < FEWEST:
        raise InvalidInput(
            f"slices need at least {FEWEST} images, but the split {order.split!r} has {n_images}; "
            "choose another split"
        )
    stages = {**run.runner.stages, **slicing_stages(run, order)}
    runner = StageRunner(stages, run.store, seed=run.config.seed, watcher=run.watcher)
    found = runner.load(SLICES)
    return Sliced(
        vectors=runner.load(VECTORS),
        vectors_file=runner.ensure(VECTORS).path / "vectors.npy",
        coordinates=runner.load(MAP).coordinates,
        found=found,
        keys={name: runner.ensure(name).key for name in (VECTORS, MAP, SLICES)},
    )


def _vectors(run: Run, order: SlicingOrder) -> Stage:
    extraction = run.config.extraction

    def compute(inputs: Inputs, progress: Progress) -> PredictedVectors:
        return predicted_vectors(
            inputs["manifest"],
            inputs["classifier"],
            inputs["extraction"],
            order.rows(inputs["manifest"]),
            extraction,
            device=run.config.device,
            on_progress=progress,
        )

    settings: dict[str, Any] = {
        "split": order.split,
        "precision": extraction.precision,
        "weighting": extraction.weighting,
    }
    return Stage(
        name=VECTORS,
        kind=VECTORS,
        version=2,
        inputs=("manifest", "classifier", "extraction"),
        config=settings,
        compute=compute,
        load=loader(PredictedVectors),
    )


def _map(run: Run, order: SlicingOrder) -> Stage:
    def compute(inputs: Inputs, _progress: Progress) -> ImageMap:
        found = plot_coordinates(
            np.asarray(inputs[VECTORS].vectors),
            order.plot,
            seed=integer_seed(run.config.seed, "map of slices"),
        )
        return ImageMap(coordinates=found)

    return Stage(
        name=MAP,
        kind="image_map",
        version=1,
        inputs=(VECTORS,),
        config=codecs.to_json(order.plot),
        seeded=True,
        compute=compute,
        load=loader(ImageMap),
    )


def _slices(run: Run, order: SlicingOrder) -> Stage:
    def compute(inputs: Inputs, progress: Progress) -> FoundSlices:
        vectors = inputs[VECTORS]
        return find_slices(
            np.asarray(inputs[MAP].coordinates),
            np.asarray(vectors.vectors),
            np.asarray(vectors.rows),
            order.finding,
            seed=integer_seed(run.config.seed, "slices"),
            on_progress=progress,
        )

    return Stage(
        name=SLICES,
        kind="slice_set",
        version=1,
        inputs=(VECTORS, MAP),
        config=codecs.to_json(order.finding),
        seeded=True,
        compute=compute,
        load=loader(FoundSlices),
    )
