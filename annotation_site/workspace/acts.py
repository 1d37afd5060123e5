"""Acts: what people do in a workspace, one after the other, each written while its row is held."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.workspace.models import Event, EventKind, EventState, SliceMark, Workspace
from annotation_site.workspace.versions import packed
from engine.slicing.slice_set import Change

ACTS = (EventKind.MARK, EventKind.CHANGE, EventKind.REDO)
"""What can be undone."""
MarkValue = dict[str, Any]
"""A mark as an event keeps it: kind, score, note."""


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
    marks: Mapping[int, tuple[MarkValue | None, MarkValue | None]] | None = None,
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
        marks={str(number): list(pair) for number, pair in (marks or {}).items()},
        change=value,
        members=members,
        first_number=first_number,
        by=by,
    )


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
