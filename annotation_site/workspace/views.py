"""The workspace's page and the requests that it makes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.models import User
from annotation_site.accounts.requests import SignedInRequest
from annotation_site.jobs.models import ACTIVE, Job, JobKind, JobState
from annotation_site.jobs.panels import panel_of
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Image, Project, Role
from annotation_site.web.refusals import Refused
from annotation_site.workspace import looks, pictures, services
from annotation_site.workspace import payload as told
from annotation_site.workspace.access import (
    BadRequest,
    Body,
    index_of,
    integer_of,
    json_view,
    told_when_gone,
    workspace_of,
)
from annotation_site.workspace.forms import BuildForm
from annotation_site.workspace.hull_figure import hulls_found
from annotation_site.workspace.labels import flag_label
from annotation_site.workspace.models import SplitChoice, Workspace
from annotation_site.workspace.ordering import ask_for_pictures, ask_for_slices
from annotation_site.workspace.overtaking import Overtaken
from annotation_site.workspace.versions import version_of

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
MOST_CELLS = 16
JOB_KINDS = (JobKind.SLICE, JobKind.INVERT, JobKind.NOISE, JobKind.MEND)


# ---- the page -----------------------------------------------------------------------------------


@login_required
@require_safe
@never_cache
def page(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show a project's slices, or how they come about."""
    membership = membership_of(request, public_id=public_id)
    project = Project.objects.select_related("dataset", "reference_model").get(
        pk=membership.project.pk
    )
    built = _newest(project)
    split = _split_shown(request.GET.get("split", ""), built)
    workspace = built.get(split)
    return render(
        request,
        "workspace/workspace.html",
        {
            "project": project,
            "is_lead": membership.role == Role.LEAD,
            "split": split,
            "splits": _splits(project, built, split),
            "workspace": workspace,
            "n_images": workspace.n_images if workspace else 0,
            "payload_url": _address("payload", workspace),
            "columns_url": told.columns_url(workspace) if workspace else "",
            "mending_url": _address("mending", workspace),
            "suspects_url": _address("suspects", workspace),
            "build_url": reverse("workspace:build", args=[project.public_id]),
            "build": _build_of(project, split),
            "form": BuildForm(initial={"split": split}),
            "is_ready": project.reference_model.ready_at is not None,
            "is_stale": workspace is not None
            and workspace.classifier_key != project.reference_model.artifact_key,
        },
    )


def _address(name: str, workspace: Workspace | None) -> str:
    if workspace is None:
        return ""
    return reverse(f"workspace:{name}", args=[workspace.project.public_id, workspace.public_id])


def _newest(project: Project) -> dict[str, Workspace]:
    """Give the newest workspace of each split."""
    found: dict[str, Workspace] = {}
    for workspace in project.workspaces.select_related("project").order_by("created_at", "pk"):
        found[workspace.split] = workspace
    return found


def _split_shown(asked: str, built: dict[str, Workspace]) -> str:
    if asked in SplitChoice.values:
        return asked
    if SplitChoice.VALIDATION in built or not built:
        return SplitChoice.VALIDATION.value
    return max(built.values(), key=lambda one: (one.created_at, one.pk)).split


def _splits(project: Project, built: dict[str, Workspace], shown: str) -> list[dict[str, Any]]:
    counts = dict(
        project.dataset.images.values_list("split").annotate(n=Count("pk")).order_by("split")
    )
    counts[SplitChoice.ALL.value] = sum(counts.values())
    address = reverse("workspace:page", args=[project.public_id])
    return [
        {
            "name": choice.value,
            "label": choice.label,
            "n_images": counts.get(choice.value, 0),
            "is_built": choice.value in built,
            "is_shown": choice.value == shown,
            "url": f"{address}?split={choice.value}",
        }
        for choice in SplitChoice
    ]


def _build_of(project: Project, split: str) -> dict[str, Any] | None:
    """Give the newest job that builds slices of a split, unless it ended well."""
    recent = project.jobs.filter(kind=JobKind.SLICE).order_by("-created_at")
    job = next((one for one in recent[:8] if one.params.get("split") == split), None)
    if job is None or job.state == JobState.DONE:
        return None
    return {**_job_line(job), "panel": panel_of(job, timezone.now())}


def _job_line(job: Job) -> dict[str, Any]:
    return {
        "kind": job.kind,
        "words": job.get_kind_display(),
        "state": job.state,
        "stage": job.stage,
        "done": job.done,
        "total": job.total,
        "error": job.error,
        "url": reverse("jobs:detail", args=[job.public_id]),
    }


