"""The verb of rehearsals: have a round played by a worker, far from the round's own data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.core.management import CommandError

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import Job, JobKind, JobState
from annotation_site.rehearsal.crowd import USUAL_MIX
from annotation_site.rehearsal.plans import Play, Terms, enough_people, plan_of
from annotation_site.rehearsal.scene import Scene, scene_of
from annotation_site.web.refusals import Refused

MOST_TASKS: Final = 60_000
"""Played on behalf of a page: minutes of work; the command plays any number."""
CROWDS: Final[Mapping[str, tuple[str, Mapping[str, float]]]] = {
    "usual": ("As people usually are", USUAL_MIX),
    "careful": (
        "Careful people almost only",
        {"careful": 90, "noisy": 6, "leaving": 2, "reloading": 2},
    ),
    "careless": (
        "Many who do not care",
        {"careful": 40, "noisy": 15, "hasty": 18, "spamming": 15, "leaving": 8, "two_tabs": 4},
    ),
}
"""Name -> words, and kind -> share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a lead supposes of the people and the pictures.

    Attributes:
        annotators: How many come; 0: enough.
        per_hour: Arrivals.
        crowd: One of `CROWDS`.
        reward: For a sitting.
        fee: The panel's, as a share of the pay.
        share_yes: Share of the images whose right answer is the first.
        share_contested: Share of those that are hard to tell.
        seed: Of everything that is drawn.
    """

    annotators: int
    per_hour: float
    crowd: str
    reward: float
    fee: float
    share_yes: float
    share_contested: float
    seed: int = 0


def scene_or_none(round_: Round) -> Scene | None:
    """Read a round's settings; None while it asks about nothing."""
    try:
        return scene_of(round_)
    except CommandError:
        return None


def ask_for_rehearsal(*, round: Round, asked_by: User | None, wishes: Wishes) -> Job:  # noqa: A002
    """Have a worker play a round; nothing of the round is read but its settings, nothing written.

    Args:
        round: Whose settings.
        asked_by: Who asks.
        wishes: What is supposed.

    Raises:
        Refused: The round asks about nothing yet, too much would be played, or a rehearsal of it
            is under way.
    """
    scene = scene_or_none(round)
    if scene is None:
        raise Refused("This round has no images and no budget yet. Choose a budget first.")
    scene = replace(scene, share_yes=wishes.share_yes, share_contested=wishes.share_contested)
    people = wishes.annotators or enough_people(scene)
    tasks = people * scene.tasks_per_sitting
    if tasks > MOST_TASKS:
        raise Refused(
            f"{people:,} people with {scene.tasks_per_sitting:,} tasks each are {tasks:,} answers; "
            f"{MOST_TASKS:,} are played at most. Let fewer people come, or run "
            f"python manage.py rehearse --round {round.public_id}"
        )
    mix = dict(CROWDS[wishes.crowd][1])
    play = Play(annotators=people, mix=mix, per_hour=wishes.per_hour, seed=wishes.seed)
    terms = Terms(reward=wishes.reward, fee=wishes.fee)
    return jobs.enqueue(
        project=round.project,
        kind=JobKind.REHEARSE,
        round=round,
        params=plan_of(scene, play, terms),
        created_by=asked_by,
    )


def newest_of(round_: Round) -> Job | None:
    """Give the newest rehearsal that was played to its end."""
    played = round_.jobs.filter(kind=JobKind.REHEARSE, state=JobState.DONE)
    return played.order_by("-finished_at").first()
