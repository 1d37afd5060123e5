"""Rules that were settled beforehand, the ledger of exclusions, and leads' second looks.

Nothing here is ever changed or deleted: a rule set gets a next version, an exclusion is taken
back by a further entry, a second look by a further version.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation_site.annotation.models import Response, Round, Sitting, Task


class RuleSet(models.Model):
    """A version of the rules by which answers and annotators may be left out of a round."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="rule_sets")
    version = models.PositiveSmallIntegerField()
    rules = models.JSONField(help_text="see quality.rules.Rules")
    reason = models.CharField(max_length=300, blank=True, help_text="of a change after opening")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    frozen_at = models.DateTimeField(
        null=True, blank=True, help_text="the round opened under it; empty: never, or later"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "version"], name="rule_set_once"),
        ]
        ordering = ["round", "version"]

    def __str__(self) -> str:
        return f"rules {self.version} of {self.round}"


class Action(models.TextChoices):
    """What an entry of the ledger does with its subjects."""

    EXCLUDE = "exclude"
    REINSTATE = "reinstate"


class LedgerEntry(models.Model):
    """One step of the ledger: some annotators or answers left out of the figures, or let in again.

    The ledger's version is the number of its last entry; version 0 is everything as collected.
    """

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="ledger")
    version = models.PositiveIntegerField()
    action = models.CharField(max_length=10, choices=Action)
    rule = models.CharField(max_length=24, blank=True, help_text="of the rule set; empty: by hand")
    rule_set = models.ForeignKey(
        RuleSet, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "version"], name="ledger_entry_once"),
            models.CheckConstraint(condition=Q(action__in=Action.values), name="ledger_action"),
            models.CheckConstraint(condition=~Q(reason=""), name="ledger_reason"),
            models.CheckConstraint(condition=Q(version__gte=1), name="ledger_version"),
        ]
        ordering = ["round", "version"]

    def __str__(self) -> str:
        return f"{self.action}, entry {self.version} of {self.round}"


class LedgerSubject(models.Model):
    """What an entry is about: an annotator's whole sitting, or one answer, with the evidence."""

    entry = models.ForeignKey(LedgerEntry, on_delete=models.CASCADE, related_name="subjects")
    sitting = models.ForeignKey(
        Sitting, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    response = models.ForeignKey(
        Response, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    evidence = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry", "sitting"], name="ledger_sitting_once"),
            models.UniqueConstraint(fields=["entry", "response"], name="ledger_response_once"),
            models.CheckConstraint(
                condition=Q(sitting__isnull=True) ^ Q(response__isnull=True),
                name="ledger_one_subject",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sitting or self.response} in {self.entry}"


class SecondLook(models.Model):
    """A lead's own answer to a task, given a version for every time it was given."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="second_looks")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveSmallIntegerField()
    answer = models.CharField(max_length=40, help_text="one of the round's answers")
    note = models.CharField(max_length=300, blank=True)
    blind = models.BooleanField(help_text="given before the crowd's answers were shown")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "by", "version"], name="second_look_once"),
            models.CheckConstraint(condition=~Q(answer=""), name="second_look_answer"),
        ]
        ordering = ["task", "by", "version"]

    def __str__(self) -> str:
        return f"{self.answer} by {self.by} (version {self.version})"


class Unveiling(models.Model):
    """That a lead asked to see the crowd's answers image by image: later looks are not blind."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="unveilings")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "by"], name="unveiling_once"),
        ]

    def __str__(self) -> str:
        return f"{self.round} unveiled to {self.by}"
