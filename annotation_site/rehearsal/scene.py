"""The round that a rehearsal plays: made up, or with the settings of a round that exists."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.core.management import CommandError
from django.db.models import F

from annotation_site.annotation.models import (
    UNSURE,
    AnswerChoice,
    Arm,
    PracticeItem,
    Round,
    Task,
    TaskRole,
)
from annotation_site.annotation.practice import practice_of
from annotation_site.projects.models import Dataset, Image
from annotation_site.rehearsal.crowd import Truth
from annotation_site.rehearsal.stage import BATCH, build_round

N_CLUSTERS = 24
KNOWN_PER_SITTING = 3
"""So many times the gold tasks of one sitting are made, so that people get different ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is rehearsed; everything that serving depends on, and nothing of the pictures.

    Attributes:
        n_items: Queries.
        redundancy: Answers wanted for each.
        block_size: Queries in a sitting; 0 for all.
        n_practice: Practice items.
        n_gold: Gold tasks in a sitting.
        n_repeats: Queries of a sitting that are asked twice.
        n_checks: Attention checks in a sitting.
        pass_mark: Practice answers that must be right.
        practice_tries: How often practice may be tried.
        arm: Of the study.
        choices: What may be chosen in the comparison arm.
        end_questions: Asked when the tasks are done.
        targets: Answers wanted for each query where they differ, else empty.
        clusters: Stratum of each query; empty: evenly spread.
        share_yes: Share of the queries to which the first meaningful answer is right.
        share_contested: Share of the queries that are hard to tell.
        clarity: Of those, in [0, 1].
    """

    n_items: int
    redundancy: int = 5
    block_size: int = 40
    n_practice: int = 3
    n_gold: int = 0
    n_repeats: int = 0
    n_checks: int = 0
    pass_mark: int = 0
    practice_tries: int = 2
    arm: str = Arm.ATTENTION
    choices: list[str] = field(default_factory=list)
    end_questions: list[str] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    clusters: list[int] = field(default_factory=list)
    share_yes: float = 0.6
    share_contested: float = 0.15
    clarity: float = 0.35

    def __post_init__(self) -> None:
        """Refuse what cannot be played.

        Raises:
            CommandError: A number is out of its range.
        """
        for name in ("n_items", "redundancy"):
            if getattr(self, name) < 1:
                raise CommandError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("block_size", "n_practice", "n_gold", "n_repeats", "n_checks", "pass_mark"):
            if getattr(self, name) < 0:
                raise CommandError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name in ("share_yes", "share_contested", "clarity"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise CommandError(f"{name} must lie in [0, 1], got {getattr(self, name)}")

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers that mean something, in the order of their numbers."""
        if self.arm == Arm.ATTENTION:
            return (AnswerChoice.NO.value, AnswerChoice.YES.value)
        return tuple(self.choices)

    @property
    def wanted(self) -> int:
        """Answers to queries that are wanted in all."""
        return sum(self.targets) if self.targets else self.n_items * self.redundancy

    @property
    def tasks_per_sitting(self) -> int:
        """What a sitting is promised at most."""
        queries = min(self.block_size or self.n_items, self.n_items)
        return queries + self.n_gold + self.n_repeats + self.n_checks


