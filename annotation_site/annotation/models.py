"""Rounds, tasks, sittings, assignments and responses; people and remarks in their own modules."""

import secrets
import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone

from annotation_site.annotation.people import Annotator, BrowserKey, Identity
from annotation_site.annotation.remarks import QuestionnaireReply, Report, Wording
from annotation_site.annotation.states import (
    AT_WORK,
    HELD,
    WAITING,
    AnswerChoice,
    Arm,
    AssignmentState,
    PlatformStatus,
    Provider,
    RoundState,
    SittingState,
    TaskRole,
    Variant,
)
from annotation_site.projects.models import Image, Project, new_public_id

__all__ = [
    "AT_WORK",
    "HELD",
    "UNSURE",
    "WAITING",
    "Annotator",
    "AnswerChoice",
    "Arm",
    "Assignment",
    "AssignmentState",
    "BrowserKey",
    "Identity",
    "PlatformStatus",
    "PracticeItem",
    "Provider",
    "QuestionnaireReply",
    "Report",
    "Response",
    "Round",
    "RoundState",
    "Sitting",
    "SittingState",
    "Task",
    "TaskQuerySet",
    "TaskRole",
    "Variant",
    "Wording",
]


UNSURE = (AnswerChoice.CANNOT_TELL, AnswerChoice.NOT_LOADED)
"""What may be answered in every round, and tells nothing of the picture."""


def new_link_token() -> str:
    """Give the secret part of an annotator link, 32 letters, 192 bits."""
    return secrets.token_urlsafe(24)


def new_shuffle() -> int:
    """Give a task its place in a random order, 31 bits."""
    return secrets.randbits(31)


class Round(models.Model):
    """One batch of queries, put to annotators with one question and one guideline."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rounds")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=RoundState, default=RoundState.DRAFT)
    arm = models.CharField(max_length=12, choices=Arm, default=Arm.ATTENTION)
    study = models.CharField(
        max_length=40, blank=True, help_text="arms of the same study are kept to different people"
    )
    admitting = models.BooleanField(default=True, help_text="while open: are new people let in?")
    question = models.CharField(max_length=200)
    choices = models.JSONField(
        default=list, blank=True, help_text="for the comparison arm: what may be chosen, in order"
    )
    guidelines = models.TextField(blank=True, help_text="Markdown")
    guideline_version = models.PositiveSmallIntegerField(default=1)
    consent_text = models.TextField(blank=True, help_text="Markdown, added to the notice")
    consent_version = models.PositiveSmallIntegerField(default=1)
    content_warning = models.CharField(max_length=300, blank=True)
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
    n_gold = models.PositiveSmallIntegerField(default=0, help_text="gold tasks in a sitting")
    n_repeats = models.PositiveSmallIntegerField(default=0, help_text="queries asked twice")
    n_checks = models.PositiveSmallIntegerField(default=0, help_text="attention checks")
    pass_mark = models.PositiveSmallIntegerField(
        default=0, help_text="practice answers that must be right; 0: practice only teaches"
    )
    practice_tries = models.PositiveSmallIntegerField(default=2)
    end_questions = models.JSONField(
        default=list, blank=True, help_text='of "demographics", "sus", "comment"'
    )
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
            models.CheckConstraint(condition=Q(arm__in=Arm.values), name="round_arm"),
        ]
        ordering = ["project", "number"]

    def __str__(self) -> str:
        return f"round {self.number} of {self.project}"

    @property
    def shows_heat(self) -> bool:
        """Whether the picture carries its attention map; surroundings are judged without."""
        return self.arm == Arm.ATTENTION

    @property
    def answers(self) -> tuple[str, ...]:
        """What may be answered, in the order of the buttons."""
        if self.arm == Arm.ATTENTION:
            return (AnswerChoice.NO, AnswerChoice.YES, *UNSURE)
        return (*self.choices, *UNSURE)


class PracticeItem(models.Model):
    """An image shown before the work starts, with the answer the lead gave and why."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="practice_items")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    answer = models.CharField(max_length=40, blank=True, help_text="blank: candidate")
    explanation = models.CharField(max_length=200, blank=True)
    is_example = models.BooleanField(
        default=False, help_text="shown with its answer in the guidelines, not asked in practice"
    )

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

    def asked(self) -> "TaskQuerySet":
        """Keep the queries; gold, repeat and check tasks want no number of answers."""
        return self.filter(role=TaskRole.QUERY)

    def with_room(self) -> "TaskQuerySet":
        """Keep the queries with a place nobody holds."""
        return self.asked().filter(reserved__lt=F("target"), retired_reason="")

    def with_room_at(self, now: datetime) -> "TaskQuerySet":
        """Keep the queries with a free place, or one whose lease has ended but is not released."""
        lapsed = Q(
            assignments__state__in=WAITING,
            assignments__sitting__state__in=AT_WORK,
            assignments__sitting__lease_until__lt=now,
        )
        free = Q(reserved__lt=F("target")) | lapsed
        return self.asked().filter(free, retired_reason="").distinct()

    def miscounted(self) -> "TaskQuerySet":
        """Keep the tasks whose counter differs from a recount; there must be none."""
        held = models.Count("assignments", filter=Q(assignments__state__in=HELD))
        return self.annotate(held=held).exclude(held=F("reserved"))