@login_required
@require_POST
def build(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Have a worker cut a split into slices."""
    membership = membership_of(request, role=Role.LEAD, public_id=public_id)
    project = membership.project
    form = BuildForm(request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
        return redirect("workspace:page", public_id)
    try:
        ask_for_slices(project=project, asked_by=request.user, **form.cleaned_data)
        messages.success(request, "The images are being cut into slices.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    address = reverse("workspace:page", args=[public_id])
    return redirect(f"{address}?split={form.cleaned_data['split']}")


# ---- what the page reads ---------------------------------------------------------------------------


@json_view
@require_safe
@never_cache
def payload(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Give the slices and all about them."""
    workspace = workspace_of(request, public_id, workspace_id)
    return _json(told.payload(workspace, request.user))


def _json(value: dict[str, Any]) -> HttpResponse:
    return HttpResponse(told.as_text(value), content_type="application/json")


@json_view
@require_safe
def columns(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Give the images' places and classes, as bytes."""
    version = version_of(workspace_of(request, public_id, workspace_id))
    tag = f'"{version.key}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers={"ETag": tag, "Cache-Control": ASK_AGAIN})
    headers = {"ETag": tag, "Cache-Control": ASK_AGAIN}
    return HttpResponse(
        told.columns(version), content_type="application/octet-stream", headers=headers
    )


@json_view
@require_safe
def scores(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Give every image's score, a byte each."""
    workspace = workspace_of(request, public_id, workspace_id)
    headers = {"ETag": f'"{workspace.pk}.{workspace.revision}"', "Cache-Control": ASK_AGAIN}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(
        told.image_score_bytes(workspace), content_type="application/octet-stream", headers=headers
    )


@json_view
@require_safe
@never_cache
def state(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Give what has changed since a revision; nothing where nothing has."""
    workspace = workspace_of(request, public_id, workspace_id)
    if integer_of(request.GET, "since", -1) == workspace.revision:
        return HttpResponse(status=204)
    return _json(told.state(workspace, request.user))


@json_view
@require_safe
@never_cache
def images(
    request: SignedInRequest, public_id: str, workspace_id: str, number: int
) -> HttpResponse:
    """Give a page of a slice's images."""
    workspace = workspace_of(request, public_id, workspace_id)
    found = looks.slice_look(
        workspace,
        number,
        order=request.GET.get("order", "errors"),
        page=integer_of(request.GET, "page", 1),
        cell=_cell_of(request.GET.get("cell", "")),
    )
    return JsonResponse(found.as_json())


def _cell_of(text: str) -> tuple[int, int] | None:
    parts = text.split(".")
    if not text:
        return None
    classes = [found for part in parts if (found := index_of(part)) is not None]
    if len(parts) != 2 or len(classes) != 2:
        raise BadRequest("A cell is named by two classes, as in 0.1: the true and the predicted.")
    return classes[0], classes[1]


@json_view
@require_safe
@never_cache
def images_at(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Give images by their index."""
    workspace = workspace_of(request, public_id, workspace_id)
    names = [name for name in request.GET.get("at", "").split(",") if name]
    indices = [found for name in names if (found := index_of(name)) is not None]
    if len(indices) < len(names):
        raise BadRequest("Images are named by their index, as in ?at=3,5,9.")
    return JsonResponse({"images": looks.images_at(workspace, indices)})


@login_required
@require_safe
def picture(request: SignedInRequest, public_id: str, workspace_id: str, key: str) -> FileResponse:
    """Give a slice's picture."""
    workspace = workspace_of(request, public_id, workspace_id)
    if not key.isalnum():
        raise Http404("no such picture")
    try:
        file = (pictures.folder_of(workspace) / f"{key}.webp").open("rb")
    except FileNotFoundError as error:
        raise Http404("there is no picture of this slice yet") from error
    return FileResponse(file, content_type="image/webp", headers={"Cache-Control": FOREVER})


@json_view
@require_safe
@never_cache
def job_lines(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Give the project's active jobs, the workspace's picture job if its last one failed, and pictures."""
    workspace = workspace_of(request, public_id, workspace_id)
    recent = workspace.project.jobs.filter(kind__in=JOB_KINDS).order_by("-created_at")[:12]
    own = workspace.project.jobs.filter(
        kind=JobKind.INVERT, params__workspace=workspace.public_id
    ).order_by("-created_at")
    newest = own.first()
    lines = [_job_line(job) for job in recent if job.state in ACTIVE]
    if newest is not None and newest.state == JobState.FAILED:
        lines.append(_job_line(newest))
    version = version_of(workspace)
    names = [name for name in request.GET.get("cells", "").split(",") if name]
    if len(names) > MOST_CELLS:
        raise BadRequest(f"At most {MOST_CELLS} cells are told of at once.")
    return JsonResponse(
        {
            "jobs": lines,
            "pictures": pictures.found(workspace, version),
            "hulls": hulls_found(workspace, version),
            "cells": {name: pictures.found(workspace, version, _cell_of(name)) for name in names},
        }
    )


# ---- what the page does ---------------------------------------------------------------------------


@json_view
@require_POST
def marks(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Mark slices."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    body = Body(request)
    mark = partial(
        services.mark,
        numbers=body.integers("slices"),
        kind=body.text("kind"),
        note=body.text("note"),
        score=body.number("score"),
        seen=body.integer("seen"),
    )
    return _marked(workspace, request.user, mark)


@json_view
@require_POST
def image_marks(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Set the scores of single images by hand."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    body = Body(request)
    mark = partial(
        services.mark_images,
        indices=body.integers("images"),
        kind=body.text("kind"),
        seen=body.integer("seen"),
    )
    return _marked(workspace, request.user, mark)


def _marked(workspace: Workspace, user: User, mark: Callable[..., Workspace]) -> HttpResponse:
    """Mark and tell what came of it; whoever was overtaken is told how things are now."""
    before = told.slice_scores_now(workspace)
    try:
        marked = mark(workspace=workspace, by=user)
    except Overtaken as error:
        workspace.refresh_from_db()
        return JsonResponse({"error": str(error), "state": told.state(workspace, user)}, status=409)
    return _json(told.state(marked, user, before))


@json_view
@require_POST
def undo(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Take back the person's latest act."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    before = told.slice_scores_now(workspace)
    workspace = services.undo(workspace=workspace, by=request.user)
    return _json(told.state(workspace, request.user, before))


@json_view
@require_POST
def redo(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Do again what the person undid last."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    before = told.slice_scores_now(workspace)
    workspace = services.redo(workspace=workspace, by=request.user)
    return _json(told.state(workspace, request.user, before))


@json_view
@require_POST
def changes(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Rename, merge, split or draw a slice."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    body = Body(request)
    workspace = services.change_slices(
        workspace=workspace,
        by=request.user,
        kind=body.text("kind"),
        numbers=body.integers("numbers"),
        name=body.text("name", most=80),
        members=body.integers("members"),
        set_version=body.integer("set_version"),
    )
    return _json(told.payload(workspace_of(request, public_id, workspace_id), request.user))


@json_view
@require_POST
def flag(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Say whether an image's label is wrong."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    body = Body(request)
    index = body.integer("index")
    rows = version_of(workspace).images.rows
    if index is None or index >= len(rows):
        raise BadRequest(f"There is no image {index}; they are numbered 0 to {len(rows) - 1}.")
    image = get_object_or_404(Image, dataset__project=workspace.project, row=int(rows[index]))
    flagged = flag_label(
        workspace=workspace,
        by=request.user,
        image=image,
        label_is_wrong=body.flag("label_is_wrong"),
        should_be=body.integer("should_be"),
    )
    return JsonResponse({"flagged": flagged})


@json_view
@require_POST
def find_pictures(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Have a worker find pictures of slices by feature inversion."""
    workspace = workspace_of(request, public_id, workspace_id, role=Role.LEAD)
    body = Body(request)
    job = ask_for_pictures(
        workspace=workspace,
        asked_by=request.user,
        numbers=body.integers("slices"),
        cell=_cell_of(body.text("cell")),
        in_hulls=bool(body.flag("hulls")),
    )
    return JsonResponse({"job": _job_line(job)}, status=202)


@login_required
@require_safe
@never_cache
@told_when_gone
def suspects(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Show images whose label the model doubts, or give them as JSON."""
    if request.GET.get("format") == "json":
        return _suspects_json(request, public_id, workspace_id)
    workspace = workspace_of(request, public_id, workspace_id)
    membership = membership_of(request, public_id=public_id)
    found = looks.suspects(workspace, integer_of(request.GET, "page", 1))
    return render(
        request,
        "workspace/suspects.html",
        {
            "project": workspace.project,
            "workspace": workspace,
            "is_lead": membership.role == Role.LEAD,
            "look": found,
            "class_names": version_of(workspace).images.class_names,
            "flag_url": _address("flag", workspace),
        },
    )


@json_view
def _suspects_json(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    workspace = workspace_of(request, public_id, workspace_id)
    found = looks.suspects(workspace, integer_of(request.GET, "page", 1)).as_json()
    return JsonResponse({**found, "suspects": found.pop("images")})
