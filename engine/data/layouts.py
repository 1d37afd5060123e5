"""Data sets in the layouts that people have them in, read as manifests."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from engine.data.manifest import ImageManifest, ImageRecord, Split, manifest_from_records
from engine.data.tables import read_table
from engine.errors import InvalidInput, ManifestError, UnknownOption
from engine.progress import Progress, ignore_progress

PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
"""Files of a folder-per-class data set with other suffixes are notes, not pictures."""

SPLIT_FOLDERS = {
    "train": Split.TRAIN,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
}

WATERBIRDS_CLASSES = ("landbird", "waterbird")
WATERBIRDS_PLACES = ("land", "water")
_SPLIT_CODES = {"0": Split.TRAIN, "1": Split.VALIDATION, "2": Split.TEST}

_CELEBA_PICTURES = (
    "img_align_celeba/img_align_celeba",
    "img_align_celeba",
    "Img/img_align_celeba",
)
_SHOWN = 3


def read_folder_per_class(
    root: Path,
    *,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    on_progress: Progress = ignore_progress,
) -> ImageManifest:
    """Read folders of pictures, one folder a class.

    Either the root holds `train`, `val` and `test` (of which only `train` must be there) with the
    class folders in them, or it holds the class folders. Then each picture's split follows from
    the SHA-256 of its path, so that it stays the same when other pictures come or go. Pictures may
    lie deeper in a class folder; hidden files and files that are no pictures are left out.

    Args:
        root: The data set's folder.
        fractions: Shares of train, val and test where the folders name no split; they sum to 1.
        on_progress: Called with (files checked, files in all).

    Returns:
        The checked manifest; classes in the order of their names.

    Raises:
        InvalidInput: The fractions are negative or do not sum to 1.
        ManifestError: A folder is missing or empty, or a picture cannot be used.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InvalidInput(f"the shares of train, val and test must sum to 1, got {fractions}")
    folders = _subfolders(root)
    splits = {folder: SPLIT_FOLDERS.get(folder.name.lower()) for folder in folders}
    if any(splits.values()):
        found = _with_split_folders(root, splits)
    else:
        found = [
            (folder.name, path, _hashed_split(path, fractions))
            for folder in folders
            for path in _pictures(root, folder)
        ]
    names = sorted({name for name, _, _ in found})
    label_of = {name: label for label, name in enumerate(names)}
    records = [
        ImageRecord(image_id=path, path=path, label=label_of[name], split=split)
        for name, path, split in found
    ]
    return manifest_from_records(root, records, names, on_progress=on_progress)


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ManifestError(f"no folder at {folder}; give the folder that holds the class folders")
    found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if not found:
        raise ManifestError(
            f"{folder} holds no folders; it should hold one folder a class, or train, val and test "
            "with one folder a class in each"
        )
    return sorted(found, key=lambda path: path.name)


def _with_split_folders(
    root: Path, splits: dict[Path, Split | None]
) -> list[tuple[str, str, Split]]:
    others = [folder.name for folder, split in splits.items() if split is None]
    if others:
        raise ManifestError(
            f"{root} holds both split folders and {', '.join(others[:_SHOWN])}; move the classes "
            "into train, val and test, or all of them out"
        )
    if Split.TRAIN not in splits.values():
        raise ManifestError(f"no folder train in {root}; the images to learn from belong there")
    named = [folder for folder, split in splits.items() if split is not None]
    return [
        (folder.name, path, SPLIT_FOLDERS[split_folder.name.lower()])
        for split_folder in named
        for folder in _subfolders(split_folder)
        for path in _pictures(root, folder)
    ]


def _pictures(root: Path, folder: Path) -> list[str]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            (Path(place) / name).relative_to(root).as_posix()
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES
        ]
    if not found:
        raise ManifestError(
            f"no pictures in the class folder {folder}; fill it or remove it (pictures end in "
            f"{', '.join(PICTURE_SUFFIXES)})"
        )
    return found


def _hashed_split(path: str, fractions: tuple[float, float, float]) -> Split:
    place = int.from_bytes(
        hashlib.sha256(path.encode(errors="surrogateescape")).digest()[:8], "big"
    )
    share = place / 2**64
    if share < fractions[0]:
        return Split.TRAIN
    return Split.VALIDATION if share < fractions[0] + fractions[1] else Split.TEST


def read_waterbirds(root: Path, *, on_progress: Progress = ignore_progress) -> ImageManifest:
    """Read Waterbirds as its makers give it away: `metadata.csv` beside the pictures' folders.

    References: Sagawa et al., Distributionally Robust Neural Networks for Group Shifts, 2020.

    Args:
        root: The folder with `metadata.csv` (columns `img_filename`, `y`, `place`, `split`).
        on_progress: Called with (files checked, files in all).

    Returns:
        The checked manifest; groups are named `landbird-land`, `landbird-water` and so on.

    Raises:
        ManifestError: The table is missing or has an unknown value, or a picture cannot be used.
    """
    path = root / "metadata.csv"
    if not path.is_file():
        raise ManifestError(
            f"no metadata.csv in {root}; give the folder that holds Waterbirds' table and pictures"
        )
    rows = read_table(path, required=("img_filename", "y", "place", "split"), optional=())
    for column, known in (("y", "01"), ("place", "01"), ("split", "012")):
        wrong = [(i, row[column]) for i, row in enumerate(rows) if row[column] not in (*known,)]
        _refuse_values(path, column, wrong, known)
    records = [
        ImageRecord(
            image_id=row["img_filename"],
            path=row["img_filename"],
            label=int(row["y"]),
            split=_SPLIT_CODES[row["split"]],
            group=f"{WATERBIRDS_CLASSES[int(row['y'])]}-{WATERBIRDS_PLACES[int(row['place'])]}",
        )
        for row in rows
    ]
    return manifest_from_records(root, records, WATERBIRDS_CLASSES, on_progress=on_progress)


