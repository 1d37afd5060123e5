"""Rounds, tasks, annotators, their sittings, assignments and responses."""

import secrets
import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery

from annotation_site.projects.models import Image, Project, new_public_id

HELD = ("reserved", "served", "answered")
"""States of an assignment that hold a place at its task."""
WAITING = ("reserved", "served")
"""States of an assignment that still wants an answer."""
AT_WORK = ("practising", "working")
"""States of a sitting that holds places under a lease."""


def new_link_token() -> str:
    """Give the secret part of an annotator link, 32 letters, 192 bits."""
    return secrets.token_urlsafe(24)


class RoundState(models.TextChoices):
    """draft -> preparing -> ready -> open -> closing -> closed; preparing and closing may fall back."""

    DRAFT = "draft"  # being set up; a budget may be proposed
    PREPARING = "preparing"  # a job picks the queries
    READY = "ready"  # queries picked; practice items to be confirmed
    OPEN = "open"
    CLOSING = "closing"  # votes are frozen, a job curates and retrains
    CLOSED = "closed"


class AnswerChoice(models.TextChoices):
    """What an annotator may answer; equal to `engine.labeling.votes.Answer`."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"
    NOT_LOADED = "not_loaded"


class Round(models.Model):
    """One batch of queries, put to annotators with one question and one guideline."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rounds")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=RoundState, default=RoundState.DRAFT)
    question = models.CharField(max_length=200)
    guidelines = models.TextField(blank=True)
    guideline_version = models.PositiveSmallIntegerField(default=1)
    show_class = models.BooleanField(default=False, help_text="tell annotators the image's class")
    budget = models.PositiveIntegerField(default=0, help_text="images to ask about; 0 until chosen")
    proposed_budget = models.PositiveIntegerField(null=True, blank=True)
    consistency_curve = models.JSONField(
        default=dict,
        blank=True,
        help_text='{"budgets": [...], "attention": [...], "features": [...]}',
    )
    redundancy = models.PositiveSmallIntegerField(default=1, help_text="answers wanted per image")
    block_size = models.PositiveSmallIntegerField(default=0, help_text="images per sitting; 0: all")
    link_token = models.CharField(
        max_length=32, unique=True, default=new_link_token, editable=False
    )
    seed = models.PositiveIntegerField(default=0)
    queries_key = models.CharField(max_length=64, blank=True)
    votes_key = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="round_number_once"),
            models.CheckConstraint(condition=Q(state__in=RoundState.values), name="round_state"),
        ]
        ordering = ["project", "number"]

    def __str__(self) -> str:
        return f"round {self.number} of {self.project}"


class PracticeItem(models.Model):
    """An image shown before the work starts, with the answer the lead gave and why."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="practice_items")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    answer = models.CharField(
        max_length=12, choices=AnswerChoice, blank=True, help_text="blank: candidate"
    )
    explanation = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "position"], name="practice_position_once"),
            models.UniqueConstraint(fields=["round", "image"], name="practice_image_once"),
        ]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"practice {self.position} of {self.round}"


class TaskQuerySet(models.QuerySet["Task"]):
    """Tasks, by whether somebody may still be given a place."""

    def with_room(self) -> "TaskQuerySet":
        """Keep the tasks with a place nobody holds."""
        return self.filter(reserved__lt=F("target"))

    def with_room_at(self, now: datetime) -> "TaskQuerySet":
        """Keep the tasks with a free place, or one whose lease has ended but is not released."""
        lapsed = Q(
            assignments__state__in=WAITING,
            assignments__sitting__state__in=AT_WORK,
            assignments__sitting__lease_until__lt=now,
        )
        return self.filter(Q(reserved__lt=F("target")) | lapsed).distinct()

    def miscounted(self) -> "TaskQuerySet":
        """Keep the tasks whose counter differs from a recount; there must be none."""
        held = models.Count("assignments", filter=Q(assignments__state__in=HELD))
        return self.annotate(held=held).exclude(held=F("reserved"))


class Task(models.Model):
    """One query of a round."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="tasks")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="tasks")
    position = models.PositiveIntegerField(help_text="order in which the engine picked it")
    cluster = models.PositiveIntegerField(default=0)
    target = models.PositiveSmallIntegerField(help_text="answers wanted")
    reserved = models.PositiveSmallIntegerField(default=0, help_text="places held or answered")

    objects = TaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "image"], name="task_image_once"),
            models.CheckConstraint(
                condition=Q(reserved__lte=F("target")), name="task_not_overfull"
            ),
        ]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"task {self.position} of {self.round}"


