"""Reads what project pages show, in a number of queries that does not grow with the projects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Assignment, AssignmentState, Round, Task, TaskRole
from annotation_site.jobs.models import ACTIVE, BESIDE, Job, JobKind
from annotation_site.projects.models import Dataset, Image, Project
from annotation_site.quality.memory import Memory
from annotation_site.review.models import RoundResult
from annotation_site.review.stages import Facts, Standing, standing_of
from annotation_site.web.lately import Lately

LARGE = 50_000
"""Answers wanted in a round from which on their number may be some seconds old."""
_large: Lately[tuple[dict[int, int], dict[int, int]]] = Lately(seconds=10.0, most=64)
_frozen = Memory(64)
"""What is known of data sets that are frozen, and so does not change."""
SPLITS = (("train", "Training"), ("val", "Validation"), ("test", "Test"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLine:
    """A project in the list."""

    project: Project
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCounts:
    """Images of a class (or in all) by split, with the share of the largest for a bar."""

    name: str
    counts: tuple[int, ...]
    total: int


def project_lines(user: User) -> list[ProjectLine]:
    """Give a person's projects with how they stand."""
    projects = list(
        Project.objects.visible_to(user)
        .select_related("dataset", "reference_model")
        .order_by("-created_at")
    )
    return [
        ProjectLine(project=facts.project, standing=standing_of(facts))
        for facts in facts_of(projects)
    ]


def facts_of(projects: Sequence[Project]) -> list[Facts]:
    """Read what the standing of projects is judged by."""
    newest = _newest_rounds(projects)
    results = _newest_results(projects)
    jobs = _telling_jobs(projects)
    answered, wanted = _answers(newest.values())
    return [
        Facts(
            project=project,
            dataset=project.dataset,
            model=project.reference_model,
            round=newest.get(project.pk),
            result=results.get(project.pk),
            job=jobs.get(project.pk),
            answered=answered.get(newest[project.pk].pk, 0) if project.pk in newest else 0,
            wanted=wanted.get(newest[project.pk].pk, 0) if project.pk in newest else 0,
        )
        for project in projects
    ]


def _newest_rounds(projects: Iterable[Project]) -> dict[int, Round]:
    rounds = Round.objects.filter(project__in=projects).defer("consistency_curve", "guidelines")
    return {round_.project_id: round_ for round_ in rounds.order_by("number")}


def _newest_results(projects: Iterable[Project]) -> dict[int, RoundResult]:
    results = (
        RoundResult.objects.filter(round__project__in=projects)
        .select_related("round")
        .defer("scores", "kept", "cell")
    )
    return {result.round.project_id: result for result in results.order_by("round__number")}


def _telling_jobs(projects: Iterable[Project]) -> dict[int, Job]:
    """Give each project's newest job unless it ended well; trials, exports and rehearsals tell nothing."""
    jobs = (
        Job.objects.filter(project__in=projects)
        .exclude(kind__in=[JobKind.TRY, *BESIDE])
        .defer("traceback", "result", "params")
    )
    newest = {job.project_id: job for job in jobs.order_by("queued_at", "pk")}
    ended_badly = {"failed", "cancelled"}
    return {
        key: job for key, job in newest.items() if job.state in ACTIVE or job.state in ended_badly
    }


def _answers(rounds: Iterable[Round]) -> tuple[dict[int, int], dict[int, int]]:
    """Count answers given and wanted; those of very large rounds may be some seconds old."""
    asked = list(rounds)
    small = [r.pk for r in asked if r.budget * r.redundancy < LARGE]
    answered, wanted = _counted(small)
    for round_ in asked:
        if round_.pk in small:
            continue
        key = (round_.pk, round_.state)
        found = _large.recall(key, lambda pk=round_.pk: _counted([pk]))  # type: ignore[misc]
        answered |= found.value[0]
        wanted |= found.value[1]
    return answered, wanted


def _counted(keys: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
    answered = (
        Assignment.objects.filter(
            task__round__in=keys, task__role=TaskRole.QUERY, state=AssignmentState.ANSWERED
        )
        .values_list("task__round")
        .annotate(Count("pk"))
        .order_by()
    )
    wanted = (
        Task.objects.asked()
        .filter(round__in=keys)
        .values_list("round")
        .annotate(Sum("target"))
        .order_by()
    )
    return dict(answered), dict(wanted)


def class_counts(dataset: Dataset) -> list[ClassCounts]:
    """Count a data set's images by class and split, in one query; a frozen one's once a process."""
    if dataset.frozen_at is None:
        return _class_counts(dataset)
    key = ("counts", dataset.pk, dataset.frozen_at, tuple(dataset.class_names))
    return _frozen.recall(key, lambda: _class_counts(dataset))


def _class_counts(dataset: Dataset) -> list[ClassCounts]:
    found = {
        (label, split): n
        for label, split, n in dataset.images.values_list("label", "split")
        .annotate(n=Count("pk"))
        .order_by()
    }
    rows = []
    for label, name in enumerate(dataset.class_names):
        counts = tuple(found.get((label, split), 0) for split, _ in SPLITS)
        rows.append(ClassCounts(name=name, counts=counts, total=sum(counts)))
    return rows


def samples(dataset: Dataset, n: int) -> list[Image]:
    """Give training images, every class in its share, spread evenly over the manifest."""

    def choose() -> list[int]:
        rows = dataset.images.filter(~Q(grid_true=b""), split="train").order_by("label", "row")
        keys = list(rows.values_list("pk", flat=True))
        # the midpoints of n equal parts of the list, which is sorted by class
        return [keys[(2 * part + 1) * len(keys) // (2 * n)] for part in range(n)] if keys else []

    key = ("samples", dataset.pk, dataset.frozen_at, n)
    chosen = choose() if dataset.frozen_at is None else _frozen.recall(key, choose)
    return list(dataset.images.filter(pk__in=chosen).order_by("label", "row"))
