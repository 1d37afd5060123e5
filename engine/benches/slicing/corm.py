"""Noise on spurious slices, retraining, and what a classifier rests on before and after (CoRM).

Three classifiers by one recipe, that of the classifier under study; only the training pictures
differ. `baseline` sees them clean. For `annotation` the pictures of slices that were marked
spurious have noise where the attention lies, for `propagation` those of all slices that the marks
call spurious once they have spread. Judged by true masks: noise off the object, noise on it.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int

from engine.artifacts import codecs
from engine.artifacts.recipe import Recipe
from engine.artifacts.store import ArtifactStore
from engine.attention.presets import check_range
from engine.benches.mitigation.subject import Subject, prepare
from engine.benches.slicing.ground import (
    Ground,
    coordinates_of,
    cut_into,
    kept,
    lay_ground,
    oracle_marks,
)
from engine.data.manifest import Split
from engine.data.regions import object_region, without_object
from engine.errors import InvalidInput
from engine.evaluation.sensitivity import CoreSensitivity, core_sensitivity
from engine.models.classifier import Classifier
from engine.pipeline.pipeline import Watcher
from engine.randomness import integer_seed
from engine.slicing.marking_map import marking_map
from engine.slicing.marks import Mark, MarkKind
from engine.slicing.propagation import next_slices, slice_scores, spurious_slices
from engine.training.corruption import (
    CormConfig,
    CorruptedFeatures,
    NoisyAttention,
    corrupted_features,
)
from engine.training.frozen import passes
from engine.training.loop import FineTuneConfig, fine_tune
from engine.training.noisy_heads import (
    FIGURES,
    MENDING_NOISE,
    NoisyPass,
    fit_under_noise,
    judge_under_noise,
)
from engine.training.sensitivity import Side, core_of_regions, noise_on, noisy_features

ARMS = ("baseline", "annotation", "propagation")


LEARNING_RATE = 1e-4
"""Of all layers. From a new head and with frozen statistics 1e-3 ended in one class (docs/results.md)."""


def tuning_of(*, epochs: int = 1, lr: float = LEARNING_RATE, image_size: int = 0) -> FineTuneConfig:
    """Give how all layers are trained from the classifier under study.

    Noise moves the statistics of a whole batch: with them in training the network collapses, so
    they stay frozen.

    Args:
        epochs: Passes over the training pictures.
        lr: Learning rate.
        image_size: Pixels a side of the pictures trained on; 0: as the classifier sees them.

    Returns:
        The settings.

    Raises:
        InvalidInput: One is out of its range.
    """
    return FineTuneConfig(train_batch_norm=False, epochs=epochs, lr=lr, image_size=image_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class CormOrder:
    """What to measure.

    Attributes:
        data: The data set's name.
        table: Its settings.
        seeds: Seeds, from 0; each lays the map out, cuts and draws noise anew.
        split: What is judged.
        n_slices: Slices of the training images.
        marks: How many of them are looked at, in the guided order.
        draws: Draws of noise over the judged pictures.
        corm: The noise on training pictures, and whether it is beside the clean ones.
        c: Inverse strength of the heads' regularisation; 0: that of the classifier under study.
        finetune: Train all layers instead of the last.
        tuning: How, then.
    """

    data: str
    table: Mapping[str, Any]
    seeds: int = 3
    split: Split = Split.TEST
    n_slices: int = 46
    marks: int = 12
    draws: int = 3
    corm: CormConfig = MENDING_NOISE
    c: float = 0.0
    finetune: bool = False
    tuning: FineTuneConfig = field(default_factory=tuning_of)

    def __post_init__(self) -> None:
        for name in ("seeds", "marks", "draws"):
            check_range(name, getattr(self, name), low=1)
        check_range("n_slices", self.n_slices, low=2)
        check_range("c", self.c, low=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoisySplit:
    """Frozen features of the judged pictures under one draw of noise.

    Attributes:
        off_core: Noise off the object.
        on_core: Noise on the object.
    """

    off_core: Float32[np.ndarray, "m d"]
    on_core: Float32[np.ndarray, "m d"]


def measure_corm(order: CormOrder, store: ArtifactStore, watcher: Watcher) -> dict[str, Any]:
    """Retrain and judge, seed by seed.

    Args:
        order: What to measure.
        store: Where extraction, vectors, coordinates and noisy features are kept.
        watcher: Told of stages and progress.

    Returns:
        A JSON object.

    Raises:
        EngineError: The data set cannot be used, or names no object in a judged picture.
    """
    subject = prepare(order.data, order.table, store, watcher)
    _require_objects(order, subject)
    ground = lay_ground(subject, Split.TRAIN, store, watcher)
    judge = _tuned_judge(order, subject, watcher) if order.finetune else None
    judge = judge or _head_judge(order, subject, store, watcher)
    runs: list[dict[str, CoreSensitivity]] = []
    facts: list[dict[str, Any]] = []
    for seed in range(order.seeds):
        flagged, fact = _flagged(order, ground, store, seed)
        facts.append({"seed": seed, **fact})
        runs.append({})
        for arm in ARMS:
            watcher.stage_started(f"seed {seed}, {arm}", cached=False)
            runs[-1][arm] = judge(flagged[arm], seed)
    return {
        "data": order.data,
        "split": order.split.value,
        "mode": "finetune" if order.finetune else "head",
        "sigma": order.corm.sigma,
        "beside": order.corm.beside,
        "c": None if order.finetune else _c(order, subject),
        "tuning": codecs.to_json(order.tuning) if order.finetune else None,
        "draws": order.draws,
        "marks": order.marks,
        "slices": order.n_slices,
        **{arm: _summary([run[arm] for run in runs]) for arm in ARMS},
        "seeds": facts,
    }


def _require_objects(order: CormOrder, subject: Subject) -> None:
    rows = subject.manifest.rows_of(order.split)
    lacking = without_object(subject.manifest, rows)
    if len(lacking):
        raise InvalidInput(
            f"{order.data} names no object (mask or box) in {len(lacking)} of its {len(rows)} "
            f"{order.split.value} images, so nothing says where noise is off it; take a data set "
            "with masks of objects, such as stampbirds"
        )


def _summary(found: list[CoreSensitivity]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in FIGURES:
        values = [float(getattr(one, name)) for one in found]
        out[name] = {
            "mean": round(float(np.mean(values)), 5),
            "std": round(float(np.std(values, ddof=1)) if len(values) > 1 else 0.0, 5),
            "per_seed": [round(value, 5) for value in values],
        }
    return out


def _flagged(
    order: CormOrder, ground: Ground, store: ArtifactStore, seed: int
) -> tuple[dict[str, Int[np.ndarray, " _"]], dict[str, Any]]:
    """Cut the training images, mark slices in the guided order, and give each arm's rows."""
    points = coordinates_of(ground, "attention_space", Split.TRAIN, store, seed=seed)
    slices = cut_into(ground, points, order.n_slices, seed=seed).slices
    truth = oracle_marks(slices, ground.spurious)
    prepared = marking_map(slices, points, ground.predicted)
    marks: dict[int, Mark] = {}
    while len(marks) < order.marks and (proposed := next_slices(slices, marks, prepared)):
        marks[proposed[0]] = truth[proposed[0]]
    index = slices.index()
    numbers = np.array(slices.numbers)
    marked = np.array([n for n, m in marks.items() if m.kind is MarkKind.SPURIOUS], dtype=np.int64)
    low = np.array(spurious_slices(slices, slice_scores(slices, marks, prepared)), dtype=np.int64)
    live = ~np.asarray(ground.subject.extraction.dead_predicted)[ground.rows]

    def rows(chosen: Int[np.ndarray, " _"]) -> Int[np.ndarray, " _"]:
        inside: Bool[np.ndarray, " m"] = np.isin(numbers[index], chosen) & live
        return np.sort(ground.rows[inside])

    flagged = {
        "baseline": np.zeros(0, dtype=np.int64),
        "annotation": rows(marked),
        "propagation": rows(low),
    }
    right = {
        arm: _share(ground.spurious[np.isin(ground.rows, own)]) for arm, own in flagged.items()
    }
    fact = {
        "marked": len(marks),
        "marked_spurious": len(marked),
        "slices_flagged": len(low),
        "images_flagged": {arm: len(own) for arm, own in flagged.items()},
        "truly_spurious_share": {"all": _share(ground.spurious), **right},
    }
    return flagged, fact


