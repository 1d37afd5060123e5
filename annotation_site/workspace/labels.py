"""What people say of labels; kept by image, whatever the map."""

from django.db import transaction
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.projects.models import Image
from annotation_site.web.refusals import Refused
from annotation_site.workspace.acts import add_act, locked
from annotation_site.workspace.models import EventKind, LabelFlag, Workspace


def flag_label(
    *,
    workspace: Workspace,
    by: User,
    image: Image,
    label_is_wrong: bool | None,
    should_be: int | None = None,
) -> int:
    """Say whether an image's label is wrong.

    Args:
        workspace: in which it was seen.
        by: who says it.
        image: of the workspace's project.
        label_is_wrong: None takes back what was said.
        should_be: the true class, where the person knows it.

    Returns:
        How many images of the project are flagged as wrong.

    Raises:
        Refused: there is no such class, or it is the label that the image has.
    """
    names = workspace.project.dataset.class_names
    if should_be is not None and not (
        label_is_wrong and 0 <= should_be < len(names) and should_be != image.label
    ):
        raise Refused(
            f"The right class must be another of the {len(names)} classes than the label it has."
        )
    with transaction.atomic():
        held = locked(workspace)
        if label_is_wrong is None:
            LabelFlag.objects.filter(image=image).delete()
            words = f"{image.image_id}: flag taken back"
        else:
            LabelFlag.objects.update_or_create(
                image=image,
                defaults={
                    "project": workspace.project,
                    "label_is_wrong": label_is_wrong,
                    "should_be": should_be,
                    "by": by,
                    "at": timezone.now(),
                },
            )
            words = f"{image.image_id}: label is {'wrong' if label_is_wrong else 'right'}"
            if should_be is not None:
                words += f", should be {names[should_be]}"
        add_act(held, by, EventKind.FLAG, words, drops_undone=False)
        return LabelFlag.objects.filter(project=workspace.project, label_is_wrong=True).count()
