"""Answers written straight into the tables: who said what to which task, and how long it took."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from annotation_site.annotation.models import (
    Annotator,
    Arm,
    Assignment,
    AssignmentState,
    Response,
    Round,
    RoundState,
    Sitting,
    SittingState,
    Task,
    TaskRole,
)
from annotation_site.projects.models import Image, Project
from tests.site import factories


def make_person(round_: Round, name: str, *, is_test: bool = False) -> Sitting:
    """Make an annotator who is done."""
    annotator = Annotator.objects.create(key_hash=f"{round_.pk}-{name}")
    return Sitting.objects.create(
        round=round_,
        annotator=annotator,
        state=SittingState.COMPLETED,
        consented_at=timezone.now(),
        lease_until=timezone.now() + timedelta(hours=1),
        is_test=is_test,
    )


def say(
    sitting: Sitting,
    task: Task,
    answer: str,
    *,
    position: int = 0,
    seconds: float | None = 3.0,
    quality: str = "A",
    version: int = 1,
) -> Response:
    """Let somebody answer a task."""
    assignment, _ = Assignment.objects.get_or_create(
        sitting=sitting,
        task=task,
        defaults={"position": position, "state": AssignmentState.ANSWERED},
    )
    return Response.objects.create(
        assignment=assignment,
        version=version,
        answer=answer,
        client_uuid=uuid4(),
        shown_to_answer_ms=None if seconds is None else 1000 * seconds,
        hidden_ms=0.0 if seconds is not None else None,
        quality=quality,
    )


def answer_all(
    round_: Round, table: Mapping[str, Sequence[str]], *, seconds: float | None = 3.0
) -> dict[str, Sitting]:
    """Let people answer the queries in order; an empty answer is none.

    Args:
        round_: With tasks.
        table: Name -> what was said to each query.
        seconds: For every answer.
    """
    tasks = list(round_.tasks.filter(role=TaskRole.QUERY).order_by("position"))
    people = {}
    for name, answers in table.items():
        people[name] = make_person(round_, name)
        for position, (task, answer) in enumerate(zip(tasks, answers, strict=False)):
            if answer:
                say(people[name], task, answer, position=position, seconds=seconds)
    return people


def make_comparison(project: Project, like: Round, choices: Sequence[str]) -> Round:
    """Make an open comparison arm over the images of another round."""
    made = Round.objects.create(
        project=project,
        number=like.number + 1,
        state=RoundState.OPEN,
        arm=Arm.SPURIOUSNESS,
        study=like.study,
        question="What is around it?",
        choices=list(choices),
        created_by=project.created_by,
    )
    Task.objects.bulk_create(
        Task(round=made, image_id=task.image_id, position=task.position, target=9)
        for task in like.tasks.asked()
    )
    return made


def gold(round_: Round, row: int, expected: str, role: TaskRole = TaskRole.GOLD) -> Task:
    """Add a task whose answer is known, or one that repeats a query."""
    image = Image.objects.get(dataset__project=round_.project, row=row)
    return Task.objects.create(
        round=round_, image=image, role=role, position=100 + row, target=0, expected=expected
    )


def small_crowd(project: Project) -> tuple[Round, dict[str, Sitting]]:
    """Make an open round of six images: three careful people and one who always says yes."""
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=6, redundancy=9)
    table = {
        "ana": ["yes", "yes", "no", "no", "yes", "no"],
        "ben": ["yes", "yes", "no", "no", "yes", "no"],
        "cy": ["yes", "yes", "no", "no", "no", "cannot_tell"],
        "dot": ["yes", "yes", "yes", "yes", "yes", "yes"],
    }
    return round_, answer_all(round_, table)
