"""`shapes4`: four faint shapes on cloudy grounds, each class with a sticker colour of its own.

The smallest set in which every class has a cue of its own, and yet images of every class lack it: so
attention varies inside each class, where in a set of two classes and one cue all of one class is
looked at in the wrong place. Every image carries a sticker: in `train` mostly that of its class, now
and then a grey one that stands for no class, hardly ever that of another class. `val` and `test`
show each posed shape three times: with its class's own sticker, with the grey one, and with that of
another class (the others in turn); groups are class x these states.

That images without a cue have a grey sticker, rather than nothing at all, keeps a sticker's mere
presence from telling anything: otherwise, what is left when a class's own sticker is distrusted has
hardly seen one, and refits on it failed on images with a sticker, whatever its colour.

Everything is drawn by this program: a ground of smooth noise in four octaves with a colour cast, a
shape a little lighter or darker than the ground, pixel noise, and a striped square.

The shape is the mask, less what a sticker hides; the sticker's square is the spurious region.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from PIL import Image

from engine.data.description import (
    count_groups,
    frozen_backbone_settings,
    made_with,
    pixel_warnings,
    write_information,
)
from engine.data.families import GOLDEN
from engine.data.manifest import ImageRecord, Split, write_records
from engine.data.placing import find_place
from engine.data.staging import staged_folder
from engine.data.synthetic import ShapePose, shape_coverage
from engine.errors import InvalidInput
from engine.progress import Progress, ignore_progress
from engine.randomness import generator

LAYOUT = 3
"""Raise it when the recipe changes: sets built before are then built again."""

CLASSES = ("cross", "disc", "star", "triangle")
STATES = ("grey", "other", "own")
COLOURS = ((205, 60, 50), (60, 160, 80), (60, 90, 205), (225, 190, 60), (150, 150, 150))
"""Of the sticker of each class, red, green, blue, yellow; the last one's stands for no class."""

QUESTION = "Does the model look at the grey shape, and not at a sticker?"
PIXELS_EXPECTED: Mapping[int, str] = {
    0: "af6fddb7c3c1070bdeec49a70e177066090323f0fedb9620c0e5b16fa8c0a70b",
}
"""SHA-256 over all decoded pictures by seed; another Pillow may resample otherwise."""

