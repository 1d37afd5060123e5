"""Projects, who may see them, their data set, its images, the classifier, and the audit of acts."""

import secrets
from datetime import datetime, timedelta
from typing import Any, NoReturn

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


# ---- the audit ----------------------------------------------------------------------------------

GENESIS = "0" * 64
"""What stands for the entry before the first."""


class Act(models.TextChoices):
    """What leads and reviewers do that changes results, pay, or who may do either."""

    ROUND_OPENED = "round_opened", "Round opened"
    ROUND_CLOSING = "round_closing", "Votes frozen"
    ROUND_CLOSED = "round_closed", "Round closed"
    ROUND_REOPENED = "round_reopened", "Round opened again"
    RULES_FROZEN = "rules_frozen", "Rules frozen"
    RULES_CHANGED = "rules_changed", "Rules changed"
    LEFT_OUT = "left_out", "Left out"
    LET_IN_AGAIN = "let_in_again", "Let in again"
    SECOND_LOOK = "second_look", "Second look"
    UNVEILED = "unveiled", "Crowd's answers shown"
    WORDS_CHANGED = "words_changed", "Texts for annotators changed"
    STUDY_CHANGED = "study_changed", "Terms of recruiting changed"
    PAY_DECIDED = "pay_decided", "Pay decided on the panel"
    VISIT_SET_ASIDE = "visit_set_aside", "Visit set aside as a test"
    IDS_DELETED = "ids_deleted", "Panel's ids deleted"
    EXPORT_ASKED = "export_asked", "Export made"
    EXPORT_DELETED = "export_deleted", "Export deleted"
    MEMBER_ADDED = "member_added", "Member added"
    MEMBER_REMOVED = "member_removed", "Member removed"


class AppendOnly(Exception):
    """Somebody tried to change or delete an entry of the audit."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Entries to read; changing or deleting them raises, and so does adding them unsealed."""

    def update(self, **_values: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly("an entry of the audit cannot be changed")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise AppendOnly("an entry of the audit cannot be deleted")

    def bulk_update(self, *_args: Any, **_more: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly("an entry of the audit cannot be changed")

    def bulk_create(self, *_args: Any, **_more: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly("entries of the audit are added one by one, by projects.audit.record")


class AuditChain(models.Model):
    """The head of a project's chain; whoever adds an entry locks this row."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="audit_chain")
    length = models.PositiveBigIntegerField(default=0)
    head = models.CharField(max_length=64, default=GENESIS, help_text="hash of the last entry")

    def __str__(self) -> str:
        return f"{self.length} audited acts of {self.project}"


class AuditEntry(models.Model):
    """One act: who did what to what, when, and with which content."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="audit_entries")
    number = models.PositiveBigIntegerField(help_text="1 for the first of the project")
    at = models.DateTimeField()
    who = models.CharField(max_length=150, blank=True, help_text="user name; empty: the site")
    who_key = models.BigIntegerField(null=True, blank=True, help_text="of the user then")
    act = models.CharField(max_length=20, choices=Act)
    subject = models.CharField(max_length=200)
    content = models.TextField(help_text="canonical JSON, kept to the letter for its hash")
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="audit_number_once"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="audit_number"),
            models.CheckConstraint(condition=models.Q(act__in=Act.values), name="audit_act"),
        ]
        ordering = ["project", "number"]

    def __str__(self) -> str:
        return f"entry {self.number} of {self.project}: {self.get_act_display()}"

    def save(self, **more: Any) -> None:
        """Add the entry.

        Raises:
            AppendOnly: It is there already.
        """
        if not self._state.adding:
            raise AppendOnly("an entry of the audit cannot be changed")
        # With a key given Django would first try to change the row that has it.
        super().save(**(more | {"force_insert": True}))

    def delete(self, *_args: Any, **_more: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly("an entry of the audit cannot be deleted")
