"""The page of what follows from marks: noise masks, retraining, and how it was judged."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.jobs.models import ACTIVE, Job, JobKind, JobState
from annotation_site.jobs.panels import panel_of
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Role
from annotation_site.web.refusals import Refused
from annotation_site.workspace.access import told_when_gone, workspace_of
from annotation_site.workspace.mending import counts, noise_path
from annotation_site.workspace.models import Workspace
from annotation_site.workspace.ordering import ask_for_mending, ask_for_noise

ARMS = {
    "baseline": "clean pictures, labels as they are",
    "annotation": "noise on slices marked spurious",
    "propagation": "noise on slices whose score is below .4",
    "without wrong labels": "images flagged for a wrong label left out",
    "corrected labels": "flagged images with the label they should have",
}
MASKS = {
    "true": "Core and surroundings are told apart by the data set's own regions.",
    "estimated": (
        "Core and surroundings are estimated from the attention, turned round in spurious slices: "
        "no true region is known of these images."
    ),
    "none": (
        "No true region is known of these images and they are not on this map, so only clean "
        "accuracy can be told. Build slices of all splits to have the rest estimated."
    ),
}


@login_required
@require_safe
@never_cache
@told_when_gone
def mending(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Show what can be made of the marks, and what was."""
    workspace = workspace_of(request, public_id, workspace_id)
    membership = membership_of(request, public_id=public_id)
    own = [
        job
        for job in workspace.project.jobs.filter(kind__in=[JobKind.NOISE, JobKind.MEND]).order_by(
            "-created_at"
        )[:60]
        if job.params.get("workspace") == workspace.public_id
    ]
    now = timezone.now()
    return render(
        request,
        "workspace/mending.html",
        {
            "project": workspace.project,
            "workspace": workspace,
            "is_lead": membership.role == Role.LEAD,
            "counts": counts(workspace),
            "has_training": workspace.split in {"train", "all"},
            "panels": [panel_of(job, now) for job in own if job.state in ACTIVE],
            "failed": next((job for job in own if job.state == JobState.FAILED), None)
            if own and own[0].state == JobState.FAILED
            else None,
            "reports": [_report(job) for job in own if _is_done(job, JobKind.MEND)],
            "files": [_file(workspace, job) for job in own if _is_done(job, JobKind.NOISE)],
            "noise_url": _address("noise", workspace),
            "retrain_url": _address("retrain", workspace),
        },
    )


def _is_done(job: Job, kind: JobKind) -> bool:
    return job.kind == kind and job.state == JobState.DONE


def _address(name: str, workspace: Workspace, *more: object) -> str:
    names = [workspace.project.public_id, workspace.public_id, *more]
    return reverse(f"workspace:{name}", args=names)


def _report(job: Job) -> dict[str, Any]:
    report = job.result
    return {
        "job": job,
        "split": report["split"],
        "images": report["images"],
        "without_attention": report.get("without_attention", 0),
        "masks": report["masks"],
        "masks_words": MASKS[report["masks"]],
        # Reports from before this was told put noisy pictures in the place of the clean ones.
        "is_beside": report.get("beside", False),
        "made_with": {name: report[name] for name in ("sigma", "draws", "c", "seed")},
        "run": report["run"],
        "revision": report["revision"],
        "arms": [
            {"name": name, "words": ARMS.get(name, ""), **figures}
            for name, figures in report["arms"].items()
        ],
    }


def _file(workspace: Workspace, job: Job) -> dict[str, Any]:
    return {
        "job": job,
        **job.result,
        "is_there": noise_path(job).is_file(),
        "url": _address("noise_file", workspace, job.public_id),
    }


@login_required
@require_POST
@told_when_gone
def noise(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Have masks and noisy pictures written."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    try:
        ask_for_noise(
            workspace=workspace, asked_by=request.user, choice=request.POST.get("choice", "low")
        )
        messages.success(request, "Masks and noisy pictures are being written.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("workspace:mending", public_id, workspace_id)


@login_required
@require_POST
@told_when_gone
def retrain(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Have the classifier retrained."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    try:
        ask_for_mending(
            workspace=workspace, asked_by=request.user, split=request.POST.get("split", "test")
        )
        messages.success(request, "The classifier is being retrained.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("workspace:mending", public_id, workspace_id)


@login_required
@require_safe
def noise_file(
    request: SignedInRequest, public_id: str, workspace_id: str, job_id: UUID
) -> FileResponse:
    """Give a ZIP of masks and noisy pictures, piece by piece."""
    workspace = workspace_of(request, public_id, workspace_id)
    job = get_object_or_404(
        Job, public_id=job_id, project=workspace.project, kind=JobKind.NOISE, state=JobState.DONE
    )
    try:
        file = noise_path(job).open("rb")
    except FileNotFoundError as error:
        raise Http404("this file is gone; have it written again") from error
    name = f"noise-{workspace.split}-revision-{job.result['revision']}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
