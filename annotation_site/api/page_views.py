"""The pages of the interface: a person's tokens, and what can be asked."""

from functools import cache
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from drf_spectacular.generators import SchemaGenerator

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.api import reference, services
from annotation_site.api.forms import TokenForm
from annotation_site.api.models import ApiToken
from annotation_site.projects.models import Membership, Role
from annotation_site.web.refusals import Refused


@login_required
@require_safe
@never_cache
def tokens(request: SignedInRequest) -> HttpResponse:
    """Show a person's tokens."""
    return _page(request, TokenForm(request.user))


@login_required
@require_POST
@never_cache
def new_token(request: SignedInRequest) -> HttpResponse:
    """Make a token and show its secret, this once."""
    if not _leads(request):
        raise PermissionDenied("Only somebody who leads a project may make a token.")
    form = TokenForm(request.user, request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        made = services.create_token(
            owner=request.user,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            life=form.life,
            project=form.cleaned_data["project"],
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return _page(request, form, status=409)
    return _page(request, TokenForm(request.user), secret=made.secret)


@login_required
@require_POST
def revoke_token(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Make a token worthless; somebody else's is as good as none."""
    try:
        services.revoke_token(owner=request.user, public_id=public_id)
        messages.success(request, "The token is revoked.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("api:tokens")


@login_required
@require_safe
def docs(request: SignedInRequest) -> HttpResponse:
    """Show what can be asked, and what comes back."""
    told = _schema()
    context = {
        "chapters": reference.chapters_of(told),
        "things": reference.things_of(told),
        "origin": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "api/docs.html", context)


@login_required
@require_safe
def schema(_request: SignedInRequest) -> JsonResponse:
    """Give the schema as OpenAPI."""
    return JsonResponse(_schema())


@cache
def _schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def _page(
    request: SignedInRequest, form: TokenForm, *, secret: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "secret": secret,
        "is_lead": _leads(request),
        "tokens": ApiToken.objects.of(request.user).select_related("project"),
    }
    return render(request, "api/tokens.html", context, status=status)


def _leads(request: SignedInRequest) -> bool:
    return Membership.objects.filter(user=request.user, role=Role.LEAD).exists()
