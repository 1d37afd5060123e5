"""Every submission of a study with all that a lead decides by: both sides, the code, the pay guard."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Count, Q

from annotation_site.annotation.models import (
    AnswerChoice,
    AssignmentState,
    Identity,
    PlatformStatus,
    Response,
    Sitting,
    TaskRole,
)
from annotation_site.annotation.sealing import unseal
from annotation_site.annotation.summaries import active_seconds
from annotation_site.panels.models import PanelStudy, Visit
from annotation_site.panels.outcomes import code_type_due, codes_of, here_of, seconds_of
from annotation_site.panels.pay import (
    ACTION_WORDS,
    FLOOR_PER_HOUR,
    REVIEW_DAYS,
    Action,
    Advice,
    Evidence,
    Times,
    advise,
    code_words,
    times_of,
)
from annotation_site.panels.reconciling import Here, Level, Verdict, reconcile
from annotation_site.panels.services import submission_fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One submission.

    Attributes:
        visit: As it is kept.
        person: The panel's id; empty where it was deleted or never kept.
        submission: The panel's id of it; the same.
        here: Where it stands with us.
        due: Kind of code we show; empty: none.
        code: The code itself; empty: none.
        verdict: What both sides together mean.
        advice: What may be done about it.
        seconds: From consent to the end.
        median_seconds: Of its answers without hidden time.
        answered: Tasks answered.
        assigned: Tasks given.
        failed_checks: Attention checks answered against their instruction.
        approves_at: When the panel approves by itself; none: not waiting.
    """

    visit: Visit
    person: str
    submission: str
    here: Here
    due: str
    code: str
    verdict: Verdict
    advice: Advice
    seconds: float | None
    median_seconds: float | None
    answered: int
    assigned: int
    failed_checks: int
    approves_at: datetime | None

    @property
    def pseudonym(self) -> str:
        """Name the annotator as every other page does; the visit where there is none."""
        return self.visit.annotator.public_id if self.visit.annotator else self.visit.public_id

    @property
    def remarks(self) -> list[str]:
        """Say what is unusual about how somebody came."""
        facts = {
            "a look, not counted": self.visit.is_test,
            "taken up again with a later submission": self.visit.replaced,
            "two people in one browser": self.visit.shared_browser,
            "the panel names another person or study": self.visit.person_differs,
            "entry not verified": bool(self.visit.sitting_id) and not self.visit.verified,
        }
        return [words for words, holds in facts.items() if holds]

    @property
    def suggested_words(self) -> str:
        """Write what to do."""
        return ACTION_WORDS[self.advice.suggested]

    @property
    def may_reject(self) -> bool:
        """Whether the policy allows a rejection."""
        return Action.REJECT in self.advice.allowed

    @property
    def entered_words(self) -> str:
        """Write which code was entered there."""
        return code_words(self.visit.entered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A study's submissions and their sums.

    Attributes:
        rows: In the order they came; looks last.
        times: Of finished submissions.
        levels: How many rows there are of each level, looks left out.
        hourly: Realised pay in hundredths per hour: median and the tenth of people paid least;
            none without a reward or without anybody finished.
    """

    rows: list[Row]
    times: Times
    levels: Counter[Level] = field(default_factory=Counter)
    hourly: tuple[float, float] | None = None

    @property
    def counted(self) -> list[Row]:
        """Leave out looks."""
        return [row for row in self.rows if not row.visit.is_test]


@dataclass(slots=True, kw_only=True)
class _Facts:
    failed: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    tasks: dict[int, tuple[int, int]] = field(default_factory=dict)
    identities: dict[int, dict[str, str]] = field(default_factory=dict)


def overview_of(study: PanelStudy) -> Overview:
    """Read all submissions of a study, in a handful of queries."""
    visits = list(
        study.visits.select_related("sitting", "annotator", "study").order_by("is_test", "pk")
    )
    facts = _facts_of(study)
    finished = [
        taken
        for visit in visits
        if visit.sitting is not None and not visit.is_test and not visit.replaced
        for taken in [seconds_of(visit.sitting)]
        if taken is not None
    ]
    times = times_of(finished)
    codes = codes_of(study)
    rows = [_row_of(visit, facts, times, codes) for visit in visits]
    levels = Counter(row.verdict.level for row in rows if not row.visit.is_test)
    return Overview(rows=rows, times=times, levels=levels, hourly=_hourly(study, finished))


def is_below_floor(study: PanelStudy, per_hour: float | None) -> bool:
    """Tell whether pay is below what Prolific asks for; false where no floor is known."""
    floor = FLOOR_PER_HOUR.get(study.currency) if study.is_prolific else None
    return floor is not None and per_hour is not None and per_hour < floor


def _row_of(visit: Visit, facts: _Facts, times: Times, codes: dict[str, str]) -> Row:
    sitting, there = visit.sitting, PlatformStatus(visit.remote_status)
    key = visit.sitting_id or 0
    failed = facts.failed[key]
    here = here_of(visit, failed)
    due = str(code_type_due(visit, failed) or "")
    answered, assigned = facts.tasks.get(key, (0, 0))
    seconds = seconds_of(sitting) if sitting else None
    evidence = Evidence(
        here=here,
        there=there,
        seconds=seconds,
        told_minutes=visit.study.minutes,
        failed_checks=failed,
        entered=visit.entered,
        answered=answered,
        assigned=assigned,
    )
    known = facts.identities.get(visit.annotator_id or 0, {})
    waits = there == PlatformStatus.AWAITING_REVIEW and visit.remote_completed_at is not None
    return Row(
        visit=visit,
        person=known.get("person", ""),
        submission=known.get(submission_fact(visit), ""),
        here=here,
        due=due,
        code=codes.get(due, ""),
        verdict=reconcile(here, there, entered=visit.entered, due=due),
        advice=advise(evidence, times),
        seconds=seconds,
        median_seconds=median(facts.seconds[key]) if facts.seconds.get(key) else None,
        answered=answered,
        assigned=assigned,
        failed_checks=failed,
        approves_at=visit.remote_completed_at + timedelta(days=REVIEW_DAYS)
        if waits and visit.remote_completed_at
        else None,
    )


def _facts_of(study: PanelStudy) -> _Facts:
    facts = _Facts()
    mine = Q(assignment__sitting__visits__study=study)
    votes = Response.objects.current().filter(mine).distinct()
    for sitting, shown, hidden in votes.values_list(
        "assignment__sitting", "shown_to_answer_ms", "hidden_ms"
    ):
        seconds = active_seconds(shown, hidden)
        if seconds == seconds:  # not NaN
            facts.seconds.setdefault(sitting, []).append(seconds)
    checks = votes.filter(assignment__task__role=TaskRole.CHECK).exclude(
        answer=AnswerChoice.NOT_LOADED
    )
    for sitting, expected, answer in checks.values_list(
        "assignment__sitting", "assignment__task__expected", "answer"
    ):
        facts.failed[sitting] += answer != expected
    given = Count("assignments", distinct=True)
    done = Count(
        "assignments", filter=Q(assignments__state=AssignmentState.ANSWERED), distinct=True
    )
    sittings = Sitting.objects.filter(visits__study=study)
    for key, n_done, n_given in sittings.annotate(done=done, given=given).values_list(
        "pk", "done", "given"
    ):
        facts.tasks[key] = (n_done, n_given)
    kept = Identity.objects.filter(annotator__visits__study=study).distinct()
    for annotator, sealed in kept.values_list("annotator", "sealed"):
        facts.identities[annotator] = unseal(sealed) or {}
    return facts


def _hourly(study: PanelStudy, finished: list[float]) -> tuple[float, float] | None:
    paid = sorted(study.reward * 3600.0 / taken for taken in finished if taken > 0)
    if not study.reward or not paid:
        return None
    return median(paid), paid[int(0.1 * (len(paid) - 1))]
