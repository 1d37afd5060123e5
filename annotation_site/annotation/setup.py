"""Setting a round up for people: what surrounds its questions, and the arm it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max

from annotation_site.accounts.models import User
from annotation_site.annotation.ending import PARTS
from annotation_site.annotation.errors import RoundNotReady
from annotation_site.annotation.models import Arm, PracticeItem, Round, RoundState, Task

BEFORE_OPENING = (RoundState.DRAFT, RoundState.READY)
LONGEST_CHOICE = 40
MOST_CHOICES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdSettings:
    """What surrounds the questions of a round; frozen when it opens.

    Attributes:
        content_warning: Shown before consent; empty: none.
        consent_text: Markdown, added to the notice.
        n_gold: Gold tasks in a sitting, at most as many as there are.
        n_repeats: Queries of a sitting that are asked twice.
        n_checks: Attention checks in a sitting.
        pass_mark: Practice answers that must be right; 0: practice only teaches.
        practice_tries: Tries at practice, where there is a mark.
        end_questions: Of `ending.PARTS`.
        study: Arms of one study are kept to different people.
    """

    content_warning: str = ""
    consent_text: str = ""
    n_gold: int = 0
    n_repeats: int = 0
    n_checks: int = 0
    pass_mark: int = 0
    practice_tries: int = 2
    end_questions: Sequence[str] = ()
    study: str = ""


@transaction.atomic
def settle(*, round: Round, crowd: CrowdSettings) -> None:  # noqa: A002
    """Keep a round's settings for its crowd.

    Raises:
        RoundNotReady: The round has opened, or a setting is out of range.
    """
    locked = Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    if locked.state not in BEFORE_OPENING:
        raise RoundNotReady(f"this cannot change while the round is {locked.state}")
    numbers = (crowd.n_gold, crowd.n_repeats, crowd.n_checks, crowd.pass_mark)
    if min(numbers) < 0 or crowd.practice_tries < 1:
        raise RoundNotReady("numbers of tasks are 0 or more, and there is at least one try")
    unknown = set(crowd.end_questions) - set(PARTS)
    if unknown:
        raise RoundNotReady(f"questions at the end are {', '.join(PARTS)}, not {min(unknown)}")
    values = {
        "content_warning": crowd.content_warning,
        "consent_text": crowd.consent_text,
        "n_gold": crowd.n_gold,
        "n_repeats": crowd.n_repeats,
        "n_checks": crowd.n_checks,
        "pass_mark": crowd.pass_mark,
        "practice_tries": crowd.practice_tries,
        "end_questions": list(crowd.end_questions),
        "study": crowd.study,
    }
    for name, value in values.items():
        setattr(locked, name, value)
        setattr(round, name, value)
    locked.save(update_fields=list(values))


@transaction.atomic
def draft_comparison(
    *,
    round: Round,  # noqa: A002
    question: str,
    choices: Sequence[str],
    created_by: User,
) -> Round:
    """Draft the comparison arm over the same pictures: ready once its practice is answered.

    Args:
        round: A round about attention whose images are picked.
        question: What is asked of each picture.
        choices: What may be chosen, in order.
        created_by: The lead.

    Raises:
        RoundNotReady: The round has no images yet, or the choices are too few, too many, too
            long, or not all different.
    """
    kept = [choice.strip() for choice in choices]
    if not 2 <= len(kept) <= MOST_CHOICES or len(set(kept)) < len(kept):
        raise RoundNotReady(f"two to {MOST_CHOICES} different choices are needed")
    if not all(0 < len(choice) <= LONGEST_CHOICE for choice in kept):
        raise RoundNotReady(f"a choice has 1 to {LONGEST_CHOICE} letters")
    tasks = list(round.tasks.asked())
    if round.arm != Arm.ATTENTION or not tasks:
        raise RoundNotReady("the comparison needs a round about attention with its images picked")
    last = round.project.rounds.aggregate(last=Max("number"))["last"]
    made = Round.objects.create(
        project=round.project,
        number=last + 1,
        state=RoundState.READY,
        arm=Arm.SPURIOUSNESS,
        study=round.study,
        question=question,
        choices=kept,
        budget=round.budget,
        redundancy=round.redundancy,
        block_size=round.block_size,
        seed=last + 1,
        created_by=created_by,
    )
    Task.objects.bulk_create(
        Task(
            round=made,
            image_id=task.image_id,
            position=task.position,
            cluster=task.cluster,
            target=made.redundancy,
        )
        for task in tasks
    )
    PracticeItem.objects.bulk_create(
        PracticeItem(round=made, image_id=item.image_id, position=item.position)
        for item in round.practice_items.all()
    )
    return made
