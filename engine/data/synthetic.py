"""`shapes`: small made images with a planted cue and true core masks, ready in a second."""

import colorsys
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
    regions: bool
    groups: bool

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(sorted(_name(_SHAPES, index) for index in range(self.n_classes)))

    @property
    def tint_names(self) -> tuple[str, ...]:
        return tuple(_name(_TINTS, index) for index in range(self.n_classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapePose:
    """Where and how a shape stands.

    Attributes:
        x: Of its centre, as a share of the picture's side.
        y: Likewise.
        radius: As a share of the picture's side.
        turn: In radians.
        grey: How light it is, in [0, 1].
    """

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
    train_sizes: Sequence[int] = (),
    regions: bool = True,
    groups: bool = True,
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
        train_sizes: How many training images each class has, in the order of the class names
            (ascending), each at least 1; the sum takes the place of `n_train`. Nothing: the
            classes are of one size.
        regions: Whether masks and boxes are written; without them nobody knows where a shape is.
        groups: Whether groups are named.

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
    if train_sizes and (len(train_sizes) != n_classes or min(train_sizes) < 1):
        raise InvalidInput(
            f"shapes needs one train_sizes >= 1 for each of {n_classes} classes, got "
            f"{', '.join(map(str, train_sizes))}"
        )
    plan = _Plan(
        n_classes=n_classes,
        size=size,
        skew=skew,
        seed=seed,
        cue=cue,
        regions=regions,
        groups=groups,
    )
    with staged_folder(out) as folder:
        for name in ("images", "masks", "spurious_masks"):
            (folder / name).mkdir()
        jobs = [*_train_jobs(n_classes, n_train, train_sizes)]
        for split, n in ((Split.VALIDATION, n_val), (Split.TEST, n_test)):
            jobs += [_paired_job(split, index, n_classes) for index in range(n)]
        records = [_save(folder, plan, job) for job in jobs]
        write_records(folder / "manifest.csv", records, plan.class_names)
    return out / "manifest.csv"


def _name(names: tuple[str, ...], index: int) -> str:
    turn, place = divmod(index, len(names))
    return names[place] if turn == 0 else f"{names[place]}{turn + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A picture to draw: `posed` counts the shapes of a split, `turn` those of its class in train."""

    split: Split
    index: int
    posed: int
    label: int
    turn: int


def _train_jobs(n_classes: int, n_train: int, sizes: Sequence[int]) -> Iterator[_Job]:
    """Class after class in turn, leaving out those that have all their images."""
    n_turns = max(sizes, default=-(-n_train // n_classes))
    order = [
        (label, turn)
        for turn in range(n_turns)
        for label in range(n_classes)
        if not sizes or turn < sizes[label]
    ]
    for index, (label, turn) in enumerate(order if sizes else order[:n_train]):
        yield _Job(split=Split.TRAIN, index=index, posed=index, label=label, turn=turn)


def _paired_job(split: Split, index: int, n_classes: int) -> _Job:
    posed, cue = divmod(index, n_classes)
    return _Job(split=split, index=index, posed=posed, label=posed % n_classes, turn=cue)


def _cue_of(plan: _Plan, job: _Job) -> int:
    if job.split is not Split.TRAIN:
        return job.turn
    if job.turn * 0.6180339887 % 1 < plan.skew:
        return job.label
    return (job.label + 1 + job.turn % (plan.n_classes - 1)) % plan.n_classes


def _save(folder: Path, plan: _Plan, job: _Job) -> ImageRecord:
    split, index, posed = job.split, job.index, job.posed
    tint = _cue_of(plan, job)
    rng = generator(plan.seed, f"shapes/{split.value}/{posed}")
    pose = ShapePose(
        x=rng.uniform(0.36, 0.64),
        y=rng.uniform(0.36, 0.64),
        radius=rng.uniform(0.2, 0.3),
        turn=rng.uniform(-0.5, 0.5),
        grey=rng.uniform(0.75, 1.0),
    )
    class_name = plan.class_names[job.label]
    coverage = shape_coverage(class_name, pose, plan.size)
    noise = generator(plan.seed, f"shapes/{split.value}/{index}/noise").normal(
        0, 0.06, (plan.size, plan.size, 3)
    )
    region = _patch(plan.size, tint) if plan.cue == "patch" else None
    picture = _paint(coverage, pose, _colour(tint), region, noise)

    name = f"{split.value}_{index:05d}.png"
    Image.fromarray(picture).save(folder / "images" / name)
    record = ImageRecord(
        image_id=name.removesuffix(".png"),
        path=f"images/{name}",
        label=job.label,
        split=split,
        group=f"{class_name}-{plan.tint_names[tint]}" if plan.groups else None,
        object_id=f"{split.value}{posed}",
        pair=None if split is Split.TRAIN else f"{split.value}{posed}",
    )
    return _with_regions(folder, record, coverage >= 0.5, region) if plan.regions else record


def _with_regions(
    folder: Path,
    record: ImageRecord,
    inside: Bool[np.ndarray, "s s"],
    cue: Bool[np.ndarray, "s s"] | None,
) -> ImageRecord:
    """Write the shape's mask, and the cue's where it has a region, and name them."""
    name = record.path.removeprefix("images/")
    _save_region(inside, folder / "masks" / name)
    if cue is not None:
        _save_region(cue, folder / "spurious_masks" / name)
    ys, xs = np.nonzero(inside)
    return replace(
        record,
        mask=f"masks/{name}",
        spurious_mask=None if cue is None else f"spurious_masks/{name}",
        box=(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1),
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
    pose: ShapePose,
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


def shape_coverage(class_name: str, pose: ShapePose, size: int) -> Float[np.ndarray, "s s"]:
    """Share of each pixel that the shape covers, drawn four times as large and averaged."""
    scale = 4
    canvas = Image.new("L", (size * scale, size * scale), 0)
    kind = class_name.rstrip("0123456789")
    again = int(class_name[len(kind) :] or 1) - 1  # second and later rounds of the shapes' names
    _draw(ImageDraw.Draw(canvas), kind, pose, size * scale, again)
    small = canvas.resize((size, size), Image.Resampling.BOX)
    return np.asarray(np.asarray(small) / 255, dtype=np.float64)


def _draw(draw: ImageDraw.ImageDraw, kind: str, pose: ShapePose, side: int, again: int) -> None:
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
