"""Registering a project: its rows in the database, and the job that reads its data."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from annotation_site.accounts.models import User
from annotation_site.jobs import services
from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects import services as projects


def register(
    *,
    lead: User,
    name: str,
    manifest: str,
    architecture: str,
    weights: str = "",
    target_layer: str = "",
    question: str = "",
    layout: str = "manifest",
    classifier: Mapping[str, Any] | None = None,
) -> Job:
    """Create a project and queue the job that freezes its data and looks where the model looks.

    Args:
        lead: who will lead it.
        name: of the project.
        manifest: file or folder, relative to the data root.
        architecture: such as `timm/resnet18`.
        weights: file relative to the data root, or "".
        target_layer: dotted module name, or "" to find it.
        question: put to annotators, or "" for the default.
        layout: one of the pipeline's `data.layout`.
        classifier: further settings of the pipeline's `classifier` table.

    Returns:
        The queued job; its `project` is the new one.

    Raises:
        Refused: see `projects.services.register`; nothing is left behind.
    """
    with transaction.atomic():
        project = projects.register(
            lead=lead,
            name=name,
            manifest=manifest,
            architecture=architecture,
            weights=weights,
            target_layer=target_layer,
            question=question,
            layout=layout,
            classifier=classifier,
        )
        return services.enqueue(project=project, kind=JobKind.REGISTER, created_by=lead)
