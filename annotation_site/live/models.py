"""Where a round's images lie, what was known of them at each moment, and what leads made of it.

Snapshots, looks, settings and steps of steering are only ever added.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation_site.annotation.models import Round
from annotation_site.projects.models import Image


class LiveSpace(models.Model):
    """The attention space of a round's images, as the job that picked them left it in a file."""

    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="live_space")
    path = models.CharField(max_length=200, help_text="relative to the media root; see storage")
    n_images = models.PositiveIntegerField(help_text="training images")
    spreading = models.JSONField(default=dict, help_text="k, alpha, prior, per_class")
    made_at = models.DateTimeField(auto_now_add=True)
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="when a worker was last asked for a snapshot"
    )

    def __str__(self) -> str:
        return f"space of {self.round}"


class Snapshot(models.Model):
    """What the answers of a moment said of every image."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="snapshots")
    number = models.PositiveIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)
    n_answers = models.PositiveIntegerField(help_text="current answers of the round")
    newest_answer = models.PositiveBigIntegerField(help_text="key of the newest answer")
    ledger = models.PositiveIntegerField(help_text="version of the round's ledger")
    n_images = models.PositiveIntegerField()
    n_asked = models.PositiveIntegerField(help_text="images with a sure answer that counts")
    n_core = models.PositiveIntegerField(help_text="images that score at least one half")
    n_known = models.PositiveIntegerField(help_text="images that any answer reaches")
    uncertainty = models.FloatField(help_text="mean over images; 1 before any answer")
    n_settled = models.PositiveIntegerField(help_text="images of uncertainty at most one quarter")
    n_subset = models.PositiveIntegerField()
    n_changed = models.PositiveIntegerField(help_text="sides changed since the one before")
    jaccard = models.FloatField(null=True, help_text="of the subset, with the one before")
    classes = models.JSONField(help_text="[{name, images, core, kept, chosen, environments}]")
    worthiest = models.JSONField(help_text="queries by the worth of their next label; see services")
    n_deserving = models.PositiveIntegerField(
        help_text="queries whose next label is expected to move at least one image"
    )
    worths = models.BinaryField(
        default=b"", help_text="worth of the next label and votes of every query; see steering"
    )
    sides = models.BinaryField(help_text="a bit for each image of the space: scores one half")
    members = models.BinaryField(help_text="a bit for each image: in the subset")
    chart = models.BinaryField(help_text="see charts.Chart")
    milliseconds = models.PositiveIntegerField(help_text="that it took a worker to make")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "number"], name="snapshot_number_once"),
        ]
        ordering = ["round", "number"]

    def __str__(self) -> str:
        return f"snapshot {self.number} of {self.round}"


class Look(models.Model):
    """That a lead has seen a snapshot: what changes later is counted from there."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="looks")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.snapshot} seen by {self.by}"


class Steering(models.Model):
    """A version of how a round's redundancy is steered; the last one holds, none means off."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="steerings")
    version = models.PositiveIntegerField()
    is_on = models.BooleanField()
    least = models.PositiveSmallIntegerField(help_text="answers that every image gets")
    ceiling = models.PositiveSmallIntegerField(help_text="answers that no image gets more of")
    enough = models.FloatField(help_text="enough: one more label moves fewer images than this")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "version"], name="steering_once"),
            models.CheckConstraint(
                condition=Q(least__gte=1, ceiling__gte=models.F("least")), name="steering_range"
            ),
        ]
        ordering = ["round", "version"]

    def __str__(self) -> str:
        return f"steering {self.version} of {self.round}"


class SteeringStep(models.Model):
    """One time that steering moved the numbers of answers wanted."""

    steering = models.ForeignKey(Steering, on_delete=models.CASCADE, related_name="steps")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="steps")
    n_raised = models.PositiveIntegerField()
    n_lowered = models.PositiveIntegerField()
    wanted_before = models.PositiveIntegerField(help_text="answers wanted in all")
    wanted_after = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.n_raised} up, {self.n_lowered} down in {self.steering.round}"


class Part(models.TextChoices):
    """Which weights of a classifier were made random."""

    HEAD = "head", "last layer"
    NETWORK = "network", "whole network"


class ControlHeat(models.Model):
    """Where a classifier with random weights looks in an image, as a job of the round found it."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="control_heat")
    part = models.CharField(max_length=8, choices=Part)
    heat = models.BinaryField(help_text="row by row, hottest cell 255")
    side = models.PositiveSmallIntegerField(help_text="of the heat")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "part"], name="control_heat_once"),
            models.CheckConstraint(condition=Q(part__in=Part.values), name="control_heat_part"),
        ]
        ordering = ["image", "part"]

    def __str__(self) -> str:
        return f"random weights ({self.part}) over {self.image}"


class Reliance(models.Model):
    """Which images would enter or leave the subset without each annotator's answers, at a moment."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="reliances")
    made_at = models.DateTimeField(auto_now_add=True)
    n_answers = models.PositiveIntegerField(help_text="current answers of the round")
    newest_answer = models.PositiveBigIntegerField(help_text="key of the newest answer")
    ledger = models.PositiveIntegerField(help_text="version of the round's ledger")
    n_subset = models.PositiveIntegerField(help_text="images of the subset with everybody")
    lines = models.JSONField(
        help_text="[{annotator, sitting, answers, n_enters, n_leaves, enters, leaves}], most first"
    )
    milliseconds = models.PositiveIntegerField(help_text="that it took")

    class Meta:
        ordering = ["round", "pk"]

    def __str__(self) -> str:
        return f"what the subset of {self.round} rests on"
