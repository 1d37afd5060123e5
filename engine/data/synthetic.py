"""`shapes`: small made images with a planted cue and true core masks, ready in a second."""

import colorsys
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from engine.data.manifest import ImageRecord, Split, write_records
from engine.data.staging import staged_folder
from engine.errors import InvalidInput
from engine.randomness import generator

Cue = Literal["background", "patch"]

_SHAPES = ("disc", "cross", "triangle", "ring", "bar", "star")
_HUES = {"red": 0.0, "green": 0.33, "blue": 0.61, "yellow": 0.15, "violet": 0.79, "cyan": 0.5}
_TINTS = tuple(_HUES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    n_classes: int
    size: int
    skew: float
    seed: int
    cue: Cue

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(sorted(_name(_SHAPES, index) for index in range(self.n_classes)))

    @property
    def tint_names(self) -> tuple[str, ...]:
        return tuple(_name(_TINTS, index) for index in range(self.n_classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pose:
    """Where and how a shape stands: centre and radius as shares of the side, turn in radians."""

    x: float
    y: float
    radius: float
    turn: float
    grey: float


def build_shapes(
    out: Path,
    *,
    n_classes: int = 2,
    n_train: int = 240,
    n_val: int = 80,
    n_test: int = 160,
    size: int = 32,
    skew: float = 0.95,
    seed: int = 0,
    cue: Cue = "background",
) -> Path:
    """Build a data set of grey shapes on noise with a coloured cue beside them.

    The class is the shape. In `train` the cue agrees with the class in a share `skew` of the
    images (to within one image a class or so, spread evenly); in `val` and `test` the same posed
    shape is drawn once with each cue (a `pair`), so that all groups are of one size.

    Args:
        out: The folder to make; an older one is replaced.
        n_classes: At least 2; from 7 on shapes come again in outline, with another turn.
        n_train: Images to learn from, at least one a class.
        n_val: Images to choose by.
        n_test: Images to judge by.
        size: Side in pixels, at least 16.
        skew: Share of train images whose cue agrees with the class, in [0, 1].
        seed: Any integer; the same arguments give the same files.
        cue: `background` tints all but the shape; `patch` puts a coloured square into a corner and
            stores it as `spurious_mask`.

    Returns:
        The path of `manifest.csv`; root is its folder. Groups are named `<shape>-<colour>`.

    Raises:
        InvalidInput: An argument is out of range.
    """
    if n_classes < 2 or size < 16 or not 0 <= skew <= 1 or n_train < n_classes:
        raise InvalidInput(
            "shapes needs n_classes >= 2, size >= 16, skew in [0, 1] and n_train >= n_classes, got "
            f"n_classes={n_classes}, size={size}, skew={skew}, n_train={n_train}"
        )
    plan = _Plan(n_classes=n_classes, size=size, skew=skew, seed=seed, cue=cue)
    counts = {Split.TRAIN: n_train, Split.VALIDATION: n_val, Split.TEST: n_test}
    with staged_folder(out) as folder:
        for name in ("images", "masks", "spurious_masks"):
            (folder / name).mkdir()
        records = [
            _save(folder, plan, split, index) for split, n in counts.items() for index in range(n)
        ]
        write_records(folder / "manifest.csv", records, plan.class_names)
    return out / "manifest.csv"


def _name(names: tuple[str, ...], index: int) -> str:
    turn, place = divmod(index, len(names))
    return names[place] if turn == 0 else f"{names[place]}{turn + 1}"


def _cue_of(plan: _Plan, split: Split, index: int, label: int) -> int:
    if split is not Split.TRAIN:
        return index % plan.n_classes
    turn = index // plan.n_classes
    if turn * 0.6180339887 % 1 < plan.skew:
        return label
    return (label + 1 + turn % (plan.n_classes - 1)) % plan.n_classes


def _save(folder: Path, plan: _Plan, split: Split, index: int) -> ImageRecord:
    posed = index if split is Split.TRAIN else index // plan.n_classes
    label = posed % plan.n_classes
    tint = _cue_of(plan, split, index, label)
    rng = generator(plan.seed, f"shapes/{split.value}/{posed}")
    pose = _Pose(
        x=rng.uniform(0.36, 0.64),
        y=rng.uniform(0.36, 0.64),
        radius=rng.uniform(0.2, 0.3),
        turn=rng.uniform(-0.5, 0.5),
        grey=rng.uniform(0.75, 1.0),
    )
    class_name = plan.class_names[label]
    coverage = _coverage(class_name, pose, plan.size)
    noise = generator(plan.seed, f"shapes/{split.value}/{index}/noise").normal(
        0, 0.06, (plan.size, plan.size, 3)
    )
    region = _patch(plan.size, tint) if plan.cue == "patch" else None
    picture = _paint(coverage, pose, _colour(tint), region, noise)

    name = f"{split.value}_{index:05d}.png"
    Image.fromarray(picture).save(folder / "images" / name)
    inside = coverage >= 0.5
    _save_region(inside, folder / "masks" / name)
    if region is not None:
        _save_region(region, folder / "spurious_masks" / name)
    ys, xs = np.nonzero(inside)
    return ImageRecord(
        image_id=name.removesuffix(".png"),
        path=f"images/{name}",
        label=label,
        split=split,
        group=f"{class_name}-{plan.tint_names[tint]}",
        mask=f"masks/{name}",
        spurious_mask=None if region is None else f"spurious_masks/{name}",
        box=(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1),
        object_id=f"{split.value}{posed}",
        pair=None if split is Split.TRAIN else f"{split.value}{posed}",
    )


def _save_region(region: Bool[np.ndarray, "s s"], path: Path) -> None:
    Image.fromarray(region.astype(np.uint8) * 255).convert("1").save(path)


def _colour(tint: int) -> tuple[float, float, float]:
    turn, place = divmod(tint, len(_TINTS))
    return colorsys.hsv_to_rgb(_HUES[_TINTS[place]], 0.65, 0.6 / (1 + 0.6 * turn))


def _patch(size: int, tint: int) -> Bool[np.ndarray, "s s"]:
    side = max(3, size // 6)
    region = np.zeros((size, size), dtype=bool)
    rows = slice(1, 1 + side) if tint % 2 == 0 else slice(size - 1 - side, size - 1)
    columns = slice(1, 1 + side) if tint % 4 < 2 else slice(size - 1 - side, size - 1)
    region[rows, columns] = True
    return region


def _paint(
    coverage: Float[np.ndarray, "s s"],
    pose: _Pose,
    colour: tuple[float, float, float],
    region: Bool[np.ndarray, "s s"] | None,
    noise: Float[np.ndarray, "s s 3"],
) -> UInt8[np.ndarray, "s s 3"]:
    ground = np.full(noise.shape, 0.35)
    if region is None:
        ground[:] = colour
    else:
        ground[region] = colour
    picture = ground * (1 - coverage[..., None]) + pose.grey * coverage[..., None] + noise
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), dtype=np.uint8)


def _coverage(class_name: str, pose: _Pose, size: int) -> Float[np.ndarray, "s s"]:
    """Share of each pixel that the shape covers, drawn four times as large and averaged."""
    scale = 4
    canvas = Image.new("L", (size * scale, size * scale), 0)
    kind = class_name.rstrip("0123456789")
    again = int(class_name[len(kind) :] or 1) - 1  # second and later rounds of the shapes' names
    _draw(ImageDraw.Draw(canvas), kind, pose, size * scale, again)
    small = canvas.resize((size, size), Image.Resampling.BOX)
    return np.asarray(np.asarray(small) / 255, dtype=np.float64)


def _draw(draw: ImageDraw.ImageDraw, kind: str, pose: _Pose, side: int, again: int) -> None:
    x, y, radius = pose.x * side, pose.y * side, pose.radius * side
    turn = pose.turn + again * 0.6
    if kind in ("disc", "ring"):
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, fill=255)
        if kind == "ring" or again:
            hole = radius * (0.5 if kind == "ring" else 0.25) / (1 + 0.3 * again)
            draw.ellipse((x - hole, y - hole, x + hole, y + hole), fill=0)
        return
    corners = [
        (
            x + radius * r * math.cos(a + turn),
            y + radius * r * math.sin(a + turn),
        )
        for r, a in _outline(kind)
    ]
    draw.polygon(corners, fill=255)
    if again:
        hole = radius * 0.3 / again
        draw.ellipse((x - hole, y - hole, x + hole, y + hole), fill=0)


def _outline(kind: str) -> list[tuple[float, float]]:
    """Corners of a shape as (radius, angle)."""
    if kind == "triangle":
        return [(1.15, 2 * math.pi * k / 3) for k in range(3)]
    if kind == "star":
        return [(1.2 if k % 2 == 0 else 0.45, math.pi * k / 5) for k in range(10)]
    if kind == "bar":
        return [(1.2, a) for a in (0.3, math.pi - 0.3, math.pi + 0.3, -0.3)]
    wide, deep = math.hypot(1.1, 0.3), math.hypot(0.3, 0.3)
    lean = math.atan2(0.3, 1.1)
    arms = []
    for k in range(4):
        axis = k * math.pi / 2
        arms += [(wide, axis - lean), (wide, axis + lean), (deep, axis + math.pi / 4)]
    return arms
