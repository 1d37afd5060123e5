"""Who an annotator is: a random key in a signed cookie, of which only a keyed hash is stored."""

import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from annotation_site.annotation.models import Round, Sitting

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
        Sitting.objects.filter(round=round_, annotator__key_hash=hash_of(key))
        .select_related("round__project__dataset")
        .first()
    )


def own_sitting(request: HttpRequest, public_id: str) -> Sitting:
    """Find a sitting that belongs to this browser.

    Raises:
        Http404: There is none, or it is somebody else's; the two look the same.
    """
    key = key_of(request)
    sitting = (
        Sitting.objects.filter(public_id=public_id, annotator__key_hash=hash_of(key))
        .select_related("round__project__dataset")
        .first()
        if key is not None
        else None
    )
    if sitting is None:
        raise Http404("no such sitting")
    return sitting
