"""A name for exactly what was shown, so that a later change of colours or maps can be seen."""

import hashlib

from annotation_site.annotation.models import Round, Task

COLOURS = "inferno-1"
"""Colour map and opacity rule of static/js/heatmap.js and heat.py; raise it when they change."""
CHUNK = 1_000


def stimulus_hash(task: Task) -> str:
    """Name what a task shows: the data set, the picture in it, its map and the colours.

    Args:
        task: With its image and the image's data set.

    Returns:
        SHA-256 in hexadecimal.
    """
    image = task.image
    grid = image.grid_true if task.heat is None else task.heat
    side = image.grid_side if task.heat is None else task.heat_side
    shown = f"{image.dataset.digest}:{image.row}:{side}:{COLOURS}:"
    if task.picture_id:
        shown += f"{task.picture_id}:"
    return hashlib.sha256(shown.encode() + bytes(grid)).hexdigest()


def name_stimuli(round_: Round) -> None:
    """Name the stimuli of all tasks of a round that have no name yet."""
    unnamed = round_.tasks.filter(stimulus_hash="").select_related("image__dataset").order_by("pk")
    named = []
    for task in unnamed.iterator(chunk_size=CHUNK):
        task.stimulus_hash = stimulus_hash(task)
        named.append(task)
    Task.objects.bulk_update(named, ["stimulus_hash"], batch_size=CHUNK)
