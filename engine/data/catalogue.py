"""The benchmark data sets by name: fetch what they are made of, build them once, say what they are.

Nothing here loads torch: a web process may build or describe a data set.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data import noisy, patch, shapes4, solar, stampbirds, synthetic
from engine.data.manifest import Split, read_records
from engine.data.packages import fetch_wheel
from engine.data.staging import staged_file
from engine.data.stampbirds_sources import fetch_sources
from engine.data.tables import read_table
from engine.errors import UnknownOption
from engine.progress import Progress, ignore_progress

MANIFEST_FILE = "manifest.csv"
INFO_FILE = "dataset.json"

_SHAPES_LAYOUT = 1
_SHAPES_CLASSES = 4
_SHAPES_COUNTS = {Split.TRAIN: 1200, Split.VALIDATION: 400, Split.TEST: 800}
_SHAPES_SIDE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDataset:
    """A data set on disk.

    Attributes:
        name: One of DATASETS.
        manifest: The path of its manifest; paths in it start from `root`.
        root: Its folder.
        info: What its `dataset.json` says: `question`, `classes`, `licence`, `counts`, `warnings`
            where there are any, and `settings`, the nested settings recommended for it.
    """

    name: str
    manifest: Path
    root: Path
    info: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """How to make one data set."""

    build: Callable[[Path, Path, Progress], object]
    fetch: Callable[[Path, Progress], object] | None
    layout: int | None = None


def fetch_dataset(name: str, cache: Path, *, on_progress: Progress = ignore_progress) -> None:
    """Fetch what a data set is made of, so that building it needs no network.

    Args:
        name: One of DATASETS.
        cache: Where fetched packages are kept; what is there is not fetched again.
        on_progress: Called with (packages there, packages in all).

    Raises:
        UnknownOption: No such data set.
        DataUnavailable: A package cannot be had on this machine.
        OutOfSpace: The disk is full.
    """
    entry = _entry(name)
    if entry.fetch is not None:
        entry.fetch(cache, on_progress)


def build_dataset(
    name: str, cache: Path, out_root: Path, *, on_progress: Progress = ignore_progress
) -> BuiltDataset:
    """Build a data set in a folder of its name, unless it is there whole.

    Args:
        name: One of DATASETS.
        cache: Where fetched packages are kept.
        out_root: The folder that data sets are built in.
        on_progress: Called with (pictures drawn, pictures in all); not at all where it is there.

    Returns:
        Where it is and what it says about itself.

    Raises:
        UnknownOption: No such data set.
        DataUnavailable: A package cannot be had on this machine.
        OutOfSpace: The disk is full.
    """
    entry = _entry(name)
    root = out_root / name
    info = _info_if_whole(root, name, entry)
    if info is None:
        entry.build(cache, root, on_progress)
        info = _read_info(root)
    return BuiltDataset(name=name, manifest=root / MANIFEST_FILE, root=root, info=info)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise UnknownOption.of("data set", name, _ENTRIES)
    return _ENTRIES[name]


def _read_info(root: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((root / INFO_FILE).read_text(encoding="utf-8"))
    return info


def _info_if_whole(root: Path, name: str, entry: _Entry) -> dict[str, Any] | None:
    """Give what a data set says about itself, or None where it must be built (again).

    Folders appear only when they are finished, so what can lack is what somebody took away.
    """
    try:
        info = _read_info(root)
        records = read_records(root / MANIFEST_FILE, info["classes"])
        there = {f"images/{path.name}" for path in (root / "images").iterdir()}
    except (OSError, ValueError, KeyError):
        return None
    current = entry.layout is None or info.get("layout") == entry.layout
    complete = all(record.path in there for record in records)
    return info if current and complete and info.get("name") == name else None


def _build_shapes(cache: Path, out: Path, on_progress: Progress) -> None:
    del cache  # nothing is fetched
    total = sum(_SHAPES_COUNTS.values())
    on_progress(0, total)
    synthetic.build_shapes(
        out,
        n_classes=_SHAPES_CLASSES,
        n_train=_SHAPES_COUNTS[Split.TRAIN],
        n_val=_SHAPES_COUNTS[Split.VALIDATION],
        n_test=_SHAPES_COUNTS[Split.TEST],
        size=_SHAPES_SIDE,
        cue="patch",
    )
    info = _describe_shapes(out / MANIFEST_FILE)
    with staged_file(out / INFO_FILE) as staging:
        staging.write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    on_progress(total, total)


def _describe_shapes(manifest: Path) -> dict[str, Any]:
    """Two epochs: a small network then still goes by the cue; after six it has found the shape."""
    rows = read_table(manifest, required=("label",), optional=())
    classes = sorted({row["label"] for row in rows})
    records = read_records(manifest, classes)
    groups = Counter((record.split, record.group) for record in records)
    return {
        "name": "shapes",
        "question": "Does the model look at the shape?",
        "classes": classes,
        "licence": "CC0: the pictures are drawn by this program",
        "counts": {
            split.value: {group: n for (where, group), n in groups.items() if where is split}
            for split in Split
        },
        "layout": _SHAPES_LAYOUT,
        "settings": {
            "data": {"classes": classes},
            "classifier": {
                "architecture": "gazecheck/small_cnn",
                "source": "finetune",
                "pretrained": "none",
                "image_size": _SHAPES_SIDE,
            },
            "fine_tuning": {"epochs": 2, "lr": 0.01},
            "queries": {"budget": 48},
        },
    }


def _build_stampbirds(cache: Path, out: Path, on_progress: Progress) -> None:
    stampbirds.build_stampbirds(cache, out, on_progress=on_progress)


def _build_stampbirds_full(cache: Path, out: Path, on_progress: Progress) -> None:
    stampbirds.build_stampbirds(cache, out, full=True, on_progress=on_progress)


def _fetch_stampbirds(cache: Path, on_progress: Progress) -> None:
    fetch_sources(cache, full=False, on_progress=on_progress)


def _fetch_stampbirds_full(cache: Path, on_progress: Progress) -> None:
    fetch_sources(cache, full=True, on_progress=on_progress)


def _build_patch(cache: Path, out: Path, on_progress: Progress) -> None:
    patch.build_patch(cache, out, on_progress=on_progress)


def _build_shapes4(cache: Path, out: Path, on_progress: Progress) -> None:
    del cache  # nothing is fetched
    shapes4.build_shapes4(out, on_progress=on_progress)


def _build_noisy(cache: Path, out: Path, on_progress: Progress) -> None:
    """Flip labels of `stampbirds`, which is built beside it where it is not there."""
    source = build_dataset("stampbirds", cache, out.parent, on_progress=on_progress)
    noisy.build_noisy(source.root, out, on_progress=on_progress)


def _build_solar(cache: Path, out: Path, on_progress: Progress) -> None:
    solar.build_solar(cache, out, on_progress=on_progress)


def _fetch_solar(cache: Path, on_progress: Progress) -> None:
    on_progress(0, 1)
    fetch_wheel(solar.PACKAGE, solar.VERSION, solar.WHEEL_SHA256, cache)
    on_progress(1, 1)


_ENTRIES = {
    "noisy": _Entry(build=_build_noisy, fetch=_fetch_stampbirds, layout=noisy.LAYOUT),
    "patch": _Entry(build=_build_patch, fetch=_fetch_stampbirds, layout=patch.LAYOUT),
    "shapes": _Entry(build=_build_shapes, fetch=None, layout=_SHAPES_LAYOUT),
    "shapes4": _Entry(build=_build_shapes4, fetch=None, layout=shapes4.LAYOUT),
    "solar": _Entry(build=_build_solar, fetch=_fetch_solar, layout=solar.LAYOUT),
    "stampbirds": _Entry(
        build=_build_stampbirds, fetch=_fetch_stampbirds, layout=stampbirds.LAYOUT
    ),
    "stampbirds-full": _Entry(
        build=_build_stampbirds_full, fetch=_fetch_stampbirds_full, layout=stampbirds.LAYOUT
    ),
}
DATASETS = tuple(_ENTRIES)
"""The names known here."""
