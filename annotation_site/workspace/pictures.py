"""Pictures of slices by feature inversion, found by a job and kept by the images of the slice.

A picture is named by its slice's images, so that it is there at once when a slice comes back by
undoing, and is never shown for another slice.
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
from annotation_site.workspace.versions import Version

FOLDER = "workspaces/pictures"


def folder_of(workspace: Workspace) -> Path:
    """Give the folder of a project's pictures."""
    return Path(settings.MEDIA_ROOT) / FOLDER / str(workspace.project_id)


def found(workspace: Workspace, version: Version) -> dict[int, str]:
    """Give the addresses of the pictures that are there, by slice."""
    folder = folder_of(workspace)
    there = {path.stem for path in folder.glob("*.webp")} if folder.is_dir() else set()
    return {
        number: reverse(
            "workspace:picture", args=[workspace.project.public_id, workspace.public_id, key]
        )
        for number, key in zip(version.slices.numbers, version.figures.keys, strict=True)
        if key in there
    }


def wanted_pictures(workspace: Workspace, version: Version, numbers: Sequence[int]) -> list[int]:
    """Say of which slices pictures are to be found: of those asked for, that have none.

    Args:
        workspace: Whose.
        version: Its slices.
        numbers: Asked for; none: all, the slices with most errors first.
    """
    there = found(workspace, version)
    errors = dict(zip(version.slices.numbers, version.figures.errors.tolist(), strict=True))
    asked = set(numbers) or set(errors)
    return sorted(
        (number for number in errors if number in asked and number not in there),
        key=lambda number: (-errors[number], number),
    )


def keep_picture(
    workspace: Workspace,
    version: Version,
    number: int,
    picture: np.ndarray,
    facts: Mapping[str, Any],
) -> None:
    """Write a slice's picture, and beside it how it was found.

    Args:
        workspace: Whose.
        version: Its slices.
        number: Of the slice.
        picture: Three bands in [0, 1].
        facts: A JSON object: loss curve and reason for stopping.
    """
    folder = folder_of(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    key = version.figures.keys[version.slices.numbers.index(number)]
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    out = io.BytesIO()
    Picture.fromarray(pixels).save(out, "WEBP", quality=88)
    for ending, content in (("json", json.dumps(dict(facts)).encode()), ("webp", out.getvalue())):
        unfinished = folder / f"{key}.{ending}.part"
        unfinished.write_bytes(content)
        unfinished.replace(folder / f"{key}.{ending}")
