"""Heat by random weights: what a job leaves of it, and what gold is made of."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from django.db import transaction
from jaxtyping import Int

from annotation_site.live.models import ControlHeat
from annotation_site.projects.models import Dataset, Image


@transaction.atomic
def keep_controls(
    *,
    dataset: Dataset,
    rows: Int[np.ndarray, " n"],
    grids: Mapping[str, Sequence[bytes]],
    side: int,
) -> int:
    """Keep heat by random weights in the place of what was kept before.

    Args:
        dataset: Whose images.
        rows: Of the manifest.
        grids: `head` and `network` -> a grid for each row, row by row, hottest cell 255.
        side: Of the grids.

    Returns:
        How many were kept: a grid where nothing would be seen is not.
    """
    keys = dict(dataset.images.filter(row__in=rows.tolist()).values_list("row", "pk"))
    ControlHeat.objects.filter(image__dataset=dataset).delete()
    made = ControlHeat.objects.bulk_create(
        ControlHeat(image_id=keys[row], part=part, heat=grid, side=side)
        for part, of_part in grids.items()
        for row, grid in zip(rows.tolist(), of_part, strict=True)
        if any(grid)
    )
    return len(made)


def controls_of(dataset: Dataset, *, without: Collection[int], most: int) -> list[ControlHeat]:
    """Give some control heat, both kinds in turn and each image once.

    Args:
        dataset: Whose images.
        without: Keys of images that may not be used.
        most: At most so many.
    """
    found = ControlHeat.objects.filter(image__dataset=dataset).exclude(image__in=without)
    of_image: dict[int, list[ControlHeat]] = {}
    for each in found.select_related("image__dataset").order_by("image__row", "part"):
        of_image.setdefault(each.image_id, []).append(each)
    return [parts[n % len(parts)] for n, parts in enumerate(list(of_image.values())[:most])]


def images_with_controls(dataset: Dataset) -> frozenset[int]:
    """Give the keys of the images that have control heat."""
    return frozenset(
        Image.objects.filter(dataset=dataset, control_heat__isnull=False).values_list(
            "pk", flat=True
        )
    )
