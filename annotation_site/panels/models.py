"""Panel studies, the visits they bring, invitations, and what a panel tells by itself."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation_site.annotation.models import (
    Annotator,
    PlatformStatus,
    Provider,
    Round,
    Sitting,
    new_link_token,
)
from annotation_site.panels.codes import CodeType, Outcome
from annotation_site.panels.panels import CONVENTIONS, Convention, Panel, provider_of
from annotation_site.projects.models import Project, new_public_id


def new_submission_hash() -> str:
    """Give a visit that no panel knows of a hash of its own."""
    return secrets.token_hex(32)


class PanelStudy(models.Model):
    """One way of recruiting people for a round: a study on a panel, or a list of invitations."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="panel_studies")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    token = models.CharField(max_length=32, unique=True, default=new_link_token, editable=False)
    panel = models.CharField(max_length=10, choices=Panel, default=Panel.PROLIFIC)
    name = models.CharField(max_length=80)
    external_id = models.CharField(max_length=64, blank=True, help_text="the panel's id of it")
    person_parameter = models.CharField(max_length=40, blank=True)
    submission_parameter = models.CharField(max_length=40, blank=True)
    return_template = models.CharField(max_length=300, blank=True)
    signed_only = models.BooleanField(default=False)
    places = models.PositiveIntegerField(default=0, help_text="0: as many as the round has")
    minutes = models.PositiveSmallIntegerField(default=0, help_text="as told to annotators")
    reward = models.PositiveIntegerField(default=0, help_text="in hundredths of the currency")
    currency = models.CharField(max_length=3, default="GBP")
    finished_code = models.CharField(max_length=24, choices=CodeType, default=CodeType.COMPLETED)
    screened_out_code = models.CharField(
        max_length=24, choices=CodeType, default=CodeType.SCREENED_OUT
    )
    tells_failed_checks = models.BooleanField(default=True)
    least_width = models.PositiveSmallIntegerField(default=0, help_text="CSS pixels; 0: any")
    sealed_codes = models.BinaryField(help_text="Fernet token over kind -> code")
    admitting = models.BooleanField(default=True)
    forget_after_days = models.PositiveSmallIntegerField(default=90)
    forgotten_at = models.DateTimeField(null=True, blank=True)
    remote_state = models.CharField(
        max_length=40, blank=True, help_text="of the study, in its words"
    )
    polled_at = models.DateTimeField(null=True, blank=True)
    poll_after = models.DateTimeField(
        null=True, blank=True, help_text="when the panel is asked next"
    )
    poll_error = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(panel__in=Panel.values), name="study_panel"),
        ]
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def provider(self) -> Provider:
        """Who vouches for the ids of its people."""
        return provider_of(self.panel)

    @property
    def convention(self) -> Convention:
        """How its link names who comes."""
        known = CONVENTIONS.get(self.panel)
        return known or Convention(
            person=self.person_parameter, submission=self.submission_parameter, template=""
        )

    @property
    def is_prolific(self) -> bool:
        """Whether Prolific's rules and words hold."""
        return self.panel == Panel.PROLIFIC

    @property
    def is_invited(self) -> bool:
        """Whether people come by personal links."""
        return self.panel == Panel.INVITE


class Invite(models.Model):
    """A personal link; who has it is the same annotator in every browser."""

    study = models.ForeignKey(PanelStudy, on_delete=models.CASCADE, related_name="invites")
    token_hash = models.CharField(max_length=64, unique=True)
    sealed_token = models.BinaryField(help_text="Fernet token, to show the link again")
    number = models.PositiveIntegerField(help_text="what the lead calls it by")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="invite_number_once"),
        ]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"invitation {self.number} to {self.study}"


class VisitQuerySet(models.QuerySet["Visit"]):
    """Visits, by what counts."""

    def real(self) -> "VisitQuerySet":
        """Leave out looks of leads and panels."""
        return self.filter(is_test=False)


class Visit(models.Model):
    """One submission at the door: what became of it here, and what the panel says of it."""

    study = models.ForeignKey(PanelStudy, on_delete=models.CASCADE, related_name="visits")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    submission_hash = models.CharField(max_length=64, default=new_submission_hash)
    annotator = models.ForeignKey(
        Annotator, null=True, blank=True, on_delete=models.CASCADE, related_name="visits"
    )
    sitting = models.ForeignKey(
        Sitting, null=True, blank=True, on_delete=models.CASCADE, related_name="visits"
    )
    turned_away = models.CharField(
        max_length=16, choices=Outcome, blank=True, help_text="why it never began"
    )
    verified = models.BooleanField(default=False)
    entry_hash = models.CharField(
        max_length=64, null=True, blank=True, unique=True, help_text="of the signed entry token"
    )
    is_test = models.BooleanField(default=False)
    shared_browser = models.BooleanField(
        default=False, help_text="somebody else had come from this browser, and it was confirmed"
    )
    replaced = models.BooleanField(
        default=False, help_text="a later submission of the same person took the sitting over"
    )
    arrived_at = models.DateTimeField(
        null=True, blank=True, help_text="none: known by the panel alone"
    )
    remote_status = models.CharField(
        max_length=20, choices=PlatformStatus, default=PlatformStatus.UNKNOWN
    )
    remote_at = models.DateTimeField(null=True, blank=True, help_text="when that was so")
    entered = models.CharField(
        max_length=24, blank=True, help_text="kind of the code entered there"
    )
    remote_started_at = models.DateTimeField(null=True, blank=True)
    remote_completed_at = models.DateTimeField(null=True, blank=True)
    return_requested = models.BooleanField(default=False)
    person_differs = models.BooleanField(
        default=False, help_text="the panel gives this submission to somebody else"
    )

    objects = VisitQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "submission_hash"], name="visit_once"),
        ]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"visit {self.public_id} of {self.study}"


class PanelAccount(models.Model):
    """A project's keys to Prolific, sealed; everything works without them."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="panel_account")
    public_id = models.CharField(max_length=32, unique=True, default=new_link_token, editable=False)
    sealed = models.BinaryField(help_text="Fernet token over token and webhook secret")
    token_hint = models.CharField(max_length=8, blank=True, help_text="last letters of the token")
    has_secret = models.BooleanField(default=False)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"panel account of {self.project}"


class PanelEvent(models.Model):
    """A message of a panel, kept once however often it is sent, and worked off by a worker."""

    account = models.ForeignKey(PanelAccount, on_delete=models.CASCADE, related_name="events")
    event_id = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, help_text="SHA-256 of time and body as signed")
    kind = models.CharField(max_length=60)
    sealed_body = models.BinaryField()
    sent_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "event_id"], name="event_id_once"),
            models.UniqueConstraint(fields=["account", "digest"], name="event_digest_once"),
        ]
        indexes = [
            models.Index(
                fields=["account", "sent_at"], condition=Q(handled_at=None), name="event_waiting"
            ),
        ]
        ordering = ["sent_at", "event_id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
