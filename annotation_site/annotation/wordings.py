"""The words of a round in versions: what was read is kept, whatever is written later."""

from django.db import transaction

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round, RoundState, Wording
from annotation_site.annotation.remarks import WordingKind
from annotation_site.projects.audit import digest, record
from annotation_site.projects.models import Act


def keep_wordings(round_: Round) -> None:
    """Keep the texts that a round shows now under their versions, where they are not kept yet."""
    for kind, version, text in (
        (WordingKind.GUIDELINES, round_.guideline_version, round_.guidelines),
        (WordingKind.CONSENT, round_.consent_version, round_.consent_text),
    ):
        Wording.objects.get_or_create(
            round=round_, kind=kind, version=version, defaults={"text": text}
        )


@transaction.atomic
def reword(*, round: Round, kind: WordingKind, text: str, by: User | None = None) -> int:  # noqa: A002
    """Change a text; while the round is open the new one becomes a version of its own.

    Answers and sittings name the version they were given under, so an open round may be reworded.

    Returns:
        The version that holds from now on.
    """
    locked = Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    field, counter = {
        WordingKind.GUIDELINES: ("guidelines", "guideline_version"),
        WordingKind.CONSENT: ("consent_text", "consent_version"),
    }[kind]
    is_new = getattr(locked, field) != text
    if is_new:
        setattr(locked, field, text)
        setattr(locked, counter, getattr(locked, counter) + 1)
        locked.save(update_fields=[field, counter])
    if locked.state not in {RoundState.DRAFT, RoundState.PREPARING, RoundState.READY}:
        keep_wordings(locked)
    if is_new:
        record_words(round=locked, by=by, kind=kind, version=getattr(locked, counter), text=text)
    setattr(round, field, text)
    setattr(round, counter, getattr(locked, counter))
    return int(getattr(locked, counter))


def record_words(
    *,
    round: Round,  # noqa: A002
    by: User | None,
    kind: WordingKind,
    version: int,
    text: str,
) -> None:
    """Audit that a text for annotators changed; the audit keeps its digest, the round the text."""
    record(
        project=round.project,
        by=by,
        act=Act.WORDS_CHANGED,
        subject=f"{kind.label.lower()} of round {round.number}",
        content={"version": version, "sha256": digest(text)},
    )
