"""The votes that closing reads: current answers, without what the ledgers leave out."""

from collections.abc import Mapping

from annotation_site.annotation.models import Response, Round
from annotation_site.annotation.summaries import VoteRow, vote_rows
from annotation_site.projects.models import Project
from annotation_site.quality.ledger import counted, versions_of


def votes_of(
    source: Round | Project, versions: Mapping[int, int] | None = None
) -> tuple[VoteRow, ...]:
    """Read the votes of a round, or of all rounds of a project, as they count.

    Args:
        source: A round or a project.
        versions: Key of a round -> version of its ledger; the present ones without.
    """
    responses = (
        Response.objects.of_round(source)
        if isinstance(source, Round)
        else Response.objects.of_project(source)
    )
    return vote_rows(counted(responses, versions))


def votes_as_of(project: Project, ledger: Mapping[str, int]) -> tuple[VoteRow, ...]:
    """Read the votes that a result rests on, whatever came or was left out since.

    Args:
        project: With its rounds.
        ledger: Number of a round -> version, as `ledger_versions` gave it to the result.
    """
    rounds = {r.pk: ledger[str(r.number)] for r in project.rounds.all() if str(r.number) in ledger}
    responses = Response.objects.of_project(project).filter(assignment__task__round__in=rounds)
    return vote_rows(counted(responses, rounds))


def ledger_versions(project: Project) -> dict[str, int]:
    """Give the present version of each round's ledger, by the round's number, for a report."""
    rounds = list(project.rounds.order_by("number"))
    versions = versions_of(rounds)
    return {str(round_.number): versions[round_.pk] for round_ in rounds}
