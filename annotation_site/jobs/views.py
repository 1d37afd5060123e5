"""A job's page, its polled panel, and the two buttons on it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.jobs import services
from annotation_site.jobs.models import Job
from annotation_site.jobs.panels import panel_of
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Membership, Role
from annotation_site.web.refusals import Refused


@login_required
@require_safe
@never_cache
def detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Show a job."""
    job, membership = _job(request, public_id)
    return render(
        request,
        "jobs/detail.html",
        {
            "project": membership.project,
            "panel": panel_of(job, timezone.now()),
            "is_lead": membership.role == Role.LEAD,
        },
    )


@login_required
@require_safe
@never_cache
def panel(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Give the job's panel alone; when the job has ended, have the whole page loaded anew."""
    job, membership = _job(request, public_id)
    shown = panel_of(job, timezone.now())
    context = {
        "panel": shown,
        "is_lead": membership.role == Role.LEAD,
        "is_short": "short" in request.GET,
        "with_log": "log" in request.GET,
        "with_link": "link" in request.GET,
    }
    response = render(request, "jobs/_panel.html", context)
    if not shown.is_active:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_POST
def cancel(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Cancel a job."""
    job, _ = _job(request, public_id, role=Role.LEAD)
    try:
        job = services.cancel(job, by=request.user)
        ended = not job.cancel_requested or job.finished_at is not None
        messages.success(
            request, "The job is cancelled." if ended else "The job stops at its next step."
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("jobs:detail", public_id)


@login_required
@require_POST
def retry(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Queue a job again."""
    job, _ = _job(request, public_id, role=Role.LEAD)
    try:
        services.retry(job, by=request.user)
        messages.success(request, "The job is queued again.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("jobs:detail", public_id)


def _job(
    request: SignedInRequest, public_id: UUID, role: Role | None = None
) -> tuple[Job, Membership]:
    membership = membership_of(request, role=role, jobs__public_id=public_id)
    job = get_object_or_404(
        Job.objects.select_related("round", "round__result", "trial", "created_by"),
        public_id=public_id,
        project=membership.project,
    )
    return job, membership
