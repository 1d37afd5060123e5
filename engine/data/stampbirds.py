"""`stampbirds`: photographed birds and mammals on photographs of nature or of built places.

In `train` the background agrees with the class in 95 % of the images (birds on built places,
mammals in nature). `val` and `test` are pairs: one object in one pose, on one background of each
kind. Objects are split by family and backgrounds by place, so that nothing crosses a split.

References:
    Sagawa et al. 2020, Distributionally Robust Neural Networks for Group Shifts: the Waterbirds
    set, whose idea this is.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from engine.data.compositing import (
    Background,
    Cutout,
    draw_pose,
    paste,
    pose_sprite,
    take_ground,
)
from engine.data.description import (
    frozen_backbone_settings,
    made_with,
    pixel_warnings,
    write_information,
)
from engine.data.families import GOLDEN, part_by_family, stream
from engine.data.manifest import BOX_COLUMNS, Box, ImageRecord, Split, write_records
from engine.data.staging import staged_folder
from engine.data.stampbirds_choices import CLASSES, FAMILY_OF, LICENCE, PLACES
from engine.data.stampbirds_sources import (
    collect_credits,
    fetch_sources,
    load_backgrounds,
    load_cutouts,
)
from engine.data.tables import write_table
from engine.progress import Progress, ignore_progress

LAYOUT = 1
"""Raise it when the recipe changes: sets built before are then built again."""

QUESTION = "Does the model look at the animal?"
PIXELS_EXPECTED: Mapping[tuple[bool, int], str] = {
    (False, 0): "43714faa5b77933884868eceb531aecb95e154686c3baa79b01ebdbdd2f682b7",
    (True, 0): "df5c88d7ab5b2848e06f5f083f4dcf6cae387e63c0d230910e0ae48588546397",
}
"""SHA-256 over all decoded pictures by (full, seed); another Pillow may resample otherwise."""
SETTINGS: Mapping[str, Any] = frozen_backbone_settings(CLASSES, c=1e-4, budget=120)

_GREY = (124, 116, 104)
_BACKGROUND_ONLY, _ON_GREY = "test_bgonly", "test_fggrey"
_PROBE_COLUMNS = ("id", "probe", "path", "label", "mask", *BOX_COLUMNS, "object")
_WORKERS = 2  # threads: Pillow and numpy give the interpreter free while they compute


@dataclass(frozen=True, slots=True, kw_only=True)
class StampbirdsPlan:
    """How many pictures of which kind.

    Attributes:
        seed: Any integer; the same plan and sources give the same pictures.
        n_train: Images to learn from.
        n_val: Images to choose by, an even number.
        n_test: Images to judge by, an even number; each probe has a quarter of them.
        size: Side in pixels.
        skew: Share of train images whose background agrees with the class, in [0, 1].
        scales: Smallest and largest longer side of an object, as shares of the picture's.
    """

    seed: int = 0
    n_train: int = 2400
    n_val: int = 600
    n_test: int = 1200
    size: int = 128
    skew: float = 0.95
    scales: tuple[float, float] = (0.45, 0.85)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is drawn together: a train image, a pair of val or test, or a probe."""

    kind: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """A picture that was written, and what it holds."""

    name: str
    kind: str
    label: int
    place: int | None
    cutout: str
    pair: str | None
    box: Box | None
    pixels: bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Studio:
    """Everything that drawing needs; read by all threads, changed by none."""

    plan: StampbirdsPlan
    folder: Path
    cutouts: Mapping[tuple[Split, int], Sequence[Cutout]]
    backgrounds: Mapping[tuple[Split, int], Sequence[Background]]

    def draw(self, job: _Job) -> list[_Drawn]:
        """Draw a job's pictures and write them."""
        if job.kind == _BACKGROUND_ONLY:
            return [self._background_only(job)]
        if job.kind == _ON_GREY:
            return [self._on_grey(job)]
        if job.kind == Split.TRAIN:
            return [self._train(job)]
        return self._pair(job)

    def _train(self, job: _Job) -> _Drawn:
        rng = _stream(self.plan.seed, job)
        label = job.index % 2
        agrees = (job.index // 2) * GOLDEN % 1 < self.plan.skew
        place = label if agrees else 1 - label
        among = self.cutouts[Split.TRAIN, label]
        cutout = among[int(rng.integers(len(among)))]
        sprite = pose_sprite(cutout.picture, draw_pose(rng, self.plan.scales), self.plan.size)
        _, ground = take_ground(self.backgrounds[Split.TRAIN, place], rng, self.plan.size)
        return self._save(job, job.index, label, place, cutout.name, *paste(sprite, ground))

    def _pair(self, job: _Job) -> list[_Drawn]:
        rng = _stream(self.plan.seed, job)
        split, label = Split(job.kind), job.index % 2
        cutout = self._in_turn(split, job)
        sprite = pose_sprite(cutout.picture, draw_pose(rng, self.plan.scales), self.plan.size)
        drawn = []
        for place in range(len(PLACES)):
            _, ground = take_ground(self.backgrounds[split, place], rng, self.plan.size)
            number = 2 * job.index + place
            pasted = paste(sprite, ground)
            drawn.append(self._save(job, number, label, place, cutout.name, *pasted))
        return drawn

    def _background_only(self, job: _Job) -> _Drawn:
        """The label is the class that the kind of place goes with in train."""
        rng = _stream(self.plan.seed, job)
        size, place = self.plan.size, job.index % 2
        _, ground = take_ground(self.backgrounds[Split.TEST, place], rng, size)
        nothing = np.zeros((size, size), dtype=bool)
        return self._save(job, job.index, place, place, "", ground, nothing)

    def _on_grey(self, job: _Job) -> _Drawn:
        rng = _stream(self.plan.seed, job)
        size, label = self.plan.size, job.index % 2
        cutout = self._in_turn(Split.TEST, job)
        sprite = pose_sprite(cutout.picture, draw_pose(rng, self.plan.scales), size)
        grey = np.full((size, size, 3), _GREY, dtype=np.uint8)
        return self._save(job, job.index, label, None, cutout.name, *paste(sprite, grey))

    def _in_turn(self, split: Split, job: _Job) -> Cutout:
        among = self.cutouts[split, job.index % 2]
        return among[(job.index // 2) % len(among)]

    def _save(
        self,
        job: _Job,
        number: int,
        label: int,
        place: int | None,
        cutout: str,
        picture: UInt8[np.ndarray, "s s 3"],
        mask: Bool[np.ndarray, "s s"],
    ) -> _Drawn:
        name = f"{job.kind}_{number:05d}"
        encoded = io.BytesIO()
        Image.fromarray(picture).save(encoded, "JPEG", quality=95, subsampling=0)
        (self.folder / "images" / f"{name}.jpg").write_bytes(encoded.getbuffer())
        Image.fromarray(mask).save(self.folder / "masks" / f"{name}.png")
        with Image.open(encoded) as decoded:  # the pixels that a reader sees
            pixels = decoded.tobytes()
        paired = job.kind in (Split.VALIDATION, Split.TEST)
        return _Drawn(
            name=name,
            kind=job.kind,
            label=label,
            place=place,
            cutout=cutout,
            pair=f"{job.kind}{job.index}" if paired else None,
            box=_box(mask),
            pixels=pixels,
        )


def build_stampbirds(
    cache: Path,
    out: Path,
    *,
    full: bool = False,
    seed: int = 0,
    on_progress: Progress = ignore_progress,
) -> Path:
    """Fetch what the set is made of, unless it is in the cache, and build it.

    Args:
        cache: Where fetched packages are kept.
        out: The folder to make; an older one is replaced when the new one is whole.
        full: The larger set, with more backgrounds and with eight birds cut out of photographs;
            needs onnxruntime.
        seed: Any integer.
        on_progress: Called with (pictures drawn, pictures in all).

    Returns:
        The path of `manifest.csv`; root is its folder. Beside it: `probes.csv` (backgrounds alone,
        objects on grey), `dataset.json`, `CREDITS.txt`.

    Raises:
        DataUnavailable: A package cannot be had on this machine.
        OutOfSpace: The disk is full.
    """
    sources = fetch_sources(cache, full=full)
    with ThreadPoolExecutor(_WORKERS) as pool:
        cutouts = load_cutouts(sources, pool)
        backgrounds = load_backgrounds(sources, pool)
    return compose_stampbirds(
        out,
        StampbirdsPlan(seed=seed),
        cutouts,
        backgrounds,
        name="stampbirds-full" if full else "stampbirds",
        pixels_expected=PIXELS_EXPECTED.get((full, seed)),
        credit=collect_credits(sources),
        on_progress=on_progress,
    )


def compose_stampbirds(
    out: Path,
    plan: StampbirdsPlan,
    cutouts: Sequence[Cutout],
    backgrounds: Sequence[Background],
    *,
    name: str,
    credit: str,
    pixels_expected: str | None = None,
    on_progress: Progress = ignore_progress,
) -> Path:
    """Draw the set from loaded objects and backgrounds.

    Args:
        out: The folder to make; an older one is replaced when the new one is whole.
        plan: How many pictures of which kind.
        cutouts: Objects of both classes, enough for three splits.
        backgrounds: Photographs of both kinds of place, enough for three splits.
        name: The data set's name.
        credit: Who made the pictures, and under which licence.
        pixels_expected: SHA-256 of the pixels; another one is noted as a warning.
        on_progress: Called with (pictures drawn, pictures in all).

    Returns:
        The path of `manifest.csv`.
    """
    families = [FAMILY_OF.get(cutout.name, cutout.name) for cutout in cutouts]
    places = [background.place for background in backgrounds]
    with staged_folder(out) as folder:
        for part in ("images", "masks"):
            (folder / part).mkdir()
        studio = _Studio(
            plan=plan,
            folder=folder,
            cutouts=part_by_family(cutouts, [c.label for c in cutouts], families, plan.seed, "fg"),
            backgrounds=part_by_family(
                backgrounds, [b.kind for b in backgrounds], places, plan.seed, "bg"
            ),
        )
        total = _Total()
        jobs = _jobs(plan)
        n_pictures = plan.n_train + 2 * (plan.n_val // 2 + plan.n_test // 2 + plan.n_test // 4)
        for drawn in _draw_all(studio, jobs):
            total.add(drawn)
            on_progress(total.n_pictures, n_pictures)
        _write_tables(folder, total)
        (folder / "CREDITS.txt").write_text(credit, encoding="utf-8")
        write_information(folder, _describe(studio, total, name, pixels_expected))
    return out / "manifest.csv"


def _jobs(plan: StampbirdsPlan) -> list[_Job]:
    jobs = [_Job(kind=Split.TRAIN.value, index=index) for index in range(plan.n_train)]
    for split, n in ((Split.VALIDATION, plan.n_val), (Split.TEST, plan.n_test)):
        jobs += [_Job(kind=split.value, index=index) for index in range(n // 2)]
    for index in range(plan.n_test // 4):
        jobs += [_Job(kind=_BACKGROUND_ONLY, index=index), _Job(kind=_ON_GREY, index=index)]
    return jobs


def _draw_all(studio: _Studio, jobs: Sequence[_Job]) -> Iterator[_Drawn]:
    """Draw in threads; every job has its own random stream, so their order does not matter."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for drawn in pool.map(studio.draw, jobs):
                yield from drawn
        finally:
            pool.shutdown(cancel_futures=True)  # where the caller was stopped: draw no more


@dataclass(slots=True, kw_only=True, eq=False)
class _Total:
    """What has been drawn so far, in the order of the jobs."""

    records: list[ImageRecord] = field(default_factory=list)
    probes: list[dict[str, str | int | None]] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    digest: Any = field(default_factory=hashlib.sha256)
    n_pictures: int = 0

    def add(self, drawn: _Drawn) -> None:
        self.digest.update(drawn.pixels)
        self.n_pictures += 1
        group = f"{CLASSES[drawn.label]}-{'grey' if drawn.place is None else PLACES[drawn.place]}"
        self.counts.setdefault(drawn.kind, Counter())[group] += 1
        if drawn.kind in (_BACKGROUND_ONLY, _ON_GREY):
            self.probes.append(_probe_row(drawn))
            return
        self.records.append(
            ImageRecord(
                image_id=drawn.name,
                path=f"images/{drawn.name}.jpg",
                label=drawn.label,
                split=Split(drawn.kind),
                group=group,
                mask=f"masks/{drawn.name}.png",
                box=drawn.box,
                object_id=drawn.cutout,
                pair=drawn.pair,
            )
        )


def _probe_row(drawn: _Drawn) -> dict[str, str | int | None]:
    return {
        "id": drawn.name,
        "probe": drawn.kind,
        "path": f"images/{drawn.name}.jpg",
        "label": CLASSES[drawn.label],
        "mask": f"masks/{drawn.name}.png",
        **dict(zip(BOX_COLUMNS, drawn.box or (None,) * 4, strict=True)),
        "object": drawn.cutout or None,
    }


def _write_tables(folder: Path, total: _Total) -> None:
    write_records(folder / "manifest.csv", total.records, CLASSES)
    write_table(folder / "probes.csv", _PROBE_COLUMNS, total.probes)


def _describe(
    studio: _Studio, total: _Total, name: str, pixels_expected: str | None
) -> dict[str, Any]:
    found = total.digest.hexdigest()
    return {
        "name": name,
        "question": QUESTION,
        "classes": list(CLASSES),
        "licence": LICENCE,
        "counts": {kind: dict(counts) for kind, counts in total.counts.items()},
        "pixels_sha256": found,
        "pixels_expected": pixels_expected,
        "warnings": pixel_warnings(found, pixels_expected),
        "seed": studio.plan.seed,
        "layout": LAYOUT,
        "made_with": made_with(),
        "objects": {
            f"{split.value}/{CLASSES[label]}": sorted(cutout.name for cutout in among)
            for (split, label), among in studio.cutouts.items()
        },
        "backgrounds": {
            f"{split.value}/{PLACES[kind]}": sorted(background.name for background in among)
            for (split, kind), among in studio.backgrounds.items()
        },
        "settings": SETTINGS,
    }


def _stream(seed: int, job: _Job) -> np.random.Generator:
    # the recipe's name of the probes' streams is the kind without "test_"
    return stream(seed, job.kind.removeprefix("test_"), job.index)


def _box(mask: Bool[np.ndarray, "s s"]) -> Box | None:
    bounds: Box | None = Image.fromarray(mask).getbbox()
    return bounds
