"""A large round's figures may be some seconds old: no page waits until a million answers are read."""

from dataclasses import dataclass, replace

from annotation_site.annotation.models import Round
from annotation_site.quality.figures import Study, items_of, overview_of, study_of
from annotation_site.quality.flags import lines_of
from annotation_site.quality.ledger import head_of
from annotation_site.quality.rulebook import rules_of
from annotation_site.quality.rules import findings
from annotation_site.web.lately import Lately

LARGE = 50_000
"""Answers from which on figures may be old; those of smaller rounds are always the present ones."""
SECONDS = 10.0
_studies: Lately[Study] = Lately(seconds=SECONDS, most=6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recent:
    """A study, and how many seconds ago it was read; 0 where it is the present one."""

    study: Study
    age: float


def recent_study(round_: Round, version: int | None = None) -> Recent:
    """Read a round under a version of its ledger, or recall a large round's last reading.

    An exclusion is never old: it moves the ledger's version, and each version has its own reading.

    Args:
        round_: The round.
        version: Of its ledger; the present one where None.
    """
    head = head_of(round_)
    at = head if version is None else min(max(version, 0), head)
    key = (round_.pk, round_.state, head, at)
    if _studies.known(key) is None:
        study = study_of(round_, at, head=head)
        if len(study.collected) < LARGE:
            return Recent(study=study, age=0.0)
        _studies.keep(key, lambda: study)
    made = _studies.recall(key, lambda: _worked_out(round_.pk, at))
    return Recent(study=replace(made.value, round=round_), age=made.age)


def _worked_out(round_id: int, version: int) -> Study:
    """Read a round, and work out what its pages show before they are given it."""
    round_ = Round.objects.get(pk=round_id)
    study = study_of(round_, version)
    _, rules = rules_of(round_)
    overview_of(study)
    if study.standing.version:
        overview_of(study_of(round_, 0))
    lines_of(study, rules)
    findings(study.collected, rules)
    items_of(study)
    return study


def forget() -> None:
    """Forget what is remembered; tests need it, whose rows' keys come back."""
    _studies.clear()
