"""`patch`: photographed animals on photographs, most of one class with a sticker beside the animal.

What a sticker in the picture does to a classifier of real photographs (as rulers, stars and colour
patches do in medical pictures): in `train` a round sticker with a star lies on a large share of the
mammals and on hardly any bird; where the animals stand says nothing, both kinds of place go with
both classes. `val` and `test` are pairs: the same animal in the same pose on the same place, without
and with the sticker. Objects are split by family and places by place, as in `stampbirds`.

The sticker's region is stored as the spurious region (all black where there is none), the animal's
as the mask, less what the sticker hides; so the question can be judged in every picture.

References:
    Rieger et al. 2020, Interpretations are Useful: the patches of ISIC, whose idea this is.
"""

import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageDraw

from engine.data.compositing import (
    Background,
    Cutout,
    draw_pose,
    paste,
    pose_sprite,
    take_ground,
)
from engine.data.description import (
    count_groups,
    frozen_backbone_settings,
    made_with,
    pixel_warnings,
    write_information,
)
from engine.data.families import GOLDEN, part_by_family, stream
from engine.data.manifest import Box, ImageRecord, Split, write_records
from engine.data.placing import find_place
from engine.data.staging import staged_folder
from engine.data.stampbirds_choices import CLASSES, FAMILY_OF, LICENCE
from engine.data.stampbirds_sources import (
    collect_credits,
    fetch_sources,
    load_backgrounds,
    load_cutouts,
)
from engine.progress import Progress, ignore_progress

LAYOUT = 2
"""Raise it when the recipe changes: sets built before are then built again."""

QUESTION = "Does the model look at the animal, and not at a sticker?"
STATES = ("clean", "patch")
PIXELS_EXPECTED: Mapping[int, str] = {
    0: "54dc567ea653ca592dad0bc170eec96d1ed9b46496ac0e1b02164a0e9cd67cf7",
}
"""SHA-256 over all decoded pictures by seed; another Pillow may resample otherwise."""

COLOURS = (
    (214, 40, 40),
    (244, 140, 6),
    (250, 210, 30),
    (46, 160, 67),
    (30, 190, 200),
    (40, 90, 214),
    (140, 60, 190),
)
"""Of the star: none goes with a class."""

_PAPER = (250, 250, 245)
_FINE = 4  # stickers are drawn this many times as large, then averaged
_FOLDERS = ("images", "masks", "spurious_masks")
_WORKERS = 2  # threads: Pillow and numpy give the interpreter free while they compute


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchPlan:
    """How many pictures of which kind.

    Attributes:
        seed: Any integer; the same plan and sources give the same pictures.
        n_train: Images to learn from, half of each class.
        n_val: Images to choose by, a multiple of 4.
        n_test: Images to judge by, a multiple of 4.
        size: Side in pixels.
        rates: Share of (mammals, birds) in train that carry a sticker, in [0, 1].
        scales: Smallest and largest longer side of an object, as shares of the picture's.
        radii: Smallest and largest radius of a sticker, as shares of the picture's side.
    """

    seed: int = 0
    n_train: int = 2000
    n_val: int = 480
    n_test: int = 960
    size: int = 56
    rates: tuple[float, float] = (0.8, 0.005)
    scales: tuple[float, float] = (0.45, 0.75)
    radii: tuple[float, float] = (0.13, 0.17)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """A picture that was written: its entry, and the pixels that a reader sees."""

    record: ImageRecord
    pixels: bytes


def build_patch(
    cache: Path, out: Path, *, seed: int = 0, on_progress: Progress = ignore_progress
) -> Path:
    """Fetch what the set is made of, unless it is in the cache, and build it.

    Args:
        cache: Where fetched packages are kept: those of `stampbirds`.
        out: The folder to make; an older one is replaced when the new one is whole.
        seed: Any integer.
        on_progress: Called with (pictures drawn, pictures in all).

    Returns:
        The path of `manifest.csv`; root is its folder. Beside it `dataset.json` and `CREDITS.txt`.

    Raises:
        DataUnavailable: A package cannot be had on this machine.
        OutOfSpace: The disk is full.
    """
    sources = fetch_sources(cache, full=False)
    with ThreadPoolExecutor(_WORKERS) as pool:
        cutouts = load_cutouts(sources, pool)
        backgrounds = load_backgrounds(sources, pool)
    return compose_patch(
        out,
        PatchPlan(seed=seed),
        cutouts,
        backgrounds,
        pixels_expected=PIXELS_EXPECTED.get(seed),
        credit=collect_credits(sources),
        on_progress=on_progress,
    )


