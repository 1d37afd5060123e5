"""One pass over the pictures: everything that later stages need from the network."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from engine.attention.pooling import (
    WEIGHTINGS,
    attention_pool,
    attention_weights,
    environment_weights,
)
from engine.attention.prefetching import batches_ahead
from engine.attention.shards import Shard, rows_in, shards_of
from engine.attribution.method import grid_method
from engine.attribution.observation import Observation, Observer
from engine.attribution.scaling import is_dead
from engine.data.manifest import ImageManifest
from engine.errors import InvalidInput, ModelMismatch, UnknownOption
from engine.models.classifier import Classifier, check_classes
from engine.models.folding import ready_to_look
from engine.progress import Progress, ignore_progress

PRECISIONS = ("fp32", "bf16", "auto")


def fastest_precision() -> str:
    """Give `bf16` where this processor has instructions for it, `fp32` elsewhere."""
    # a recent addition to torch; without it, the format that is fast everywhere
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    has_bf16 = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16" if has_bf16 else "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionConfig:
    """How the pass over the pictures is made.

    Attributes:
        precision: `auto` becomes `bf16` where the processor computes in it, and `fp32` elsewhere;
            `fp32`; or `bf16`, which runs the network under autocast; maps and pooling stay in float32.
        batch_size: Pictures at once; the result does not depend on it.
        weighting: `sum` or `authors`, weights of the pooled vectors (`engine.attention.pooling`).
        method: The attribution method, one of `engine.attribution.method.GRID_METHODS`.
        workers: Processes that decode pictures; 0 decodes in a thread of this one, while the
            network computes.
    """

    precision: str = "fp32"
    batch_size: int = 32
    weighting: str = "sum"
    method: str = "grad_cam"
    workers: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UnknownOption.of("precision", self.precision, PRECISIONS)
        if self.precision == "auto":
            # settled at birth, so that every key says what was really computed
            object.__setattr__(self, "precision", fastest_precision())
        if self.weighting not in WEIGHTINGS:
            raise UnknownOption.of("weighting", self.weighting, WEIGHTINGS)
        grid_method(self.method)
        if self.batch_size < 1:
            raise InvalidInput(f"batch_size must be at least 1, got {self.batch_size}")
        if self.workers < 0:
            raise InvalidInput(f"workers must be at least 0, got {self.workers}")

    @classmethod
    def preset(cls, name: str) -> "ExtractionConfig":
        """Give the options of a preset.

        Args:
            name: `default`, `authors` (raw map and its min-maxed inverse as weights), or
                `paper`, which prints the authors' formula.

        Returns:
            The options.

        Raises:
            UnknownOption: If there is no such preset.
        """
        presets = {
            "default": cls(),
            "paper": cls(weighting="authors"),
            "authors": cls(weighting="authors"),
        }
        if name not in presets:
            raise UnknownOption.of("preset", name, presets)
        return presets[name]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extraction:
    """What one pass over a manifest gave, one entry per row.

    Attributes:
        rows: Positions in the manifest.
        logits: Before any softmax.
        features: What the network's last linear layer reads, which a refitted head reads too: for
            most convolutional networks the target layer's output averaged over its grid, for a
            vision transformer its class token. Without such a layer the average over the grid.
        maps_true: Raw attention maps of the labelled class, at least 0.
        maps_predicted: Raw attention maps of the class with the highest logit, at least 0.
        core_vectors: Features pooled by the true class's map.
        environment_vectors: Features pooled by the inverse of the true class's map.
        dead_true: True where `maps_true` holds no positive evidence.
        dead_predicted: True where `maps_predicted` holds none.
    """

    rows: Int[np.ndarray, " n"]
    logits: Float[np.ndarray, "n c"]
    features: Float[np.ndarray, "n f"]
    maps_true: Float[np.ndarray, "n h w"]
    maps_predicted: Float[np.ndarray, "n h w"]
    core_vectors: Float[np.ndarray, "n d"]
    environment_vectors: Float[np.ndarray, "n d"]
    dead_true: Bool[np.ndarray, " n"]
    dead_predicted: Bool[np.ndarray, " n"]


def extract(
    manifest: ImageManifest,
    classifier: Classifier,
    config: ExtractionConfig,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Extraction:
    """Run a classifier once over every picture of a manifest.

    Args:
        manifest: The pictures; its labels are the true classes.
        classifier: The network; it is left as found, also where it lives.
        config: How the pass is made.
        device: Where to compute, as torch names it.
        on_progress: Called with (pictures done, pictures in all) after each batch.

    Returns:
        Logits, features, maps and pooled vectors of all rows, in the manifest's order.

    Raises:
        ModelMismatch: If the classifier's classes are not the manifest's.
        ManifestError: If a picture cannot be decoded; names row and path.
        InvalidInput: If the target layer gives no feature map.

    References:
        SLIM (ECCV 2024), section 3: F_A and its inverse-weighted counterpart, true class.
    """
    rows = np.arange(len(manifest), dtype=np.int64)
    arrays: dict[str, np.ndarray] = {}
    for shard, given in extract_shards(
        manifest,
        classifier,
        config,
        shards_of(len(manifest), config.batch_size),
        device=device,
        on_progress=on_progress,
    ):
        arrays = arrays or _empty_like(given, len(rows))
        for name, values in given.items():
            arrays[name][shard.start : shard.stop] = values
    return Extraction(rows=rows, **arrays)


def extract_shards(
    manifest: ImageManifest,
    classifier: Classifier,
    config: ExtractionConfig,
    shards: Sequence[Shard],
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> Generator[tuple[Shard, dict[str, np.ndarray]], None, None]:
    """Run a classifier over some shards of a manifest, and give each as soon as it is done.

    No more than one shard is held. Pictures of the next batches, also of the next shard, are
    decoded while the network computes.

    Args:
        manifest: The pictures; its labels are the true classes.
        classifier: The network; it is left as found, also where it lives.
        config: How the pass is made.
        shards: From `shards_of` with the batch size of `config`, in their order.
        device: Where to compute, as torch names it.
        on_progress: Called with (pictures done, pictures of these shards) after each batch.

    Yields:
        A shard, and its part of what an `Extraction` holds, by the names of its attributes.

    Raises:
        ModelMismatch: If the classifier's classes are not the manifest's.
        ManifestError: If a picture cannot be decoded; names row and path.
        InvalidInput: If the target layer gives no feature map.
    """
    if classifier.class_names != manifest.class_names:
        raise ModelMismatch(
            f"the classifier's classes are {', '.join(classifier.class_names)}, the manifest's "
            f"are {', '.join(manifest.class_names)}; use a classifier trained on these classes, "
            "in this order"
        )
    rows = rows_in(shards)
    ready = batches_ahead(
        manifest,
        rows,
        classifier.preprocessing,
        batch_size=config.batch_size,
        workers=config.workers,
    )
    done = 0
    with ready_to_extract(classifier, config, torch.device(device)) as observe, closing(ready):
        for shard in shards:
            arrays: dict[str, np.ndarray] = {}
            filled = 0
            while filled < len(shard):
                images, labels, _ = next(ready)
                seen = extract_batch(observe, images, labels, config, classifier.class_names)
                given = {name: values.cpu().numpy() for name, values in seen.items()}
                arrays = arrays or _empty_like(given, len(shard))
                for name, values in given.items():
                    arrays[name][filled : filled + len(labels)] = values
                filled += len(labels)
                done += len(labels)
                on_progress(done, len(rows))
            yield shard, arrays


@contextmanager
def ready_to_extract(
    classifier: Classifier, config: ExtractionConfig, device: torch.device
) -> Iterator[Observer]:
    """Prepare a private copy of the network: on the device, in the precision, as fast as it goes.

    Args:
        classifier: The network; it is left as found.
        config: Precision and method.
        device: Where to compute.

    Yields:
        A function from preprocessed pictures to an `Observation`.
    """
    method = grid_method(config.method)

    def precision() -> AbstractContextManager[object]:
        if config.precision == "fp32":
            return nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)

    with method.observing(ready_to_look(classifier, device)) as observe:

        def forward(images: torch.Tensor) -> Observation:
            images = images.to(device=device, memory_format=torch.channels_last)
            with precision():
                return observe(images)

        yield forward


def extract_batch(
    observe: Observer,
    images: Float[torch.Tensor, "n 3 H W"],
    labels: Int[torch.Tensor, " n"],
    config: ExtractionConfig,
    class_names: tuple[str, ...],
) -> dict[str, torch.Tensor]:
    """Make everything that an `Extraction` holds of one batch, from one forward pass.

    Args:
        observe: From `ready_to_extract`.
        images: Preprocessed pictures.
        labels: Their true classes.
        config: How features are weighed.
        class_names: One per logit.

    Returns:
        Arrays by the names of `Extraction`'s attributes.

    Raises:
        ModelMismatch: If the network has another number of logits.
    """
    seen = observe(images)
    check_classes(seen.logits, class_names)
    true = labels.to(seen.logits.device)
    predicted = seen.logits.argmax(dim=1)
    maps_true = seen.maps(true)
    maps_predicted = maps_true if torch.equal(true, predicted) else seen.maps(predicted)
    core = attention_weights(maps_true, config.weighting)
    environment = environment_weights(maps_true, config.weighting)
    return {
        "logits": seen.logits,
        "features": seen.features,
        "maps_true": maps_true,
        "maps_predicted": maps_predicted,
        "core_vectors": attention_pool(seen.activations, core),
        "environment_vectors": attention_pool(seen.activations, environment),
        "dead_true": is_dead(maps_true),
        "dead_predicted": is_dead(maps_predicted),
    }


def _empty_like(given: Mapping[str, np.ndarray], n_rows: int) -> dict[str, np.ndarray]:
    """Make room for so many rows of arrays like these."""
    return {
        name: np.empty((n_rows, *values.shape[1:]), dtype=values.dtype)
        for name, values in given.items()
    }
