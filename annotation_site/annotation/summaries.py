"""Votes and progress of a round, as the runner and the round page read them."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from annotation_site.annotation.models import (
    AnswerChoice,
    Assignment,
    AssignmentState,
    Response,
    ResponseQuerySet,
    Round,
    TaskRole,
)
from annotation_site.projects.models import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRow:
    """One current vote.

    Attributes:
        row: Position of the image in the manifest.
        annotator: Public id of who answered.
        answer: One of `AnswerChoice`.
        seconds: From paint to answer without hidden time; NaN if unknown.
        round: Number of the round in its project.
    """

    row: int
    annotator: str
    answer: str
    seconds: float
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorProgress:
    """What one annotator has done in a round."""

    annotator: str
    state: str
    assigned: int
    answered: int
    by_answer: dict[str, int]
    median_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundProgress:
    """How far a round is.

    Attributes:
        n_tasks: Images asked about.
        wanted: Answers wanted in all.
        answered: Votes given.
        reserved: Places held or answered.
        complete_tasks: Images with as many votes as wanted.
        by_answer: Votes per answer, every answer present.
        annotators: In the order they came.
        median_seconds: Over all votes; None without any.
    """

    n_tasks: int
    wanted: int
    answered: int
    reserved: int
    complete_tasks: int
    by_answer: dict[str, int]
    annotators: tuple[AnnotatorProgress, ...]
    median_seconds: float | None

    @property
    def share(self) -> float:
        """Share of the wanted answers that is there, in [0, 1]."""
        return self.answered / self.wanted if self.wanted else 0.0


def active_seconds(shown_to_answer_ms: float | None, hidden_ms: float | None) -> float:
    """Give paint to answer without hidden time, in seconds; NaN if unknown."""
    if shown_to_answer_ms is None:
        return math.nan
    return max(0.0, shown_to_answer_ms - (hidden_ms or 0.0)) / 1000


def votes_of(source: Round | Project) -> tuple[VoteRow, ...]:
    """Read the current votes of a round, or of all rounds of a project, ordered by round and row.

    A second round's scores rest on the whole project's votes, so that earlier answers are used.
    """
    responses = (
        Response.objects.of_round(source)
        if isinstance(source, Round)
        else Response.objects.of_project(source)
    )
    return vote_rows(responses)


def vote_rows(responses: ResponseQuerySet) -> tuple[VoteRow, ...]:
    """Read the current votes among responses, ordered by round and row."""
    rows = (
        responses.votes()
        .order_by("assignment__task__round__number", "assignment__task__image__row", "pk")
        .values_list(
            "assignment__task__image__row",
            "assignment__sitting__annotator__public_id",
            "answer",
            "shown_to_answer_ms",
            "hidden_ms",
            "assignment__task__round__number",
        )
    )
    return tuple(
        VoteRow(
            row=row,
            annotator=annotator,
            answer=answer,
            seconds=active_seconds(shown, hidden),
            round=number,
        )
        for row, annotator, answer, shown, hidden, number in rows
    )


def round_progress(round_: Round) -> RoundProgress:
    """Count tasks, votes by answer and what each annotator did, in four queries."""
    tasks = list(round_.tasks.asked().values_list("pk", "target", "reserved"))
    votes = list(
        Response.objects.of_round(round_)
        .current()
        .filter(assignment__task__role=TaskRole.QUERY)
        .values_list(
            "assignment__task_id",
            "assignment__sitting_id",
            "answer",
            "shown_to_answer_ms",
            "hidden_ms",
        )
    )
    per_task = Counter(task for task, *_ in votes)
    per_sitting = defaultdict(list)
    for vote in votes:
        per_sitting[vote[1]].append(vote)
    assigned = Counter(
        Assignment.objects.filter(sitting__round=round_, task__role=TaskRole.QUERY)
        .exclude(state__in=[AssignmentState.RELEASED, AssignmentState.VOID])
        .values_list("sitting_id", flat=True)
    )
    annotators = []
    sittings = round_.sittings.order_by("pk").values_list("pk", "annotator__public_id", "state")
    for sitting, annotator, state in sittings:
        own = per_sitting[sitting]
        annotators.append(
            AnnotatorProgress(
                annotator=annotator,
                state=state,
                assigned=assigned[sitting],
                answered=len(own),
                by_answer=_by_answer(vote[2] for vote in own),
                median_seconds=_median(active_seconds(vote[3], vote[4]) for vote in own),
            )
        )
    return RoundProgress(
        n_tasks=len(tasks),
        wanted=sum(target for _, target, _ in tasks),
        answered=len(votes),
        reserved=sum(reserved for *_, reserved in tasks),
        complete_tasks=sum(per_task[task] >= target for task, target, _ in tasks),
        by_answer=_by_answer(vote[2] for vote in votes),
        annotators=tuple(annotators),
        median_seconds=_median(active_seconds(vote[3], vote[4]) for vote in votes),
    )


def _by_answer(answers: Iterable[str]) -> dict[str, int]:
    counts = Counter(answers)
    known = [*AnswerChoice.values, *sorted(set(counts) - set(AnswerChoice.values))]
    return {answer: counts[answer] for answer in known}


def _median(seconds: Iterable[float]) -> float | None:
    known = [value for value in seconds if not math.isnan(value)]
    return float(median(known)) if known else None
