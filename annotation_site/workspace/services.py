"""The verbs of the workspace. Each is one transaction that holds the workspace's row and adds an act.

Two leads therefore never write over one another unseen: acts follow one another, each is kept in
the events, and a verb that says what it has seen is refused where somebody else was faster.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from django.db import transaction

from annotation_site.accounts.models import User
from annotation_site.projects.models import Image
from annotation_site.web.refusals import Refused
from annotation_site.workspace.acts import (
    MarkValue,
    Pairs,
    add_act,
    done_again,
    image_kinds,
    set_image_marks,
    set_marks,
    taken_back,
    to_redo,
    to_undo,
    value_of,
)
from annotation_site.workspace.marking import marks_of
from annotation_site.workspace.models import (
    IMAGE_MARK_KINDS,
    MARK_KINDS,
    Event,
    EventKind,
    EventState,
    SliceMark,
    Workspace,
)
from annotation_site.workspace.overtaking import Overtaken, check_seen, locked_newest
from annotation_site.workspace.versions import (
    Version,
    change_of,
    changes_in_force,
    complete,
    done,
    remember,
    version_of,
)
from engine.slicing.marks import carried
from engine.slicing.slice_set import Change, ChangeKind, lasso, merge, rename, split

CLEAR = "clear"
MOST_NAMED = 4
MOST_IMAGES = 10_000
"""Images that one act marks."""
SAYS = {
    "core": "marked as core",
    "spurious": "marked as spurious",
    "mixed": "marked as mixed",
    "wrong_labels": "marked for wrong labels",
    CLEAR: "cleared",
}


# ---- marks -----------------------------------------------------------------------------------------


def mark(
    *,
    workspace: Workspace,
    by: User,
    numbers: Sequence[int],
    kind: str,
    note: str = "",
    score: float | None = None,
    seen: int | None = None,
) -> Workspace:
    """Mark slices, or clear their marks.

    Args:
        workspace: where.
        by: who marks.
        numbers: of slices, at least one.
        kind: one of `MARK_KINDS`, or `clear`.
        note: why, in the marker's words.
        score: an attention score in [0, 1] given by hand in place of the kind's own.
        seen: the revision that the marker looked at.

    Returns:
        The workspace as it is now.

    Raises:
        Refused: no such slice or kind, or a score out of range.
        Overtaken: somebody else marked or changed one of the slices since `seen`, or there are
            newer slices.
    """
    if kind not in (*MARK_KINDS, CLEAR):
        raise Refused(f"“{kind}” is no mark. Marks are {', '.join(MARK_KINDS)} and {CLEAR}.")
    if score is not None and not 0 <= score <= 1:
        raise Refused(f"An attention score lies between 0 and 1, not at {score}.")
    with transaction.atomic():
        held = locked_newest(workspace, "this mark was not taken")
        version = version_of(held)
        wanted = _known(version, numbers)
        before = _rows(held, wanted)
        check_seen(held, by, seen, wanted, "marks")
        after: MarkValue | None = None
        if kind != CLEAR:
            after = {"kind": kind, "score": score, "note": note.strip()[:500]}
        changes = {
            number: (value_of(before.get(number)), after)
            for number in wanted
            if value_of(before.get(number)) != after
        }
        if changes:
            words = f"{_named(version, wanted)} {SAYS[kind]}"
            if score is not None:
                words += f", score {score:.2f} given by hand"
            add_act(held, by, EventKind.MARK, words, marks=changes)
            set_marks(held, by, {number: new for number, (_, new) in changes.items()})
    return held


def _known(version: Version, numbers: Sequence[int]) -> list[int]:
    wanted = sorted(set(numbers))
    missing = [number for number in wanted if number not in version.slices.numbers]
    if missing or not wanted:
        what = f"There is no slice {missing[0]} any more" if missing else "No slice is chosen"
        raise Refused(f"{what}. Reload the workspace to see the slices as they are.")
    return wanted


def _rows(workspace: Workspace, numbers: Sequence[int]) -> dict[int, SliceMark]:
    rows = workspace.marks.select_related("by")
    if len(numbers) <= 200:
        rows = rows.filter(number__in=numbers)
    return {row.number: row for row in rows}


def _named(version: Version, numbers: Sequence[int]) -> str:
    names = [version.slices.named(number).name for number in numbers[:MOST_NAMED]]
    if len(numbers) > MOST_NAMED:
        return f"{len(numbers)} slices"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def mark_images(
    *,
    workspace: Workspace,
    by: User,
    indices: Sequence[int],
    kind: str,
    seen: int | None = None,
) -> Workspace:
    """Set the scores of single images by hand, or leave them to what spreads again.

    Args:
        workspace: where.
        by: who marks.
        indices: of the images on the map, at least one.
        kind: one of `IMAGE_MARK_KINDS`, or `clear`.
        seen: the revision that the marker looked at.

    Returns:
        The workspace as it is now.

    Raises:
        Refused: no such image or kind, or too many at once.
        Overtaken: somebody else marked one of the images since `seen`, or there are newer slices.
    """
    if kind not in (*IMAGE_MARK_KINDS, CLEAR):
        raise Refused(
            f"“{kind}” is no score of an image. Scores are {', '.join(IMAGE_MARK_KINDS)} and "
            f"{CLEAR}."
        )
    wanted = sorted(set(indices))
    if not wanted or len(wanted) > MOST_IMAGES:
        raise Refused(f"Choose at least one image, and at most {MOST_IMAGES:,} at once.")
    if wanted[-1] >= workspace.n_images:
        raise Refused(f"There is no image {wanted[-1]}; they are numbered from 0.")
    with transaction.atomic():
        held = locked_newest(workspace, "this mark was not taken")
        check_seen(held, by, seen, wanted, "image_marks")
        before, after = image_kinds(held), None if kind == CLEAR else kind
        changes = {n: (before.get(n), after) for n in wanted if before.get(n) != after}
        if changes:
            words = f"{_images_named(held, sorted(changes))} {SAYS[kind]} by hand"
            add_act(held, by, EventKind.MARK, words, image_marks=changes)
            set_image_marks(held, by, {number: new for number, (_, new) in changes.items()})
    return held


def _images_named(workspace: Workspace, indices: Sequence[int]) -> str:
    if len(indices) > 1:
        return f"{len(indices):,} images"
    row = int(version_of(workspace).images.rows[indices[0]])
    found = Image.objects.filter(dataset__project_id=workspace.project_id, row=row)
    return f"Image {found.values_list('image_id', flat=True).first() or row}"


# ---- slices ----------------------------------------------------------------------------------------


def change_slices(
    *,
    workspace: Workspace,
    by: User,
    kind: str,
    numbers: Sequence[int] = (),
    name: str = "",
    members: Sequence[int] = (),
    set_version: int | None = None,
) -> Workspace:
    """Rename, merge, split or draw a slice; the set is replaced by its next version.

    Args:
        workspace: where.
        by: who.
        kind: `rename`, `merge`, `split` or `lasso`.
        numbers: of the slices it is done to; a lasso has none.
        name: for `rename`; may be given for `merge` and `lasso`.
        members: indices of images, for `lasso`, and for `split` if not along the longest axis.
        set_version: of the slices that the person looked at.

    Returns:
        The workspace as it is now.

    Raises:
        Overtaken: the slices became others in between, or there are newer ones.
        InvalidInput: the change does not fit the slices.
    """
    with transaction.atomic():
        held = locked_newest(workspace, "this change was not made")
        if set_version is not None and set_version != held.set_version:
            raise Overtaken(
                "Somebody changed the slices a moment ago. They are shown as they are now; "
                "make your change again."
            )
        version = version_of(held)
        change = _change(version, kind, numbers, name.strip()[:80], members)
        _do_change(held, by, version, change, EventKind.CHANGE, held.next_number)
    return held


def _change(
    version: Version, kind: str, numbers: Sequence[int], name: str, members: Sequence[int]
) -> Change:
    slices = version.slices
    if kind not in list(ChangeKind):
        raise Refused(f"“{kind}” is no change of slices. Changes are {', '.join(ChangeKind)}.")
    if kind == ChangeKind.LASSO:
        return lasso(slices, np.array(members, dtype=np.int64), name).changes[-1]
    wanted = _known(version, numbers)
    if kind == ChangeKind.MERGE:
        return merge(slices, wanted, name).changes[-1]
    if len(wanted) != 1:
        raise Refused(f"To {kind}, choose one slice; {len(wanted)} are chosen.")
    if kind == ChangeKind.RENAME:
        return rename(slices, wanted[0], name).changes[-1]
    if members:
        drawn = tuple(sorted(set(members)))
        return Change(kind=ChangeKind.SPLIT, slices=(wanted[0],), members=drawn)
    return split(slices, wanted[0], version.images.coordinates).changes[-1]


def _do_change(
    workspace: Workspace,
    by: User,
    version: Version,
    change: Change,
    kind: EventKind,
    first_number: int,
) -> None:
    after = complete(version.images, done(version.slices, change, first_number), before=version)
    rows = _all_rows(workspace)
    moved = _carried_marks(version, after, rows)
    words = _change_words(version, after, change)
    workspace.set_version += 1
    workspace.next_number = max(workspace.next_number, after.slices.next_number)
    add_act(
        workspace, by, kind, words, marks=moved, change=change, first_number=first_number,
        drops_undone=kind == EventKind.CHANGE,
    )  # fmt: skip
    _move_marks(workspace, moved, by)
    transaction.on_commit(lambda: remember(workspace, after))


def _all_rows(workspace: Workspace) -> dict[int, SliceMark]:
    return {row.number: row for row in workspace.marks.all()}


def _carried_marks(
    before: Version, after: Version, rows: Mapping[int, SliceMark]
) -> dict[int, tuple[MarkValue | None, MarkValue | None]]:
    """Say which marks go with their slices and which new slices inherit one."""
    kept = carried(before.slices, marks_of(rows), after.slices)
    moved: dict[int, tuple[MarkValue | None, MarkValue | None]] = {}
    for number, row in rows.items():
        if number not in kept:
            moved[number] = (value_of(row), None)
    for number, inherited in kept.items():
        if number not in rows:
            moved[number] = (
                None,
                {"kind": inherited.kind.value, "score": inherited.score, "note": ""},
            )
    return moved


def _move_marks(
    workspace: Workspace,
    moved: Mapping[int, tuple[MarkValue | None, MarkValue | None]],
    by: User,
) -> None:
    """Take marks of slices that are gone away, and give new slices those they inherit."""
    if moved:
        set_marks(workspace, by, {number: new for number, (_, new) in moved.items()})


def _change_words(before: Version, after: Version, change: Change) -> str:
    new = [one for one in after.slices.slices if one.number not in before.slices.numbers]
    old = _named(before, change.slices) if change.slices else ""
    if change.kind is ChangeKind.RENAME:
        return f"{old} renamed to {change.name}"
    if change.kind is ChangeKind.LASSO:
        return f"{new[-1].name} drawn round {len(change.members):,} images"
    if change.kind is ChangeKind.MERGE:
        return f"{old} merged to {new[-1].name}"
    return f"{old} split into {new[0].name} and {new[1].name}"


# ---- undo and redo --------------------------------------------------------------------------------------


def undo(*, workspace: Workspace, by: User) -> Workspace:
    """Take back the person's latest act; what somebody else changed since stays as it is.

    Raises:
        Refused: there is nothing to undo, or somebody else's change of slices rests on the act.
        Overtaken: there are newer slices.
    """
    with transaction.atomic():
        held = locked_newest(workspace, "nothing was undone")
        event = to_undo(held, by)
        if event is None:
            raise Refused("There is nothing of yours to undo.")
        if event.change:
            _undo_change(held, by, event)
        else:
            _undo_marks(held, by, event)
        Event.objects.filter(pk=event.pk).update(state=EventState.UNDONE, undone_at=held.revision)
    return held


def _undo_marks(workspace: Workspace, by: User, event: Event) -> None:
    marks = taken_back(_of_slices_there(workspace, event), _values(workspace))
    image_marks = taken_back(event.image_marks, image_kinds(workspace))
    _set_both(workspace, by, EventKind.UNDO, f"Undone: {event.words}", marks, image_marks)


def _of_slices_there(workspace: Workspace, event: Event) -> dict[str, list[MarkValue | None]]:
    """Give an act's marks of the slices that there still are."""
    numbers = version_of(workspace).slices.numbers
    return {number: pair for number, pair in event.marks.items() if int(number) in numbers}