_FOLDERS = ("images", "masks", "spurious_masks")
_EQUAL_AREA = {"cross": 0.98, "disc": 0.84, "star": 1.18, "triangle": 1.13}
_OCTAVES = ((3, 1.0), (6, 0.8), (12, 0.6), (24, 0.4))
_CAST = ((4, 1.0), (8, 0.5))
_WORKERS = 2  # threads: Pillow and numpy give the interpreter free while they compute


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes4Plan:
    """How many pictures of which kind, and how faint the shapes are.

    Attributes:
        seed: Any integer; the same plan gives the same pictures.
        n_train: Images to learn from, a multiple of 4.
        n_val: Images to choose by, a multiple of 12.
        n_test: Images to judge by, a multiple of 12.
        size: Side in pixels, at least 32.
        own: Share of a class's training images with its own sticker.
        grey: Share with a grey one; the rest carries another class's.
        contrasts: By how much, at least and at most, a shape is lighter or darker than the ground,
            of a range of 1.
        noise: Deviation of the pixel noise, of a range of 1.
        radii: Smallest and largest radius of a shape, as shares of the picture's side, times what
            gives all four shapes one area.
        stickers: Smallest and largest side of a sticker, as shares of the picture's side.
    """

    seed: int = 0
    n_train: int = 3200
    n_val: int = 540
    n_test: int = 1080
    size: int = 128
    own: float = 0.805
    grey: float = 0.19
    contrasts: tuple[float, float] = (0.11, 0.22)
    noise: float = 0.065
    radii: tuple[float, float] = (0.19, 0.27)
    stickers: tuple[float, float] = (0.21, 0.29)

    def __post_init__(self) -> None:
        if self.n_train % 4 or self.n_val % 12 or self.n_test % 12 or self.size < 32:
            raise InvalidInput(
                "shapes4 needs n_train a multiple of 4, n_val and n_test multiples of 12, and size "
                f">= 32, got {self.n_train}, {self.n_val}, {self.n_test} and {self.size}"
            )
        if min(self.own, self.grey) < 0 or self.own + self.grey > 1:
            raise InvalidInput(
                f"own and grey are shares of one class, got {self.own} and {self.grey}; their sum "
                "must lie in [0, 1]"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """A picture that was written: its entry, and the pixels that a reader sees."""

    record: ImageRecord
    pixels: bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scene:
    """A picture without a sticker, and where one may lie."""

    picture: Float64[np.ndarray, "s s 3"]
    shape: Bool[np.ndarray, "s s"]
    side: int
    place: tuple[int, int]


def build_shapes4(
    out: Path,
    plan: Shapes4Plan | None = None,
    *,
    on_progress: Progress = ignore_progress,
) -> Path:
    """Draw the set; nothing is fetched.

    Args:
        out: The folder to make; an older one is replaced when the new one is whole.
        plan: How many pictures of which kind; the published set's where None.
        on_progress: Called with (pictures drawn, pictures in all).

    Returns:
        The path of `manifest.csv`; root is its folder. Beside it `dataset.json`.

    Raises:
        OutOfSpace: The disk is full.
    """
    published = plan is None
    plan = plan or Shapes4Plan()
    total = plan.n_train + plan.n_val + plan.n_test
    pixels = hashlib.sha256()
    records: list[ImageRecord] = []
    with staged_folder(out) as folder:
        for name in _FOLDERS:
            (folder / name).mkdir()
        for drawn in _draw_all(folder, plan):
            pixels.update(drawn.pixels)
            records.append(drawn.record)
            on_progress(len(records), total)
        write_records(folder / "manifest.csv", records, CLASSES)
        expected = PIXELS_EXPECTED.get(plan.seed) if published else None
        write_information(folder, _describe(plan, records, pixels.hexdigest(), expected))
    return out / "manifest.csv"


def _draw_all(folder: Path, plan: Shapes4Plan) -> Iterator[_Drawn]:
    """Draw in threads; every job has its own random stream, so their order does not matter."""
    jobs = [(Split.TRAIN, index) for index in range(plan.n_train)]
    for split, n in ((Split.VALIDATION, plan.n_val), (Split.TEST, plan.n_test)):
        jobs += [(split, index) for index in range(n // len(STATES))]
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for drawn in pool.map(lambda job: _draw(folder, plan, *job), jobs):
                yield from drawn
        finally:
            pool.shutdown(cancel_futures=True)  # where the caller was stopped: draw no more


def _draw(folder: Path, plan: Shapes4Plan, split: Split, index: int) -> list[_Drawn]:
    """Draw a train image, or a shape in all three states, and write them."""
    label, turn = index % len(CLASSES), index // len(CLASSES)
    scene = _scene(plan, CLASSES[label], generator(plan.seed, f"shapes4/{split.value}/{index}"))
    states = (state_of(turn, plan),) if split is Split.TRAIN else STATES
    other = (label + 1 + turn % (len(CLASSES) - 1)) % len(CLASSES)
    drawn = []
    for state in states:
        cue = {"own": label, "other": other, "grey": len(CLASSES)}[state]
        drawn.append(_save(folder, split, index, label, state, scene, cue))
    return drawn


def state_of(turn: int, plan: Shapes4Plan) -> str:
    """Say which sticker the training image of a class carries.

    Args:
        turn: How many images of the class come before it.
        plan: The shares of the states.

    Returns:
        `own`, `grey` or `other`; any long stretch of a class has the plan's shares.
    """
    at = turn * GOLDEN % 1
    return "own" if at < plan.own else "grey" if at < plan.own + plan.grey else "other"


def _scene(plan: Shapes4Plan, kind: str, rng: np.random.Generator) -> _Scene:
    pose = ShapePose(
        x=rng.uniform(0.3, 0.7),
        y=rng.uniform(0.3, 0.7),
        radius=rng.uniform(*plan.radii) * _EQUAL_AREA[kind],
        turn=rng.uniform(-0.6, 0.6),
        grey=0.0,
    )
    coverage = shape_coverage(kind, pose, plan.size)
    ground = draw_ground(plan.size, rng)
    step = rng.uniform(*plan.contrasts) * (1 if rng.random() < 0.5 else -1)
    grain = rng.normal(0, plan.noise, ground.shape)
    shape = coverage >= 0.5
    side = max(3, round(rng.uniform(*plan.stickers) * plan.size))
    return _Scene(
        picture=ground + step * coverage[..., None] + grain,
        shape=shape,
        side=side,
        place=find_place(shape, side, rng),
    )


def draw_ground(size: int, rng: np.random.Generator) -> Float64[np.ndarray, "s s 3"]:
    """Draw a cloudy ground: smooth noise in octaves with a colour cast that changes slowly.

    Args:
        size: Side in pixels.
        rng: Where the numbers come from.

    Returns:
        Colours around the middle of [0, 1]; single values may lie outside.
    """
    colour = rng.uniform(0.3, 0.65, 3)
    colour = (colour + colour.mean()) / 2
    light = _clouds(size, _OCTAVES, rng)[..., None]
    cast = _clouds(size, _CAST, rng)[..., None]
    return np.asarray(colour + 0.1 * light + cast * rng.normal(0, 0.03, 3))


def _clouds(
    size: int, octaves: Sequence[tuple[int, float]], rng: np.random.Generator
) -> Float64[np.ndarray, "s s"]:
    total = np.zeros((size, size))
    for cells, weight in octaves:
        coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
        total += weight * np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    return np.asarray(total / total.std())


def draw_sticker(side: int, cue: int) -> Float64[np.ndarray, "k k 3"]:
    """Draw a sticker: a square in one colour with darker slanting stripes.

    Args:
        side: In pixels.
        cue: The class it stands for; the number of classes for the grey one.

    Returns:
        Its colours, in [0, 1].
    """
    slant = np.add.outer(np.arange(side), np.arange(side)) // max(2, side // 5)
    return np.asarray(np.array(COLOURS[cue]) / 255 * (1 - 0.35 * (slant % 2))[..., None])


def _save(
    folder: Path,
    split: Split,
    index: int,
    label: int,
    state: str,
    scene: _Scene,
    cue: int,
) -> _Drawn:
    picture, region = scene.picture.copy(), np.zeros_like(scene.shape)
    left, top = scene.place
    square = (slice(top, top + scene.side), slice(left, left + scene.side))
    picture[square] = draw_sticker(scene.side, cue)
    region[square] = True
    shape = scene.shape & ~region
    name = f"{split.value}_{index:05d}_{state}"
    pixels: UInt8[np.ndarray, "s s 3"] = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=95, subsampling=0)
    (folder / "images" / f"{name}.jpg").write_bytes(encoded.getbuffer())
    Image.fromarray(shape).save(folder / "masks" / f"{name}.png")
    Image.fromarray(region).save(folder / "spurious_masks" / f"{name}.png")
    posed = f"{split.value}{index}"
    record = ImageRecord(
        image_id=name,
        path=f"images/{name}.jpg",
        label=label,
        split=split,
        group=f"{CLASSES[label]}-{state}",
        mask=f"masks/{name}.png",
        spurious_mask=f"spurious_masks/{name}.png",
        box=Image.fromarray(shape).getbbox(),
        object_id=posed,
        pair=None if split is Split.TRAIN else posed,
    )
    with Image.open(encoded) as decoded:  # the pixels that a reader sees
        return _Drawn(record=record, pixels=np.asarray(decoded).tobytes())


def _describe(
    plan: Shapes4Plan, records: Sequence[ImageRecord], found: str, expected: str | None
) -> dict[str, Any]:
    groups = [f"{name}-{state}" for name in CLASSES for state in STATES]
    return {
        "name": "shapes4",
        "question": QUESTION,
        "classes": list(CLASSES),
        "licence": "CC0: the pictures are drawn by this program",
        "counts": count_groups(records, groups),
        "pixels_sha256": found,
        "pixels_expected": expected,
        "warnings": pixel_warnings(found, expected),
        "seed": plan.seed,
        "layout": LAYOUT,
        "made_with": made_with(),
        "settings": frozen_backbone_settings(CLASSES, c=1e-3, budget=120),
    }
