"""Pictures of slices by feature inversion, found by a job and kept by the images of the slice.

A picture is named by its slice's images, so that it is there at once when a slice comes back by
undoing, and is never shown for another slice.
"""

from pathlib import Path

from django.conf import settings
from django.urls import reverse

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
