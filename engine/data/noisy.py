"""`noisy`: the pictures of `stampbirds` with a tenth of the training labels flipped.

In every group of `train` the same share of the images is given the other class's label, as when
somebody mixed up a tenth of the folder; `val` and `test` keep their true labels, so that what is
chosen and what is judged is the truth. The group stays that of the *true* class and place: who is
given the groups (an oracle route) is told the truth about the picture, but not which labels are
wrong. The manifest's column `true_label`, which no reader of the engine takes up, and the list
`flipped` in `dataset.json` say which they are.

Pictures and masks are hard links to those of `stampbirds` where the file system has them, else
copies. The probes of `stampbirds` are not repeated here.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import stampbirds
from engine.data.description import count_groups, frozen_backbone_settings, made_with
from engine.data.manifest import ImageRecord, Split, read_records, write_records
from engine.data.staging import staged_folder
from engine.data.tables import read_table, write_table
from engine.errors import InvalidInput
from engine.progress import Progress, ignore_progress
from engine.randomness import generator

LAYOUT = 100 * stampbirds.LAYOUT + 1
"""Raise it when the recipe changes: sets built before are then built again, as they are where
`stampbirds` has new pictures."""

RATE = 0.1
TRUE_LABEL = "true_label"
FLIPS_EXPECTED: Mapping[int, str] = {
    0: "fd133734c4bcd68977a6bd6a1cd617b26ef9bbf925cdc9f759db8c6f2597db4a",
}
"""SHA-256 over the ids of the flipped images, in order, by seed."""


def build_noisy(
    source: Path,
    out: Path,
    *,
    rate: float = RATE,
    seed: int = 0,
    on_progress: Progress = ignore_progress,
) -> Path:
    """Flip training labels of a built data set, into a folder of its own.

    Args:
        source: The folder of a data set with `manifest.csv` and `dataset.json`: `stampbirds`.
        out: The folder to make; an older one is replaced when the new one is whole.
        rate: Share of each training group whose label is flipped, in [0, 1].
        seed: Any integer.
        on_progress: Called with (pictures linked, pictures in all).

    Returns:
        The path of `manifest.csv`. Beside it `dataset.json` and `CREDITS.txt`.

    Raises:
        ManifestError: The source's manifest cannot be read.
        InvalidInput: `rate` is out of range.
        OutOfSpace: The disk is full.
    """
    info = json.loads((source / "dataset.json").read_text(encoding="utf-8"))
    classes: tuple[str, ...] = tuple(info["classes"])
    records = read_records(source / "manifest.csv", classes)
    flipped = choose_flips(records, rate, seed)
    rng = generator(seed, "noisy/labels")
    noisy = [
        replace(record, label=_another(record.label, len(classes), rng))
        if record.image_id in flipped
        else record
        for record in records
    ]
    with staged_folder(out) as folder:
        for done, record in enumerate(records, start=1):
            for path in (record.path, record.mask, record.spurious_mask):
                if path is not None:
                    _link(source / path, folder / path)
            on_progress(done, len(records))
        _write_manifest(folder / "manifest.csv", noisy, records, classes)
        _link(source / "CREDITS.txt", folder / "CREDITS.txt")
        facts = _describe(info, noisy, records, seed, rate)
        text = json.dumps(facts, indent=1) + "\n"
        (folder / "dataset.json").write_text(text, encoding="utf-8")
    return out / "manifest.csv"


def choose_flips(records: Sequence[ImageRecord], rate: float, seed: int) -> frozenset[str]:
    """Choose the training images whose label is flipped: the same share of every group.

    Args:
        records: All images of the source.
        rate: Share of each training group, in [0, 1].
        seed: Any integer.

    Returns:
        Their ids.

    Raises:
        InvalidInput: `rate` is out of range.
    """
    if not 0 <= rate <= 1:
        raise InvalidInput(f"the share of flipped labels must lie in [0, 1], got {rate}")
    rng = generator(seed, "noisy/flips")
    members: dict[str, list[str]] = {}
    for record in records:
        if record.split is Split.TRAIN:
            group = record.group if record.group is not None else str(record.label)
            members.setdefault(group, []).append(record.image_id)
    chosen: set[str] = set()
    for group in sorted(members):
        ids = members[group]
        places = rng.choice(len(ids), round(rate * len(ids)), replace=False)
        chosen.update(ids[place] for place in places.tolist())
    return frozenset(chosen)


def _another(label: int, n_classes: int, rng: np.random.Generator) -> int:
    """Give a wrong label, each as likely."""
    return (label + 1 + int(rng.integers(n_classes - 1))) % n_classes


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _write_manifest(
    path: Path,
    noisy: Sequence[ImageRecord],
    records: Sequence[ImageRecord],
    classes: Sequence[str],
) -> None:
    write_records(path, noisy, classes)
    with path.open(encoding="utf-8") as file:
        columns = tuple(file.readline().rstrip("\n").split(","))
    rows = read_table(path, required=columns, optional=())
    with_truth = [
        {**row, TRUE_LABEL: classes[record.label]}
        for row, record in zip(rows, records, strict=True)
    ]
    write_table(path, (*columns, TRUE_LABEL), with_truth)


def _describe(
    source: Mapping[str, Any],
    noisy: Sequence[ImageRecord],
    records: Sequence[ImageRecord],
    seed: int,
    rate: float,
) -> dict[str, Any]:
    classes = list(source["classes"])
    flipped = [
        now.image_id for now, then in zip(noisy, records, strict=True) if now.label != then.label
    ]
    digest = hashlib.sha256("\n".join(flipped).encode()).hexdigest()
    expected = FLIPS_EXPECTED.get(seed)
    warnings = list(source.get("warnings", []))
    if expected not in (None, digest):
        warnings.append("the flipped labels are not those of the reference set")
    groups = sorted({record.group for record in records if record.group is not None})
    return {
        "name": "noisy",
        "question": source["question"],
        "classes": classes,
        "licence": source["licence"],
        "counts": count_groups(noisy, groups),
        "pixels_sha256": source.get("pixels_sha256"),
        "flips_sha256": digest,
        "flips_expected": expected,
        "warnings": warnings,
        "seed": seed,
        "layout": LAYOUT,
        "made_with": made_with(),
        "source": source["name"],
        "rate": rate,
        "flipped": flipped,
        "settings": frozen_backbone_settings(classes, c=1e-4, budget=120),
    }
