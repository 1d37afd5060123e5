"""The table of people: one row for each sitting, by pseudonym. What panels call them is never read."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from statistics import median
from typing import Any

from annotation_site.annotation.models import Response, TaskRole
from annotation_site.exports.source import CHUNK, Source
from annotation_site.exports.tables import Row, Table, flag, integer, number, text, time

READ = (
    "pk", "annotator__public_id", "annotator__provider", "state", "is_test", "consented_at",
    "consent_version", "completed_at", "practice_right", "practice_attempts", "n_promised",
    "platform_status", "entry_verified", "outcome", "environment", "questionnaire__sus",
    "questionnaire__answers",
)  # fmt: skip
COLUMNS = (
    text("annotator", "pseudonym, the same in every round of this site"),
    text("provider", "link, invite, prolific, or external"),
    text("state", "of the sitting"),
    flag("is_test", "a look by a lead or a panel; in no figure"),
    time("consented_at", "when"),
    integer("consent_version", "of the notice"),
    time("completed_at", "when the last item was answered"),
    integer("practice_right", "right answers in the last practice"),
    integer("practice_attempts", "how often practice was tried"),
    integer("n_promised", "items promised at the start"),
    text("platform_status", "what the panel last said of the submission"),
    flag("entry_verified", "the panel vouched for the entry"),
    text("outcome", "kind of completion code that was issued"),
    integer("n_versions", "answers given, earlier versions counted"),
    integer("n_answered", "current answers"),
    integer("n_queries", "of them to queries"),
    integer("n_unsure", "of these: cannot tell, or did not load"),
    integer("n_gold", "current answers to gold"),
    integer("n_gold_right", "of them right"),
    integer("n_checks", "current answers to attention checks"),
    integer("n_checks_right", "of them right"),
    integer("n_quality_a", "current answers with clean timing"),
    number("median_active_ms", "median time of the current answers, ms"),
    number("sus", "System Usability Scale, 0 to 100"),
    text("questionnaire", "answers at the end, JSON; may hold what people wrote"),
    text("environment", "screen and input, JSON"),
)
UNSURE = ("cannot_tell", "not_loaded")


def count(source: Source) -> int:
    """Count the sittings of the round."""
    return source.round.sittings.count()


def rows(source: Source) -> Iterator[Row]:
    """Give the sittings in the order in which they began."""
    given = _given(source)
    following = next(given, None)
    read = source.round.sittings.order_by("pk").values_list(*READ).iterator(chunk_size=CHUNK)
    for each in read:
        answers: list[tuple[Any, ...]] = []
        if following is not None and following[0] == each[0]:
            answers = following[1]
            following = next(given, None)
        yield _row(each, answers)


def _given(source: Source) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    """Give each sitting's current answers; both streams rise by the sitting's key."""
    read = (
        Response.objects.of_round(source.round)
        .current()
        .order_by("assignment__sitting_id")
        .values_list(
            "assignment__sitting_id",
            "assignment__task__role",
            "assignment__task__expected",
            "answer",
            "shown_to_answer_ms",
            "hidden_ms",
            "quality",
            "assignment__n_versions",
        )
        .iterator(chunk_size=CHUNK)
    )
    for sitting, group in groupby(read, itemgetter(0)):
        yield sitting, list(group)


def _row(sitting: tuple[Any, ...], answers: list[tuple[Any, ...]]) -> Row:
    (
        _, annotator, provider, state, is_test, consented_at, consent, completed_at, right,
        attempts, promised, status, verified, outcome, environment, sus, questionnaire,
    ) = sitting  # fmt: skip
    roles = Counter(role for _, role, *_ in answers)
    hits = Counter(role for _, role, expected, answer, *_ in answers if answer == expected)
    unsure = sum(role == TaskRole.QUERY and answer in UNSURE for _, role, _, answer, *_ in answers)
    times = [
        max(0.0, shown - (hidden or 0.0))
        for *_, shown, hidden, _, _ in answers
        if shown is not None
    ]
    return (
        annotator, provider, state, is_test, consented_at, consent, completed_at, right, attempts,
        promised, status, verified, outcome, sum(each[-1] for each in answers), len(answers),
        roles[TaskRole.QUERY], unsure, roles[TaskRole.GOLD], hits[TaskRole.GOLD],
        roles[TaskRole.CHECK], hits[TaskRole.CHECK],
        sum(each[-2] == "A" for each in answers), median(times) if times else None, sus,
        _json(questionnaire), _json(environment),
    )  # fmt: skip


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""


PEOPLE = Table(
    name="people", words="who answered, by pseudonym", columns=COLUMNS, count=count, rows=rows
)
