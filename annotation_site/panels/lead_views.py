"""The lead's pages of recruiting: the studies of a round, a study's set-up, its verbs."""

import math
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import Round
from annotation_site.annotation.sealing import unseal
from annotation_site.annotation.views import consent_facts
from annotation_site.panels import services
from annotation_site.panels.arrival_views import preview_response
from annotation_site.panels.codes import ADVICE, WHEN_FINISHED, WHEN_SCREENED_OUT, CodeType
from annotation_site.panels.errors import PanelRefused
from annotation_site.panels.forms import HUNDREDTHS, InvitesForm, StudyForm
from annotation_site.panels.models import PanelStudy
from annotation_site.panels.outcomes import codes_of
from annotation_site.panels.panels import CONVENTIONS, PROLIFIC_RETURN, Panel, query_to_paste
from annotation_site.panels.submissions import is_below_floor
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Role
from engine.labeling.pricing import PricingConfig, price_of


@login_required
@require_safe
@never_cache
def recruiting(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show how people are recruited for a round."""
    membership = membership_of(request, role=Role.LEAD, rounds__public_id=public_id)
    round_ = get_object_or_404(Round, public_id=public_id, project=membership.project)
    studies = [
        {
            "study": study,
            "arrived": study.visits.real().exclude(sitting=None).count(),
            "finished": study.visits.real()
            .filter(sitting__state="completed", replaced=False)
            .count(),
        }
        for study in round_.panel_studies.all()
    ]
    context = {
        "project": membership.project,
        "round": round_,
        "studies": studies,
        "panels": Panel,
        "open_link": request.build_absolute_uri(
            reverse("annotation:consent", args=[round_.link_token])
        ),
    }
    return render(request, "panels/recruiting.html", context)


@login_required
@require_POST
def new_study(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Begin to recruit from a panel."""
    membership = membership_of(request, role=Role.LEAD, rounds__public_id=public_id)
    round_ = get_object_or_404(Round, public_id=public_id, project=membership.project)
    panel = request.POST.get("panel", "")
    if panel not in Panel.values:
        messages.error(request, "Choose where people come from.")
        return redirect("panels:recruiting", public_id)
    try:
        study = services.set_up(round=round_, panel=Panel(panel), created_by=request.user)
    except PanelRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("panels:recruiting", public_id)
    return redirect("panels:study", study.public_id)


@login_required
@require_safe
@never_cache
def study_page(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show a study's set-up: address, codes, pay, settings."""
    study = own_study(request, public_id)
    return _page(request, study, StudyForm.of(study))


@login_required
@require_POST
def change_study(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Keep a study's settings."""
    study = own_study(request, public_id)
    form = StudyForm(request.POST, study=study)
    if not form.is_valid():
        return _page(request, study, form, status=422)
    try:
        services.change(study=study, values=form.values(), by=request.user)
    except PanelRefused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, study, form, status=409)
    messages.success(request, "The settings are kept.")
    return redirect("panels:study", public_id)


@login_required
@require_POST
def admit_study(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Let new people in, or stop letting them in."""
    study = own_study(request, public_id)
    admitting = request.POST.get("admitting") == "yes"
    services.admit(study=study, admitting=admitting)
    words = "New people are let in." if admitting else "Nobody new is let in; who began may finish."
    messages.success(request, words)
    return redirect("panels:study", public_id)


@login_required
@require_POST
@never_cache
def preview(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Go through the door as an annotator would; it counts nowhere."""
    study = own_study(request, public_id)
    return preview_response(study, f"look-{request.user.pk}")


@login_required
@require_POST
def release_tests(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Give the places of looks back."""
    study = own_study(request, public_id)
    count = services.release_tests(study=study)
    messages.success(request, f"{count} looks gave their places back.")
    return redirect("panels:submissions", public_id)


@login_required
@require_POST
def make_invites(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Make personal links."""
    study = own_study(request, public_id)
    form = InvitesForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say how many links, and for how many days.")
        return redirect("panels:study", public_id)
    return _do(
        request,
        study,
        lambda: services.make_invites(study=study, **form.cleaned_data),
        f"{form.cleaned_data['count']} links are made.",
    )


@login_required
@require_POST
def revoke_invite(request: SignedInRequest, public_id: str, index: int) -> HttpResponse:
    """Make a personal link worthless."""
    study = own_study(request, public_id)
    return _do(
        request,
        study,
        lambda: services.revoke_invite(study=study, number=index),
        f"Link {index} lets nobody in any more.",
    )


@login_required
@require_POST
def forget(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Delete the panel's ids now."""
    study = own_study(request, public_id)
    count = services.forget(study=study, by=request.user)
    messages.success(request, f"The panel's ids of {count} people are deleted. Answers stay.")
    return redirect("panels:submissions", public_id)


def own_study(request: SignedInRequest, public_id: str) -> PanelStudy:
    """Find a study that the signed-in person leads.

    Raises:
        Http404: No such study, or not the person's.
        PermissionDenied: A member, but no lead.
    """
    membership_of(request, role=Role.LEAD, rounds__panel_studies__public_id=public_id)
    studies = PanelStudy.objects.select_related("round__project__panel_account")
    return get_object_or_404(studies, public_id=public_id)


def _do(
    request: SignedInRequest, study: PanelStudy, verb: Callable[[], object], done: str
) -> HttpResponse:
    try:
        verb()
    except PanelRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("panels:study", study.public_id)


def _page(
    request: SignedInRequest, study: PanelStudy, form: StudyForm, *, status: int = 200
) -> HttpResponse:
    round_ = study.round
    arrive = request.build_absolute_uri(reverse("panels:arrive", args=[study.token]))
    context: dict[str, Any] = {
        "project": round_.project,
        "round": round_,
        "study": study,
        "form": form,
        "address": arrive + query_to_paste(CONVENTIONS[study.panel])
        if study.panel in CONVENTIONS
        else arrive,
        "codes": _codes(study),
        "prolific_return": PROLIFIC_RETURN,
        "price": _price(study),
        "has_come": study.visits.exclude(arrived_at=None).exists(),
        "seen_studies": "",
    }
    if study.is_invited:
        context |= {"invites": _invites(request, study), "invites_form": InvitesForm()}
    return render(request, "panels/study.html", context, status=status)


def _codes(study: PanelStudy) -> list[dict[str, object]]:
    """Give the codes with what to set on the panel for each; those not in use come last."""
    if study.is_invited:
        return []
    codes = codes_of(study)
    unused = {*WHEN_FINISHED, *WHEN_SCREENED_OUT} - {study.finished_code, study.screened_out_code}
    if not study.tells_failed_checks:
        unused.add(CodeType.FAILED_ATTENTION_CHECK)
    rows: list[dict[str, object]] = [
        {
            "kind": kind,
            "label": CodeType(kind).label,
            "code": code,
            "advice": ADVICE[kind],
            "used": kind not in unused,
        }
        for kind, code in codes.items()
    ]
    return sorted(rows, key=lambda row: not row["used"])


def _price(study: PanelStudy) -> dict[str, object]:
    """Estimate what a submission takes and pays, and how many are needed."""
    facts = consent_facts(study.round)
    n_tasks = int(str(facts["n_tasks"]))
    minutes = price_of(n_tasks, PricingConfig(redundancy=1)).minutes
    told = study.minutes or max(1, math.ceil(minutes))
    per_hour = study.reward * 60.0 / told if study.reward else None
    wanted = sum(study.round.tasks.asked().values_list("target", flat=True))
    size = study.round.block_size or study.round.budget
    places = math.ceil(wanted / size) if size else 0
    return {
        "n_tasks": n_tasks,
        "minutes": minutes,
        "told": told,
        "per_hour": per_hour / HUNDREDTHS if per_hour else None,
        "places": places,
        "total": places * study.reward / HUNDREDTHS,
        "below_floor": is_below_floor(study, per_hour),
    }


def _invites(request: SignedInRequest, study: PanelStudy) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for invite in study.invites.all():
        token = (unseal(invite.sealed_token) or {}).get("token", "")
        path = reverse("panels:arrive_invited", args=[study.token, token]) if token else ""
        rows.append({"invite": invite, "link": request.build_absolute_uri(path) if path else ""})
    return rows
