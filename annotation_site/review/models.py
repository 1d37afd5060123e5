"""What a closed round brought, as the worker published it."""

from django.db import models

from annotation_site.annotation.models import Round
from annotation_site.jobs.models import Job
from annotation_site.projects.models import Project


class RoundResult(models.Model):
    """Scores, subset and accuracies of a round; written once by the job that closed it."""

    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="result")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    scores = models.BinaryField(
        help_text="float32 little endian per row of the data set; NaN: not scored"
    )
    kept = models.BinaryField(help_text="uint8 per row: 1 kept by the screening")
    cell = models.BinaryField(
        help_text="int16 little endian per row: cell in the subset, -1: not drawn"
    )
    report = models.JSONField(help_text="see review.reports")
    artifacts = models.JSONField(default=dict, help_text="stage -> artifact key")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"result of {self.round}"


class Trial(models.Model):
    """A retrained checkpoint tried on a folder of pictures."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="trials")
    result = models.ForeignKey(RoundResult, on_delete=models.CASCADE, related_name="trials")
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="trial"
    )
    route = models.CharField(max_length=30)
    folder = models.CharField(max_length=500, help_text="relative to the data root")
    pictures = models.JSONField(
        default=list,
        help_text="[{name, predicted, confidence, before, before_confidence, grid (base64), grid_side, file}]",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.route} on {self.folder}"
