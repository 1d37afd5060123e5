"""Pictures of slices, each an artifact of its own, keyed by what it was found for.

A picture depends on the network, on the slice's mean features, mean picture and mean attention, and
on nothing else: after a merge only the new slice's picture is missing, and a slice that comes back
by undoing has its picture at once.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from engine.artifacts import codecs
from engine.artifacts.recipe import Recipe
from engine.artifacts.store import ArtifactStore
from engine.inversion.inverting import Inversion, InversionConfig, InversionTarget, invert
from engine.models.classifier import Classifier
from engine.progress import Progress, ignore_progress

KIND = "inversion"


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
        on_progress: Told (steps done, most steps in all); may raise `Cancelled`.

    Returns:
        One picture a target, in their order.

    Raises:
        InvalidInput: A target has no features.
        OutOfSpace: The disk is full.
    """
    chosen = config or InversionConfig()
    recipes = [inversion_recipe(classifier_key, target, chosen) for target in targets]
    missing = [at for at, recipe in enumerate(recipes) if not store.has(recipe)]
    starts = range(0, len(missing), chosen.batch_size)
    for number, start in enumerate(starts):

        def told(done: int, total: int, number: int = number) -> None:
            on_progress(number * total + done, len(starts) * total)

        part = missing[start : start + chosen.batch_size]
        found = invert(
            classifier, [targets[at] for at in part], chosen, device=device, on_progress=told
        )
        for at, picture in zip(part, found, strict=True):
            _keep(store, recipes[at], picture)
    return tuple(codecs.load(Inversion, store.open(KIND, recipe.key).path) for recipe in recipes)


def _keep(store: ArtifactStore, recipe: Recipe, picture: Inversion) -> None:
    store.create(recipe, lambda folder: codecs.save(picture, folder))