def _values(workspace: Workspace) -> dict[int, MarkValue | None]:
    return {number: value_of(row) for number, row in _all_rows(workspace).items()}


def _set_both(
    workspace: Workspace,
    by: User,
    kind: EventKind,
    words: str,
    marks: Pairs[MarkValue],
    image_marks: Pairs[str],
) -> None:
    add_act(workspace, by, kind, words, marks=marks, image_marks=image_marks, drops_undone=False)
    set_marks(workspace, by, {number: new for number, (_, new) in marks.items()})
    set_image_marks(workspace, by, {number: new for number, (_, new) in image_marks.items()})


def _undo_change(workspace: Workspace, by: User, event: Event) -> None:
    later = [one for one in changes_in_force(workspace) if one.revision > event.revision]
    if later:
        raise Refused(
            f"“{event.words}” cannot be undone, for “{later[0].words}” came after it and rests on "
            "it. Undo that first."
        )
    rows = _all_rows(workspace)
    pairs = {int(number): pair for number, pair in event.marks.items()}
    born = _born(version_of(workspace), event)
    for number in born:
        inherited = pairs.get(number, (None, None))[1]
        if value_of(rows.get(number)) != inherited:
            raise Refused(
                f"“{event.words}” cannot be undone: slice {number}, which it made, was marked "
                "since. Clear that mark first."
            )
    back = {number: (after, before) for number, (before, after) in pairs.items()}
    workspace.set_version += 1
    add_act(workspace, by, EventKind.UNDO, f"Undone: {event.words}", marks=back, drops_undone=False)
    set_marks(workspace, by, {number: before for number, (_, before) in back.items()})
    Event.objects.filter(pk=event.pk).update(state=EventState.UNDONE)


