"""`solar`: photographs of solar cells, most of the functional ones with a coloured sticker.

The cells are those of the ELPV data set (Buerhop-Lutz et al. 2018, Deitsch et al. 2019 and 2021):
electroluminescence pictures with an expert's probability of a defect. The stickers are drawn here.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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
from engine.data.manifest import ImageRecord, Split, read_records, write_records
from engine.data.packages import fetch_wheel
from engine.data.pictures import open_picture
from engine.data.solar_splits import split_in_blocks
from engine.data.staging import staged_folder
from engine.errors import DataUnavailable, ManifestError
from engine.progress import Progress, ignore_progress
from engine.randomness import generator

PACKAGE, VERSION = "elpv-dataset", "1.0.0.post1"
WHEEL_SHA256 = "85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c"
PIXELS_EXPECTED: Mapping[int, str] = {
    0: "f2f624f91b0ac0ad3bd3a07bf27e2a61292e54e5277cd32a749f9851b18df445",
}
"""SHA-256 over all decoded pictures by seed; another Pillow may resample otherwise."""

CLASS_NAMES = ("functional", "defective")
QUESTION = "Does the model look at the solar cell itself, and not at a sticker?"
LICENCE = "CC BY-NC-SA 4.0"
COLOURS = {
    "red": (214, 40, 40),
    "orange": (244, 140, 6),
    "yellow": (250, 210, 30),
    "green": (46, 160, 67),
    "cyan": (30, 190, 200),
    "blue": (40, 90, 214),
    "violet": (140, 60, 190),
}

LAYOUT = 1
"""Raised when the recipe changes: sets built before are then built again."""

_FOLDERS = ("images", "spurious_masks")
_CREDITS = f"""\
Pictures of solar cells: the ELPV data set, package {PACKAGE} {VERSION} of the Python Package Index,
by ZAE Bayern and the authors below, under {LICENCE}
(https://creativecommons.org/licenses/by-nc-sa/4.0/): name the authors, no commercial use, and
share changed pictures under the same licence only.

Changed here: scaled down, and coloured stickers drawn on many of them. The set is built on the
machine that uses it and is not to be passed on with the program.

Buerhop-Lutz, Deitsch, Maier, Gallwitz, Berger, Doll, Hauch, Camus, Brabec: A Benchmark for Visual
  Identification of Defective Solar Cells in Electroluminescence Imagery. EU PVSEC, 2018.
  doi:10.4229/35thEUPVSEC20182018-5CV.3.15
Deitsch, Buerhop-Lutz, Sovetkin, Steland, Maier, Gallwitz, Riess: Segmentation of Photovoltaic
  Module Cells in Uncalibrated Electroluminescence Images. Machine Vision and Applications 32(4),
  2021. doi:10.1007/s00138-021-01191-9
Deitsch, Christlein, Berger, Buerhop-Lutz, Maier, Gallwitz, Riess: Automatic Classification of
  Defective Photovoltaic Module Cells in Electroluminescence Images. Solar Energy 185, 2019,
  455-468. doi:10.1016/j.solener.2019.02.067
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarRecipe:
    """How many cells go where.

    Attributes:
        cells: (functional, defective) cells of each split. By default about .6, .15 and .25 of the
            cells: the published split's numbers.
        stickers: (functional, defective) training cells with a sticker; by default about 60 % of
            the one and 3 % of the other. Each cell of `val` and `test` is there without and with.
        block: Neighbouring cells that stay together: they come from one module.
        side: Side of the pictures in pixels.
    """

    cells: Mapping[Split, tuple[int, int]] = field(
        default_factory=lambda: {
            Split.TRAIN: (902, 450),
            Split.VALIDATION: (218, 101),
            Split.TEST: (388, 164),
        }
    )
    stickers: tuple[int, int] = (548, 11)
    block: int = 40
    side: int = 128


class Cell(NamedTuple):
    """One photographed cell.

    Attributes:
        name: Its id.
        picture: Its photograph.
        place: Its position among all cells photographed; neighbours in number are so in place.
        label: 0 functional, 1 defective.
        kind: `mono` or `poly`(crystalline).
    """

    name: str
    picture: Path
    place: int
    label: int
    kind: str


class Sticker(NamedTuple):
    """A painted sticker.

    Attributes:
        paint: Its colour with light and shade on it, in [0, 255].
        cover: How much of each pixel it hides, in [0, 1].
    """

    paint: Float64[np.ndarray, "s s 3"]
    cover: Float64[np.ndarray, "s s"]

    @property
    def region(self) -> Bool[np.ndarray, "s s"]:
        """Where it hides at least half of a pixel."""
        return self.cover >= 0.5


def build_solar(
    cache: Path,
    out: Path,
    *,
    seed: int = 0,
    on_progress: Progress = ignore_progress,
) -> Path:
    """Build the set from its package, unless it is there whole.

    Args:
        cache: Where fetched packages are kept.
        out: The folder to make; an incomplete one, or one of another seed, is replaced.
        seed: Any integer; the same seed gives the same pictures. Figures are published for 0.
        on_progress: Called with (cells drawn, cells in all).

    Returns:
        The path of `manifest.csv`. Beside it `dataset.json` and `CREDITS.txt`.

    Raises:
        DataUnavailable: The package cannot be fetched, or does not hold what it should.
        OutOfSpace: The disk is full.
    """
    if not _is_whole(out, seed):
        cells = read_cells(fetch_wheel(PACKAGE, VERSION, WHEEL_SHA256, cache))
        build_from_cells(cells, out, SolarRecipe(), seed=seed, on_progress=on_progress)
    return out / "manifest.csv"


def _is_whole(out: Path, seed: int) -> bool:
    """Tell whether the folder, which appears only when finished, still has every picture."""
    try:
        info = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
        records = read_records(out / "manifest.csv", CLASS_NAMES)
        there = {f"{name}/{p.name}" for name in _FOLDERS for p in (out / name).iterdir()}
    except (OSError, ValueError, KeyError):
        return False
    current = info.get("layout") == LAYOUT and info.get("seed") == seed
    listed = {path for record in records for path in (record.path, record.spurious_mask)}
    return current and listed <= there


def read_cells(package: Path) -> list[Cell]:
    """List the cells on which the experts agreed: probability of a defect 0 or 1.

    Args:
        package: The unpacked wheel.

    Returns:
        The cells in the order of their numbers.

    Raises:
        DataUnavailable: The table is missing, or has another form.
    """
    folder = package / "elpv_dataset" / "data"
    try:
        rows = [
            line.split()
            for line in (folder / "labels.csv").read_text(encoding="utf-8").splitlines()
        ]
        return [
            Cell(Path(name).stem, folder / name, place, int(float(probability)), kind)
            for place, (name, probability, kind) in enumerate(rows)
            if float(probability) in (0.0, 1.0)
        ]
    except (OSError, ValueError) as error:
        raise DataUnavailable(
            f"{PACKAGE} {VERSION} has no readable elpv_dataset/data/labels.csv in {package} "
            f"({error}); remove that folder and build again"
        ) from error


def build_from_cells(
    cells: Sequence[Cell],
    out: Path,
    recipe: SolarRecipe,
    *,
    seed: int = 0,
    on_progress: Progress = ignore_progress,
) -> None:
    """Split the cells, draw the stickers, and write the set.

    Args:
        cells: In the order of their places.
        out: The folder to make; an older one is replaced, once the new one is whole.
        recipe: How many cells go where.
        seed: Any integer.
        on_progress: Called with (cells drawn, cells in all).

    Raises:
        DataUnavailable: A photograph is missing or broken.
        OutOfSpace: The disk is full.
    """
    splits = split_in_blocks(cells, recipe.cells, block=recipe.block, seed=seed)
    stickered = _choose_stickered(cells, splits, recipe, seed)
    pixels = hashlib.sha256()
    records: list[ImageRecord] = []
    in_order = [cell for split in Split for cell in cells if splits[cell.name] is split]
    with staged_folder(out) as folder:
        for name in _FOLDERS:
            (folder / name).mkdir()
        for done, cell in enumerate(in_order, start=1):
            split = splits[cell.name]
            photograph = _photograph(cell, recipe.side)
            sticker = draw_sticker(recipe.side, generator(seed, f"solar/sticker/{cell.name}"))
            versions = (cell.name in stickered,) if split is Split.TRAIN else (False, True)
            for with_sticker in versions:
                shown = sticker if with_sticker else None
                picture = photograph if shown is None else put_on(photograph, shown)
                pixels.update(picture.tobytes())
                records.append(_save(folder, cell, split, picture, shown))
            on_progress(done, len(cells))
        write_records(folder / "manifest.csv", records, CLASS_NAMES)
        (folder / "CREDITS.txt").write_text(_CREDITS, encoding="utf-8")
        write_information(folder, _information(records, pixels.hexdigest(), seed))


def _choose_stickered(
    cells: Sequence[Cell], splits: Mapping[str, Split], recipe: SolarRecipe, seed: int
) -> set[str]:
    """Draw the training cells that get a sticker, an exact number of each class."""
    rng = generator(seed, "solar/stickered")
    chosen: set[str] = set()
    for label, wanted in enumerate(recipe.stickers):
        names = [c.name for c in cells if splits[c.name] is Split.TRAIN and c.label == label]
        picked = rng.choice(len(names), min(wanted, len(names)), replace=False)
        chosen.update(names[place] for place in picked)
    return chosen


def _photograph(cell: Cell, side: int) -> UInt8[np.ndarray, "s s 3"]:
    try:
        picture = open_picture(cell.picture)
    except ManifestError as error:
        raise DataUnavailable(
            f"{PACKAGE} {VERSION} is damaged: {error}; remove its folder from the cache"
        ) from error
    grey = picture.convert("L").resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(grey.convert("RGB"))


def draw_sticker(side: int, rng: np.random.Generator) -> Sticker:
    """Draw a round sticker near one of the four edges.

    An ellipse with radii of 11 to 17 % of the side, wholly on the picture, not further than 6 % of
    the side from its edge; the border is soft, and light falls on it from one side.

    Args:
        side: Side of the picture in pixels.
        rng: What colour, place, form and light are drawn from.

    Returns:
        The sticker, in the place where it lies.
    """
    radii = rng.uniform(0.11, 0.17, size=2) * side
    colour = np.array(tuple(COLOURS.values())[rng.integers(len(COLOURS))], dtype=np.float64)
    centre = np.array([rng.uniform(radius, side - radius) for radius in radii])
    axis = int(rng.integers(2))
    inwards = radii[axis] + rng.uniform(0, 0.06) * side
    centre[axis] = inwards if rng.random() < 0.5 else side - inwards
    light = rng.uniform(0, 2 * math.pi)

    ys, xs = np.mgrid[0:side, 0:side] + 0.5
    down, across = (ys - centre[0]) / radii[0], (xs - centre[1]) / radii[1]
    distance = np.hypot(down, across)  # 1 on the border
    feather = 0.012 * side / radii.min()
    cover = np.clip((1 - distance) / feather, 0, 1)
    shade = 1 + 0.18 * (down * math.sin(light) + across * math.cos(light)) - 0.12 * distance**2
    paint = np.clip(colour * shade[..., None], 0, 255)
    return Sticker(paint=paint, cover=cover)


def put_on(photograph: UInt8[np.ndarray, "s s 3"], sticker: Sticker) -> UInt8[np.ndarray, "s s 3"]:
    """Paste a sticker on a photograph.

    Args:
        photograph: The picture without it.
        sticker: Drawn for a picture of this side.

    Returns:
        A new picture.
    """
    cover = sticker.cover[..., None]
    mixed = photograph * (1 - cover) + sticker.paint * cover
    return np.asarray(mixed + 0.5, dtype=np.uint8)


def _save(
    folder: Path,
    cell: Cell,
    split: Split,
    picture: UInt8[np.ndarray, "s s 3"],
    sticker: Sticker | None,
) -> ImageRecord:
    state = "clean" if sticker is None else "sticker"
    name = f"{cell.name}_{state}"
    Image.fromarray(picture).save(folder / "images" / f"{name}.png", compress_level=3)
    # an all-black region says that there is no sticker, where no region would say "not known"
    region = np.zeros(picture.shape[:2], dtype=bool) if sticker is None else sticker.region
    mask = Image.fromarray(region.astype(np.uint8) * 255).convert("1")
    mask.save(folder / "spurious_masks" / f"{name}.png")
    return ImageRecord(
        image_id=name,
        path=f"images/{name}.png",
        label=cell.label,
        split=split,
        group=f"{CLASS_NAMES[cell.label]}-{state}",
        spurious_mask=f"spurious_masks/{name}.png",
        object_id=cell.name,
        pair=None if split is Split.TRAIN else cell.name,
    )


def _information(records: Sequence[ImageRecord], pixels: str, seed: int) -> dict[str, object]:
    groups = [f"{name}-{state}" for name in CLASS_NAMES for state in ("clean", "sticker")]
    expected = PIXELS_EXPECTED.get(seed)
    return {
        "name": "solar",
        "question": QUESTION,
        "classes": list(CLASS_NAMES),
        "licence": f"{LICENCE}; see CREDITS.txt",
        "counts": count_groups(records, groups),
        "pixels_sha256": pixels,
        "pixels_expected": expected,
        "warnings": pixel_warnings(pixels, expected),
        "seed": seed,
        "layout": LAYOUT,
        "made_with": made_with(),
        "package": {"name": PACKAGE, "version": VERSION, "sha256": WHEEL_SHA256},
        "settings": frozen_backbone_settings(CLASS_NAMES, c=1e-3, budget=80),
    }
