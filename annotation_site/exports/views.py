"""A round's exports, and downloads of them and of what a closed round brought."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import Round
from annotation_site.exports import services
from annotation_site.exports.models import Export, ExportFile
from annotation_site.exports.registry import DOCUMENTS, tables_of
from annotation_site.jobs.models import ACTIVE, JobKind, JobState
from annotation_site.jobs.panels import panel_of
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Membership, Role
from annotation_site.web.refusals import Refused


@login_required
@require_safe
@never_cache
def exports(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show a round's exports, and what one holds."""
    round_, membership = _round(request, public_id)
    context = _shown(round_) | {
        "project": membership.project,
        "is_lead": membership.role == Role.LEAD,
        "tables": tables_of(round_),
        "documents": DOCUMENTS,
    }
    return render(request, "exports/list.html", context)


@login_required
@require_POST
def new(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Have a worker write an export."""
    round_, _ = _round(request, public_id, role=Role.LEAD)
    try:
        services.ask_for_export(round=round_, asked_by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("exports:list", public_id)


@login_required
@require_POST
def delete(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Take an export away."""
    membership = membership_of(request, role=Role.LEAD, rounds__exports__public_id=public_id)
    export = get_object_or_404(Export, public_id=public_id, round__project=membership.project)
    try:
        services.delete_export(export=export, deleted_by=request.user)
        messages.success(request, "The export is deleted.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("exports:list", export.round.public_id)


@login_required
@require_safe
@never_cache
def download(request: SignedInRequest, public_id: str) -> FileResponse:
    """Stream a file to a member of its project, with its digest in a header."""
    file = ExportFile.objects.visible_to(request.user).filter(public_id=public_id).first()
    if file is None:
        raise Http404("no such file")
    return file_response(file)


def file_response(file: ExportFile) -> FileResponse:
    """Give a file's download; whoever asks was looked at before.

    Raises:
        Http404: It is no longer there, or not below the media root.
    """
    root = Path(settings.MEDIA_ROOT).resolve()
    path = (root / file.path).resolve()
    if root not in path.parents or not path.is_file():
        raise Http404("this file is gone; close another round or ask the operator")
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=get_valid_filename(file.name),
        content_type=file.content_type,
        headers={"X-Content-SHA256": file.sha256},
    )


def _shown(round_: Round) -> dict[str, Any]:
    """Give the finished exports, and the panel of the one that is not, or ended badly last."""
    finished = (
        round_.exports.filter(finished_at__isnull=False)
        .select_related("created_by")
        .prefetch_related("files")
    )
    job = round_.jobs.filter(kind=JobKind.EXPORT).order_by("-queued_at").first()
    telling = job and job.state in {*ACTIVE, JobState.FAILED, JobState.CANCELLED}
    return {
        "round": round_,
        "exports": finished,
        "panel": panel_of(job, timezone.now()) if job and telling else None,
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
