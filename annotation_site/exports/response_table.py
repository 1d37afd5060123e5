"""The table of responses: one row for every version of every answer, taken back or not."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from annotation_site.annotation.models import Arm, AssignmentState, Response, TaskRole
from annotation_site.annotation.timing import MORE_KEYS, OVERLAY_KEYS
from annotation_site.exports.source import CHUNK, Source
from annotation_site.exports.tables import Row, Table, flag, integer, number, text, time

CURRENT, SUPERSEDED, UNDONE, SURPLUS = "current", "superseded", "undone", "surplus"
STANDINGS = (CURRENT, SUPERSEDED, UNDONE, SURPLUS)
"""How a version of an answer stands; `current` is the rule of `ResponseQuerySet.current`."""

READ = (
    "assignment_id", "version", "surplus", "assignment__state", "client_uuid",
    "assignment__public_id", "assignment__sitting__annotator__public_id",
    "assignment__sitting__is_test", "assignment__position", "assignment__turn",
    "assignment__task_id", "assignment__task__role", "assignment__task__variant",
    "assignment__task__cluster", "assignment__task__image__row",
    "assignment__task__image__image_id", "assignment__task__image__label", "answer",
    "assignment__task__expected", "shown_to_answer_ms", "hidden_ms", "blur_ms", "exposures",
    "input_kind", "quality", "served_at", "received_at", "late", "elsewhere",
    "guideline_version", "stimulus_hash", "timing", "overlay_seen", "pk",
    "assignment__sitting_id",
)  # fmt: skip
MEANINGS = {
    "request_to_shown_ms": "from asking for the picture to its paint, ms",
    "decoded_to_shown_ms": "from decoding to paint, ms",
    "shown_to_first_input_ms": "from paint to the first key, click or touch, ms",
    "longest_hidden_ms": "longest stretch with the page hidden, ms",
    "n_hidden": "how often the page was hidden",
    "n_blur": "how often the window lost focus",
    "n_changes": "how often the answer was changed before it was given",
    "preloaded": "1: the picture was there before it was asked for",
    "opacity": "of the heat when the answer was given, 0 to 1",
    "peeks": "how often the heat was taken off to look",
    "photo_ms": "time with the bare photograph, ms",
    "contour": "1: contour lines were on",
    "viewport": "width of the window, CSS pixels",
    "density": "device pixels per CSS pixel",
}

COLUMNS = (
    text("response", "id of this version, a UUID made by the browser"),
    text("assignment", "the annotator's place at the item; same for all versions"),
    integer("version", "1 for the first answer, then 2, 3, …"),
    text("standing", "current, superseded, undone, or surplus"),
    flag(
        "is_vote",
        "counts towards the labels: current, to a query about attention, no test, not left out",
    ),
    flag("left_out", "the ledger of exclusions leaves it out, or its annotator"),
    text("annotator", "pseudonym"),
    flag("is_test", "a look by a lead or a panel; in no figure"),
    integer("position", "place in the annotator's order, from 0"),
    integer("turn", "1 or more: a spare in the place of a withdrawn picture"),
    integer("item", "see items"),
    text("role", "query, gold, repeat, or check"),
    text("variant", "how the heat was changed; empty: as found"),
    integer("cluster", "in the attention space"),
    integer("row", "position of the image in the manifest"),
    text("image_id", "as the manifest names it"),
    text("class", "true class"),
    text("answer", "what was said"),
    text("expected", "right answer of gold and checks"),
    flag("is_right", "of gold and checks: whether it was that"),
    number("active_ms", "paint to answer without hidden time, ms"),
    number("shown_to_answer_ms", "paint to answer, ms, on the event's clock"),
    number("hidden_ms", "of it with the page hidden, ms"),
    number("blur_ms", "of it with the window out of focus, ms"),
    integer("exposures", "how often the item was shown before this answer"),
    text("input_kind", "key, mouse, touch, pen, or form"),
    text("quality", "of the timing: A clean, B interrupted, C implausible or not measured"),
    time("served_at", "when the server handed the item out"),
    time("received_at", "when the answer came in"),
    flag("late", "after the lease or the round's end"),
    flag("elsewhere", "from a page left behind by another tab"),
    integer("guideline_version", "under which it was given"),
    text("stimulus_hash", "SHA-256 of what was shown"),
    *(number(key, MEANINGS[key]) for key in MORE_KEYS),
    *(number(f"overlay_{key}", MEANINGS[key]) for key in OVERLAY_KEYS),
)


def count(source: Source) -> int:
    """Count the responses of the round."""
    return Response.objects.of_round(source.round).count()


def rows(source: Source) -> Iterator[Row]:
    """Give the responses, annotator by annotator, version after version."""
    read = (
        Response.objects.of_round(source.round)
        .order_by("assignment_id", "version")
        .values_list(*READ)
        .iterator(chunk_size=CHUNK)
    )
    for _, versions in groupby(read, itemgetter(0)):
        group = list(versions)
        newest = max((each[1] for each in group if not each[2]), default=0)
        for each in group:
            yield _row(source, each, standing(each[1], newest, surplus=each[2], state=each[3]))


def standing(version: int, newest: int, *, surplus: bool, state: str) -> str:
    """Say how a version of an answer stands.

    Args:
        version: Which.
        newest: The assignment's highest version that is not surplus.
        surplus: Whether this one is.
        state: Of the assignment.

    Returns:
        One of `STANDINGS`.
    """
    if surplus:
        return SURPLUS
    if version < newest:
        return SUPERSEDED
    return CURRENT if state == AssignmentState.ANSWERED else UNDONE


def _row(source: Source, read: tuple[Any, ...], stands: str) -> Row:
    (
        _, version, _, _, uuid, assignment, annotator, is_test, position, turn, item, role,
        variant, cluster, image_row, image_id, label, answer, expected, shown, hidden, blur,
        exposures, input_kind, quality, served_at, received_at, late, elsewhere, guideline,
        stimulus, more, overlay, key, sitting,
    ) = read  # fmt: skip
    left_out = key in source.left_out.responses or sitting in source.left_out.sittings
    is_vote = (
        stands == CURRENT
        and role == TaskRole.QUERY
        and source.round.arm == Arm.ATTENTION
        and not is_test
        and not left_out
    )
    active = None if shown is None else max(0.0, shown - (hidden or 0.0))
    return (
        str(uuid), str(assignment), version, stands, is_vote, left_out, annotator, is_test, position, turn,
        item, role, variant, cluster, image_row, image_id, source.class_name(label), answer,
        expected, answer == expected if expected else None, active, shown, hidden, blur,
        exposures, input_kind, quality, served_at, received_at, late, elsewhere, guideline,
        stimulus, *_numbers(more, MORE_KEYS), *_numbers(overlay, OVERLAY_KEYS),
    )  # fmt: skip


def _numbers(measures: dict[str, Any], keys: Sequence[str]) -> list[float | None]:
    return [None if (value := measures.get(key)) is None else float(value) for key in keys]


RESPONSES = Table(
    name="responses", words="every version of every answer", columns=COLUMNS, count=count, rows=rows
)
