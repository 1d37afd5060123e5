"""The questions at the end of a sitting: about the person, about the site, and a free word."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation_site.annotation.models import QuestionnaireReply, Sitting, SittingState

SUS_ITEMS: Final[tuple[str | Promise, ...]] = (
    _("I think that I would like to use this site frequently."),
    _("I found the site unnecessarily complex."),
    _("I thought the site was easy to use."),
    _("I think that I would need the support of a technical person to be able to use this site."),
    _("I found the various functions in this site were well integrated."),
    _("I thought there was too much inconsistency in this site."),
    _("I would imagine that most people would learn to use this site very quickly."),
    _("I found the site very cumbersome to use."),
    _("I felt very confident using the site."),
    _("I needed to learn a lot of things before I could get going with this site."),
)
"""Brooke's System Usability Scale (1996), "system" said as "site"; odd items praise."""
SUS_POINTS = 5

DEMOGRAPHICS: Final[dict[str, tuple[str | Promise, dict[str, str | Promise]]]] = {
    "age": (
        _("How old are you?"),
        {
            "18-24": "18-24", "25-34": "25-34", "35-44": "35-44", "45-54": "45-54",
            "55-64": "55-64", "65+": _("65 or older"),
        },
    ),
    "colour": (
        _("Do you find some colours hard to tell apart?"),
        {"no": _("No"), "yes": _("Yes"), "unknown": _("I do not know")},
    ),
    "experience": (
        _("Have you worked with image recognition or machine learning?"),
        {"never": _("Never"), "some": _("A little"), "much": _("It is part of my work or studies")},
    ),
}  # fmt: skip
LONGEST_COMMENT = 1_000
PARTS = ("demographics", "sus", "comment")


def sus_score(answers: list[int]) -> float:
    """Score the System Usability Scale (Brooke 1996).

    Args:
        answers: Ten answers from 1 (strongly disagree) to 5 (strongly agree), in order.

    Returns:
        0 to 100: 2.5 times the sum of (answer - 1) over odd and (5 - answer) over even items.

    Raises:
        ValueError: There are not ten, or one is not from 1 to 5.
    """
    if len(answers) != len(SUS_ITEMS) or not all(1 <= answer <= SUS_POINTS for answer in answers):
        raise ValueError(f"the scale takes ten answers from 1 to 5, got {answers}")
    praise = sum(answer - 1 for answer in answers[::2])
    complaint = sum(SUS_POINTS - answer for answer in answers[1::2])
    return 2.5 * (praise + complaint)


def read_answers(said: Mapping[str, str], parts: list[str]) -> tuple[dict[str, str], float | None]:
    """Keep what a form says to the questions that were asked, and score the scale.

    Args:
        said: Fields of the form.
        parts: Which of `PARTS` were asked.

    Returns:
        Question -> answer, of those given; and the SUS score where all ten items are answered.
    """
    kept: dict[str, str] = {}
    if "demographics" in parts:
        for name, (_question, options) in DEMOGRAPHICS.items():
            if said.get(name) in options:
                kept[name] = said[name]
    score = None
    if "sus" in parts:
        points = {str(point) for point in range(1, SUS_POINTS + 1)}
        names = [f"sus_{number}" for number in range(1, len(SUS_ITEMS) + 1)]
        kept |= {name: said[name] for name in names if said.get(name) in points}
        if all(name in kept for name in names):
            score = sus_score([int(kept[name]) for name in names])
    if "comment" in parts and said.get("comment", "").strip():
        kept["comment"] = said["comment"].strip()[:LONGEST_COMMENT]
    return kept, score


@transaction.atomic
def finish_questions(
    *, sitting: Sitting, said: Mapping[str, str], now: datetime | None = None
) -> bool:
    """Keep the answers at the end and complete the sitting; say whether this call did it."""
    held = Sitting.objects.select_for_update(no_key=True).get(pk=sitting.pk)
    if held.state != SittingState.ASKING:
        return False
    answers, score = read_answers(said, held.round.end_questions)
    QuestionnaireReply.objects.update_or_create(
        sitting=held, defaults={"answers": answers, "sus": score}
    )
    changed = Sitting.objects.filter(pk=held.pk, state=SittingState.ASKING).update(
        state=SittingState.COMPLETED, completed_at=now or timezone.now()
    )
    return changed == 1
