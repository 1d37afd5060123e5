"""Acts: what people do in a workspace, one after the other, each written while its row is held."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.workspace.models import (
    Event,
    EventKind,
    EventState,
    ImageMark,
    SliceMark,
    Workspace,
)
from annotation_site.workspace.versions import packed
from engine.slicing.slice_set import Change

ACTS = (EventKind.MARK, EventKind.CHANGE, EventKind.REDO)
"""What can be undone."""
MarkValue = dict[str, Any]
"""A slice's mark as an event keeps it: kind, score, note."""
Value = TypeVar("Value")
Pairs = Mapping[int, tuple[Value | None, Value | None]]
"""Of slices or images: what was said before and after; None for nothing."""


def locked(workspace: Workspace) -> Workspace:
    """Read a workspace and hold its row until the transaction ends."""
    return Workspace.objects.select_for_update(of=("self",)).get(pk=workspace.pk)


def value_of(row: SliceMark | None) -> MarkValue | None:
    """Give a mark as an event keeps it."""
    return None if row is None else {"kind": row.kind, "score": row.score, "note": row.note}


def add_act(
    workspace: Workspace,
    by: User,
    kind: EventKind,
    words: str,
    *,
    marks: Pairs[MarkValue] | None = None,
    image_marks: Pairs[str] | None = None,
    change: Change | None = None,
    first_number: int = 0,
    drops_undone: bool = True,
) -> Event:
    """Add an act: the revision grows by one; what the person had undone cannot be redone any more."""
    workspace.revision += 1
    workspace.save(update_fields=["revision", "set_version", "next_number"])
    value, members = packed(change) if change is not None else ({}, b"")
    if drops_undone:
        workspace.events.filter(by=by, state=EventState.UNDONE).update(state=EventState.DROPPED)
    return Event.objects.create(
        workspace=workspace,
        revision=workspace.revision,
        kind=kind,
        words=words[:300],
        marks=_stored(marks or {}),
        image_marks=_stored(image_marks or {}),
        change=value,
        members=members,
        first_number=first_number,
        by=by,
    )


def _stored(pairs: Pairs[Value]) -> dict[str, list[Value | None]]:
    return {str(number): list(pair) for number, pair in pairs.items()}


def taken_back(
    pairs: Mapping[str, list[Value | None]], now: Mapping[int, Value | None]
) -> dict[int, tuple[Value | None, Value | None]]:
    """Say what undoing an act's marks does: what somebody else set since stays.

    Args:
        pairs: As the event keeps them.
        now: What each is marked as now.
    """
    return done_again({number: [after, before] for number, (before, after) in pairs.items()}, now)


def done_again(
    pairs: Mapping[str, list[Value | None]], now: Mapping[int, Value | None]
) -> dict[int, tuple[Value | None, Value | None]]:
    """Say what doing an act's marks again does: what somebody else set since stays.

    Args:
        pairs: As the event keeps them.
        now: What each is marked as now.
    """
    return {
        int(number): (before, after)
        for number, (before, after) in pairs.items()
        if now.get(int(number)) == before
    }


def set_image_marks(workspace: Workspace, by: User, values: Mapping[int, str | None]) -> None:
    """Put kinds in place of those that images have; None takes one away."""
    workspace.image_marks.filter(number__in=list(values)).delete()
    now = timezone.now()
    ImageMark.objects.bulk_create(
        (
            ImageMark(
                workspace=workspace,
                number=number,
                kind=kind,
                by=by,
                at=now,
                revision=workspace.revision,
            )
            for number, kind in values.items()
            if kind is not None
        ),
        batch_size=1_000,
    )


def image_kinds(workspace: Workspace) -> dict[int, str]:
    """Read what was said of single images, by their index."""
    return dict(workspace.image_marks.values_list("number", "kind"))


def set_marks(workspace: Workspace, by: User, values: Mapping[int, MarkValue | None]) -> None:
    """Put marks in place of those there are; None takes one away."""
    workspace.marks.filter(number__in=list(values)).delete()
    now = timezone.now()
    SliceMark.objects.bulk_create(
        SliceMark(
            workspace=workspace, number=number, by=by, at=now, revision=workspace.revision, **value
        )
        for number, value in values.items()
        if value is not None
    )


def to_undo(workspace: Workspace, by: User) -> Event | None:
    """Give the act that undoing would take back: the person's latest in force."""
    return (
        workspace.events.filter(by=by, state=EventState.IN_FORCE, kind__in=ACTS)
        .order_by("-revision")
        .first()
    )


def to_redo(workspace: Workspace, by: User) -> Event | None:
    """Give the act that redoing would do again: what the person undid last."""
    undone = workspace.events.filter(by=by, state=EventState.UNDONE)
    return undone.order_by("-undone_at").first()
