"""Heat of a few pictures by a classifier with random weights: gold whose right answer is no."""

from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from engine.attention.extraction import ExtractionConfig, ready_to_extract
from engine.attention.prefetching import batches_ahead
from engine.data.manifest import ImageManifest
from engine.models.classifier import Classifier
from engine.models.randomising import randomised
from engine.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ControlHeat:
    """Maps of the labelled class by classifiers whose weights are random.

    Attributes:
        rows: Positions in the manifest.
        head: With the last linear layer's weights shuffled; all 0 where there is no such layer.
        network: With all weights shuffled.
    """

    rows: Int[np.ndarray, " n"]
    head: Float[np.ndarray, "n h w"]
    network: Float[np.ndarray, "n h w"]


def control_heat(
    manifest: ImageManifest,
    classifier: Classifier,
    config: ExtractionConfig,
    rows: Int[np.ndarray, " n"],
    *,
    seed: int,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> ControlHeat:
    """Look at pictures with shuffled copies of a classifier, by the very method of the extraction.

    Args:
        manifest: The pictures.
        classifier: It is left as found.
        config: How the classifier's own maps are made.
        rows: Of the manifest; at least one.
        seed: Of the shuffling.
        device: Where to compute.
        on_progress: Called with (maps done, maps in all).

    Returns:
        Raw maps, at least 0.
    """
    total = 2 * len(rows)

    def of_part(part: str, before: int) -> np.ndarray | None:
        copy = randomised(classifier, part, seed=seed)
        if copy is None:
            return None
        return _maps(
            manifest, copy, config, rows, device, lambda n, _: on_progress(before + n, total)
        )

    network = of_part("network", 0)
    head = of_part("head", len(rows))
    assert network is not None  # every network has parameters to shuffle
    return ControlHeat(
        rows=rows, head=np.zeros_like(network) if head is None else head, network=network
    )


def _maps(
    manifest: ImageManifest,
    classifier: Classifier,
    config: ExtractionConfig,
    rows: Int[np.ndarray, " n"],
    device: str,
    on_progress: Progress,
) -> Float[np.ndarray, "n h w"]:
    ready = batches_ahead(
        manifest,
        rows,
        classifier.preprocessing,
        batch_size=config.batch_size,
        workers=config.workers,
    )
    found: list[np.ndarray] = []
    done = 0
    # Weights that are random may give numbers that bf16 cannot hold.
    plain = replace(config, precision="fp32")
    with ready_to_extract(classifier, plain, torch.device(device)) as observe, closing(ready):
        for images, labels, _ in ready:
            seen = observe(images)
            found.append(seen.maps(labels.to(seen.logits.device)).cpu().numpy())
            done += len(labels)
            on_progress(done, len(rows))
    maps: np.ndarray = np.nan_to_num(np.concatenate(found), nan=0.0, posinf=0.0, neginf=0.0)
    return maps
