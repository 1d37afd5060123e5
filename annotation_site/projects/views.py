"""Members and invitations of a project, its pictures, and the picker of files."""

from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation_site.accounts.forms import AccountForm
from annotation_site.accounts.models import User
from annotation_site.accounts.requests import SignedInRequest
from annotation_site.projects import data_root, services
from annotation_site.projects.access import member_project, membership_of
from annotation_site.projects.models import Image, Role
from annotation_site.web.refusals import Refused

FOREVER = "private, max-age=31536000, immutable"


# ---- members ------------------------------------------------------------------------------------


@login_required
@require_safe
def members(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show who is in the project, and open invitations to its leads."""
    return _members_page(request, public_id)


@login_required
@require_POST
@never_cache
def invite(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Make an invitation and show its link, this once."""
    project = member_project(request, public_id, role=Role.LEAD)
    role = Role.REVIEWER if request.POST.get("role") == Role.REVIEWER else Role.LEAD
    made = services.invite(project=project, role=role, invited_by=request.user)
    path = reverse("projects:accept_invitation", args=[made.token])
    return _members_page(request, public_id, link=request.build_absolute_uri(path), link_role=role)


@login_required
@require_POST
def revoke(request: SignedInRequest, public_id: str, invitation_id: int) -> HttpResponse:
    """Make an invitation worthless."""
    project = member_project(request, public_id, role=Role.LEAD)
    try:
        services.revoke_invitation(project=project, invitation_id=invitation_id)
        messages.success(request, "The invitation is revoked.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("projects:members", public_id)


@login_required
@require_POST
def remove_member(request: SignedInRequest, public_id: str, user_id: int) -> HttpResponse:
    """Take a membership away."""
    project = member_project(request, public_id, role=Role.LEAD)
    try:
        services.remove_member(project=project, user_id=user_id, removed_by=request.user)
        messages.success(request, "The member is removed.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    if user_id == request.user.pk:
        return redirect("projects:list")
    return redirect("projects:members", public_id)


def _members_page(
    request: SignedInRequest, public_id: str, *, link: str = "", link_role: str = ""
) -> HttpResponse:
    membership = membership_of(request, public_id=public_id)
    project = membership.project
    return render(
        request,
        "projects/members.html",
        {
            "project": project,
            "is_lead": membership.role == Role.LEAD,
            "memberships": project.memberships.select_related("user").order_by("created_at"),
            "invitations": project.invitations.living().order_by("-created_at"),
            "roles": Role,
            "link": link,
            "link_role": link_role,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation; on POST use it, with a new account for somebody not signed in."""
    try:
        invitation = services.find_invitation(token)
    except Refused as refusal:
        return render(request, "projects/invitation_gone.html", {"reason": refusal}, status=410)
    form = None if request.user.is_authenticated else AccountForm(request.POST or None)
    if request.method == "POST" and (form is None or form.is_valid()):
        user = form.save() if form is not None else request.user
        assert isinstance(user, User)  # either signed in or just created
        try:
            project = services.accept_invitation(token=token, user=user)
        except Refused as refusal:
            return render(request, "projects/invitation_gone.html", {"reason": refusal}, status=409)
        if form is not None:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        messages.success(request, f"Welcome. You are now a {invitation.role} of this project.")
        return redirect("projects:detail", project.public_id)
    context = {"invitation": invitation, "form": form, "token": token}
    return render(request, "projects/invitation.html", context)


# ---- files ----------------------------------------------------------------------------------------


@login_required
@require_safe
def browse(request: SignedInRequest) -> HttpResponse:
    """Show a folder below the data root, to pick something from."""
    wanted = request.GET.get("wanted", "")
    if wanted not in list(data_root.Wanted):
        raise Http404("nothing of this kind can be picked")
    kind = data_root.Wanted(wanted)
    try:
        listing, refusal = data_root.listing(request.GET.get("at", ""), kind), None
    except Refused as error:
        listing, refusal = None, error
    context = {"listing": listing, "refusal": refusal, "wanted": kind}
    return render(request, "projects/_browse.html", context, status=200 if listing else 422)


@login_required
@require_safe
def picture(request: SignedInRequest, public_id: str) -> FileResponse:
    """Give an image of a project to its members."""
    return _picture(request, public_id, "")


@login_required
@require_safe
def thumb(request: SignedInRequest, public_id: str) -> FileResponse:
    """Give an image's thumbnail."""
    return _picture(request, public_id, "_thumb")


def _picture(request: SignedInRequest, public_id: str, suffix: str) -> FileResponse:
    image = (
        Image.objects.filter(public_id=public_id, dataset__project__memberships__user=request.user)
        .only("public_id", "dataset_id")
        .first()
    )
    if image is None:
        raise Http404("no such image")
    folder = Path(settings.MEDIA_ROOT) / "pictures" / str(image.dataset_id)
    path = folder / f"{image.public_id}{suffix}.webp"
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Http404("this image has no picture yet") from error
    return FileResponse(file, content_type="image/webp", headers={"Cache-Control": FOREVER})