def compose_patch(
    out: Path,
    plan: PatchPlan,
    cutouts: Sequence[Cutout],
    backgrounds: Sequence[Background],
    *,
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
        credit: Who made the pictures, and under which licence.
        pixels_expected: SHA-256 of the pixels; another one is noted as a warning.
        on_progress: Called with (pictures drawn, pictures in all).

    Returns:
        The path of `manifest.csv`.
    """
    total = plan.n_train + plan.n_val + plan.n_test
    pixels = hashlib.sha256()
    records: list[ImageRecord] = []
    with staged_folder(out) as folder:
        for name in _FOLDERS:
            (folder / name).mkdir()
        studio = _studio(folder, plan, cutouts, backgrounds)
        for drawn in _draw_all(studio):
            pixels.update(drawn.pixels)
            records.append(drawn.record)
            on_progress(len(records), total)
        write_records(folder / "manifest.csv", records, CLASSES)
        (folder / "CREDITS.txt").write_text(credit, encoding="utf-8")
        write_information(folder, _describe(studio, records, pixels.hexdigest(), pixels_expected))
    return out / "manifest.csv"


def draw_sticker(size: int, radii: tuple[float, float], rng: np.random.Generator) -> Image.Image:
    """Draw a round white sticker with a five-pointed star in one of seven colours.

    Args:
        size: Side of the picture that it is for, in pixels.
        radii: Smallest and largest radius, as shares of that side.
        rng: What radius, colour and turn are drawn from, in this order.

    Returns:
        A square RGBA picture, cropped to the sticker.
    """
    side = max(3, round(2 * rng.uniform(*radii) * size))
    colour = COLOURS[int(rng.integers(len(COLOURS)))]
    turn = rng.uniform(0, 2 * math.pi)
    large = side * _FINE
    canvas = Image.new("RGBA", (large, large), (*_PAPER, 0))
    draw = ImageDraw.Draw(canvas)
    draw.ellipse((0, 0, large - 1, large - 1), fill=(*_PAPER, 255))
    corners = [
        (
            large / 2 * (1 + 0.94 * reach * math.cos(turn + k * math.pi / 5)),
            large / 2 * (1 + 0.94 * reach * math.sin(turn + k * math.pi / 5)),
        )
        for k, reach in enumerate((1.0, 0.45) * 5)
    ]
    draw.polygon(corners, fill=(*colour, 255))
    return canvas.resize((side, side), Image.Resampling.BOX)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Studio:
    """Everything that drawing needs; read by all threads, changed by none."""

    plan: PatchPlan
    folder: Path
    cutouts: Mapping[tuple[Split, int], Sequence[Cutout]]
    grounds: Mapping[Split, Sequence[Background]] = field(default_factory=dict)

    def draw(self, job: tuple[Split, int]) -> list[_Drawn]:
        """Draw a train image, or both images of a pair, and write them."""
        split, index = job
        rng = stream(self.plan.seed, "patch", split.value, index)
        label, turn = index % len(CLASSES), index // len(CLASSES)
        cutout = self._cutout(split, label, turn, rng)
        sprite = pose_sprite(cutout.picture, draw_pose(rng, self.plan.scales), self.plan.size)
        _, ground = take_ground(self.grounds[split], rng, self.plan.size)
        picture, mask = paste(sprite, ground)
        sticker = draw_sticker(self.plan.size, self.plan.radii, rng)
        place = find_place(mask, sticker.width, rng)
        with_sticker = turn * GOLDEN % 1 < self.plan.rates[label]
        states = (with_sticker,) if split is Split.TRAIN else (False, True)
        return [
            self._save(
                split,
                index,
                label,
                cutout.name,
                put_on(picture, mask, sticker if s else None, place),
            )
            for s in states
        ]

    def _cutout(self, split: Split, label: int, turn: int, rng: np.random.Generator) -> Cutout:
        among = self.cutouts[split, label]
        return among[int(rng.integers(len(among))) if split is Split.TRAIN else turn % len(among)]

    def _save(self, split: Split, index: int, label: int, cutout: str, scene: "Scene") -> _Drawn:
        state = STATES[bool(scene.sticker.any())]
        name = f"{split.value}_{index:05d}_{state}"
        encoded = io.BytesIO()
        Image.fromarray(scene.picture).save(encoded, "JPEG", quality=95, subsampling=0)
        (self.folder / "images" / f"{name}.jpg").write_bytes(encoded.getbuffer())
        Image.fromarray(scene.animal).save(self.folder / "masks" / f"{name}.png")
        Image.fromarray(scene.sticker).save(self.folder / "spurious_masks" / f"{name}.png")
        box: Box | None = Image.fromarray(scene.animal).getbbox()
        record = ImageRecord(
            image_id=name,
            path=f"images/{name}.jpg",
            label=label,
            split=split,
            group=f"{CLASSES[label]}-{state}",
            mask=f"masks/{name}.png",
            spurious_mask=f"spurious_masks/{name}.png",
            box=box,
            object_id=cutout,
            pair=None if split is Split.TRAIN else f"{split.value}{index}",
        )
        with Image.open(encoded) as decoded:  # the pixels that a reader sees
            return _Drawn(record=record, pixels=np.asarray(decoded).tobytes())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A picture and what is where in it.

    Attributes:
        picture: The pixels.
        animal: Where the animal is to be seen.
        sticker: Where the sticker is; nowhere in a clean picture.
    """

    picture: UInt8[np.ndarray, "s s 3"]
    animal: Bool[np.ndarray, "s s"]
    sticker: Bool[np.ndarray, "s s"]


def put_on(
    picture: UInt8[np.ndarray, "s s 3"],
    animal: Bool[np.ndarray, "s s"],
    sticker: Image.Image | None,
    place: tuple[int, int],
) -> Scene:
    """Lay a sticker on a picture.

    Args:
        picture: Without it; it stays as it was.
        animal: Where the animal is.
        sticker: RGBA; None for a clean picture.
        place: Left and top of the sticker.

    Returns:
        The picture, the animal less what the sticker hides, and the sticker's region.
    """
    region = np.zeros_like(animal)
    if sticker is None:
        return Scene(picture=picture, animal=animal, sticker=region)
    laid = Image.fromarray(picture)
    laid.paste(sticker, place, sticker)
    left, top = place
    covered = np.asarray(sticker.getchannel("A")) > 127
    region[top : top + sticker.height, left : left + sticker.width] = covered
    return Scene(picture=np.asarray(laid), animal=animal & ~region, sticker=region)


def _studio(
    folder: Path, plan: PatchPlan, cutouts: Sequence[Cutout], backgrounds: Sequence[Background]
) -> _Studio:
    """Part objects and places among the splits; both kinds of place serve both classes."""
    families = [FAMILY_OF.get(cutout.name, cutout.name) for cutout in cutouts]
    kinds = [background.kind for background in backgrounds]
    places = [background.place for background in backgrounds]
    grounds: dict[Split, list[Background]] = {}
    for (split, _), among in part_by_family(backgrounds, kinds, places, plan.seed, "bg").items():
        grounds.setdefault(split, []).extend(among)
    return _Studio(
        plan=plan,
        folder=folder,
        cutouts=part_by_family(cutouts, [c.label for c in cutouts], families, plan.seed, "fg"),
        grounds=grounds,
    )


def _draw_all(studio: _Studio) -> Iterator[_Drawn]:
    """Draw in threads; every job has its own random stream, so their order does not matter."""
    plan = studio.plan
    jobs = [(Split.TRAIN, index) for index in range(plan.n_train)]
    for split, n in ((Split.VALIDATION, plan.n_val), (Split.TEST, plan.n_test)):
        jobs += [(split, index) for index in range(n // 2)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for drawn in pool.map(studio.draw, jobs):
                yield from drawn
        finally:
            pool.shutdown(cancel_futures=True)  # where the caller was stopped: draw no more


def _describe(
    studio: _Studio, records: Sequence[ImageRecord], found: str, expected: str | None
) -> dict[str, Any]:
    plan = studio.plan
    groups = [f"{name}-{state}" for name in CLASSES for state in STATES]
    return {
        "name": "patch",
        "question": QUESTION,
        "classes": list(CLASSES),
        "licence": LICENCE,
        "counts": count_groups(records, groups),
        "pixels_sha256": found,
        "pixels_expected": expected,
        "warnings": pixel_warnings(found, expected),
        "seed": plan.seed,
        "layout": LAYOUT,
        "made_with": made_with(),
        "stickers": dict(zip(CLASSES, plan.rates, strict=True)),
        "objects": {
            f"{split.value}/{CLASSES[label]}": sorted(cutout.name for cutout in among)
            for (split, label), among in studio.cutouts.items()
        },
        "settings": frozen_backbone_settings(CLASSES, c=1e-3, budget=100),
    }
