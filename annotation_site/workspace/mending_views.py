"""The page of what follows from marks: noise masks, retraining, and how it was judged."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Role
from annotation_site.workspace.access import workspace_of


@login_required
@require_safe
@never_cache
def mending(request: SignedInRequest, public_id: str, workspace_id: str) -> HttpResponse:
    """Show what can be made of the marks, and what was."""
    workspace = workspace_of(request, public_id, workspace_id)
    membership = membership_of(request, public_id=public_id)
    return render(
        request,
        "workspace/mending.html",
        {
            "project": workspace.project,
            "workspace": workspace,
            "is_lead": membership.role == Role.LEAD,
        },
    )
