"""The lead's page of a round, and the verbs on it; most of them queue a job."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation import rounds as states
from annotation_site.annotation.errors import AnnotationError
from annotation_site.annotation.models import Round, RoundState
from annotation_site.annotation.summaries import round_progress
from annotation_site.jobs import rounds
from annotation_site.jobs.forms import RoundForm
from annotation_site.jobs.models import ACTIVE, BESIDE, Job, JobKind
from annotation_site.jobs.panels import panel_of
from annotation_site.projects.access import member_project, membership_of
from annotation_site.projects.models import Role
from annotation_site.quality import rulebook
from annotation_site.web import charts
from annotation_site.web.refusals import Refused

SETTLING = (RoundState.DRAFT, RoundState.READY)


@login_required
@require_POST
def new_round(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Draft the next round."""
    project = member_project(request, public_id, role=Role.LEAD)
    try:
        round_ = rounds.start_round(project=project, created_by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("projects:detail", public_id)
    return redirect("annotation:round", round_.public_id)


@login_required
@require_safe
@never_cache
def round_page(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show a round in whatever state it is."""
    round_, is_lead = _round(request, public_id)
    return _page(request, round_, is_lead)


@login_required
@require_safe
@never_cache
def progress(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Give the live part of an open round's page."""
    round_, _ = _round(request, public_id)
    response = render(
        request,
        "jobs/_round_progress.html",
        {"round": round_, "progress": round_progress(round_)},
    )
    if round_.state != RoundState.OPEN:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_POST
def choose_budget(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Settle what is asked; a job picks the images."""
    round_, _ = _round(request, public_id, role=Role.LEAD)
    form = RoundForm(request.POST)
    if not form.is_valid():
        return _page(request, round_, is_lead=True, form=form, status=422)
    return _do(
        request,
        round_,
        lambda: rounds.choose_budget(round=round_, chosen_by=request.user, **form.cleaned_data),
        "The images are being picked.",
    )


@login_required
@require_POST
def choose_practice(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Keep the lead's answers to the practice candidates; those left open stay candidates."""
    round_, _ = _round(request, public_id, role=Role.LEAD)
    chosen = {
        item: (request.POST[f"answer-{item}"], request.POST.get(f"explanation-{item}", "").strip())
        for item in round_.practice_items.values_list("pk", flat=True)
        if request.POST.get(f"answer-{item}")
    }
    return _do(
        request,
        round_,
        lambda: states.confirm_practice(round=round_, chosen=chosen),
        f"{len(chosen)} practice images are set."
        if len(chosen) >= states.LEAST_PRACTICE
        else f"{len(chosen)} of {states.LEAST_PRACTICE} practice images are set.",
    )


@login_required
@require_POST
def open_round(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Let annotators in."""
    round_, _ = _round(request, public_id, role=Role.LEAD)
    return _do(
        request,
        round_,
        lambda: rulebook.open_round(round=round_, opened_by=request.user),
        "The round is open. Send the link to annotators.",
    )


@login_required
@require_POST
def close_round(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Freeze the votes; a job curates and retrains."""
    round_, _ = _round(request, public_id, role=Role.LEAD)
    return _do(
        request,
        round_,
        lambda: rounds.close_round(round=round_, closed_by=request.user),
        "The round is closing: votes are frozen.",
    )


def _do(
    request: SignedInRequest, round_: Round, verb: Callable[[], object], done: str
) -> HttpResponse:
    try:
        verb()
    except Refused as refusal:
        messages.error(request, str(refusal))
    except AnnotationError as error:
        messages.error(request, rounds.sentence(error))
    else:
        messages.success(request, done)
    return redirect("annotation:round", round_.public_id)


def _round(
    request: SignedInRequest, public_id: str, role: Role | None = None
) -> tuple[Round, bool]:
    membership = membership_of(request, role=role, rounds__public_id=public_id)
    round_ = get_object_or_404(
        Round.objects.select_related("project", "project__dataset", "result"),
        public_id=public_id,
        project=membership.project,
    )
    return round_, membership.role == Role.LEAD


def _page(
    request: SignedInRequest,
    round_: Round,
    is_lead: bool,
    *,
    form: RoundForm | None = None,
    status: int = 200,
) -> HttpResponse:
    job = round_.jobs.exclude(kind__in=BESIDE).filter(state__in=ACTIVE).first()
    job = job or _ended_badly(round_)
    n_train = round_.project.dataset.images.filter(split="train").count()
    context: dict[str, Any] = {
        "project": round_.project,
        "round": round_,
        "is_lead": is_lead,
        "panel": panel_of(job, timezone.now()) if job else None,
        "n_train": n_train,
        "least_practice": states.LEAST_PRACTICE,
    }
    if round_.state in SETTLING:
        context |= _settling(round_, form or RoundForm(initial=_initial(round_)), n_train)
    if round_.state in {RoundState.OPEN, RoundState.CLOSING, RoundState.CLOSED}:
        context["progress"] = round_progress(round_)
    if round_.state == RoundState.OPEN:
        path = reverse("annotation:consent", args=[round_.link_token])
        context["link"] = request.build_absolute_uri(path)
    return render(request, "jobs/round.html", context, status=status)


def _settling(round_: Round, form: RoundForm, n_train: int) -> dict[str, Any]:
    """Give what the setting-up of a round shows: the curve, the form, candidates for practice."""
    curve = round_.consistency_curve or {}
    candidates = list(round_.practice_items.select_related("image"))
    budgets = curve.get("budgets", [])
    return {
        "form": form,
        "most_budget": min(n_train, max([*budgets, 2 * (round_.proposed_budget or 0), 60])),
        "curve_rows": list(
            zip(budgets, curve.get("attention", []), curve.get("features", []), strict=False)
        ),
        "curve": charts.line_with_elbow(
            x=budgets,
            y=curve.get("attention", []),
            second=curve.get("features", []),
            elbow=round_.proposed_budget,
            chosen=round_.budget or None,
            title=f"Consistency against budget; the elbow lies at {round_.proposed_budget} images.",
            x_name="images asked about",
            y_name="consistency within clusters",
        ),
        "candidates": candidates,
        "n_confirmed": sum(bool(item.answer) for item in candidates),
        "n_tasks": round_.tasks.count(),
        "class_names": round_.project.dataset.class_names,
    }


def _initial(round_: Round) -> dict[str, Any]:
    return {
        "question": round_.question,
        "guidelines": round_.guidelines,
        "budget": round_.budget or round_.proposed_budget,
        "redundancy": round_.redundancy,
        "block_size": round_.block_size,
        "show_class": round_.show_class,
    }


def _ended_badly(round_: Round) -> Job | None:
    """Give the round's newest job if it failed or was cancelled, for the lead to see why."""
    newest = round_.jobs.exclude(kind__in=[JobKind.TRY, *BESIDE]).order_by("-queued_at").first()
    return newest if newest and newest.state in {"failed", "cancelled"} else None
