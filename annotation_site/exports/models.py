"""Files to take away: those of a closed round's result, and exports of a round made on request."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round
from annotation_site.jobs.models import Job
from annotation_site.projects.models import new_public_id
from annotation_site.review.models import RoundResult

WORDS = {
    "subset_csv": "Curated subset",
    "subset_parquet": "Curated subset",
    "torch_index": "Row index of the subset, for torch",
    "core_masks": "Core masks of the subset, PNG",
    "checkpoint": "Checkpoint, safetensors with its description",
    "scores_csv": "Attention score of every image",
    "report_json": "This report",
    "responses_csv": "Answers, annotators by pseudonym",
}
"""What a file of a result is."""


class Export(models.Model):
    """One writing of a round's tables; its files appear when its job is done."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="exports")
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="export"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    snapshot_at = models.DateTimeField(
        null=True, blank=True, help_text="the moment whose state the files show"
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"export {self.public_id} of {self.round}"


class ExportFileQuerySet(models.QuerySet["ExportFile"]):
    """Files, as people may see them."""

    def visible_to(self, user: User) -> "ExportFileQuerySet":
        """Keep the files of projects that the user is a member of."""
        return self.filter(
            Q(result__round__project__memberships__user=user)
            | Q(export__round__project__memberships__user=user)
        ).distinct()


class ExportFile(models.Model):
    """One file, written by the worker below the media root; of a result, or of an export."""

    result = models.ForeignKey(
        RoundResult, null=True, blank=True, on_delete=models.CASCADE, related_name="files"
    )
    export = models.ForeignKey(
        Export, null=True, blank=True, on_delete=models.CASCADE, related_name="files"
    )
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    kind = models.CharField(
        max_length=30,
        help_text="of a result: subset_csv, subset_parquet, torch_index, core_masks, checkpoint, "
        "scores_csv, report_json, responses_csv; of an export: the table's name, manifest, bundle",
    )
    name = models.CharField(max_length=120)
    path = models.CharField(max_length=300, help_text="relative to the media root")
    content_type = models.CharField(max_length=80)
    n_bytes = models.PositiveBigIntegerField()
    n_rows = models.PositiveBigIntegerField(null=True, blank=True, help_text="of tables")
    sha256 = models.CharField(max_length=64)
    description = models.CharField(max_length=120, blank=True, help_text="blank: by its kind")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ExportFileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(result__isnull=False, export__isnull=True)
                | Q(result__isnull=True, export__isnull=False),
                name="export_file_of_one",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def words(self) -> str:
        """What the file is, for the page."""
        return self.description or WORDS.get(self.kind, self.kind)