def _refuse_values(
    path: Path, column: str, wrong: Sequence[tuple[int | str, str]], known: Sequence[str]
) -> None:
    if not wrong:
        return
    shown = ", ".join(f"row {row} ({value!r})" for row, value in wrong[:_SHOWN])
    rest = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    raise ManifestError(
        f"{path.name}: unknown {column} in {len(wrong)} rows: {shown}{rest}; known are "
        f"{', '.join(known)}"
    )


def read_celeba(
    root: Path,
    *,
    target: str = "Blond_Hair",
    attribute: str = "Male",
    on_progress: Progress = ignore_progress,
) -> ImageManifest:
    """Read CelebA with one of its attributes as the class and another as what may mislead.

    The tables are looked for in the root, in `Anno` and in `Eval`, as `.txt` or `.csv`; the
    pictures in `img_align_celeba` of the root or of `Img`.

    References: Liu et al., Deep Learning Face Attributes in the Wild, 2015.

    Args:
        root: The folder of the data set.
        target: The attribute to classify; the classes are `not_<target>` and `<target>`.
        attribute: The attribute that groups name, `<class>-<attribute>` or `<class>-not_<...>`.
        on_progress: Called with (files checked, files in all).

    Returns:
        The checked manifest, in the order of the attribute table.

    Raises:
        InvalidInput: Target and attribute are the same.
        UnknownOption: The table has no such attribute.
        ManifestError: A table or the pictures' folder is missing, or something in them is wrong.
    """
    if target == attribute:
        raise InvalidInput(f"target and attribute must differ, both are {target}")
    table = _found(root, ("list_attr_celeba.txt", "list_attr_celeba.csv"), ("", "Anno"))
    header, attributes = _celeba_table(table, has_header=True)
    for name in (target, attribute):
        if name not in header:
            raise UnknownOption.of("CelebA attribute", name, header)
    partition = _found(root, ("list_eval_partition.txt", "list_eval_partition.csv"), ("", "Eval"))
    _, splits = _celeba_table(partition, has_header=partition.suffix == ".csv")
    pictures = _picture_folder(root)
    columns = (header.index(target), header.index(attribute))
    _check_celeba(table, partition, attributes, splits, columns)

    names = (f"not_{target}", target)
    sides = (f"not_{attribute}", attribute)
    records = []
    for name, values in attributes.items():
        label, side = (int(values[column] == "1") for column in columns)
        records.append(
            ImageRecord(
                image_id=name,
                path=f"{pictures}/{name}",
                label=label,
                split=_SPLIT_CODES[splits[name][0]],
                group=f"{names[label]}-{sides[side]}",
            )
        )
    return manifest_from_records(root, records, names, on_progress=on_progress)


def _found(root: Path, names: Sequence[str], folders: Sequence[str]) -> Path:
    places = [root / folder / name for folder in folders for name in names]
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(place.relative_to(root).as_posix() for place in places)
    raise ManifestError(f"no {names[0]} in {root}; looked for {looked}")


def _picture_folder(root: Path) -> str:
    for folder in _CELEBA_PICTURES:
        if (root / folder).is_dir():
            return folder
    raise ManifestError(
        f"no pictures' folder in {root}; looked for {', '.join(_CELEBA_PICTURES[1:])}"
    )


def _celeba_table(path: Path, *, has_header: bool) -> tuple[list[str], dict[str, list[str]]]:
    """Give the columns' names after the first, and each picture's values."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path.name} is not text in UTF-8; fetch it again") from error
    comma = path.suffix == ".csv"
    cells = [line.split(",") if comma else line.split() for line in lines if line.strip()]
    if has_header and not comma and cells and len(cells[0]) == 1:
        cells = cells[1:]  # the number of pictures
    header: list[str] = []
    if has_header and cells:
        header = [name.strip() for name in (cells[0][1:] if comma else cells[0])]
        cells = cells[1:]
    if not cells:
        raise ManifestError(f"{path.name} names no pictures; fetch it again")
    width = len(header) if has_header else 1
    wrong = [row[0] for row in cells if len(row) != width + 1]
    if wrong:
        raise ManifestError(
            f"{path.name}: {len(wrong)} rows have not {width} values, e.g. {wrong[0]}; "
            "fetch it again"
        )
    table = {row[0].strip(): [value.strip() for value in row[1:]] for row in cells}
    if len(table) < len(cells):
        raise ManifestError(
            f"{path.name} names {len(cells) - len(table)} pictures more than once; keep one row each"
        )
    return header, table


def _check_celeba(
    table: Path,
    partition: Path,
    attributes: dict[str, list[str]],
    splits: dict[str, list[str]],
    columns: Sequence[int],
) -> None:
    for column in columns:
        wrong = [(n, v[column]) for n, v in attributes.items() if v[column] not in ("-1", "0", "1")]
        _refuse_values(table, "attribute value", wrong, ("1", "-1"))
    missing = [name for name in attributes if name not in splits]
    if missing:
        raise ManifestError(
            f"{partition.name} names no split for {len(missing)} pictures, e.g. {missing[0]}; "
            "fetch it again"
        )
    unknown = [
        (name, splits[name][0]) for name in attributes if splits[name][0] not in _SPLIT_CODES
    ]
    _refuse_values(partition, "split", unknown, tuple(_SPLIT_CODES))
