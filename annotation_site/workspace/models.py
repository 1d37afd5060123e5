"""A map of a project's images cut into slices, everything done to it, and flags of wrong labels.

What was found lies in plain files (`arrays`); what people did lies here, as events. The slices of
now are the first set with the changes in force done to it in order, so nothing is ever edited.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation_site.projects.models import Image, Project, new_public_id

MARK_KINDS = ("core", "spurious", "mixed", "wrong_labels")
"""As `engine.slicing.marks.MarkKind`."""
IMAGE_MARK_KINDS = ("core", "spurious")
"""What can be said of a single image."""


class SplitChoice(models.TextChoices):
    """Which images a map shows."""

    VALIDATION = "val", "val"
    TEST = "test", "test"
    TRAINING = "train", "train"
    ALL = "all", "all splits"


class Workspace(models.Model):
    """One map of one split, as a job built it; a project's newest of a split is the one shown."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="workspaces")
    split = models.CharField(max_length=5, choices=SplitChoice, default=SplitChoice.VALIDATION)
    arrays_key = models.CharField(max_length=64, help_text="folder of what was found")
    classifier_key = models.CharField(max_length=64, help_text="artifact of the network")
    n_images = models.PositiveIntegerField()
    options = models.JSONField(default=dict, help_text="settings, seed, versions of its making")
    revision = models.PositiveBigIntegerField(default=0, help_text="grows with every act")
    set_version = models.PositiveBigIntegerField(
        default=0, help_text="grows whenever the slices become others"
    )
    next_number = models.PositiveIntegerField(help_text="of the next new slice; never falls")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]
        get_latest_by = ["created_at", "pk"]

    def __str__(self) -> str:
        return f"slices of {self.project}, {self.get_split_display()}"


class EventKind(models.TextChoices):
    """What somebody did."""

    MARK = "mark"
    CHANGE = "change"
    UNDO = "undo"
    REDO = "redo"
    FLAG = "flag"


class EventState(models.TextChoices):
    """in_force -> undone -> in_force ...; an undone act is dropped when its person acts anew."""

    IN_FORCE = "in_force"
    UNDONE = "undone"
    DROPPED = "dropped"


class Event(models.Model):
    """One act; `revision` orders them, and none is ever removed."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="events")
    revision = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=6, choices=EventKind)
    state = models.CharField(max_length=8, choices=EventState, default=EventState.IN_FORCE)
    undone_at = models.PositiveBigIntegerField(default=0, help_text="revision of the undoing")
    words = models.CharField(max_length=300, help_text="for the log")
    marks = models.JSONField(
        default=dict, blank=True, help_text="slice -> [mark before, mark after], null for none"
    )
    image_marks = models.JSONField(
        default=dict, blank=True, help_text="image's index -> [kind before, kind after]"
    )
    change = models.JSONField(default=dict, blank=True, help_text="of slices, without members")
    members = models.BinaryField(
        default=b"", blank=True, help_text="of a lasso or split: int32, compressed"
    )
    first_number = models.PositiveIntegerField(default=0, help_text="that its new slices took")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "revision"], name="event_revision_once"),
            models.CheckConstraint(
                condition=Q(kind__in=EventKind.values), name="workspace_event_kind"
            ),
            models.CheckConstraint(
                condition=Q(state__in=EventState.values), name="workspace_event_state"
            ),
        ]
        ordering = ["revision"]

    def __str__(self) -> str:
        return self.words


class SliceMark(models.Model):
    """The mark that a slice has now; how it came about is in the events."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="marks")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12)
    score = models.FloatField(null=True, blank=True, help_text="attention score given by hand")
    note = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    revision = models.PositiveBigIntegerField(help_text="of the act that set it")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="slice_marked_once"),
            models.CheckConstraint(condition=Q(kind__in=MARK_KINDS), name="slice_mark_kind"),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | (Q(score__gte=0) & Q(score__lte=1)),
                name="slice_mark_score",
            ),
        ]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"slice {self.number}: {self.kind}"


class ImageMark(models.Model):
    """The score that somebody set of a single image by hand, whatever its slice's."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="image_marks")
    number = models.PositiveIntegerField(help_text="index of the image on the map")
    kind = models.CharField(max_length=12)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    revision = models.PositiveBigIntegerField(help_text="of the act that set it")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="image_marked_once"),
            models.CheckConstraint(condition=Q(kind__in=IMAGE_MARK_KINDS), name="image_mark_kind"),
        ]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"image {self.number}: {self.kind}"


class SavedView(models.Model):
    """What somebody looked at, under a name, for every member of the project."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=80)
    split = models.CharField(max_length=5, choices=SplitChoice)
    query = models.CharField(max_length=2_000, blank=True, help_text="of the page's address")
    rows = models.BinaryField(
        default=b"", blank=True, help_text="of the images chosen: int64, compressed"
    )
    n_images = models.PositiveIntegerField(default=0, help_text="chosen")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="view_named_once"),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class LabelFlag(models.Model):
    """What somebody who looked says of an image's label; of the project, whatever the map."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="label_flags")
    image = models.OneToOneField(Image, on_delete=models.CASCADE, related_name="label_flag")
    label_is_wrong = models.BooleanField()
    should_be = models.PositiveSmallIntegerField(null=True, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["image__row"]

    def __str__(self) -> str:
        return f"label of {self.image}"
