"""The verbs of tokens: make one, find the one a request shows, revoke it."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from annotation_site.accounts.models import User
from annotation_site.api.models import ApiToken, Scope
from annotation_site.projects.models import Membership, Project, Role
from annotation_site.web.refusals import Refused

MARK = "gzc"
LONGEST_LIFE = timedelta(days=366)
MOST_TOKENS = 50
USED_TO_THE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token, and the secret that is shown once and kept nowhere."""

    token: ApiToken
    secret: str


def create_token(
    *,
    owner: User,
    name: str,
    scopes: Collection[str],
    life: timedelta,
    project: Project | None = None,
) -> NewToken:
    """Make a token.

    Args:
        owner: whose memberships it acts with; leads a project.
        name: to tell tokens apart.
        scopes: of `Scope`, at least one.
        life: until it expires, at most a year.
        project: the only one it sees; None for all of the owner's.

    Raises:
        Refused: the owner leads nothing, or not the project; scopes, life or number are wrong.
    """
    leads = Membership.objects.filter(user=owner, role=Role.LEAD)
    if project is not None:
        leads = leads.filter(project=project)
    if not leads.exists():
        raise Refused("Only somebody who leads a project may make a token for it.")
    if not scopes or not set(scopes) <= set(Scope.values):
        raise Refused("Choose at least one thing that the token may be used for.")
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise Refused("A token lives for a year at most.")
    if ApiToken.objects.of(owner).living().count() >= MOST_TOKENS:
        raise Refused(f"You have {MOST_TOKENS} living tokens. Revoke one first.")
    prefix = secrets.token_hex(4)
    secret = f"{MARK}_{prefix}_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        owner=owner,
        name=name,
        prefix=prefix,
        token_hash=_hash(secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        project=project,
        expires_at=timezone.now() + life,
    )
    return NewToken(token=token, secret=secret)


def find_token(secret: str) -> ApiToken | None:
    """Give the living token of a secret, and note, to the minute, that it was used."""
    mark, _, rest = secret.partition("_")
    prefix, _, _ = rest.partition("_")
    if mark != MARK or not (prefix.isascii() and prefix.isalnum()):
        return None
    token = ApiToken.objects.living().select_related("owner").filter(prefix=prefix[:12]).first()
    if token is None or not constant_time_compare(token.token_hash, _hash(secret)):
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USED_TO_THE:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_TO_THE)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    return token


def revoke_token(*, owner: User, public_id: str) -> None:
    """Make a token worthless.

    Raises:
        Refused: it is not the owner's, or was revoked before.
    """
    tokens = ApiToken.objects.of(owner).filter(public_id=public_id, revoked_at=None)
    if not tokens.update(revoked_at=timezone.now()):
        raise Refused("This token was revoked before.")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
