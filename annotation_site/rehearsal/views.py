"""The page of a round's rehearsal, and the verb that has one played."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import Round
from annotation_site.jobs.models import ACTIVE, JobKind, JobState
from annotation_site.jobs.panels import panel_of
from annotation_site.panels.models import PanelStudy
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Membership, Role
from annotation_site.rehearsal import services
from annotation_site.rehearsal.drawings import pictures_of
from annotation_site.rehearsal.forms import RehearsalForm
from annotation_site.rehearsal.plans import minutes_of
from annotation_site.web.refusals import Refused

HOURLY = 9.0
"""Pay that is proposed where no study says another."""
CENTS = 100


@login_required
@require_safe
@never_cache
def page(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show what the newest rehearsal foretells, or that one is under way."""
    round_, membership = _round(request, public_id)
    return _page(request, round_, membership)


@login_required
@require_POST
def start(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Have a worker play the round."""
    round_, membership = _round(request, public_id, role=Role.LEAD)
    form = RehearsalForm(request.POST)
    if not form.is_valid():
        return _page(request, round_, membership, form=form, status=422)
    try:
        services.ask_for_rehearsal(round=round_, asked_by=request.user, wishes=form.wishes())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("rehearsal:page", public_id)


def _page(
    request: SignedInRequest,
    round_: Round,
    membership: Membership,
    *,
    form: RehearsalForm | None = None,
    status: int = 200,
) -> HttpResponse:
    job = round_.jobs.filter(kind=JobKind.REHEARSE).order_by("-queued_at").first()
    telling = job and job.state in {*ACTIVE, JobState.FAILED, JobState.CANCELLED}
    played = services.newest_of(round_)
    context: dict[str, Any] = {
        "project": membership.project,
        "round": round_,
        "is_lead": membership.role == Role.LEAD,
        "panel": panel_of(job, timezone.now()) if job and telling else None,
        "scene": services.scene_or_none(round_),
        "played": played,
    }
    if played:
        found = played.result
        context |= _told(found)
    if context["is_lead"] and context["scene"]:
        context["form"] = form or RehearsalForm(initial=_initial(round_, context["scene"]))
    return render(request, "rehearsal/page.html", context, status=status)


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """Give what the page shows of a prediction."""
    return {
        "found": found,
        "pictures": pictures_of(found),
        "has_faults": any(found["server"]["faults"].values()),
        "people": [(_words(name).capitalize(), n) for name, n in found["people"].items()],
        "flagged": [
            (_words(kind), tally["flagged"], tally["people"])
            for kind, tally in found["flagged"].items()
        ],
    }


def _words(name: str) -> str:
    return name.replace("_", " ")


def _initial(round_: Round, scene: Any) -> dict[str, float]:
    """Take the reward from the round's study, or from an hour's pay."""
    study = PanelStudy.objects.filter(round=round_, reward__gt=0).first()
    reward = study.reward / CENTS if study else HOURLY * minutes_of(scene) / 60
    fields = {name: field.initial for name, field in RehearsalForm.base_fields.items()}
    return {name: value for name, value in fields.items() if value is not None} | {
        "reward": round(reward, 2)
    }


def _round(
    request: SignedInRequest, public_id: str, role: Role | None = None
) -> tuple[Round, Membership]:
    membership = membership_of(request, role=role, rounds__public_id=public_id)
    round_ = get_object_or_404(
        Round.objects.select_related("project__dataset"),
        public_id=public_id,
        project=membership.project,
    )
    return round_, membership