class Task(models.Model):
    """One thing to ask in a round: a query, or a gold, repeat or check task among the queries."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="tasks")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="tasks")
    role = models.CharField(max_length=6, choices=TaskRole, default=TaskRole.QUERY)
    variant = models.CharField(max_length=16, choices=Variant, blank=True, default="")
    position = models.PositiveIntegerField(help_text="order in which the engine picked it")
    cluster = models.PositiveIntegerField(default=0)
    target = models.PositiveSmallIntegerField(help_text="answers wanted; of queries only")
    reserved = models.PositiveIntegerField(default=0, help_text="places held or answered")
    shuffle = models.PositiveIntegerField(default=new_shuffle, help_text="breaks ties at random")
    expected = models.CharField(max_length=40, blank=True, help_text="of gold and checks")
    instruction = models.CharField(
        max_length=200, blank=True, help_text="shown instead of the round's question"
    )
    heat = models.BinaryField(null=True, blank=True, help_text="shown instead of the image's map")
    heat_side = models.PositiveSmallIntegerField(default=0)
    picture_id = models.CharField(
        max_length=16, blank=True, help_text="file shown instead of the image's; as opaque as its"
    )
    stimulus_hash = models.CharField(max_length=64, blank=True, help_text="of what is shown")
    retired_reason = models.CharField(max_length=20, blank=True, help_text="why nobody gets it now")

    objects = TaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["round", "image", "role", "variant"], name="task_image_once"
            ),
            models.CheckConstraint(
                condition=~Q(role=TaskRole.QUERY) | Q(reserved__lte=F("target")),
                name="task_not_overfull",
            ),
            models.CheckConstraint(condition=Q(role__in=TaskRole.values), name="task_role"),
        ]
        indexes = [
            models.Index(
                fields=["round", "role", "reserved", "target", "shuffle"], name="task_by_load"
            ),
        ]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"task {self.position} of {self.round}"


class SittingQuerySet(models.QuerySet["Sitting"]):
    """Sittings, by lease and by whether they are real."""

    def lapsed(self, now: datetime) -> "SittingQuerySet":
        """Keep the sittings at work whose lease has ended."""
        return self.filter(state__in=AT_WORK, lease_until__lt=now)

    def real(self) -> "SittingQuerySet":
        """Leave out what a lead or a panel opened to look."""
        return self.filter(is_test=False)


class Sitting(models.Model):
    """An annotator's work in one round: consent, practice and a block of assignments."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="sittings")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="sittings")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    state = models.CharField(max_length=12, choices=SittingState, default=SittingState.PRACTISING)
    seed = models.PositiveIntegerField(default=0)
    n_promised = models.PositiveSmallIntegerField(default=0, help_text="tasks promised at start")
    practice_right = models.PositiveSmallIntegerField(default=0)
    practice_attempts = models.PositiveSmallIntegerField(default=0)
    practice_answers = models.JSONField(
        default=dict, blank=True, help_text="position -> answer of the current attempt; never data"
    )
    consented_at = models.DateTimeField()
    consent_version = models.PositiveSmallIntegerField(default=1)
    lease_until = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    topped_up_at = models.DateTimeField(
        null=True, blank=True, help_text="when its answered places were asked for once more"
    )
    is_test = models.BooleanField(default=False, help_text="a look, kept out of every figure")
    # What a panel says and was told; `panels` writes these, nothing here reads them.
    platform_status = models.CharField(
        max_length=20, choices=PlatformStatus, default=PlatformStatus.UNKNOWN
    )
    submission_hash = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="HMAC of the panel's submission id"
    )
    entry_verified = models.BooleanField(default=False)
    outcome = models.CharField(max_length=24, blank=True, help_text="code type that was issued")
    environment = models.JSONField(default=dict, blank=True, help_text="screen and input; no names")

    objects = SittingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "annotator"], name="sitting_once"),
            models.CheckConstraint(
                condition=Q(state__in=SittingState.values), name="sitting_state"
            ),
        ]
        indexes = [models.Index(fields=["round", "state", "lease_until"], name="sitting_lease")]

    def __str__(self) -> str:
        return f"sitting {self.public_id} in {self.round}"


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    """Assignments, by what they still want."""

    def waiting(self) -> "AssignmentQuerySet":
        """Keep those that want an answer, in the sitting's order."""
        return self.filter(state__in=WAITING).order_by("position")


