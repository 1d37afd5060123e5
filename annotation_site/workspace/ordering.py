"""Asking for the workspace's long work; a worker does it (`runner`)."""

from collections.abc import Sequence

from annotation_site.accounts.models import User
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects.models import Project
from annotation_site.web.refusals import Refused
from annotation_site.workspace.models import Workspace


def ask_for_slices(
    *,
    project: Project,
    asked_by: User | None,
    split: str,
    threshold: float = 0.8,
    n_slices: int = 0,
) -> Job:
    """Have a split laid out and cut into slices.

    Args:
        project: whose images.
        asked_by: who asks, None for a command.
        split: `val`, `test`, `train` or `all`.
        threshold: coherence that every slice must reach.
        n_slices: so many, whatever their coherence; 0: as many as that asks for.

    Raises:
        Refused: the classifier has not looked at the images, or such a job is active.
    """
    if project.reference_model.ready_at is None:
        raise Refused("The classifier has not looked at the images yet. Wait for its job.")
    return jobs.enqueue(
        project=project,
        kind=JobKind.SLICE,
        params={"split": split, "threshold": threshold, "n_slices": n_slices},
        created_by=asked_by,
    )


def ask_for_pictures(
    *, workspace: Workspace, asked_by: User | None, numbers: Sequence[int] = ()
) -> Job:
    """Have pictures of slices found by feature inversion.

    Args:
        workspace: whose slices.
        asked_by: who asks, None for a command.
        numbers: of the slices; none: all without a picture.

    Raises:
        Refused: such a job is active.
    """
    return jobs.enqueue(
        project=workspace.project,
        kind=JobKind.INVERT,
        params={"workspace": workspace.public_id, "slices": list(numbers)},
        created_by=asked_by,
    )
