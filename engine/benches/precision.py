"""What the fast formats change: a folded network, and bfloat16, beside the network as it was given."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64

from engine.artifacts.store import ArtifactStore
from engine.attention.extraction import ExtractionConfig, extract_batch, ready_to_extract
from engine.attribution.method import grid_method
from engine.attribution.observation import Observer
from engine.benches.mitigation.subject import Subject, prepare
from engine.data.images import image_batches
from engine.data.manifest import Split
from engine.pipeline.pipeline import Watcher

GIVEN = "as given"
FORMATS = ("fp32", "bf16")
_COMPARED = ("logits", "maps_true", "core_vectors")

Arrays = Mapping[str, Float[np.ndarray, "n ..."]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionOrder:
    """What to measure.

    Attributes:
        data: The data set's name.
        table: Its settings.
        split: Which images.
    """

    data: str
    table: Mapping[str, Any]
    split: Split = Split.VALIDATION


def measure_precision(
    order: PrecisionOrder, store: ArtifactStore, watcher: Watcher
) -> dict[str, Any]:
    """Look at the same images with the network as given, with ours in fp32, and with ours in bf16.

    Args:
        order: What to measure.
        store: Where the classifier under study is kept.
        watcher: Told of stages and progress.

    Returns:
        A JSON object: accuracy of all three; and of ours against the network as given how many
        predictions changed, the largest difference of a logit in units of the logits' standard
        deviation, the median and smallest correlation of two maps of one image, and the median
        and smallest cosine of two core vectors.

    Raises:
        EngineError: The data set cannot be used.
    """
    subject = prepare(order.data, order.table, store, watcher)
    rows = subject.manifest.rows_of(order.split)
    labels = subject.manifest.labels[rows]
    seen: dict[str, Arrays] = {}
    for name in (GIVEN, *FORMATS):
        watcher.stage_started(f"looking: {name}", cached=False)
        seen[name] = _looked(subject, rows, name, watcher)
    return {
        "data": order.data,
        "split": order.split.value,
        "images": len(rows),
        "architecture": subject.classifier.architecture,
        "accuracy": {
            name: round(float((arrays["logits"].argmax(axis=1) == labels).mean()), 4)
            for name, arrays in seen.items()
        },
        "against_given": {name: differences(seen[GIVEN], seen[name]) for name in FORMATS},
    }


def differences(given: Arrays, ours: Arrays) -> dict[str, float | int]:
    """Compare two looks at the same images.

    Args:
        given: Logits `n c`, raw maps `n h w` and core vectors `n d`.
        ours: The same of another format. Images whose map is empty in both are left out of the
            maps' comparison.

    Returns:
        The figures, by name.
    """
    changed = given["logits"].argmax(axis=1) != ours["logits"].argmax(axis=1)
    furthest = np.abs(given["logits"] - ours["logits"]).max() / given["logits"].std()
    alive = given["maps_true"].any(axis=(1, 2)) | ours["maps_true"].any(axis=(1, 2))
    maps = _cosines(
        *(each["maps_true"][alive].reshape(alive.sum(), -1) for each in (given, ours)), centred=True
    )
    vectors = _cosines(given["core_vectors"], ours["core_vectors"], centred=False)
    return {
        "predictions_changed": int(changed.sum()),
        "logit_difference": float(f"{furthest:.2g}"),
        "map_correlation_median": round(float(np.median(maps)), 5),
        "map_correlation_min": round(float(maps.min()), 5),
        "core_cosine_median": round(float(np.median(vectors)), 5),
        "core_cosine_min": round(float(vectors.min()), 5),
    }


def _cosines(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"], *, centred: bool
) -> Float[np.ndarray, " n"]:
    """Give the cosine, or centred the correlation, of each two rows; 0 where one is constant."""
    a, b = (each.astype(np.float64) for each in (a, b))
    if centred:
        a, b = (each - each.mean(axis=1, keepdims=True) for each in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    along: np.ndarray = (a * b).sum(axis=1)
    cosines: np.ndarray = np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0)
    return cosines


@contextmanager
def _observer(subject: Subject, config: ExtractionConfig, name: str) -> Iterator[Observer]:
    if name != GIVEN:
        with ready_to_extract(subject.classifier, config, torch.device("cpu")) as observe:
            yield observe
        return
    own = replace(subject.classifier, module=copy.deepcopy(subject.classifier.module))
    with grid_method(config.method).observing(own) as observe:
        yield observe


def _looked(
    subject: Subject, rows: Int64[np.ndarray, " n"], name: str, watcher: Watcher
) -> dict[str, np.ndarray]:
    """Give what is compared, of all rows."""
    precision = "fp32" if name == GIVEN else name
    config = replace(subject.config.extraction, precision=precision)
    parts: list[dict[str, np.ndarray]] = []
    done = 0
    batches = image_batches(
        subject.manifest, rows, subject.classifier.preprocessing, batch_size=config.batch_size
    )
    with _observer(subject, config, name) as observe:
        for images, labels, _ in batches:
            found = extract_batch(observe, images, labels, config, subject.classifier.class_names)
            parts.append({each: found[each].float().cpu().numpy() for each in _COMPARED})
            done += len(labels)
            watcher.progress(done, len(rows))
    return {each: np.concatenate([part[each] for part in parts]) for each in _COMPARED}
