"""Projects, who may see them, their data set, its images and the classifier under study."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from annotation_site.accounts.models import User


def new_public_id() -> str:
    """Give an opaque id for URLs: 16 URL-safe letters, 96 bits."""
    return secrets.token_urlsafe(12)


def invitation_expiry() -> datetime:
    """Give the default end of an invitation's life: a week from now."""
    return timezone.now() + timedelta(days=7)


class Role(models.TextChoices):
    """What a member may do: a lead everything, a reviewer look."""

    LEAD = "lead"
    REVIEWER = "reviewer"


class ProjectQuerySet(models.QuerySet["Project"]):
    """Projects, as people may see them."""

    def visible_to(self, user: User) -> "ProjectQuerySet":
        """Keep the projects that the user is a member of."""
        return self.filter(memberships__user=user).distinct()


class Project(models.Model):
    """A question about one classifier on one data set."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=120)
    question = models.CharField(max_length=200, default="Does the model look at the object?")
    guidelines = models.TextField(
        blank=True,
        default=(
            "Answer yes when at least about a third of the highlight lies on the object itself. "
            "Answer no when most of it lies elsewhere."
        ),
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["created_by", "name"], name="project_name_per_owner")
        ]
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role, default=Role.LEAD)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role} of {self.project}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Invitations, and which of them still open a door."""

    def living(self) -> "InvitationQuerySet":
        """Keep those neither used nor revoked nor expired."""
        return self.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A link, good once, that makes its bearer a member. Only the token's hash is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    token_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=10, choices=Role, default=Role.LEAD)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=invitation_expiry)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"invitation to {self.project} as {self.role}"


class Dataset(models.Model):
    """A frozen manifest: what was registered, its digest and its artifact's key."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="dataset")
    name = models.CharField(max_length=120)
    manifest_path = models.CharField(max_length=500, help_text="relative to the data root")
    layout = models.CharField(max_length=12, default="manifest", help_text="as in data.layout")
    digest = models.CharField(max_length=64, blank=True)
    artifact_key = models.CharField(max_length=64, blank=True)
    n_images = models.PositiveIntegerField(default=0)
    class_names = models.JSONField(default=list)
    group_names = models.JSONField(default=list)
    counts = models.JSONField(default=dict, help_text="split -> class or group name -> images")
    licence = models.TextField(blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Image(models.Model):
    """One row of the data set, with where the classifier looks on it."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="images")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    row = models.PositiveIntegerField()
    image_id = models.CharField(max_length=300)
    label = models.PositiveSmallIntegerField()
    split = models.CharField(max_length=5)
    group = models.CharField(max_length=120, blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    predicted = models.PositiveSmallIntegerField(null=True, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    grid_side = models.PositiveSmallIntegerField(default=0)
    grid_true = models.BinaryField(
        blank=True, default=b"", help_text="uint8, row by row; true class"
    )
    grid_predicted = models.BinaryField(
        blank=True, default=b"", help_text="the same, predicted class"
    )
    dead_true = models.BooleanField(
        default=False, help_text="no positive evidence for the true class"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "row"], name="image_row_once"),
            models.UniqueConstraint(fields=["dataset", "image_id"], name="image_id_once"),
        ]
        ordering = ["row"]

    def __str__(self) -> str:
        return self.image_id


class ReferenceModel(models.Model):
    """The classifier under study."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, related_name="reference_model"
    )
    name = models.CharField(max_length=120)
    architecture = models.CharField(max_length=120)
    weights_path = models.CharField(
        max_length=500, blank=True, help_text="relative to the data root"
    )
    settings = models.JSONField(
        default=dict, help_text="the classifier table of the pipeline's settings"
    )
    target_layer = models.CharField(max_length=200, blank=True, help_text="as named; blank: found")
    found_layer = models.CharField(
        max_length=200, blank=True, help_text="the one that is looked at"
    )
    artifact_key = models.CharField(max_length=64, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
