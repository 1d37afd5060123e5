"""A project's keys to Prolific."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.panels import services
from annotation_site.panels.forms import AccountForm
from annotation_site.panels.models import PanelAccount
from annotation_site.projects.access import member_project
from annotation_site.projects.models import Project, Role

RECENT = 10


@login_required
@require_safe
@never_cache
def account(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show which keys a project has, never the keys themselves."""
    project = member_project(request, public_id, role=Role.LEAD)
    return _page(request, project, AccountForm())


@login_required
@require_POST
def save_account(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Keep keys, or part with them."""
    project = member_project(request, public_id, role=Role.LEAD)
    if "remove" in request.POST:
        PanelAccount.objects.filter(project=project).delete()
        messages.success(request, "The keys are deleted. Everything else goes on without them.")
        return redirect("panels:account", public_id)
    form = AccountForm(request.POST)
    if not form.is_valid():
        return _page(request, project, form, status=422)
    services.save_account(project=project, saved_by=request.user, **form.cleaned_data)
    messages.success(request, "The keys are kept, encrypted.")
    return redirect("panels:account", public_id)


def _page(
    request: SignedInRequest, project: Project, form: AccountForm, *, status: int = 200
) -> HttpResponse:
    kept = PanelAccount.objects.filter(project=project).first()
    path = reverse("panels:events", args=[kept.public_id]) if kept else ""
    context = {
        "project": project,
        "account": kept,
        "form": form,
        "hook": request.build_absolute_uri(path) if path else "",
        "events": kept.events.order_by("-received_at")[:RECENT] if kept else [],
    }
    return render(request, "panels/account.html", context, status=status)
