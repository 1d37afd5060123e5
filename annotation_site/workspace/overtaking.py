"""Who was faster: what somebody else did since a page was last told, and what a verb says then."""

from collections.abc import Iterator, Sequence

from django.db.models import Q

from annotation_site.accounts.models import User
from annotation_site.web.refusals import Refused
from annotation_site.workspace.acts import locked
from annotation_site.workspace.models import Event, EventState, Workspace
from engine.slicing.slice_set import ChangeKind


class Overtaken(Refused):
    """Somebody else marked or changed the same since the page was last told."""


def locked_newest(workspace: Workspace, lost: str) -> Workspace:
    """Read a workspace and hold its row, as long as it is the one shown of its split.

    Args:
        workspace: where somebody acts.
        lost: what is not done otherwise, as in `this mark was not taken`.

    Raises:
        Overtaken: newer slices were made of the same images.
    """
    held = locked(workspace)
    newest = (
        Workspace.objects.filter(project_id=held.project_id, split=held.split)
        .order_by("created_at", "pk")
        .values_list("pk", flat=True)
        .last()
    )
    if newest != held.pk:
        raise Overtaken(
            f"Newer slices were made of these images. Reload the page to see them; {lost}."
        )
    return held


def check_seen(
    workspace: Workspace, by: User, seen: int | None, numbers: Sequence[int], field: str
) -> None:
    """Refuse where somebody else set or cleared one of the marks, or changed its slice, after `seen`.

    Args:
        workspace: where.
        by: who marks now.
        seen: the revision that was looked at; None: whatever it was.
        numbers: of slices, or of images.
        field: of the events, `marks` or `image_marks`.

    Raises:
        Overtaken: somebody did.
    """
    if seen is None or seen >= workspace.revision:
        return
    touched = {str(number) for number in numbers}
    for event in (
        workspace.events.filter(revision__gt=seen)
        .exclude(by=by)
        .exclude(**{field: {}})
        .select_related("by")
        .defer("members")
        .order_by("-revision")
    ):
        if touched & set(getattr(event, field)):
            raise _overtaken_by(event, event.words)
    if field == "marks":
        for event, words in _changes_since(workspace, by, seen):
            if set(numbers) & set(event.change["slices"]):
                raise _overtaken_by(event, words)


def _overtaken_by(event: Event, words: str) -> Overtaken:
    who = event.by.username if event.by else "somebody"
    return Overtaken(f"{who} was faster: {words}. Look again, then mark once more to overrule.")


def _changes_since(workspace: Workspace, by: User, seen: int) -> Iterator[tuple[Event, str]]:
    """Give other people's changes of slices' images that were done or undone after `seen`."""
    done = Q(revision__gt=seen, state=EventState.IN_FORCE)
    undone = Q(revision__lte=seen, undone_at__gt=seen)
    for event in (
        workspace.events.filter(done | undone)
        .exclude(by=by)
        .exclude(change={})
        .select_related("by")
        .defer("members", "marks", "image_marks")
        .order_by("-revision")
    ):
        if event.change["kind"] != ChangeKind.RENAME:
            yield event, event.words if event.revision > seen else f"Undone: {event.words}"
