"""What a job found of a split's images, as plain files that a web process reads without the engine.

A folder is named by a digest of what it was made from, written wholly or not at all, and never
changed.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from jaxtyping import Bool, Float32, Int32, Int64

from annotation_site.quality.memory import Memory

FOLDER = "workspaces/found"
MOST_OPEN = 3
_open = Memory(MOST_OPEN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlicedImages:
    """A split's images on their map, in the order of rows; an image's index is its place here.

    Attributes:
        rows: Rows of the manifest, rising.
        coordinates: As plotted.
        labels: True classes.
        predicted: Predicted classes.
        confidence: Softmax probability of the predicted class.
        own: Softmax probability of the image's own label.
        margin: Logit of the own label less the greatest other one.
        is_dead: Where no evidence is positive, so that attention cannot be seen.
        assignment: Slice of each in the set as found.
        vectors: Attention-weighted features of the predicted class; stays on disk.
        facts: What a page says of the making: class names, threshold, curve, reason.
    """

    rows: Int64[np.ndarray, " m"]
    coordinates: Float32[np.ndarray, "m 2"]
    labels: Int32[np.ndarray, " m"]
    predicted: Int32[np.ndarray, " m"]
    confidence: Float32[np.ndarray, " m"]
    own: Float32[np.ndarray, " m"]
    margin: Float32[np.ndarray, " m"]
    is_dead: Bool[np.ndarray, " m"]
    assignment: Int32[np.ndarray, " m"]
    vectors: Float32[np.ndarray, "m d"]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def class_names(self) -> list[str]:
        """Give the names of the classes, in order."""
        return list(self.facts["classes"])


def folder_of(key: str) -> Path:
    """Give the folder of a digest."""
    return Path(settings.MEDIA_ROOT) / FOLDER / key


def write(images: SlicedImages, key: str, *, vectors_file: Path | None = None) -> None:
    """Write what was found, wholly or not at all; what is there already stays.

    Args:
        images: What to write.
        key: Digest of what it was made from.
        vectors_file: Where the vectors lie as .npy already; linked instead of written where the
            file system can.
    """
    target = folder_of(key)
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target.parent))
    try:
        for one in fields(images):
            path = staging / f"{one.name}.npy"
            if one.name == "facts":
                (staging / "facts.json").write_text(json.dumps(dict(images.facts)))
            elif one.name == "vectors" and vectors_file is not None:
                _link(vectors_file, path)
            else:
                np.save(path, np.ascontiguousarray(getattr(images, one.name)), allow_pickle=False)
        staging.chmod(0o755)
        staging.rename(target)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        if not target.is_dir():  # else another worker was first, with the same content
            raise
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def opened(key: str) -> SlicedImages:
    """Give what was found, from memory where this process has opened it before.

    Raises:
        FileNotFoundError: The folder is gone.
    """
    return _open.recall((str(settings.MEDIA_ROOT), key), lambda: _read(folder_of(key)))


def _read(folder: Path) -> SlicedImages:
    facts = json.loads((folder / "facts.json").read_text())
    values = {
        one.name: np.load(
            folder / f"{one.name}.npy",
            mmap_mode="r" if one.name == "vectors" else None,
            allow_pickle=False,
        )
        for one in fields(SlicedImages)
        if one.name != "facts"
    }
    return SlicedImages(facts=facts, **values)


def forget() -> None:
    """Forget what was opened; tests need it."""
    _open.clear()
