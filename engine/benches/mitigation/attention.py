"""Where the retrained heads look on test, all of them in one pass over the pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int64

from engine.attention.heads import class_maps_under_heads
from engine.benches.mitigation.figures import Json, spread
from engine.benches.mitigation.laboratory import Outcome, plain_head
from engine.benches.mitigation.subject import Subject
from engine.data.regions import object_region, spurious_region
from engine.evaluation.localization import ON_OBJECT, Localization, localize
from engine.models.classifier import head_of
from engine.pipeline.retraining import linear_head
from engine.progress import Progress, ignore_progress

BEFORE = "before"
"""The classifier under study, as it was."""
MEASURES = (*ON_OBJECT, "spurious_mass")
RATIO = "aiou_ratio"


class Regions:
    """The true regions of test rows, read once."""

    def __init__(self, subject: Subject) -> None:
        """Take the data set."""
        self._subject = subject
        self._objects: dict[int, Bool[np.ndarray, "H W"] | None] = {}
        self._cues: dict[int, Bool[np.ndarray, "H W"] | None] = {}

    @property
    def any(self) -> bool:
        """Whether some test row has a true region."""
        records = (self._subject.manifest.records[row] for row in self._subject.test)
        return any(r.mask or r.box or r.spurious_mask for r in records)

    def object_of(self, row: int) -> Bool[np.ndarray, "H W"] | None:
        """Give the object's region."""
        if row not in self._objects:
            self._objects[row] = object_region(self._subject.manifest, row)
        return self._objects[row]

    def cue_of(self, row: int) -> Bool[np.ndarray, "H W"] | None:
        """Give the spurious region."""
        if row not in self._cues:
            self._cues[row] = spurious_region(self._subject.manifest, row)
        return self._cues[row]


def attention_reports(
    subject: Subject,
    found: Mapping[str, Sequence[Outcome]],
    *,
    on_progress: Progress = ignore_progress,
) -> dict[str, Json]:
    """Measure where each route's heads look, against the true regions.

    Args:
        subject: The data set and the network under the heads.
        found: Outcomes by route, one a seed.
        on_progress: Told of pictures, then of heads; may raise `Cancelled`.

    Returns:
        For each route, and for the classifier `before`, every measure's mean and worst group, over the seeds; nothing where the data
        set has no regions or the network has no plain linear head.
    """
    regions = Regions(subject)
    if not regions.any:
        return {}
    looks = _looks(subject, found, on_progress)
    measured: dict[str, list[Json]] = {}
    for at, (route, maps, predicted) in enumerate(looks):
        measured.setdefault(route, []).append(_measures(subject, regions, maps, predicted))
        on_progress(at + 1, len(looks))
    return {route: _over_seeds(seeds) for route, seeds in measured.items()}


Look = tuple[str, Float32[np.ndarray, "m c h w"], Int64[np.ndarray, " m"]]
"""A route, every class's maps, and the predicted classes."""


def _looks(
    subject: Subject, found: Mapping[str, Sequence[Outcome]], on_progress: Progress
) -> list[Look]:
    """Where the reference and every outcome look; heads share one pass over the pictures."""
    linear = head_of(subject.classifier)
    if linear is None:
        return []
    every = [(route, outcome) for route, outcomes in found.items() for outcome in outcomes]
    heads = {BEFORE: [plain_head(linear)]}
    for route, outcome in every:
        if outcome.head is not None:
            heads.setdefault(route, []).append(linear_head(outcome.head))
    predicted, maps = class_maps_under_heads(
        subject.manifest,
        subject.classifier,
        [head for of_route in heads.values() for head in of_route],
        subject.test,
        subject.config.extraction,
        on_progress=on_progress,
    )
    names = [route for route, of_route in heads.items() for _ in of_route]
    looks = list(zip(names, maps, predicted, strict=True))
    for route, outcome in every:
        if outcome.maps is not None:
            looks.append((route, outcome.maps, outcome.predicted))
    return looks


def _measures(
    subject: Subject,
    regions: Regions,
    maps: Float32[np.ndarray, "m c h w"],
    predicted: np.ndarray,
) -> Json:
    """Give each measure's mean and worst group of one head."""
    groups = subject.groups if subject.has_groups else None
    every = np.arange(len(predicted))
    shown = localize(
        maps[every, predicted],
        subject.test,
        groups,
        object_region=regions.object_of,
        spurious_region=regions.cue_of,
    )
    found = _of(shown)
    true = subject.manifest.labels[subject.test]
    n_classes = maps.shape[1]
    others = np.array([[c for c in range(n_classes) if c != label] for label in true])
    ratio = localize(
        maps[every, true],
        subject.test,
        groups,
        object_region=regions.object_of,
        spurious_region=lambda _row: None,
        other_maps=maps[every[:, None], others],
    )
    return {**found, RATIO: _of(ratio)[RATIO]}


def _of(localization: Localization) -> Json:
    found: Json = {}
    for name in MEASURES:
        measure = getattr(localization, name)
        found[name] = None if measure is None else (measure.mean, measure.worst_group)
    return found


def _over_seeds(seeds: Sequence[Json]) -> Json:
    """Give mean and spread over the seeds, of the average and of the worst group."""
    report: Json = {}
    for name in MEASURES:
        pairs = [seed[name] for seed in seeds]
        if any(not isinstance(pair, tuple) for pair in pairs):
            continue
        report[name] = {
            "average": spread([pair[0] for pair in pairs]),  # type: ignore[index]
            "worst_group": spread([pair[1] for pair in pairs]),  # type: ignore[index]
        }
    return report
