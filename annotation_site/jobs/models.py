"""Long work: what is asked, how far it is, how it ended; and the workers that do it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation_site.annotation.models import Round
from annotation_site.projects.models import Project


class JobKind(models.TextChoices):
    """What a job does; `jobs.runner` has one function for each."""

    # freeze the manifest, train or load the classifier, extract, build the space
    REGISTER = "register", "Register data and classifier"
    PROPOSE = "propose", "Propose a budget"  # budget curve for a draft round
    PREPARE = "prepare", "Pick the images to ask about"  # queries and candidates for practice
    CLOSE = "close", "Curate and retrain"  # votes -> scores -> subset -> retraining -> evaluation
    TRY = "try", "Try a checkpoint on pictures"  # a retrained one, on a folder
    EXPORT = "export", "Write a round's files"  # its answers and all around them; needs no pipeline
    REHEARSE = "rehearse", "Rehearse a round"  # far from the round's data; needs no pipeline
    SLICE = "slice", "Cut images into slices"  # map, slices and their shapes for the workspace
    INVERT = "invert", "Find pictures of slices"  # feature inversion
    NOISE = "noise", "Write noise masks"  # of chosen slices' images, and these under noise
    MEND = "mend", "Retrain with noise"  # or with corrected labels, and judge beside the baseline


class JobState(models.TextChoices):
    """queued -> running -> done | failed | cancelled; a killed worker's job goes back to queued."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (JobState.QUEUED, JobState.RUNNING)
BESIDE = (JobKind.EXPORT, JobKind.REHEARSE)
"""Work beside a round's own way; it has pages of its own."""


class Job(models.Model):
    """One piece of long work."""

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    round = models.ForeignKey(
        Round, null=True, blank=True, on_delete=models.CASCADE, related_name="jobs"
    )
    kind = models.CharField(max_length=10, choices=JobKind)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    params = models.JSONField(default=dict, blank=True)
    stage = models.CharField(max_length=60, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(
        default=0, help_text="done already when the stage began, by an attempt before"
    )
    stage_started_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="shown to the lead")
    traceback = models.TextField(blank=True, help_text="kept for the operator")
    result = models.JSONField(default=dict, blank=True)
    cancel_requested = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="how often its worker was lost"
    )
    worker = models.CharField(max_length=64, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(default=timezone.now, help_text="last time")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=JobKind.values), name="job_kind"),
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="job_state"),
            models.UniqueConstraint(
                fields=["round", "kind"],
                condition=Q(state__in=ACTIVE, round__isnull=False),
                name="job_active_once_per_round",
            ),
            models.UniqueConstraint(
                fields=["project", "kind"],
                condition=Q(state__in=ACTIVE, round__isnull=True),
                name="job_active_once_per_project",
            ),
        ]
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} job of {self.project}"


class JobLine(models.Model):
    """A line of a job's log."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="lines")
    at = models.DateTimeField(auto_now_add=True)
    text = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text


class Worker(models.Model):
    """A worker process and when it was last seen."""

    name = models.CharField(max_length=64, unique=True)
    process_id = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
