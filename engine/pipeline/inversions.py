"""Pictures of slices, each an artifact of its own, keyed by what it was found for.

A picture depends on the network, on the slice's mean features, mean picture and mean attention, and
on nothing else: after a merge only the new slice's picture is missing, and a slice that comes back
by undoing has its picture at once.
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.artifacts import codecs
from engine.artifacts.recipe import Recipe
from engine.artifacts.store import ArtifactStore
from engine.attention.shards import Shard, shards_of
from engine.inversion.inverting import (
    ALL_STEPS,
    CONVERGED,
    NOT_FINITE,
    Inversion,
    InversionConfig,
    InversionTarget,
    invert,
)
from engine.models.classifier import Classifier
from engine.pipeline.executors import Executor, LocalExecutor, Part
from engine.progress import Progress, ignore_progress

KIND = "inversion"
REASONS = (CONVERGED, ALL_STEPS, NOT_FINITE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InversionWork:
    """Pictures of some slices; shards are of `targets`.

    Attributes:
        classifier: The network.
        targets: What to find pictures for.
        config: How.
        device: Where to compute, as torch names it.
    """

    classifier: Classifier
    targets: tuple[InversionTarget, ...]
    config: InversionConfig
    device: str

    def over(self, shards: Sequence[Shard], progress: Progress) -> Generator[Part, None, None]:
        """Find the pictures of some shards; see `engine.pipeline.executors.ShardWork`."""
        for number, shard in enumerate(shards):

            def told(done: int, total: int, number: int = number) -> None:
                progress(number * total + done, len(shards) * total)

            found = invert(
                self.classifier,
                self.targets[shard.start : shard.stop],
                self.config,
                device=self.device,
                on_progress=told,
            )
            yield shard, _packed(found)


def _packed(found: Sequence[Inversion]) -> dict[str, np.ndarray]:
    """Lay pictures out as arrays; losses one after another."""
    return {
        "picture": np.stack([one.picture for one in found]),
        "n_losses": np.array([len(one.losses) for one in found], dtype=np.int64),
        "losses": np.concatenate([one.losses for one in found]),
        "reason": np.array([REASONS.index(one.reason) for one in found], dtype=np.int64),
    }


def _unpacked(arrays: Mapping[str, np.ndarray]) -> list[Inversion]:
    ends = np.cumsum(arrays["n_losses"]).tolist()
    losses = np.split(arrays["losses"], ends[:-1])
    return [
        Inversion(picture=np.array(picture), losses=np.array(own), reason=REASONS[reason])
        for picture, own, reason in zip(
            arrays["picture"], losses, arrays["reason"].tolist(), strict=True
        )
    ]


def inversion_recipe(
    classifier_key: str, target: InversionTarget, config: InversionConfig
) -> Recipe:
    """Give the recipe of one picture, so that a page can ask whether it is there.

    Args:
        classifier_key: Key of the network's artifact.
        target: What the picture is found for.
        config: How; its batch size does not matter.

    Returns:
        The recipe.
    """
    hasher = hashlib.sha256()
    for array in (target.vector, target.start, target.attention, target.mask):
        if array is not None:
            hasher.update(str(array.shape).encode())
            hasher.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    settings = codecs.to_json(config)
    del settings["batch_size"]
    return Recipe(
        kind=KIND,
        version=1,
        config={**settings, "target": hasher.hexdigest()},
        inputs={"classifier": classifier_key},
        seed=target.seed,
    )


def inversions(
    store: ArtifactStore,
    classifier: Classifier,
    classifier_key: str,
    targets: Sequence[InversionTarget],
    config: InversionConfig | None = None,
    *,
    device: str = "cpu",
    executor: Executor | None = None,
    on_progress: Progress = ignore_progress,
) -> tuple[Inversion, ...]:
    """Give the pictures of some slices, finding those that are not there yet.

    Args:
        store: Where pictures are kept; each batch is, as soon as it is found.
        classifier: The network.
        classifier_key: Key of its artifact.
        targets: What to find pictures for.
        config: How; the defaults if left out.
        device: Where to compute, as torch names it.
        executor: Which machines compute; this process if left out.
        on_progress: Told how much is done, of all: in steps in this process, in pictures
            elsewhere; may raise `Cancelled`.

    Returns:
        One picture a target, in their order.

    Raises:
        InvalidInput: A target has no features.
        OutOfSpace: The disk is full.
    """
    chosen = config or InversionConfig()
    recipes = [inversion_recipe(classifier_key, target, chosen) for target in targets]
    missing = [at for at, recipe in enumerate(recipes) if not store.has(recipe)]
    work = InversionWork(
        classifier=classifier,
        targets=tuple(targets[at] for at in missing),
        config=chosen,
        device=device,
    )
    parts = shards_of(len(missing), chosen.batch_size, about=chosen.batch_size)
    where = executor or LocalExecutor()
    for shard, arrays in where.run(work, parts, on_progress, device=device):
        for at, picture in zip(missing[shard.start : shard.stop], _unpacked(arrays), strict=True):
            _keep(store, recipes[at], picture)
    return tuple(codecs.load(Inversion, store.open(KIND, recipe.key).path) for recipe in recipes)


def _keep(store: ArtifactStore, recipe: Recipe, picture: Inversion) -> None:
    store.create(recipe, lambda folder: codecs.save(picture, folder))
