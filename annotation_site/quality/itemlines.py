"""Lines of images for the pages that list them: a few at a time, in two queries."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from annotation_site.accounts.models import User
from annotation_site.projects.models import Image
from annotation_site.quality.figures import Items, Study
from annotation_site.quality.looks import is_contested
from annotation_site.quality.models import SecondLook


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLine:
    """What the answers say of one image.

    Attributes:
        task_id: Key of the task.
        image: The image.
        counts: (answer, how many) of each sure answer.
        unsure: Unsure answers.
        majority: The most frequent answer; empty for a tie.
        likeliest: The likeliest answer by Dawid and Skene.
        probability: Of the likeliest answer.
        entropy: Of the posterior, in bits.
        seconds: Mean active seconds; None without any.
        is_contested: Worth a second look.
        differs: The majority and the likeliest answer are not the same.
        look: The looker's own answer, if given.
    """

    task_id: int
    image: Image
    counts: tuple[tuple[str, int], ...]
    unsure: int
    majority: str
    likeliest: str
    probability: float
    entropy: float
    seconds: float | None
    is_contested: bool
    differs: bool
    look: SecondLook | None


def lines_of(
    study: Study, items: Items, places: Iterable[int], *, looker: User | None = None
) -> list[ItemLine]:
    """Give lines of images.

    Args:
        study: The round.
        items: Its images, most contested first.
        places: Which of them.
        looker: Whose second looks are told along.
    """
    chosen = list(places)
    contested = is_contested(items)
    asked = {place: study.answers.tasks[int(items.task[place])] for place in chosen}
    images = Image.objects.in_bulk({task.image_id for task in asked.values()})
    looks: dict[int, SecondLook] = {}
    if looker is not None:
        own = SecondLook.objects.filter(task__in=[t.task_id for t in asked.values()], by=looker)
        looks = {look.task_id: look for look in own.order_by("version")}
    names = study.answers.categories
    lines = []
    for place in chosen:
        task, majority = asked[place], int(items.majority[place])
        likeliest, seconds = int(items.posterior[place].argmax()), float(items.seconds[place])
        lines.append(
            ItemLine(
                task_id=task.task_id,
                image=images[task.image_id],
                counts=tuple(
                    (name, round(count))
                    for name, count in zip(names, items.counts[place].tolist(), strict=True)
                ),
                unsure=int(items.unsure[place]),
                majority=names[majority] if majority >= 0 else "",
                likeliest=names[likeliest],
                probability=float(items.posterior[place, likeliest]),
                entropy=float(items.entropy[place]),
                seconds=None if math.isnan(seconds) else seconds,
                is_contested=bool(contested[place]),
                differs=majority >= 0 and majority != likeliest,
                look=looks.get(task.task_id),
            )
        )
    return lines


def place_of(study: Study, items: Items, task_id: int) -> int | None:
    """Give the place of a task among the images; None where it has no sure answer."""
    for place, number in enumerate(items.task.tolist()):
        if study.answers.tasks[number].task_id == task_id:
            return place
    return None


def n_differ(items: Items) -> int:
    """Count the images where the majority and the likeliest answer are not the same."""
    if len(items) == 0:
        return 0
    decided = items.majority >= 0
    return int((items.posterior.argmax(axis=1) != items.majority)[decided].sum())
