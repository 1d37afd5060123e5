"""The rail of a project: which stage is done, which runs, what comes next."""

from dataclasses import dataclass
from enum import StrEnum

from django.urls import reverse

from annotation_site.annotation.models import Round, RoundState
from annotation_site.jobs.models import ACTIVE, Job, JobKind, JobState
from annotation_site.projects.models import Dataset, Project, ReferenceModel
from annotation_site.review.models import RoundResult
from annotation_site.web.wording import percent


class StageState(StrEnum):
    """Where a stage is."""

    DONE = "done"
    RUNNING = "running"
    NEXT = "next"
    FAILED = "failed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stop of the rail."""

    name: str
    state: StageState
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A thing to do next: a link, or a verb when `is_verb`."""

    label: str
    url: str
    is_verb: bool = False
    needs_lead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a project stands: its rail, the one next action, and a second one where there is one."""

    stages: tuple[Stage, ...]
    primary: Action
    secondary: Action | None = None

    @property
    def current(self) -> Stage:
        """The first stage that is not done, or the last."""
        unfinished = (stage for stage in self.stages if stage.state != StageState.DONE)
        return next(unfinished, self.stages[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a project's standing is judged by; read once for all projects of a list.

    Attributes:
        project: the project.
        dataset: its data set.
        model: its classifier.
        round: its newest round.
        result: the newest result, of that round or of an earlier one.
        job: the newest job that is queued, running or ended badly, and was not tried again.
        answered: votes in the newest round.
        wanted: votes wanted there.
    """

    project: Project
    dataset: Dataset
    model: ReferenceModel
    round: Round | None
    result: RoundResult | None
    job: Job | None
    answered: int = 0
    wanted: int = 0


def standing_of(facts: Facts) -> Standing:
    """Judge how a project stands."""
    stages = (*_preparation(facts), _annotation(facts), *_improvement(facts))
    primary, secondary = _actions(facts)
    return Standing(stages=stages, primary=primary, secondary=secondary)


def _job_state(job: Job | None) -> StageState:
    if job is not None and job.state in ACTIVE:
        return StageState.RUNNING
    return StageState.FAILED if job is not None else StageState.BLOCKED


def _is(job: Job | None, kind: JobKind) -> Job | None:
    return job if job is not None and job.kind == kind else None


def _preparation(facts: Facts) -> tuple[Stage, Stage]:
    job = _is(facts.job, JobKind.REGISTER)
    if facts.dataset.frozen_at:
        data = Stage(name="Data", state=StageState.DONE, note=f"{facts.dataset.n_images:,} images")
    else:
        data = Stage(name="Data", state=_job_state(job), note=_job_note(job, "not read yet"))
    if facts.model.ready_at:
        attention = Stage(name="Attention", state=StageState.DONE, note=facts.model.name)
    elif facts.dataset.frozen_at:
        attention = Stage(
            name="Attention", state=_job_state(job), note=_job_note(job, "not looked at yet")
        )
    else:
        attention = Stage(name="Attention", state=StageState.BLOCKED, note="after the data")
    return data, attention


def _annotation(facts: Facts) -> Stage:
    round_ = facts.round
    if not facts.model.ready_at:
        return Stage(name="Annotate", state=StageState.BLOCKED, note="after the attention")
    if round_ is None:
        return Stage(name="Annotate", state=StageState.NEXT, note="no round yet")
    number = f"round {round_.number}"
    if round_.state in {RoundState.CLOSING, RoundState.CLOSED}:
        note = f"{number}, {facts.answered:,} answers"
        return Stage(name="Annotate", state=StageState.DONE, note=note)
    if round_.state == RoundState.OPEN:
        note = f"{facts.answered:,} of {facts.wanted:,} answers"
        return Stage(name="Annotate", state=StageState.RUNNING, note=note)
    job = _is(facts.job, JobKind.PROPOSE) or _is(facts.job, JobKind.PREPARE)
    if job is not None:
        return Stage(name="Annotate", state=_job_state(job), note=_job_note(job, number))
    return Stage(name="Annotate", state=StageState.NEXT, note=f"{number} in preparation")


def _improvement(facts: Facts) -> tuple[Stage, Stage, Stage]:
    names = ("Curate", "Retrain", "Evaluate")
    job = _is(facts.job, JobKind.CLOSE)
    if facts.round is not None and job is not None:
        reached = _reached(job.stage)
        state = _job_state(job)
        done, blocked = StageState.DONE, StageState.BLOCKED
        states = [done if n < reached else state if n == reached else blocked for n in range(3)]
        notes = [_job_note(job, "") if n == reached else "" for n in range(3)]
        stages = [
            Stage(name=name, state=state, note=note)
            for name, state, note in zip(names, states, notes, strict=True)
        ]
        return stages[0], stages[1], stages[2]
    if facts.result is None or facts.round is None or facts.round.state != RoundState.CLOSED:
        note = "after the answers"
        if facts.result is not None:
            note = f"from round {facts.result.round.number}"
        curate, retrain, evaluate = (
            Stage(name=name, state=StageState.BLOCKED, note=note if name == "Curate" else "")
            for name in names
        )
        return curate, retrain, evaluate
    report = facts.result.report
    return (
        Stage(
            name="Curate",
            state=StageState.DONE,
            note=f"{report.get('subset_size', 0):,} images kept",
        ),
        Stage(name="Retrain", state=StageState.DONE, note=f"{len(report.get('after', {}))} routes"),
        Stage(name="Evaluate", state=StageState.DONE, note=_worst_groups(report)),
    )


def _reached(stage: str) -> int:
    """Tell from a closing job's stage which of curate, retrain, evaluate it is at."""
    if stage.startswith(("Evaluating", "Computing", "Writing", "Publishing")):
        return 2
    return 1 if stage.startswith(("Retraining", "Refitting")) else 0


def _worst_groups(report: dict[str, object]) -> str:
    before, after = report.get("before"), report.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    verdict = report.get("verdict")
    kept = verdict.get("kept_model") if isinstance(verdict, dict) else None
    better = after.get(kept) if kept in after else None
    if better is None:
        return "the old model is kept"
    old, new = percent(before["worst_group"], 0), percent(better["worst_group"], 0)
    return f"worst group {old} → {new}"


def _job_note(job: Job | None, otherwise: str) -> str:
    if job is None:
        return otherwise
    if job.state == JobState.QUEUED:
        return "waiting for the worker"
    if job.state == JobState.RUNNING:
        return job.stage or "starting"
    return "failed" if job.state == JobState.FAILED else "cancelled"


def _actions(facts: Facts) -> tuple[Action, Action | None]:
    job, round_ = facts.job, facts.round
    if not (facts.dataset.frozen_at and facts.model.ready_at):
        if job is None:
            return Action(label="See the members", url=_members(facts)), None
        label = "Watch the job" if job.state in ACTIVE else "See what went wrong"
        return Action(label=label, url=reverse("jobs:detail", args=[job.public_id])), None
    start = Action(
        label=f"Start round {round_.number + 1 if round_ else 1}",
        url=reverse("annotation:new_round", args=[facts.project.public_id]),
        is_verb=True,
        needs_lead=True,
    )
    if round_ is None:
        return start, None
    page = reverse("annotation:round", args=[round_.public_id])
    number = f"round {round_.number}"
    if round_.state == RoundState.CLOSED:
        if facts.result is None or facts.result.round_id != round_.pk:
            return Action(label=f"See {number}", url=page), start
        result = reverse("review:result", args=[round_.public_id])
        return Action(label=f"See the result of {number}", url=result), start
    labels = {
        RoundState.DRAFT: f"Set up {number}",
        RoundState.PREPARING: "Watch the images being picked",
        RoundState.READY: f"Check and open {number}",
        RoundState.OPEN: f"Follow {number}",
        RoundState.CLOSING: "Watch curation and retraining",
    }
    return Action(label=labels[RoundState(round_.state)], url=page), None


def _members(facts: Facts) -> str:
    return reverse("projects:members", args=[facts.project.public_id])
