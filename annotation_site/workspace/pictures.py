"""Pictures of slices by feature inversion, found by a job and kept by the images of the slice.

A picture is named by its images, so that it is there at once when a slice comes back by undoing,
and is never shown for another slice. In one cell of the confusion matrix a slice has a picture of
its images there.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.urls import reverse
from PIL import Image as Picture

from annotation_site.workspace.models import Workspace
from annotation_site.workspace.versions import Version, members_key

FOLDER = "workspaces/pictures"
CellName = tuple[int, int]
"""A cell of the confusion matrix: true and predicted class."""


def folder_of(workspace: Workspace) -> Path:
    """Give the folder of a project's pictures."""
    return Path(settings.MEDIA_ROOT) / FOLDER / str(workspace.project_id)


def groups_of(version: Version, cell: CellName | None = None) -> dict[int, np.ndarray]:
    """Give the images that each slice's picture is of, as indices.

    Args:
        version: The slices.
        cell: True and predicted class, for the images of one cell of the confusion matrix; slices
            with none there are left out. None: all images.
    """
    images = version.images
    inside = np.ones(len(images), dtype=bool)
    if cell is not None:
        inside = (images.labels == cell[0]) & (images.predicted == cell[1])
    members = np.flatnonzero(inside)
    places = version.index[members]
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order])) + 1
    return {
        version.slices.numbers[int(version.index[part[0]])]: part
        for part in np.split(members[order], starts)
        if len(part)
    }


def keys_of(version: Version, cell: CellName | None = None) -> dict[int, str]:
    """Give the name of each slice's picture; one of a cell that holds a whole slice is that slice's."""
    if cell is None:
        return dict(zip(version.slices.numbers, version.figures.keys, strict=True))
    groups = groups_of(version, cell)
    return {number: members_key(version.images, part) for number, part in groups.items()}


def found(workspace: Workspace, version: Version, cell: CellName | None = None) -> dict[int, str]:
    """Give the addresses of the pictures that are there, by slice."""
    folder = folder_of(workspace)
    there = {path.stem for path in folder.glob("*.webp")} if folder.is_dir() else set()
    return {
        number: reverse(
            "workspace:picture", args=[workspace.project.public_id, workspace.public_id, key]
        )
        for number, key in keys_of(version, cell).items()
        if key in there
    }


def wanted_pictures(
    workspace: Workspace,
    version: Version,
    numbers: Sequence[int],
    keys: Mapping[int, str],
) -> list[int]:
    """Say of which slices pictures are to be found: of those asked for, that have none.

    Args:
        workspace: Whose.
        version: Its slices.
        numbers: Asked for; none: all, the slices with most errors first.
        keys: Names of the pictures that are wanted, by slice.
    """
    folder = folder_of(workspace)
    missing = {number for number, key in keys.items() if not (folder / f"{key}.webp").is_file()}
    errors = dict(zip(version.slices.numbers, version.figures.errors.tolist(), strict=True))
    asked = set(numbers) or set(errors)
    return sorted(
        (number for number in missing if number in asked),
        key=lambda number: (-errors[number], number),
    )


def keep_picture(
    workspace: Workspace, key: str, picture: np.ndarray, facts: Mapping[str, Any]
) -> None:
    """Write a picture, and beside it how it was found.

    Args:
        workspace: Whose.
        key: Name of the images that it is of, from `keys_of`.
        picture: Three bands in [0, 1].
        facts: A JSON object: loss curve and reason for stopping.
    """
    folder = folder_of(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    out = io.BytesIO()
    Picture.fromarray(pixels).save(out, "WEBP", quality=88)
    for ending, content in (("json", json.dumps(dict(facts)).encode()), ("webp", out.getvalue())):
        unfinished = folder / f"{key}.{ending}.part"
        unfinished.write_bytes(content)
        unfinished.replace(folder / f"{key}.{ending}")
