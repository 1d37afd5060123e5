"""What surrounds the answers: the words people read, what they report, what they say at the end."""

from django.db import models


class WordingKind(models.TextChoices):
    """Which text of a round."""

    GUIDELINES = "guidelines"
    CONSENT = "consent"


class Wording(models.Model):
    """A version of a round's text, kept for good: answers name the version they were given under."""

    round = models.ForeignKey("annotation.Round", on_delete=models.CASCADE, related_name="wordings")
    kind = models.CharField(max_length=10, choices=WordingKind)
    version = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "kind", "version"], name="wording_once"),
        ]
        ordering = ["round", "kind", "version"]

    def __str__(self) -> str:
        return f"{self.kind} {self.version} of {self.round}"


class ReportKind(models.TextChoices):
    """What is wrong with a picture."""

    NOT_LOADED = "not_loaded"
    OFFENSIVE = "offensive"


class Report(models.Model):
    """An annotator's word that a picture should not be shown, or could not be."""

    assignment = models.ForeignKey(
        "annotation.Assignment", on_delete=models.CASCADE, related_name="reports"
    )
    kind = models.CharField(max_length=10, choices=ReportKind)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="looked at by a lead")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["assignment", "kind"], name="report_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=ReportKind.values), name="report_kind"
            ),
        ]
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.kind}: {self.assignment}"


class QuestionnaireReply(models.Model):
    """What an annotator said at the end of a sitting; every question may be left out."""

    sitting = models.OneToOneField(
        "annotation.Sitting", on_delete=models.CASCADE, related_name="questionnaire"
    )
    answers = models.JSONField(default=dict, help_text="question -> answer, only those given")
    sus = models.FloatField(null=True, blank=True, help_text="0 to 100, where all ten are given")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"end of {self.sitting}"
