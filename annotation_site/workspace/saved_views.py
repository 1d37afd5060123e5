"""Requests for views that members keep."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Membership
from annotation_site.workspace import saved
from annotation_site.workspace.access import Body, json_view, workspace_of
from annotation_site.workspace.models import SavedView
from annotation_site.workspace.versions import version_of

READ = ("GET", "HEAD")


@json_view
@require_http_methods([*READ, "POST"])
@never_cache
def saved_views(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """List a project's views, or keep another one."""
    workspace = workspace_of(request, public_id, workspace_id)
    membership = membership_of(request, public_id=public_id)
    if request.method not in READ:
        body = Body(request)
        saved.save_view(
            workspace=workspace,
            by=request.user,
            name=body.text("name", most=saved.NAME_LETTERS),
            query=body.text("query", most=saved.MOST_LETTERS),
            indices=body.integers("images"),
        )
    return _listed(membership)


def _listed(membership: Membership) -> JsonResponse:
    views = SavedView.objects.filter(project=membership.project).select_related("by").defer("rows")
    return JsonResponse({"views": [saved.as_json(view, membership) for view in views]})


@json_view
@require_http_methods([*READ, "POST"])
@never_cache
def saved_view(
    request: SignedInRequest, public_id: str, workspace_id: str, view_id: str
) -> HttpResponse:
    """Give a view with the images it chose, as they lie on this map; or rename it."""
    workspace = workspace_of(request, public_id, workspace_id)
    membership = membership_of(request, public_id=public_id)
    view = _view(membership, view_id)
    if request.method not in READ:
        _check(view, membership)
        saved.rename_view(view=view, name=Body(request).text("name", most=saved.NAME_LETTERS))
        return _listed(membership)
    chosen = saved.chosen_in(view, version_of(workspace))
    return JsonResponse({**saved.as_json(view, membership), "chosen": chosen})


@json_view
@require_POST
def delete_view(
    request: SignedInRequest, public_id: str, workspace_id: str, view_id: str
) -> HttpResponse:
    """Forget a view."""
    workspace_of(request, public_id, workspace_id)
    membership = membership_of(request, public_id=public_id)
    view = _view(membership, view_id)
    _check(view, membership)
    view.delete()
    return _listed(membership)


def _view(membership: Membership, view_id: str) -> SavedView:
    return get_object_or_404(
        SavedView.objects.select_related("by"), project=membership.project, public_id=view_id
    )


def _check(view: SavedView, membership: Membership) -> None:
    if not saved.may_change(view, membership):
        raise PermissionDenied("This view is another person's. Save one of your own.")
