"""Where a sitting stands: the task that waits, how much is answered, how long the rest takes."""

from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from annotation_site.annotation.allocation import SECONDS_PER_ANSWER
from annotation_site.annotation.models import Assignment, AssignmentState, Response, Sitting
from annotation_site.annotation.statements import Statement, column
from annotation_site.annotation.stimuli import (
    STIMULUS_COLUMNS,
    Dress,
    Stimulus,
    picture_file,
    stimuli,
)

ENOUGH_TIMES = 5
"""Answers after which an annotator's own pace tells more than everybody's."""


class Counts(TypedDict):
    """How far a sitting has come; what was released or taken away is not counted."""

    answered: int
    total: int


class WaitingTask(NamedTuple):
    """The task that a sitting's page shows.

    Attributes:
        stimulus: What is shown, with the answer that was taken back, if one was.
        picture: The file, which may be missing.
    """

    stimulus: Stimulus
    picture: Path


_WAITING = Statement(
    lambda sitting: (
        Assignment.objects.filter(sitting=sitting)
        .waiting()
        .values_list(
            "pk", "n_versions", "task__image__dataset", "task__image__public_id", *STIMULUS_COLUMNS
        )[:1]
    ),
    {"sitting": column(Sitting, "id")},
)
_STATES = Statement(
    lambda sitting: (
        Assignment.objects.filter(sitting=sitting).order_by("position").values_list("state")
    ),
    {"sitting": column(Sitting, "id")},
)


def waiting_task(sitting: Sitting) -> WaitingTask | None:
    """Give the first task that wants an answer, None where there is none left."""
    rows = _WAITING.rows(sitting=sitting.pk)
    if not rows:
        return None
    key, n_versions, dataset, image, *shown = rows[0]
    [stimulus] = stimuli([tuple(shown)], Dress.of(sitting))
    if n_versions:
        given = Response.objects.filter(assignment=key).order_by("-version")
        stimulus["previous"] = given.values_list("answer", flat=True)[0]
    other = _value(shown, "task__picture_id")
    return WaitingTask(stimulus, picture_file(dataset, other or image))


def _value(shown: list[Any], name: str) -> Any:
    return shown[STIMULUS_COLUMNS.index(name)]


def counts_of(sitting: int) -> Counts:
    """Count what a sitting has answered, and how much there is in all."""
    states = [state for (state,) in _STATES.rows(sitting=sitting)]
    gone = states.count(AssignmentState.RELEASED) + states.count(AssignmentState.VOID)
    return Counts(answered=states.count(AssignmentState.ANSWERED), total=len(states) - gone)


def last_vote(sitting: Sitting, counts: Counts) -> Response | None:
    """Give the vote that was given last and may be taken back."""
    if not counts["answered"]:
        return None
    return Response.objects.current().filter(assignment__sitting=sitting).order_by("-pk").first()


def minutes_left(sitting: Sitting, counts: Counts) -> int:
    """Estimate from the annotator's own median once five answers are there; at least one minute."""
    each = SECONDS_PER_ANSWER
    if counts["answered"] >= ENOUGH_TIMES:
        measured = (
            Response.objects.current()
            .filter(assignment__sitting=sitting)
            .values_list("shown_to_answer_ms", flat=True)
        )
        times = sorted(time for time in measured if time is not None)
        if len(times) >= ENOUGH_TIMES:
            each = times[len(times) // 2] / 1000 + 0.5
    return max(1, round(each * (counts["total"] - counts["answered"]) / 60))
