"""From the slices that the engine found to a workspace that people can open. Runs in workers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.projects.models import Project
from annotation_site.workspace.acts import locked, value_of
from annotation_site.workspace.arrays import SlicedImages, opened, write
from annotation_site.workspace.marking import mark_rows, marks_of
from annotation_site.workspace.models import Event, EventKind, ImageMark, SliceMark, Workspace
from annotation_site.workspace.versions import Version, complete, version_of
from engine.slicing.marks import Mark, carried
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
        if before is not None:
            before = locked(before)  # nothing is marked there from now on, so none is lost
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
    images = list(before.image_marks.all())
    if not kept and not images:
        return
    after.revision = 1
    after.save(update_fields=["revision"])
    marks = {
        number: _from_old(mark, [rows[one] for one in _overlapping(old, new, number)])
        for number, mark in kept.items()
    }
    Event.objects.create(
        workspace=after,
        revision=1,
        kind=EventKind.MARK,
        words=f"{len(kept) + len(images)} marks carried over from the slices before",
        marks={str(number): [None, value_of(mark)] for number, mark in marks.items()},
        image_marks={str(image.number): [None, image.kind] for image in images},
        by=None,
    )
    for number, mark in marks.items():
        mark.workspace, mark.number, mark.revision = after, number, 1
    SliceMark.objects.bulk_create(marks.values())
    ImageMark.objects.bulk_create(
        (
            ImageMark(
                workspace=after,
                number=image.number,
                kind=image.kind,
                by_id=image.by_id,
                at=image.at,
                revision=1,
            )
            for image in images
        ),
        batch_size=1_000,
    )


def _overlapping(old: Version, new: Version, number: int) -> list[int]:
    """Give the old slices that a new one's images were in."""
    found: list[int] = np.unique(old.slices.assignment[new.slices.members(number)]).tolist()
    return found


def _from_old(mark: Mark, given_by: Sequence[SliceMark]) -> SliceMark:
    """Make a mark from those of old slices; of note, person and time it has what all agree on."""
    notes, people, times = (
        {getattr(row, name) for row in given_by} for name in ("note", "by_id", "at")
    )
    return SliceMark(
        kind=mark.kind.value,
        score=mark.score,
        note=notes.pop() if len(notes) == 1 else "",
        by_id=people.pop() if len(people) == 1 else None,
        at=times.pop() if len(times) == 1 else timezone.now(),
    )


def written(images: SlicedImages, key: str, **more: Any) -> SlicedImages:
    """Write what was found, and give it as it is read back."""
    write(images, key, **more)
    return opened(key)
