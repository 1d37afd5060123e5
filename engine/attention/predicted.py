"""Features pooled by the map of the *predicted* class: what slices and browsing are about.

An extraction pools by the map of the true class, which curation reads. Of a rightly classified
image that is the same vector, so only the others go through the network once more.
"""

from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from engine.attention.extraction import Extraction, ExtractionConfig
from engine.attention.pooling import attention_pool, attention_weights
from engine.attention.prefetching import batches_ahead
from engine.attribution.observation import forward_passes
from engine.data.manifest import ImageManifest
from engine.models.classifier import Classifier
from engine.models.folding import ready_to_look
from engine.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictedVectors:
    """Attention-weighted features, the attention being that of the predicted class.

    Attributes:
        rows: Rows of the manifest.
        vectors: One a row (AttributionScanner's F_W, eq. 1).
    """

    rows: Int[np.ndarray, " m"]
    vectors: Float[np.ndarray, "m d"]


def predicted_vectors(
    manifest: ImageManifest,
    classifier: Classifier,
    extraction: Extraction,
    rows: Int[np.ndarray, " m"],
    config: ExtractionConfig,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> PredictedVectors:
    """Pool features by the maps of the predicted class.

    Args:
        manifest: The pictures.
        classifier: The network that the extraction was made with; left as found.
        extraction: Of all rows of the manifest.
        rows: The rows wanted.
        config: What the extraction was made with.
        device: Where to compute, as torch names it.
        on_progress: Told (images done, images in all); may raise `Cancelled`.

    Returns:
        The vectors, in the order of `rows`.

    Raises:
        ManifestError: A picture cannot be read.
    """
    vectors = np.array(np.asarray(extraction.core_vectors)[rows], dtype=np.float32)
    predicted = np.asarray(extraction.logits)[rows].argmax(axis=1)
    wrong = np.flatnonzero(predicted != manifest.labels[rows])
    if not len(wrong):
        return PredictedVectors(rows=rows.astype(np.int64), vectors=vectors)
    maps = torch.from_numpy(np.array(np.asarray(extraction.maps_predicted)[rows[wrong]]))
    weights = attention_weights(maps, config.weighting)
    batches = batches_ahead(
        manifest,
        rows[wrong],
        classifier.preprocessing,
        batch_size=config.batch_size,
        workers=config.workers,
    )
    done = 0
    light = ready_to_look(classifier, device)
    with forward_passes(light, differentiated=False) as run, closing(batches):
        for batch in batches:
            part = slice(done, done + len(batch.rows))
            images = batch.images.to(device, memory_format=torch.channels_last)
            with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bf16"):
                seen = run(images)
            pooled = attention_pool(seen.activations, weights[part].to(seen.activations))
            vectors[wrong[part]] = pooled.cpu().numpy()
            done = part.stop
            on_progress(done, len(wrong))
    return PredictedVectors(rows=rows.astype(np.int64), vectors=vectors)