def scene_of(round_: Round) -> Scene:
    """Read the settings of a round that exists, whatever its state.

    Raises:
        CommandError: It asks about nothing yet.
    """
    tasks = list(
        round_.tasks.asked()
        .filter(retired_reason="")
        .order_by("position")
        .values_list("target", "cluster")
    )
    n_items = len(tasks) or round_.budget or round_.proposed_budget or 0
    if not n_items:
        raise CommandError(f"round {round_.public_id} has no queries and no budget yet")
    targets = [target for target, _ in tasks]
    return Scene(
        n_items=n_items,
        redundancy=round_.redundancy,
        block_size=round_.block_size,
        n_practice=practice_of(round_).count(),
        n_gold=round_.n_gold,
        n_repeats=round_.n_repeats,
        n_checks=round_.n_checks,
        pass_mark=round_.pass_mark,
        practice_tries=round_.practice_tries,
        arm=round_.arm,
        choices=list(round_.choices),
        end_questions=list(round_.end_questions),
        targets=targets if set(targets) - {round_.redundancy} else [],
        clusters=[cluster for _, cluster in tasks],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A scene that has been set up in this process's database.

    Attributes:
        round: The open round.
        scene: What it was made from.
        truths: Public id of each picture -> what is right to say of it.
        practice: Positions of the practice items -> the truth of each.
    """

    round: Round
    scene: Scene
    truths: Mapping[str, Truth]
    practice: Mapping[int, Truth]


def set_up(scene: Scene, *, seed: int) -> Stage:
    """Make an open round as the scene says, with a truth behind every picture."""
    n_known = KNOWN_PER_SITTING * (scene.n_gold + scene.n_checks)
    round_ = build_round(
        n_items=scene.n_items, redundancy=scene.redundancy, block_size=scene.block_size,
        n_practice=scene.n_practice, n_gold=scene.n_gold, n_repeats=scene.n_repeats,
        n_spare=n_known,
    )  # fmt: skip
    Round.objects.filter(pk=round_.pk).update(
        n_checks=scene.n_checks, pass_mark=scene.pass_mark, arm=scene.arm, choices=scene.choices,
        practice_tries=scene.practice_tries, end_questions=scene.end_questions, seed=seed,
    )  # fmt: skip
    round_.refresh_from_db()
    images = list(Image.objects.filter(dataset=_dataset(round_)).order_by("row"))
    rng = random.Random(f"{seed}:truths")  # noqa: S311  (a simulation)
    by_row = [_truth(scene, rng, contested=row < scene.n_items) for row in range(len(images))]
    first_known = scene.n_items + scene.n_practice
    n_gold = KNOWN_PER_SITTING * scene.n_gold
    for row in range(first_known + n_gold, len(images)):
        by_row[row] = Truth(answer=by_row[row].answer, is_check=True)
    _add_known(round_, images[first_known:], by_row[first_known:], n_gold)
    _set_plan(round_, scene)
    practice: dict[int, Truth] = {}
    for item in PracticeItem.objects.filter(round=round_).select_related("image"):
        practice[item.position] = by_row[item.image.row]
        PracticeItem.objects.filter(pk=item.pk).update(answer=practice[item.position].answer)
    truths = {image.public_id: truth for image, truth in zip(images, by_row, strict=True)}
    return Stage(round=round_, scene=scene, truths=truths, practice=practice)


def _dataset(round_: Round) -> Dataset:
    return Dataset.objects.get(project=round_.project_id)


def _truth(scene: Scene, rng: random.Random, *, contested: bool) -> Truth:
    answers = scene.answers
    first = answers[-1] if scene.arm == Arm.ATTENTION else answers[0]
    others = [answer for answer in answers if answer != first] or [first]
    answer = first if rng.random() < scene.share_yes else rng.choice(others)
    hard = rng.random() < scene.share_contested and contested
    return Truth(answer=answer, clarity=scene.clarity if hard else 1.0)


def _add_known(round_: Round, images: list[Image], truths: list[Truth], n_gold: int) -> None:
    """Make gold tasks of the first pictures, and attention checks of the others."""
    Task.objects.bulk_create(
        Task(
            round=round_, image=image, role=TaskRole.GOLD if number < n_gold else TaskRole.CHECK,
            position=number, target=0, expected=truth.answer, stimulus_hash=f"{image.row:064x}",
            instruction="" if number < n_gold
            else f"This is an attention check. Please answer {truth.answer}.",
        )
        for number, (image, truth) in enumerate(zip(images, truths, strict=True))
    )  # fmt: skip


def _set_plan(round_: Round, scene: Scene) -> None:
    """Give the queries the targets and strata of the scene."""
    if not scene.targets and not scene.clusters:
        round_.tasks.asked().update(cluster=F("position") % N_CLUSTERS)
        return
    tasks = list(round_.tasks.asked().order_by("position"))
    for task in tasks:
        task.target = scene.targets[task.position] if scene.targets else task.target
        task.cluster = scene.clusters[task.position] if scene.clusters else task.cluster
    Task.objects.bulk_update(tasks, ["target", "cluster"], batch_size=BATCH)


MEANINGLESS = tuple(choice.value for choice in UNSURE)
"""Answers that tell nothing of the picture."""
