"""The list of projects and the page of one: how it stands and what comes next."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.jobs.models import ACTIVE
from annotation_site.jobs.panels import panel_of
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Project, Role
from annotation_site.review import overview
from annotation_site.review.stages import standing_of

N_SAMPLES = 20
N_JOBS = 8


@login_required
@require_safe
def home(request: SignedInRequest) -> HttpResponse:  # noqa: ARG001
    """Lead to the list of projects."""
    return redirect("projects:list")


@login_required
@require_safe
@never_cache
def project_list(request: SignedInRequest) -> HttpResponse:
    """Show a person's projects."""
    lines = overview.project_lines(request.user)
    return render(request, "projects/list.html", {"lines": lines})


@login_required
@require_safe
@never_cache
def project_detail(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show a project."""
    membership = membership_of(request, public_id=public_id)
    project = get_object_or_404(
        Project.objects.select_related("dataset", "reference_model"), pk=membership.project.pk
    )
    facts = overview.facts_of([project])[0]
    running = facts.job if facts.job and facts.job.state in ACTIVE else None
    return render(
        request,
        "projects/detail.html",
        {
            "project": project,
            "dataset": project.dataset,
            "model": project.reference_model,
            "is_lead": membership.role == Role.LEAD,
            "standing": standing_of(facts),
            "job": facts.job,
            "panel": panel_of(running, timezone.now()) if running else None,
            "result": facts.result,
            "splits": [name for _, name in overview.SPLITS],
            "class_counts": overview.class_counts(project.dataset),
            "samples": overview.samples(project.dataset, N_SAMPLES),
            "rounds": project.rounds.select_related("result").order_by("-number"),
            "jobs": project.jobs.select_related("round").order_by("-created_at")[:N_JOBS],
            "memberships": project.memberships.select_related("user").order_by("created_at"),
        },
    )
