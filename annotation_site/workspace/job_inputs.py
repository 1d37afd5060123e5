"""What the workspace's jobs begin with. Loads the engine's pipeline."""

from django.conf import settings

from annotation_site.jobs.models import Job
from annotation_site.jobs.runner import settings_of
from annotation_site.jobs.watching import JobWatcher
from annotation_site.projects.models import Project
from annotation_site.workspace.models import Workspace
from engine.artifacts.store import ArtifactStore
from engine.pipeline.run import Run


def run_of(project: Project, watcher: JobWatcher) -> Run:
    """Give a project's run of the pipeline."""
    return Run(settings_of(project), ArtifactStore(settings.ARTIFACTS), watcher=watcher)


def workspace_of(job: Job) -> Workspace:
    """Give the workspace that a job is about."""
    return Workspace.objects.select_related("project__dataset", "project__reference_model").get(
        project=job.project, public_id=str(job.params["workspace"])
    )
