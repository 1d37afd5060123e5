"""The result of a closed round, and trials of its checkpoints."""

from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.jobs.forms import TryForm
from annotation_site.jobs.panels import panel_of
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Role
from annotation_site.review import reports, services
from annotation_site.review.models import RoundResult, Trial
from annotation_site.web.refusals import Refused

FOREVER = "private, max-age=31536000, immutable"
N_CELL_IMAGES = 120


@login_required
@require_safe
@never_cache
def result(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show what a round brought."""
    found, is_lead = _result(request, public_id)
    return _page(request, found, is_lead)


@login_required
@require_safe
@never_cache
def cell(request: SignedInRequest, public_id: str, index: int) -> HttpResponse:
    """Show the images drawn from one feature group."""
    found, _ = _result(request, public_id)
    cells = [cell for cell in found.report.get("cells", []) if cell["index"] == index]
    if not cells:
        raise Http404("no such feature group")
    rows = np.flatnonzero(np.frombuffer(bytes(found.cell), dtype="<i2") == index)
    scores = np.frombuffer(bytes(found.scores), dtype="<f4")
    images = reports.images_by_row(found.round.project.dataset, rows[:N_CELL_IMAGES].tolist())
    shown = [(images[row], float(scores[row])) for row in sorted(images)]
    context = {
        "project": found.round.project,
        "round": found.round,
        "cell": cells[0],
        "shown": shown,
        "n_all": len(rows),
    }
    return render(request, "review/cell.html", context)


@login_required
@require_POST
def try_model(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Queue a trial of a checkpoint."""
    found, _ = _result(request, public_id, role=Role.LEAD)
    form = TryForm(request.POST, routes=_routes(found))
    if form.is_valid():
        try:
            trial = services.try_model(
                result=found,
                route=form.cleaned_data["route"],
                folder=form.cleaned_data["folder"],
                asked_by=request.user,
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The checkpoint is being tried.")
            return redirect("review:trial", trial.pk)
    return _page(request, found, is_lead=True, form=form, status=422)


@login_required
@require_safe
@never_cache
def trial(request: SignedInRequest, pk: int) -> HttpResponse:
    """Show a trial: predictions before and after, with heat."""
    found = _trial(request, pk)
    membership = membership_of(request, trials__pk=pk)
    context = {
        "project": found.project,
        "round": found.result.round,
        "trial": found,
        "route_name": reports.ROUTES.get(found.route, (found.route, ""))[0],
        "panel": panel_of(found.job, timezone.now()) if found.job else None,
        "is_lead": membership.role == Role.LEAD,
        "n_changed": sum(p.get("predicted") != p.get("before") for p in found.pictures),
    }
    return render(request, "review/trial.html", context)


@login_required
@require_safe
def trial_picture(request: SignedInRequest, pk: int, index: int) -> FileResponse:
    """Give a re-encoded picture of a trial to the project's members."""
    found = _trial(request, pk)
    if index >= len(found.pictures):
        raise Http404("no such picture")
    root = Path(settings.MEDIA_ROOT).resolve()
    path = (root / str(found.pictures[index].get("file", ""))).resolve()
    if root not in path.parents or not path.is_file():
        raise Http404("this picture is gone")
    return FileResponse(
        path.open("rb"), content_type="image/webp", headers={"Cache-Control": FOREVER}
    )


def _trial(request: SignedInRequest, pk: int) -> Trial:
    return get_object_or_404(
        Trial.objects.select_related("project__dataset", "result__round", "job"),
        pk=pk,
        project__memberships__user=request.user,
    )


def _result(
    request: SignedInRequest, public_id: str, role: Role | None = None
) -> tuple[RoundResult, bool]:
    membership = membership_of(request, role=role, rounds__public_id=public_id)
    found = get_object_or_404(
        RoundResult.objects.select_related("round__project__dataset"),
        round__public_id=public_id,
        round__project=membership.project,
    )
    return found, membership.role == Role.LEAD


def _routes(found: RoundResult) -> list[tuple[str, str]]:
    return [(line.key, line.name) for line in reports.route_lines(found.report)[1:]]


def _page(
    request: SignedInRequest,
    found: RoundResult,
    is_lead: bool,
    *,
    form: TryForm | None = None,
    status: int = 200,
) -> HttpResponse:
    report = found.report
    project = found.round.project
    images = reports.images_by_row(project.dataset, reports.example_rows(report))
    routes = reports.route_lines(report)
    route = reports.chosen_route(report, request.GET.get("route"))
    lines = reports.group_lines(report, route)
    names = {line.key: line.name for line in routes}
    kept = report.get("verdict", {}).get("kept_model", "before")
    initial = {"route": kept if kept in report["after"] else route}
    context: dict[str, Any] = {
        "project": project,
        "round": found.round,
        "result": found,
        "report": report,
        "is_lead": is_lead,
        "routes": routes,
        "worse": [line for line in routes if line.is_worse],
        "route": route,
        "route_name": names.get(route, route),
        "kept_name": names.get(kept, kept),
        "groups": lines,
        "group_figure": reports.group_figure(lines, names.get(route, route)),
        "class_scores": reports.class_scores(report),
        "screened_by": reports.SCREENED_BY[report["screening"]["rule"]],
        "examples": [
            (name, words, [images[row] for row in report["examples"][key] if row in images])
            for key, name, words in EXAMPLES
            if report.get("examples", {}).get(key)
        ],
        "cell_rows": reports.cell_rows(report, images),
        "files": found.files.order_by("kind"),
        "trials": found.trials.select_related("job").order_by("-created_at"),
        "form": form or TryForm(routes=_routes(found), initial=initial),
    }
    return render(request, "review/result.html", context, status=status)


EXAMPLES = (
    ("on_core", "On the object", "the classifier looks at it"),
    ("elsewhere", "Elsewhere", "the classifier looks at something else"),
    ("border", "Near the border", "where a few more answers would tell most"),
)
