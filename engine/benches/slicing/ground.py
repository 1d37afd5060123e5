"""What the benches of slices stand on: a split's map, its slices, and an oracle who marks them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.artifacts import codecs
from engine.artifacts.recipe import Recipe
from engine.artifacts.store import ArtifactStore
from engine.attention.plotting import PlotConfig, plot_coordinates
from engine.attention.predicted import PredictedVectors, predicted_vectors
from engine.benches.mitigation.subject import Subject
from engine.data.manifest import Split
from engine.data.regions import object_region, spurious_region
from engine.data.resampling import upsample
from engine.errors import InvalidInput
from engine.evaluation.localization import mass_inside
from engine.pipeline.pipeline import Watcher
from engine.slicing.finding import FindingConfig, FoundSlices, find_slices
from engine.slicing.marks import Mark, MarkKind
from engine.slicing.slice_set import SliceSet

OBJECT_SHARE = 0.3
"""Less of the mass on the object than this, and an image's attention is spurious."""

CUE_SHARE = 0.1
"""More of the mass on a planted cue than this, where no object is known."""

SPACES = ("attention_space", "feature_space")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlotMap:
    """Coordinates of a split in one space.

    Attributes:
        coordinates: As plotted.
    """

    coordinates: Float[np.ndarray, "m 2"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """A split, sliced.

    Attributes:
        subject: Data set and classifier.
        rows: The split's rows of the manifest.
        vectors: Attention-weighted features, predicted class.
        predicted: Predicted classes.
        spurious: Whose attention is spurious, by the true regions.
    """

    subject: Subject
    rows: Int[np.ndarray, " m"]
    vectors: Float[np.ndarray, "m d"]
    predicted: Int[np.ndarray, " m"]
    spurious: Bool[np.ndarray, " m"]


def kept(store: ArtifactStore, recipe: Recipe, kind: type[T], make: Callable[[], T]) -> T:
    """Give a value from the store, making it first where it is not there."""
    if not store.has(recipe):
        store.create(recipe, lambda folder: codecs.save(make(), folder))
    return codecs.load(kind, store.open(recipe.kind, recipe.key).path)


def lay_ground(subject: Subject, split: Split, store: ArtifactStore, watcher: Watcher) -> Ground:
    """Look through one split with the predicted class's maps.

    Args:
        subject: Data set and classifier.
        split: Which images.
        store: Where the vectors are kept.
        watcher: Told of progress.

    Returns:
        The ground.

    Raises:
        InvalidInput: A row has no true region.
    """
    rows = subject.manifest.rows_of(split)
    config = subject.config.extraction
    recipe = Recipe(
        kind="predicted_vectors",
        version=1,
        config={"split": split.value, "precision": config.precision, "weighting": config.weighting},
        inputs={"extraction": subject.given["extraction"].key},
    )
    watcher.stage_started("predicted vectors", cached=store.has(recipe))
    found = kept(
        store,
        recipe,
        PredictedVectors,
        lambda: predicted_vectors(
            subject.manifest,
            subject.classifier,
            subject.extraction,
            rows,
            config,
            on_progress=watcher.progress,
        ),
    )
    return Ground(
        subject=subject,
        rows=rows,
        vectors=np.asarray(found.vectors),
        predicted=np.asarray(subject.extraction.logits)[rows].argmax(axis=1),
        spurious=_spurious(subject, rows),
    )


def _spurious(subject: Subject, rows: Int[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
    """Judge each image's attention by its true regions."""
    maps = np.asarray(subject.extraction.maps_predicted)
    out = np.zeros(len(rows), dtype=bool)
    for at, row in enumerate(rows.tolist()):
        region, cue = object_region(subject.manifest, row), spurious_region(subject.manifest, row)
        if region is not None:
            mass = mass_inside(upsample(maps[row], region.shape), region)
            out[at] = mass is not None and mass < OBJECT_SHARE
        elif cue is not None:
            out[at] = (mass_inside(upsample(maps[row], cue.shape), cue) or 0.0) > CUE_SHARE
        else:
            raise InvalidInput(
                f"row {row} has neither mask, box nor spurious_mask, so nobody can tell whether "
                "its attention is right; take a set with true regions, e.g. stampbirds"
            )
    return out


def coordinates_of(
    ground: Ground, space: str, split: Split, store: ArtifactStore, *, seed: int
) -> Float[np.ndarray, "m 2"]:
    """Lay a split out in the plane.

    Args:
        ground: The split.
        space: One of `SPACES`.
        split: Its name, for the store.
        store: Where coordinates are kept.
        seed: Of the layout.

    Returns:
        Coordinates.
    """
    vectors = ground.vectors
    if space == "feature_space":
        vectors = np.asarray(ground.subject.extraction.features)[ground.rows]
    config = PlotConfig()
    recipe = Recipe(
        kind="plot",
        version=1,
        config={"space": space, "split": split.value, **codecs.to_json(config)},
        inputs={"extraction": ground.subject.given["extraction"].key},
        seed=seed,
    )

    def make() -> PlotMap:
        return PlotMap(coordinates=plot_coordinates(vectors, config, seed=seed))

    return np.asarray(kept(store, recipe, PlotMap, make).coordinates)


def cut_into(
    ground: Ground, coordinates: Float[np.ndarray, "m 2"], n_slices: int, *, seed: int
) -> FoundSlices:
    """Cut a map into so many slices."""
    return find_slices(
        coordinates, ground.vectors, ground.rows, FindingConfig(n_slices=n_slices), seed=seed
    )


def oracle_marks(slices: SliceSet, spurious: Bool[np.ndarray, " m"]) -> dict[int, Mark]:
    """Mark every slice as somebody would who knows the truth of each image.

    Args:
        slices: The set.
        spurious: Of its images.

    Returns:
        Spurious where most images are, else core.
    """
    shares = np.bincount(slices.index(), spurious.astype(np.float64), len(slices)) / slices.sizes()
    return {
        number: Mark(kind=MarkKind.SPURIOUS if share > 0.5 else MarkKind.CORE)
        for number, share in zip(slices.numbers, shares.tolist(), strict=True)
    }
