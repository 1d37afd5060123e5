"""What every quality page starts from: whose round it is, and which version of its ledger."""

from dataclasses import dataclass

from django.shortcuts import get_object_or_404

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import Round
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A member's look at a round.

    Attributes:
        round: With its project and data set.
        is_lead: Whether verbs are offered.
        version: Of the ledger, as asked for; None: the present one.
        beside: A second version to compare with; None: none was asked for.
    """

    round: Round
    is_lead: bool
    version: int | None
    beside: int | None


def reading_of(request: SignedInRequest, public_id: str, role: Role | None = None) -> Reading:
    """Give the round of an address to a member of its project.

    Raises:
        Http404: No such round, or not the person's.
        PermissionDenied: A member with another role.
    """
    membership = membership_of(request, role=role, rounds__public_id=public_id)
    round_ = get_object_or_404(
        Round.objects.select_related("project", "project__dataset"),
        public_id=public_id,
        project=membership.project,
    )
    return Reading(
        round=round_,
        is_lead=membership.role == Role.LEAD,
        version=_number(request.GET.get("ledger")),
        beside=_number(request.GET.get("beside")),
    )


def page_number(request: SignedInRequest) -> int:
    """Give the page asked for, at least 1."""
    return max(1, _number(request.GET.get("page")) or 1)


def _number(text: str | None) -> int | None:
    """Read a small whole number; anything else is as if nothing had been said."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None
