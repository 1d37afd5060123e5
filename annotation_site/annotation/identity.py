"""Which annotator a browser may act for: a random key in a signed cookie, stored as a keyed hash.

Who somebody is to a panel is another matter: `hash_external` names them, and is no credential.
"""

import secrets
from typing import Any, cast

from django.conf import settings
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from annotation_site.annotation.models import Annotator, BrowserKey, Provider, Round, Sitting
from annotation_site.annotation.statements import Statement, column
from annotation_site.projects.models import Dataset, Project

COOKIE = "gazecheck_annotator"
COOKIE_SALT = "annotation.identity.cookie"
HASH_SALT = "annotation.identity.hash"
COOKIE_AGE = 90 * 24 * 60 * 60  # seconds


def key_of(request: HttpRequest) -> str | None:
    """Read the key from the cookie; None without one, or where it was tampered with."""
    key = request.get_signed_cookie(COOKIE, default=None, salt=COOKIE_SALT, max_age=COOKIE_AGE)
    return str(key) if key else None


def new_key() -> str:
    """Give a key for a browser that has none, 192 bits."""
    return secrets.token_urlsafe(24)


def hash_of(key: str) -> str:
    """Give what the database knows of a key."""
    return salted_hmac(HASH_SALT, key, algorithm="sha256").hexdigest()


def hash_external(provider: Provider, external_id: str) -> str:
    """Give what the database knows of a panel's id; the same person gets the same hash again."""
    salted = f"{provider}:{external_id}"
    return salted_hmac(HASH_SALT, salted, algorithm="sha256").hexdigest()


def remember(response: HttpResponse, key: str) -> None:
    """Put the key into the browser."""
    response.set_signed_cookie(
        COOKIE,
        key,
        salt=COOKIE_SALT,
        max_age=COOKIE_AGE,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def sitting_in(request: HttpRequest, round_: Round) -> Sitting | None:
    """Find the browser's sitting in a round."""
    key = key_of(request)
    if key is None:
        return None
    return (
        Sitting.objects.filter(round=round_, annotator__browser_keys__key_hash=hash_of(key))
        .select_related("round__project__dataset")
        .first()
    )


def browser_of(request: HttpRequest) -> str:
    """Give the keyed hash of the browser's key.

    Raises:
        Http404: The browser has none, so no sitting is its own.
    """
    key = key_of(request)
    if key is None:
        raise Http404("no such sitting")
    return hash_of(key)


def annotators_of(request: HttpRequest) -> list[Annotator]:
    """Give the annotators that this browser may act for."""
    key = key_of(request)
    return list(Annotator.objects.filter(browser_keys__key_hash=hash_of(key))) if key else []


def own_sitting(request: HttpRequest, public_id: str) -> Sitting:
    """Find a sitting that belongs to this browser.

    Raises:
        Http404: There is none, or it is somebody else's; the two look the same.
    """
    rows = _OWN.rows(public_id=public_id, browser=browser_of(request))
    if not rows:
        raise Http404("no such sitting")
    return _sitting_from(rows[0])


_PARTS: tuple[tuple[type[Model], str], ...] = (
    (Sitting, ""),
    (Round, "round__"),
    (Project, "round__project__"),
    (Dataset, "round__project__dataset__"),
)
_NAMES = [[field.attname for field in model._meta.concrete_fields] for model, _ in _PARTS]
_OWN = Statement(
    lambda public_id, browser: Sitting.objects.filter(
        public_id=public_id, annotator__browser_keys__key_hash=browser
    ).values_list(
        *(f"{path}{field.name}" for model, path in _PARTS for field in model._meta.concrete_fields)
    ),
    {"public_id": column(Sitting, "public_id"), "browser": column(BrowserKey, "key_hash")},
)


def _sitting_from(row: tuple[Any, ...]) -> Sitting:
    """Put a row of `_OWN` together as `select_related` would."""
    made: list[Any] = []
    for (model, _), names in zip(_PARTS, _NAMES, strict=True):
        made.append(model.from_db("default", names, row[: len(names)]))
        row = row[len(names) :]
    sitting, sitting.round, sitting.round.project, dataset = made
    sitting.round.project.dataset = dataset
    return cast(Sitting, sitting)