class Annotator(models.Model):
    """Somebody who answers. Known by a cookie's keyed hash, never by name or address."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    key_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.public_id


class SittingState(models.TextChoices):
    """practising -> working -> completed; withdrawn and expired from any open state."""

    PRACTISING = "practising"
    WORKING = "working"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class SittingQuerySet(models.QuerySet["Sitting"]):
    """Sittings, by lease."""

    def lapsed(self, now: datetime) -> "SittingQuerySet":
        """Keep the sittings at work whose lease has ended."""
        return self.filter(state__in=AT_WORK, lease_until__lt=now)


class Sitting(models.Model):
    """An annotator's work in one round: consent, practice and a block of assignments."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="sittings")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="sittings")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    state = models.CharField(max_length=10, choices=SittingState, default=SittingState.PRACTISING)
    seed = models.PositiveIntegerField(default=0)
    practice_right = models.PositiveSmallIntegerField(default=0)
    practice_attempts = models.PositiveSmallIntegerField(default=0)
    practice_answers = models.JSONField(
        default=dict, blank=True, help_text="position -> answer of the current attempt; never data"
    )
    consented_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = SittingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "annotator"], name="sitting_once"),
            models.CheckConstraint(
                condition=Q(state__in=SittingState.values), name="sitting_state"
            ),
        ]

    def __str__(self) -> str:
        return f"sitting {self.public_id} in {self.round}"


class AssignmentState(models.TextChoices):
    """reserved -> served -> answered; released when the lease ends unanswered."""

    RESERVED = "reserved"
    SERVED = "served"
    ANSWERED = "answered"
    RELEASED = "released"


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    """Assignments, by what they still want."""

    def waiting(self) -> "AssignmentQuerySet":
        """Keep those that want an answer, in the sitting's order."""
        return self.filter(state__in=WAITING).order_by("position")

    def with_stimulus(self) -> "AssignmentQuerySet":
        """Load what is shown along with each."""
        return self.select_related("task__image__dataset", "sitting__round")


class Assignment(models.Model):
    """An annotator's place at a task."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="assignments")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="assignments")
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    position = models.PositiveIntegerField()
    state = models.CharField(
        max_length=8, choices=AssignmentState, default=AssignmentState.RESERVED
    )
    served_at = models.DateTimeField(null=True, blank=True)
    exposures = models.PositiveSmallIntegerField(default=0)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sitting", "position"], name="assignment_position_once"
            ),
            models.UniqueConstraint(fields=["sitting", "task"], name="assignment_task_once"),
            models.CheckConstraint(
                condition=Q(state__in=AssignmentState.values), name="assignment_state"
            ),
        ]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"assignment {self.position} of {self.sitting}"


class ResponseQuerySet(models.QuerySet["Response"]):
    """Responses, and which of them are votes."""

    def current(self) -> "ResponseQuerySet":
        """Keep the votes: the last counted version of every answered assignment."""
        latest = (
            self.model._default_manager.filter(assignment=OuterRef("assignment"), surplus=False)
            .order_by("-version")
            .values("pk")[:1]
        )
        return self.filter(assignment__state="answered", pk=Subquery(latest))

    def of_round(self, round_: Round) -> "ResponseQuerySet":
        """Keep the responses given in a round."""
        return self.filter(assignment__task__round=round_)

    def of_project(self, project: Project) -> "ResponseQuerySet":
        """Keep the responses given in all rounds of a project."""
        return self.filter(assignment__task__round__project=project)


class Response(models.Model):
    """One version of an answer; append-only.

    The highest version that is not surplus is the vote, while its assignment is answered.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="responses")
    version = models.PositiveSmallIntegerField()
    answer = models.CharField(max_length=12, choices=AnswerChoice)
    client_uuid = models.UUIDField(unique=True)
    guideline_version = models.PositiveSmallIntegerField(default=1)
    stimulus_hash = models.CharField(max_length=64, blank=True)
    shown_to_answer_ms = models.FloatField(
        null=True, blank=True, help_text="paint to answer, event clock"
    )
    hidden_ms = models.FloatField(null=True, blank=True)
    blur_ms = models.FloatField(null=True, blank=True)
    exposures = models.PositiveSmallIntegerField(default=1)
    input_kind = models.CharField(max_length=8, blank=True)
    overlay_seen = models.JSONField(default=dict, blank=True)
    quality = models.CharField(
        max_length=1, default="A", help_text="A clean, B hidden or reloaded, C implausible"
    )
    received_at = models.DateTimeField(auto_now_add=True)
    late = models.BooleanField(default=False, help_text="came after the lease or the round's end")
    surplus = models.BooleanField(
        default=False, help_text="late, and no place was free: kept, not counted"
    )
    elsewhere = models.BooleanField(
        default=False, help_text="came from a page left behind by another tab"
    )

    objects = ResponseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["assignment", "version"], name="response_version_once"),
            models.CheckConstraint(
                condition=Q(answer__in=AnswerChoice.values), name="response_answer"
            ),
        ]
        ordering = ["assignment", "version"]

    def __str__(self) -> str:
        return f"{self.answer} (version {self.version})"
