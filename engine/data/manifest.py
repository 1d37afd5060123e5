"""The manifest: which images there are, what each shows, and which split it is in."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Int64, Shaped

from engine.data.inspection import Fault, Inspection, inspect_files, is_contained
from engine.data.tables import Row, read_table, write_table
from engine.errors import ManifestError
from engine.progress import Progress, ignore_progress

REQUIRED_COLUMNS = ("path", "label", "split")
BOX_COLUMNS = ("x0", "y0", "x1", "y1")
OPTIONAL_COLUMNS = ("id", "group", "mask", "spurious_mask", *BOX_COLUMNS, "object", "pair")

Box = tuple[int, int, int, int]

_SHOWN = 3  # problems spelled out in a message; the rest is counted


class Split(StrEnum):
    """What an image is used for."""

    TRAIN = "train"
    VALIDATION = "val"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One image of a data set.

    Attributes:
        image_id: Unique in the manifest.
        path: POSIX path of the picture, relative to the manifest's root.
        label: Position in the manifest's class names.
        split: What the image is used for.
        group: The data's group (class x attribute), for evaluation alone; None where unknown.
        mask: Path of the object's mask (255 = object), relative to the root.
        spurious_mask: Path of the mask of what should not matter (255 = spurious region).
        box: (x0, y0, x1, y1) of the object in pixels; x1 and y1 are outside.
        object_id: Images of one object stay together in folds and bootstraps.
        pair: Images of one pair differ in the spurious attribute alone.
    """

    image_id: str
    path: str
    label: int
    split: Split
    group: str | None = None
    mask: str | None = None
    spurious_mask: str | None = None
    box: Box | None = None
    object_id: str | None = None
    pair: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageManifest:
    """A checked data set: every picture in it decodes. A `row` is a position in `records`.

    Attributes:
        root: The folder that all paths are relative to.
        records: One an image.
        class_names: The classes; a label is a position in them.
        digest: SHA-256 over class names, records and the content of pictures and masks, but not
            over the root: a copied data set keeps its digest.
    """

    root: Path
    records: tuple[ImageRecord, ...]
    class_names: tuple[str, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.records)

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """The label of every row."""
        return np.array([record.label for record in self.records], dtype=np.int64)

    @property
    def splits(self) -> Shaped[np.ndarray, " n"]:
        """The split of every row as text: `train`, `val` or `test`."""
        return np.array([record.split.value for record in self.records], dtype="<U5")

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The group name of every row, None where unknown."""
        return tuple(record.group for record in self.records)

    def rows_of(self, split: Split | str) -> Int64[np.ndarray, " m"]:
        """Give the rows of one split, in manifest order.

        Args:
            split: The split or its value.

        Returns:
            Positions in `records`.
        """
        return np.flatnonzero(self.splits == Split(split).value).astype(np.int64)

    def picture_path(self, row: int) -> Path:
        """Give the path of a row's picture.

        Args:
            row: Position in `records`.

        Returns:
            The path below the root.
        """
        return self.root / self.records[row].path


def read_manifest(
    path: Path,
    *,
    root: Path | None = None,
    class_names: Sequence[str] | None = None,
    on_progress: Progress = ignore_progress,
) -> ImageManifest:
    """Read a manifest and check every row and every picture of it.

    Columns `path`, `label` (a class name) and `split` are required; `id`, `group`, `mask`,
    `spurious_mask`, `x0`, `y0`, `x1`, `y1`, `object` and `pair` are read where they are there.

    Args:
        path: A CSV or Parquet file.
        root: The folder that paths are relative to; the manifest's own where None.
        class_names: The classes in order; the sorted labels of all splits where None (by value
            where all are whole numbers).
        on_progress: Called with (files checked, files in all).

    Returns:
        The checked manifest.

    Raises:
        ManifestError: Something is wrong; the message names up to three rows and counts the rest.
    """
    rows = read_table(path, required=REQUIRED_COLUMNS, optional=OPTIONAL_COLUMNS)
    where = path.name
    _check_cells(where, rows)
    names = tuple(class_names) if class_names is not None else _sorted_labels(rows)
    position = {name: label for label, name in enumerate(names)}
    _refuse(
        where,
        "label outside the classes",
        [
            f"row {i} ({row['label']!r})"
            for i, row in enumerate(rows)
            if row["label"] not in position
        ],
        f"the classes are {_listed(names)}",
    )
    records = [_record_of(row, position) for row in rows]
    return _checked(where, root or path.parent, records, names, on_progress)


def read_records(path: Path, class_names: Sequence[str]) -> tuple[ImageRecord, ...]:
    """Read the records of a manifest that was checked before, without opening its pictures.

    Args:
        path: A CSV or Parquet file that `write_manifest` wrote.
        class_names: The classes in order.

    Returns:
        One record a row.

    Raises:
        ManifestError: The file cannot be read.
    """
    rows = read_table(path, required=REQUIRED_COLUMNS, optional=OPTIONAL_COLUMNS)
    position = {name: index for index, name in enumerate(class_names)}
    return tuple(_record_of(row, position) for row in rows)


def manifest_from_records(
    root: Path,
    records: Sequence[ImageRecord],
    class_names: Sequence[str],
    *,
    on_progress: Progress = ignore_progress,
) -> ImageManifest:
    """Make a manifest of records, checked like one that was read.

    Args:
        root: The folder that paths are relative to.
        records: One an image.
        class_names: The classes in order.
        on_progress: Called with (files checked, files in all).

    Returns:
        The checked manifest.

    Raises:
        ManifestError: Something is wrong with a record or a file.
    """
    where = str(root)
    if not records:
        raise ManifestError(f"{where}: no images; a data set needs at least two classes of them")
    outside = [
        f"row {i} ({record.label})"
        for i, record in enumerate(records)
        if not 0 <= record.label < len(class_names)
    ]
    _refuse(where, "label outside the classes", outside, f"classes are 0 to {len(class_names) - 1}")
    return _checked(where, root, records, tuple(class_names), on_progress)


def write_manifest(manifest: ImageManifest, path: Path) -> None:
    """Write a manifest as CSV or Parquet, atomically.

    Reading it again gives an equal manifest; give `class_names` where they are not in sorted order.

    Args:
        manifest: What to write.
        path: A `.csv` or `.parquet` file. Paths in it stay relative to the manifest's root.

    Raises:
        ManifestError: The path has another suffix.
        OutOfSpace: The disk is full.
    """
    write_records(path, manifest.records, manifest.class_names)


def write_records(path: Path, records: Iterable[ImageRecord], class_names: Sequence[str]) -> None:
    """Write records in the form that `read_manifest` reads, unchecked; see `write_manifest`.

    Args:
        path: A `.csv` or `.parquet` file.
        records: One an image.
        class_names: The classes in order.
    """
    rows: list[dict[str, str | int | None]] = []
    for record in records:
        box = record.box or (None,) * 4
        rows.append(
            {
                "id": record.image_id,
                "path": record.path,
                "label": class_names[record.label],
                "split": record.split.value,
                "group": record.group,
                "mask": record.mask,
                "spurious_mask": record.spurious_mask,
                **dict(zip(BOX_COLUMNS, box, strict=True)),
                "object": record.object_id,
                "pair": record.pair,
            }
        )
    columns = ("id", *REQUIRED_COLUMNS, *OPTIONAL_COLUMNS[1:])
    write_table(path, columns, rows)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def _refuse(where: str, what: str, found: Sequence[str], way_out: str) -> None:
    if not found:
        return
    rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    rows = "row" if len(found) == 1 else "rows"
    shown = ", ".join(found[:_SHOWN])
    raise ManifestError(f"{where}: {what} in {len(found)} {rows}: {shown}{rest}; {way_out}")


def _check_cells(where: str, rows: Sequence[Row]) -> None:
    for column in REQUIRED_COLUMNS:
        blank = [f"row {i}" for i, row in enumerate(rows) if not row[column]]
        _refuse(where, f"no {column}", blank, "fill it in or remove the row")
    known = {split.value for split in Split}
    _refuse(
        where,
        "unknown split",
        [f"row {i} ({row['split']!r})" for i, row in enumerate(rows) if row["split"] not in known],
        "use train, val or test",
    )
    bad_boxes = [
        f"row {i} ({','.join(row[c] for c in BOX_COLUMNS)})"
        for i, row in enumerate(rows)
        if any(row[c] for c in BOX_COLUMNS)
        and not all(re.fullmatch(r"\d{1,9}", row[c], re.ASCII) for c in BOX_COLUMNS)
    ]
    _refuse(where, "unreadable box", bad_boxes, "give x0, y0, x1 and y1 in pixels, or none of them")


def _sorted_labels(rows: Sequence[Row]) -> tuple[str, ...]:
    labels = {row["label"] for row in rows}
    if all(re.fullmatch(r"\d+", label, re.ASCII) for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def _record_of(row: Row, position: Mapping[str, int]) -> ImageRecord:
    box: Box | None = None
    if row["x0"]:
        box = (int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"]))
    return ImageRecord(
        image_id=row["id"] or row["path"],
        path=row["path"],
        label=position[row["label"]],
        split=Split(row["split"]),
        group=row["group"] or None,
        mask=row["mask"] or None,
        spurious_mask=row["spurious_mask"] or None,
        box=box,
        object_id=row["object"] or None,
        pair=row["pair"] or None,
    )


def _checked(
    where: str,
    root: Path,
    records: Sequence[ImageRecord],
    class_names: tuple[str, ...],
    on_progress: Progress,
) -> ImageManifest:
    _check_classes(where, records, class_names)
    _check_names(where, records)
    if not root.is_dir():
        raise ManifestError(f"{where}: the root {root} is not a folder; correct it")
    paths = list(dict.fromkeys(path for record in records for path in _files_of(record)))
    inspections = inspect_files(root, paths, on_progress=on_progress)
    files = dict(zip(paths, inspections, strict=True))
    _check_files(where, records, files)
    return ImageManifest(
        root=root,
        records=tuple(records),
        class_names=class_names,
        digest=_digest(records, class_names, files),
    )


def _files_of(record: ImageRecord) -> list[str]:
    return [path for path in (record.path, record.mask, record.spurious_mask) if path]


def _check_classes(
    where: str, records: Sequence[ImageRecord], class_names: tuple[str, ...]
) -> None:
    if len(set(class_names)) != len(class_names) or not all(class_names):
        raise ManifestError(f"{where}: class names must be unique and not empty: {class_names}")
    if len(class_names) < 2:
        raise ManifestError(
            f"{where}: only one class, {_listed(class_names)}; a classifier needs at least two"
        )
    in_train = {record.label for record in records if record.split is Split.TRAIN}
    if not in_train:
        raise ManifestError(f"{where}: no row has split train; name the images to learn from")
    if len(in_train) < 2:
        only = class_names[in_train.pop()]
        raise ManifestError(
            f"{where}: split train has one class only, {only}; a classifier needs at least two"
        )


def _check_names(where: str, records: Sequence[ImageRecord]) -> None:
    escaping = [
        f"row {i} ({path})"
        for i, record in enumerate(records)
        for path in _files_of(record)
        if not is_contained(path)
    ]
    _refuse(where, "path outside the root", escaping, "give relative paths without ..")
    ids = [record.image_id for record in records]
    _refuse(where, "duplicate id", _duplicates(ids), "give each image its own id")
    paths = [str(PurePosixPath(record.path)) for record in records]
    _refuse(where, "duplicate path", _duplicates(paths), "list each picture once")


def _duplicates(values: Sequence[str]) -> list[str]:
    counts = Counter(values)
    return [f"row {i} ({value})" for i, value in enumerate(values) if counts[value] > 1]


_WAYS_OUT = {
    Fault.OUTSIDE: "path outside the root",
    Fault.MISSING: "missing file",
    Fault.BROKEN: "file that cannot be decoded",
    Fault.TINY: "picture smaller than 2 pixels a side",
}


def _check_files(where: str, records: Sequence[ImageRecord], files: dict[str, Inspection]) -> None:
    for fault, what in _WAYS_OUT.items():
        found = [
            f"row {i} ({path}: {files[path].detail})"
            for i, record in enumerate(records)
            for path in _files_of(record)
            if files[path].fault is fault
        ]
        _refuse(where, what, found, "replace the file or remove the row")
    boxes = [
        f"row {i} ({record.box} in {files[record.path].width}x{files[record.path].height})"
        for i, record in enumerate(records)
        if record.box is not None and not _fits(record.box, files[record.path])
    ]
    _refuse(where, "box outside the picture", boxes, "need 0 <= x0 < x1 <= width, likewise for y")


def _fits(box: Box, picture: Inspection) -> bool:
    x0, y0, x1, y1 = box
    # a turned picture (EXIF) has its sides swapped: either order is allowed
    longest = max(picture.width, picture.height)
    return 0 <= x0 < x1 <= longest and 0 <= y0 < y1 <= longest


def _digest(
    records: Sequence[ImageRecord], class_names: Sequence[str], files: dict[str, Inspection]
) -> str:
    total = hashlib.sha256(json.dumps(["manifest 1", list(class_names)]).encode())
    for record in records:
        contents = [files[path].sha256 for path in _files_of(record)]
        total.update(json.dumps([asdict(record), contents], sort_keys=True).encode())
    return total.hexdigest()
