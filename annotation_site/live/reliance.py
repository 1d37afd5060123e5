"""Whose answers the subset rests on: which images would enter or leave it without each annotator.

An annotator is left out of this round and of all before it, posteriors are fitted anew, and the
subset is previewed as the live view does.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from annotation_site.annotation.models import Round
from annotation_site.live.models import Reliance
from annotation_site.live.services import Heard, Known, heard_of, known_from, opened, round_up
from annotation_site.quality.columns import stamp_of
from annotation_site.quality.ledger import head_of
from annotation_site.web.refusals import Refused
from engine.curation.preview import preview_subset
from engine.curation.reliance import Evidence, Moved, leave_each_out
from engine.labeling.preview import preview_scores
from engine.labeling.spreading import SpreadingConfig

N_NAMED = 5
"""Images named of those that enter, and of those that leave."""
SMALL = 40_000
"""Images times annotators that are worked out while a lead waits."""


def weigh(*, round: Round) -> Reliance | None:  # noqa: A002  # the field's name
    """Leave each annotator out and keep what moves; None where nothing has come since the last time.

    Raises:
        Refused: The round has no space, its file is gone, or nobody's answers count.
    """
    began = time.monotonic()
    live, space = opened(round)
    if not is_stale(newest_of(round), round):
        return None
    stored, config = space.stored, SpreadingConfig(**live.spreading)
    heard = heard_of(round, stored)
    study, answers = heard[-1].study, answers_by(heard)
    if not answers:
        raise Refused("No answer counts yet. Wait for some.")
    whole = _evidence(known_from(heard, stored))
    others = (_evidence(known_from(heard, stored, without=name)) for name in answers)
    moved = leave_each_out(
        space.graph, whole, others,
        classes=stored.classes, environments=stored.environments, spreading=config, seed=round.seed,
    )  # fmt: skip
    lines = [
        _line(name, answers[name], each, stored.rows, heard)
        for name, each in zip(answers, moved, strict=True)
    ]
    scores = preview_scores(space.graph, whole.posterior, whole.answered, config).scores
    subset = preview_subset(scores, stored.classes, stored.environments, seed=round.seed)
    return Reliance.objects.create(
        round=round,
        n_answers=study.collected.stamp[0],
        newest_answer=study.collected.stamp[1],
        ledger=study.head,
        n_subset=int(subset.chosen.sum()),
        lines=sorted(
            lines, key=lambda line: (-line["n_enters"] - line["n_leaves"], line["annotator"])
        ),
        milliseconds=round_up(1000 * (time.monotonic() - began)),
    )


def newest_of(round_: Round) -> Reliance | None:
    """Give what was kept last."""
    return Reliance.objects.filter(round=round_).order_by("-pk").first()


def is_stale(kept: Reliance | None, round_: Round) -> bool:
    """Tell whether answers or exclusions have come since."""
    if kept is None:
        return True
    now = (*stamp_of(round_)[:2], head_of(round_))
    return (kept.n_answers, kept.newest_answer, kept.ledger) != now


def work_of(round_: Round) -> int:
    """Say how much there is to work out: images times annotators of the round."""
    live, _ = opened(round_)
    return live.n_images * round_.sittings.real().count()


def answers_by(heard: Sequence[Heard]) -> dict[str, int]:
    """Count the sure answers to queries of each annotator, by public id, over all rounds heard."""
    counted: dict[str, int] = {}
    for each in heard:
        asked = each.study.answers.queries()
        given = np.bincount(asked.person[asked.sure], minlength=len(asked.people)).tolist()
        for person, n in zip(asked.people, given, strict=True):
            if n:
                counted[person.annotator] = counted.get(person.annotator, 0) + n
    return counted


def _evidence(known: Known) -> Evidence:
    return Evidence(posterior=known.posterior, answered=known.yes + known.no > 0)


def _line(
    annotator: str, answers: int, moved: Moved, rows: np.ndarray, heard: Sequence[Heard]
) -> dict[str, Any]:
    """Write what the page shows of an annotator; images by their rows."""
    people = heard[-1].study.collected.people
    sitting = next((each.public_id for each in people if each.annotator == annotator), "")
    return {
        "annotator": annotator,
        "sitting": sitting,
        "answers": answers,
        "n_enters": len(moved.enters),
        "n_leaves": len(moved.leaves),
        "enters": rows[moved.enters[:N_NAMED]].tolist(),
        "leaves": rows[moved.leaves[:N_NAMED]].tolist(),
    }
