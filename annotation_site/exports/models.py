"""Files that a closed round offers for download."""

from django.db import models

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
"""What a file of each kind is."""


class ExportFile(models.Model):
    """One file, written by the worker below the media root."""

    result = models.ForeignKey(RoundResult, on_delete=models.CASCADE, related_name="files")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    kind = models.CharField(
        max_length=30,
        help_text="subset_csv, subset_parquet, torch_index, core_masks, checkpoint, scores_csv, report_json, responses_csv",
    )
    name = models.CharField(max_length=120)
    path = models.CharField(max_length=300, help_text="relative to the media root")
    content_type = models.CharField(max_length=80)
    n_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def words(self) -> str:
        """What the file is, for the page."""
        return WORDS.get(self.kind, self.kind)