class Assignment(models.Model):
    """An annotator's place at a task."""

    sitting = models.ForeignKey(Sitting, on_delete=models.CASCADE, related_name="assignments")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="assignments")
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    position = models.PositiveIntegerField()
    turn = models.PositiveSmallIntegerField(default=0, help_text="a spare comes one turn later")
    state = models.CharField(
        max_length=8, choices=AssignmentState, default=AssignmentState.RESERVED
    )
    served_at = models.DateTimeField(null=True, blank=True)
    exposures = models.PositiveSmallIntegerField(default=0)
    n_versions = models.PositiveSmallIntegerField(default=0, help_text="responses so far")

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sitting", "position", "turn"], name="assignment_position_once"
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
        """Keep the last counted version of every answered assignment, whatever its task's role."""
        latest = (
            self.model._default_manager.filter(assignment=OuterRef("assignment"), surplus=False)
            .order_by("-version")
            .values("pk")[:1]
        )
        return self.filter(assignment__state="answered", pk=Subquery(latest))

    def votes(self) -> "ResponseQuerySet":
        """Keep the current answers to queries about attention, which the engine reads."""
        return self.current().filter(
            assignment__task__role=TaskRole.QUERY,
            assignment__task__round__arm=Arm.ATTENTION,
            assignment__sitting__is_test=False,
        )

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
    answer = models.CharField(max_length=40, help_text="one of the round's answers")
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
    timing = models.JSONField(
        default=dict, blank=True, help_text="what else the browser measured, in milliseconds"
    )
    quality = models.CharField(
        max_length=1,
        default="A",
        help_text="A clean, B hidden or reloaded, C implausible or not measured",
    )
    served_at = models.DateTimeField(null=True, blank=True, help_text="as the server saw it")
    received_at = models.DateTimeField(default=timezone.now)
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
            models.CheckConstraint(condition=~Q(answer=""), name="response_answer"),
        ]
        ordering = ["assignment", "version"]

    def __str__(self) -> str:
        return f"{self.answer} (version {self.version})"
