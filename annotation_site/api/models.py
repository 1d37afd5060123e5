"""Tokens for programs, and replies kept so that a repeated request changes nothing twice."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.projects.models import Project, new_public_id


class Scope(models.TextChoices):
    """What a token may be used for."""

    READ = "read", "Read projects, images, rounds, items, posteriors, scores and jobs"
    ANSWERS = "answers", "Read every single answer, annotators by pseudonym"
    EXPORT = "export", "Make exports, download them, and cancel jobs"


def token_expiry() -> datetime:
    """Give the default end of a token's life: 90 days from now."""
    return timezone.now() + timedelta(days=90)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Tokens, and which of them still open a door."""

    def living(self) -> "ApiTokenQuerySet":
        """Keep those neither revoked nor expired, of people who may sign in."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now(), owner__is_active=True)

    def of(self, user: User) -> "ApiTokenQuerySet":
        """Keep a person's own."""
        return self.filter(owner=user)


class ApiToken(models.Model):
    """A program's key. Only its SHA-256 is kept; it lets in to what its owner is a member of."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True, help_text="public part, to find it by")
    token_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list, help_text="of `Scope`")
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, related_name="api_tokens",
        help_text="null: every project of the owner",
    )  # fmt: skip
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=token_expiry)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="to the minute")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_living(self) -> bool:
        """Whether it still opens a door."""
        return self.revoked_at is None and self.expires_at > timezone.now()


class KeptReply(models.Model):
    """The reply to a request that carried an idempotency key."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="replies")
    key = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64, help_text="of method, path and body")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(default=dict)
    location = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token", "key"], name="reply_once"),
            models.CheckConstraint(condition=~Q(key=""), name="reply_key"),
        ]

    def __str__(self) -> str:
        return f"reply to {self.key}"
