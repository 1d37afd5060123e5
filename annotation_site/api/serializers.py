"""What the interface says of each thing. Fields are named one by one; nothing else leaves."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation_site.annotation.models import Arm, RoundState, TaskRole
from annotation_site.exports.response_table import STANDINGS, standing
from annotation_site.jobs.models import JobKind, JobState


class ProjectSerializer(serializers.Serializer):
    """A project."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    question = serializers.CharField()
    guidelines = serializers.CharField(help_text="Markdown")
    role = serializers.ChoiceField(["lead", "reviewer"], help_text="of the token's owner")
    created_at = serializers.DateTimeField()


class DatasetSerializer(serializers.Serializer):
    """A project's frozen data set."""

    name = serializers.CharField()
    digest = serializers.CharField(help_text="SHA-256 of the manifest and all pictures")
    n_images = serializers.IntegerField()
    class_names = serializers.ListField(child=serializers.CharField())
    group_names = serializers.ListField(child=serializers.CharField())
    counts = serializers.JSONField(help_text="split to class or group name to images")
    licence = serializers.CharField()
    frozen_at = serializers.DateTimeField(allow_null=True)


class ImageSerializer(serializers.Serializer):
    """A row of the data set."""

    id = serializers.CharField(source="public_id")
    row = serializers.IntegerField(help_text="position in the manifest")
    image_id = serializers.CharField(help_text="as the manifest names it")
    split = serializers.CharField()
    label = serializers.IntegerField(help_text="index into the data set's class_names")
    predicted = serializers.IntegerField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True)
    group = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    dead_map = serializers.BooleanField(
        source="dead_true", help_text="no positive evidence for the true class"
    )


class RoundSerializer(serializers.Serializer):
    """A round."""

    id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.public_id")
    number = serializers.IntegerField()
    state = serializers.ChoiceField(RoundState.values)
    arm = serializers.ChoiceField(Arm.values)
    study = serializers.CharField()
    question = serializers.CharField()
    answers = serializers.ListField(child=serializers.CharField(), help_text="what may be answered")
    budget = serializers.IntegerField(help_text="images to ask about")
    redundancy = serializers.IntegerField(help_text="answers wanted for each")
    block_size = serializers.IntegerField(help_text="images of a sitting; 0: all")
    guideline_version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    opened_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)


class ItemSerializer(serializers.Serializer):
    """Something that a round may ask."""

    item = serializers.IntegerField(source="pk")
    role = serializers.ChoiceField(TaskRole.values)
    variant = serializers.CharField(help_text="of gold: how the heat was changed")
    position = serializers.IntegerField()
    cluster = serializers.IntegerField(help_text="in the attention space")
    image = serializers.CharField(source="image.public_id")
    row = serializers.IntegerField(source="image.row")
    image_id = serializers.CharField(source="image.image_id")
    target = serializers.IntegerField(help_text="answers wanted; of queries only")
    reserved = serializers.IntegerField(help_text="places held or answered")
    expected = serializers.CharField(help_text="of gold and checks")
    retired_reason = serializers.CharField()


class ResponseSerializer(serializers.Serializer):
    """A version of an answer."""

    response = serializers.UUIDField(source="client_uuid")
    assignment = serializers.UUIDField(source="assignment.public_id")
    version = serializers.IntegerField()
    standing = serializers.SerializerMethodField()
    annotator = serializers.CharField(
        source="assignment.sitting.annotator.public_id", help_text="pseudonym"
    )
    is_test = serializers.BooleanField(
        source="assignment.sitting.is_test", help_text="a look; in no figure"
    )
    item = serializers.IntegerField(source="assignment.task_id")
    role = serializers.ChoiceField(TaskRole.values, source="assignment.task.role")
    row = serializers.IntegerField(source="assignment.task.image.row")
    answer = serializers.CharField()
    shown_to_answer_ms = serializers.FloatField(allow_null=True)
    hidden_ms = serializers.FloatField(allow_null=True)
    blur_ms = serializers.FloatField(allow_null=True)
    exposures = serializers.IntegerField()
    input_kind = serializers.CharField()
    quality = serializers.ChoiceField(["A", "B", "C"], help_text="of the timing")
    served_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()
    late = serializers.BooleanField()
    guideline_version = serializers.IntegerField()
    stimulus_hash = serializers.CharField()

    @extend_schema_field(serializers.ChoiceField(STANDINGS))
    def get_standing(self, response: Any) -> str:
        """Say how it stands."""
        return standing(
            response.version,
            response.newest or 0,
            surplus=response.surplus,
            state=response.assignment.state,
        )


class PosteriorSerializer(serializers.Serializer):
    """What the votes say of a query."""

    item = serializers.IntegerField()
    row = serializers.IntegerField()
    image_id = serializers.CharField()
    n_votes = serializers.IntegerField(help_text="votes that say something")
    n_unsure = serializers.IntegerField(help_text="votes that do not")
    votes = serializers.DictField(child=serializers.IntegerField(), help_text="for each answer")
    majority = serializers.CharField(help_text="empty: no vote, or a tie")
    majority_share = serializers.FloatField(allow_null=True)
    dawid_skene = serializers.DictField(
        child=serializers.FloatField(), help_text="probability of each answer; empty without votes"
    )


class ScoreSerializer(serializers.Serializer):
    """What a closed round's spreading and curation say of an image."""

    row = serializers.IntegerField()
    image = serializers.CharField()
    image_id = serializers.CharField()
    score = serializers.FloatField(
        allow_null=True, help_text="probability that the attention is correct; null: not scored"
    )
    kept = serializers.BooleanField(help_text="by the screening")
    cell = serializers.IntegerField(allow_null=True, help_text="in the subset; null: not drawn")


class JobSerializer(serializers.Serializer):
    """Long work."""

    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(JobKind.values)
    state = serializers.ChoiceField(JobState.values)
    round = serializers.CharField(source="round.public_id", allow_null=True, default=None)
    stage = serializers.CharField()
    done = serializers.IntegerField(help_text="of the stage")
    total = serializers.IntegerField()
    error = serializers.CharField()
    cancel_requested = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class FileSerializer(serializers.Serializer):
    """A file of an export."""

    id = serializers.CharField(source="public_id", help_text="GET /api/v1/files/{id}")
    kind = serializers.CharField(help_text="the table's name, manifest, or bundle")
    name = serializers.CharField()
    content_type = serializers.CharField()
    bytes = serializers.IntegerField(source="n_bytes")
    rows = serializers.IntegerField(source="n_rows", allow_null=True)
    sha256 = serializers.CharField()


class ExportSerializer(serializers.Serializer):
    """One writing of a round's tables."""

    id = serializers.CharField(source="public_id")
    round = serializers.CharField(source="round.public_id")
    job = serializers.UUIDField(source="job.public_id", allow_null=True, default=None)
    state = serializers.SerializerMethodField()
    snapshot_at = serializers.DateTimeField(
        allow_null=True, help_text="the moment whose state the files show"
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    files = FileSerializer(many=True, source="files.all")

    @extend_schema_field(serializers.ChoiceField(JobState.values))
    def get_state(self, export: Any) -> str:
        """Say how far its job is."""
        if export.finished_at:
            return str(JobState.DONE)
        return str(export.job.state) if export.job else str(JobState.FAILED)
