"""From the slices that the engine found to a workspace that people can open. Runs in workers."""

from typing import Any

import numpy as np
from django.db import transaction

from annotation_site.accounts.models import User
from annotation_site.projects.models import Project
from annotation_site.workspace.acts import image_kinds
from annotation_site.workspace.arrays import SlicedImages, opened, write
from annotation_site.workspace.marking import mark_rows, marks_of
from annotation_site.workspace.models import Event, EventKind, ImageMark, SliceMark, Workspace
from annotation_site.workspace.versions import complete, version_of
from engine.slicing.marks import carried
from engine.slicing.slice_set import first_set


def open_workspace(
    *,
    project: Project,
    split: str,
    images: SlicedImages,
    key: str,
    classifier_key: str,
    options: dict[str, Any],
    created_by: User | None,
) -> Workspace:
    """Show what was found, with the marks of an earlier map of the same images carried over.

    Args:
        project: whose.
        split: which images.
        images: as written under `key`.
        key: digest of what they were made from.
        classifier_key: the network's artifact.
        options: settings, seed and versions, for exports.
        created_by: who asked for it.

    Returns:
        The workspace; it is from now on the one shown of its split.
    """
    version = complete(images, first_set(images.rows, images.assignment.astype(np.int64)))
    with transaction.atomic():
        before = project.workspaces.filter(split=split).order_by("created_at", "pk").last()
        workspace = Workspace.objects.create(
            project=project,
            split=split,
            arrays_key=key,
            classifier_key=classifier_key,
            n_images=len(images),
            options=options,
            next_number=version.slices.next_number,
            created_by=created_by,
        )
        if before is not None:
            _carry_marks(before, workspace)
    return workspace


def _carry_marks(before: Workspace, after: Workspace) -> None:
    """Mark the slices whose images were all marked alike in the map before, and single images."""
    try:
        old, new = version_of(before), version_of(after)
    except FileNotFoundError:
        return  # its files were taken away: there is nothing to carry
    if not np.array_equal(old.slices.rows, new.slices.rows):
        return
    rows = mark_rows(before)
    kept = carried(old.slices, marks_of(rows), new.slices)
    images = image_kinds(before)
    if not kept and not images:
        return
    after.revision = 1
    after.save(update_fields=["revision"])
    values = {
        number: {"kind": mark.kind.value, "score": mark.score, "note": ""}
        for number, mark in kept.items()
    }
    Event.objects.create(
        workspace=after,
        revision=1,
        kind=EventKind.MARK,
        words=f"{len(kept) + len(images)} marks carried over from the slices before",
        marks={str(number): [None, value] for number, value in values.items()},
        image_marks={str(number): [None, kind] for number, kind in images.items()},
        by=None,
    )
    SliceMark.objects.bulk_create(
        SliceMark(workspace=after, number=number, revision=1, **value)
        for number, value in values.items()
    )
    ImageMark.objects.bulk_create(
        (
            ImageMark(workspace=after, number=number, kind=kind, revision=1)
            for number, kind in images.items()
        ),
        batch_size=1_000,
    )


def written(images: SlicedImages, key: str, **more: Any) -> SlicedImages:
    """Write what was found, and give it as it is read back."""
    write(images, key, **more)
    return opened(key)
