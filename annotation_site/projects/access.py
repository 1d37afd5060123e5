"""Who may see a project, and who may change it."""

from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.projects.models import Membership, Project, Role


def membership_of(
    request: SignedInRequest, *, role: Role | None = None, **project: object
) -> Membership:
    """Give the signed-in person's membership of a project.

    Args:
        request: of a signed-in person.
        role: what the person must be; None admits every member.
        project: look-up of the project, e.g. `public_id=…` or `rounds__public_id=…`.

    Returns:
        The membership, with its project.

    Raises:
        Http404: no such project, or not the person's: a stranger learns nothing.
        PermissionDenied: a member, but with another role.
    """
    lookup = {f"project__{name}": value for name, value in project.items()}
    membership = (
        Membership.objects.select_related("project").filter(user=request.user, **lookup).first()
    )
    if membership is None:
        raise Http404("no such project")
    if role is not None and membership.role != role:
        raise PermissionDenied(f"Only a {role} of this project may do this.")
    return membership


def member_project(request: SignedInRequest, public_id: str, role: Role | None = None) -> Project:
    """Give a project to its member; see `membership_of` for what it raises."""
    return membership_of(request, role=role, public_id=public_id).project
