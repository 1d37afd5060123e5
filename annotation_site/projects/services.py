"""The verbs of projects: register one, invite somebody, accept, revoke."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.projects import data_root
from annotation_site.projects.audit import record
from annotation_site.projects.models import (
    Act,
    Dataset,
    Invitation,
    Membership,
    Project,
    ReferenceModel,
    Role,
)
from annotation_site.web.refusals import Refused

LINK_GONE = "This invitation has been used, revoked or has expired. Ask for a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvitation:
    """An invitation and its token, which is shown once and kept nowhere."""

    invitation: Invitation
    token: str


def register(
    *,
    lead: User,
    name: str,
    manifest: str,
    architecture: str,
    weights: str = "",
    target_layer: str = "",
    question: str = "",
    layout: str = "manifest",
    classifier: Mapping[str, Any] | None = None,
) -> Project:
    """Create a project, its data set and its classifier as they were named; nothing is read yet.

    Args:
        lead: who will lead it.
        name: of the project, unique among the lead's.
        manifest: file or folder, relative to the data root.
        architecture: such as `timm/resnet18`.
        weights: file relative to the data root; "" where the classifier is to be trained.
        target_layer: module whose maps are attended to; "" to find it.
        question: put to annotators; "" for the default.
        layout: of the data, as the pipeline's `data.layout` names it.
        classifier: further settings of the pipeline's classifier table.

    Raises:
        Refused: a path outside the data root or absent, or a name that the lead has used.
    """
    path = _manifest_path(manifest)
    if weights:
        data_root.contained_file(weights, data_root.WEIGHT_ENDINGS)
    try:
        with transaction.atomic():
            project = Project(name=name, created_by=lead)
            if question:
                project.question = question
            project.save()
            Membership.objects.create(project=project, user=lead, role=Role.LEAD)
            Dataset.objects.create(
                project=project, name=_set_name(path) or name, manifest_path=path, layout=layout
            )
            ReferenceModel.objects.create(
                project=project,
                name=architecture.rsplit("/", 1)[-1],
                architecture=architecture,
                weights_path=weights,
                target_layer=target_layer,
                settings=dict(classifier or {}),
            )
            _record_member(project, lead, Act.MEMBER_ADDED, lead, Role.LEAD)
    except IntegrityError as error:
        raise Refused(f"You already lead a project named “{name}”. Choose another name.") from error
    return project


def _manifest_path(manifest: str) -> str:
    found = data_root.contained(manifest)
    if found.is_dir():
        # A folder is registered by its manifest where it has one, else by its layout.
        for name in ("manifest.csv", "manifest.parquet"):
            if (found / name).is_file():
                return (PurePosixPath(manifest) / name).as_posix()
        return PurePosixPath(manifest).as_posix()
    data_root.contained_file(manifest, data_root.MANIFEST_ENDINGS)
    return PurePosixPath(manifest).as_posix()


def _set_name(path: str) -> str:
    """Give the folder's name: that of a manifest, or the data's own."""
    pure = PurePosixPath(path)
    return pure.parent.name if pure.suffix in data_root.MANIFEST_ENDINGS else pure.name


def invite(*, project: Project, role: Role, invited_by: User) -> NewInvitation:
    """Make a link, good once and for a week, that makes its bearer a member."""
    token = secrets.token_urlsafe(24)
    invitation = Invitation.objects.create(
        project=project, role=role, created_by=invited_by, token_hash=_hash(token)
    )
    return NewInvitation(invitation=invitation, token=token)


def find_invitation(token: str) -> Invitation:
    """Give the living invitation of a token.

    Raises:
        Refused: unknown, used, revoked or expired; the words do not say which.
    """
    invitation = (
        Invitation.objects.living()
        .select_related("project", "created_by")
        .filter(token_hash=_hash(token))
        .first()
    )
    if invitation is None:
        raise Refused(LINK_GONE)
    return invitation


def accept_invitation(*, token: str, user: User) -> Project:
    """Use an invitation up and make its bearer a member; a member stays what they were.

    Raises:
        Refused: the invitation cannot be used, or its bearer is a member already.
    """
    invitation = find_invitation(token)
    if Membership.objects.filter(project=invitation.project, user=user).exists():
        raise Refused(f"You are already a member of “{invitation.project}”.")
    with transaction.atomic():
        used = Invitation.objects.living().filter(pk=invitation.pk)
        if not used.update(used_by=user, used_at=timezone.now()):
            raise Refused(LINK_GONE)
        Membership.objects.create(project=invitation.project, user=user, role=invitation.role)
        _record_member(
            invitation.project,
            user,
            Act.MEMBER_ADDED,
            user,
            invitation.role,
            invited_by=invitation.created_by.get_username(),
        )
    return invitation.project


def revoke_invitation(*, project: Project, invitation_id: int) -> None:
    """Make an unused invitation worthless.

    Raises:
        Refused: it was used, or is not this project's.
    """
    living = Invitation.objects.filter(
        pk=invitation_id, project=project, used_at=None, revoked_at=None
    )
    if not living.update(revoked_at=timezone.now()):
        raise Refused("This invitation was used or revoked before.")


def remove_member(*, project: Project, user_id: int, removed_by: User) -> None:
    """Take somebody's membership away; the last lead stays.

    Raises:
        Refused: no such member, or the last lead.
    """
    with transaction.atomic():
        members = list(
            Membership.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(project=project)
        )
        gone = [member for member in members if member.user_id == user_id]
        if not gone:
            raise Refused("This person is not a member.")
        if not any(m.role == Role.LEAD and m.user_id != user_id for m in members):
            raise Refused("The last lead cannot be removed. Invite another lead first.")
        gone[0].delete()
        _record_member(project, removed_by, Act.MEMBER_REMOVED, gone[0].user, gone[0].role)


def _record_member(
    project: Project, by: User, act: Act, member: User, role: str, **more: str
) -> None:
    record(
        project=project,
        by=by,
        act=act,
        subject=member.get_username(),
        content={"role": role, "member": member.pk, **more},
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
