"""Asking for the workspace's long work; a worker does it (`runner`)."""

from collections.abc import Sequence

from annotation_site.accounts.models import User
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects.models import Project
from annotation_site.web.refusals import Refused
from annotation_site.workspace.mending import counts
from annotation_site.workspace.models import SplitChoice, Workspace
from annotation_site.workspace.pictures import CellName, groups_of
from annotation_site.workspace.versions import version_of

CHOICES = ("marked", "low")
"""Which slices' images get noise: those marked spurious, or all that are once marks have spread."""


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
    *,
    workspace: Workspace,
    asked_by: User | None,
    numbers: Sequence[int] = (),
    cell: CellName | None = None,
    in_hulls: bool = False,
) -> Job:
    """Have pictures of slices found by feature inversion.

    Args:
        workspace: whose slices.
        asked_by: who asks, None for a command.
        numbers: of the slices; none: all without a picture.
        cell: true and predicted class, for pictures of the slices' images in this cell alone.
        in_hulls: for the paper's figure: pixels inside each slice's hull alone; not with a cell.

    Raises:
        Refused: there is no image in the cell, or such a job is active.
    """
    params: dict[str, object] = {"workspace": workspace.public_id, "slices": list(numbers)}
    if in_hulls:
        params["hulls"] = True
    elif cell is not None:
        if not groups_of(version_of(workspace), cell):
            raise Refused("There is no image in this cell, so there is nothing to picture.")
        params["cell"] = list(cell)
    return jobs.enqueue(
        project=workspace.project,
        kind=JobKind.INVERT,
        params=params,
        created_by=asked_by,
    )


def ask_for_noise(*, workspace: Workspace, asked_by: User | None, choice: str) -> Job:
    """Have masks and noisy pictures of spurious slices written.

    Args:
        workspace: whose marks.
        asked_by: who asks, None for a command.
        choice: one of `CHOICES`.

    Raises:
        Refused: nothing is chosen, or such a job is active.
    """
    if choice not in CHOICES:
        raise Refused(f"“{choice}” is no choice of slices. Choices are {', '.join(CHOICES)}.")
    if not counts(workspace)[choice]:
        raise Refused("No image is chosen. Mark a slice as spurious first.")
    return jobs.enqueue(
        project=workspace.project,
        kind=JobKind.NOISE,
        params={
            "workspace": workspace.public_id,
            "choice": choice,
            "revision": workspace.revision,
        },
        created_by=asked_by,
    )


def ask_for_mending(*, workspace: Workspace, asked_by: User | None, split: str) -> Job:
    """Have the classifier retrained with noise on spurious slices, and with corrected labels.

    Args:
        workspace: whose marks; its map must show training images, for they get the noise.
        asked_by: who asks, None for a command.
        split: which images judge, `val` or `test`.

    Raises:
        Refused: there is nothing to retrain with, or such a job is active.
    """
    if split not in {SplitChoice.VALIDATION, SplitChoice.TEST}:
        raise Refused("Models are judged on val or test images.")
    found = counts(workspace)
    if not (found["labels_training"] or found["wrong_training"]):
        if workspace.split not in {SplitChoice.TRAINING, SplitChoice.ALL}:
            raise Refused(
                f"These slices are of {workspace.get_split_display()} images, but training "
                "images get the noise. Build slices of train or of all splits and mark there."
            )
        if not found["low_training"] and not found["marked_training"]:
            raise Refused("No training image lies in a spurious slice. Mark one first.")
    return jobs.enqueue(
        project=workspace.project,
        kind=JobKind.MEND,
        params={
            "workspace": workspace.public_id,
            "split": split,
            "revision": workspace.revision,
        },
        created_by=asked_by,
    )