def _share(values: Bool[np.ndarray, " _"]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


Judge = Callable[[Int[np.ndarray, " k"], int], CoreSensitivity]


def _c(order: CormOrder, subject: Subject) -> float:
    return order.c or subject.config.classifier.c


def _head_judge(
    order: CormOrder, subject: Subject, store: ArtifactStore, watcher: Watcher
) -> Judge:
    """Give what refits the last layer with some rows' pictures under noise, and judges it."""
    rows = subject.manifest.rows_of(order.split)
    train = subject.manifest.rows_of(Split.TRAIN)
    noisy = _noisy_splits(order, subject, rows, store, watcher)
    every = np.asarray(subject.extraction.features)

    def judge(flagged: Int[np.ndarray, " k"], seed: int) -> CoreSensitivity:
        made = _corrupted(order, subject, flagged, store, watcher, seed) if len(flagged) else None
        head = fit_under_noise(
            every,
            subject.manifest.labels,
            train,
            made,
            beside=order.corm.beside,
            c=_c(order, subject),
            class_names=subject.manifest.class_names,
        )
        return judge_under_noise(head, every[rows], subject.manifest.labels[rows], noisy)

    return judge


def _corrupted(
    order: CormOrder,
    subject: Subject,
    flagged: Int[np.ndarray, " k"],
    store: ArtifactStore,
    watcher: Watcher,
    seed: int,
) -> CorruptedFeatures:
    """Give features of the flagged training pictures with noise where the attention lies."""
    noise = integer_seed(seed, "corruption of slices")
    recipe = Recipe(
        kind="slice_corruption",
        version=1,
        config={
            "rows": hashlib.sha256(np.ascontiguousarray(flagged).tobytes()).hexdigest(),
            "sigma": order.corm.sigma,
        },
        inputs={"extraction": subject.given["extraction"].key},
        seed=noise,
    )
    maps = np.asarray(subject.extraction.maps_predicted)[flagged]

    def make() -> CorruptedFeatures:
        return corrupted_features(
            subject.manifest,
            subject.classifier,
            flagged,
            maps,
            order.corm,
            subject.config.extraction,
            seed=noise,
            on_progress=watcher.progress,
        )

    return kept(store, recipe, CorruptedFeatures, make)


def _noisy_splits(
    order: CormOrder,
    subject: Subject,
    rows: Int[np.ndarray, " m"],
    store: ArtifactStore,
    watcher: Watcher,
) -> list[NoisyPass]:
    """Give frozen features of the judged pictures under each draw of noise."""
    core = core_of_regions(lambda row: object_region(subject.manifest, row))
    found: list[NoisyPass] = []
    for draw in range(order.draws):
        seeds = {side: integer_seed(draw, f"noise {side}") for side in Side}
        recipe = Recipe(
            kind="noisy_features",
            version=1,
            config={"split": order.split.value, "sigma": order.corm.sigma},
            inputs={"extraction": subject.given["extraction"].key},
            seed=draw,
        )
        watcher.stage_started(f"noise, draw {draw}", cached=store.has(recipe))

        def make(seeds: Mapping[Side, int] = seeds) -> NoisySplit:
            off, on = (
                noisy_features(
                    subject.manifest,
                    subject.classifier,
                    rows,
                    side,
                    core,
                    subject.config.extraction,
                    sigma=order.corm.sigma,
                    seed=seeds[side],
                    on_progress=watcher.progress,
                )
                for side in Side
            )
            return NoisySplit(off_core=off, on_core=on)

        split = kept(store, recipe, NoisySplit, make)
        found.append({Side.OFF_CORE: split.off_core, Side.ON_CORE: split.on_core})
    return found


def _tuned_judge(order: CormOrder, subject: Subject, watcher: Watcher) -> Judge:
    """Give what trains all layers with some rows' pictures under noise, and judges it."""
    manifest = subject.manifest
    rows, train = manifest.rows_of(order.split), manifest.rows_of(Split.TRAIN)
    core = core_of_regions(lambda row: object_region(manifest, row))

    def judge(flagged: Int[np.ndarray, " k"], seed: int) -> CoreSensitivity:
        noise = NoisyAttention(
            rows=flagged,
            maps=np.asarray(subject.extraction.maps_predicted)[flagged],
            preprocessing=subject.classifier.preprocessing,
            config=order.corm,
        )
        # fed twice, once of two times with noise: on average a copy beside the clean picture
        fed = np.concatenate([train, flagged]) if order.corm.beside else train
        tuned, _history = fine_tune(
            subject.classifier,
            manifest,
            np.sort(fed),
            np.zeros(0, dtype=np.int64),
            order.tuning,
            alteration=noise if len(flagged) else None,
            seed=integer_seed(seed, "fine-tuning on slices"),
            on_progress=watcher.progress,
        )
        looks = {
            side: [
                _predicted(tuned, subject, rows, side, core, order, draw)
                for draw in range(order.draws)
            ]
            for side in Side
        }
        clean = _predicted(tuned, subject, rows, None, core, order, 0)
        return core_sensitivity(
            manifest.labels[rows], clean, looks[Side.OFF_CORE], looks[Side.ON_CORE]
        )

    return judge


def _predicted(
    tuned: Classifier,
    subject: Subject,
    rows: Int[np.ndarray, " m"],
    side: Side | None,
    core: Callable[[int, int], np.ndarray],
    order: CormOrder,
    draw: int,
) -> Int[np.ndarray, " m"]:
    change = None
    if side is not None:
        seed = integer_seed(draw, f"noise {side}")
        change = noise_on(side, core, rows, tuned, sigma=order.corm.sigma, seed=seed)
    config = subject.config.extraction
    found = [
        seen.logits.argmax(dim=1).cpu().numpy()
        for seen in passes(subject.manifest, tuned, rows, config, change=change)
    ]
    return np.concatenate(found)