def _born(version: Version, event: Event) -> list[int]:
    """Give the slices of now that a change made."""
    if event.change.get("kind") == ChangeKind.RENAME:
        return []
    return [number for number in version.slices.numbers if number >= event.first_number]


def redo(*, workspace: Workspace, by: User) -> Workspace:
    """Do again what the person undid last, as a new act; what somebody else set since stays.

    Raises:
        Refused: there is nothing to redo.
        Overtaken: there are newer slices.
        InvalidInput: the slices became others, so that the change does not fit them any more.
    """
    with transaction.atomic():
        held = locked_newest(workspace, "nothing was done again")
        event = to_redo(held, by)
        if event is None:
            raise Refused("There is nothing of yours to redo.")
        if event.change:
            version = version_of(held)
            first = event.first_number if _nobody_numbered(held, event) else held.next_number
            _do_change(held, by, version, change_of(event), EventKind.REDO, first)
        else:
            _redo_marks(held, by, event)
        Event.objects.filter(pk=event.pk).update(state=EventState.DROPPED)
    return held


def _nobody_numbered(workspace: Workspace, event: Event) -> bool:
    """Tell whether the numbers that the change took are still its own, so that its marks fit."""
    others = workspace.events.filter(
        kind__in=[EventKind.CHANGE, EventKind.REDO],
        first_number__gte=event.first_number,
        revision__gt=event.revision,
    ).exclude(state=EventState.UNDONE)
    done_since = others.exclude(change={}).values_list("change", flat=True)
    return all(change["kind"] == ChangeKind.RENAME for change in done_since)


def _redo_marks(workspace: Workspace, by: User, event: Event) -> None:
    marks = done_again(_of_slices_there(workspace, event), _values(workspace))
    image_marks = done_again(event.image_marks, image_kinds(workspace))
    words = event.words
    if not marks and not image_marks:
        words = f"Not done again, for it was changed since: {words}"
    _set_both(workspace, by, EventKind.REDO, words, marks, image_marks)
