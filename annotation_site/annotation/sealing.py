"""Panel ids under lock: encrypted with the site's key, apart from all answers, and deletable.

The key is GAZECHECK_IDENTITY_KEY where given, otherwise drawn from the site's secret key. Deleting
the rows, or losing the key, leaves every answer with its pseudonym.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db.models import QuerySet

from annotation_site.annotation.models import Annotator, Identity, Round

PURPOSE = b"gazecheck annotator identities"


def _lock() -> Fernet:
    return _lock_of(getattr(settings, "IDENTITY_KEY", "") or settings.SECRET_KEY)


@lru_cache(maxsize=2)
def _lock_of(secret: str) -> Fernet:
    key = hashlib.scrypt(secret.encode(), salt=PURPOSE, n=2**14, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(key))


def seal(facts: Mapping[str, str]) -> bytes:
    """Encrypt facts that must not lie open in the database or in a cookie."""
    return _lock().encrypt(json.dumps(dict(facts)).encode())


def unseal(
    sealed: bytes | memoryview | str, *, max_age: int | None = None
) -> dict[str, str] | None:
    """Give sealed facts back; None if they were tampered with, are too old, or the key is another.

    Args:
        sealed: What `seal` gave.
        max_age: Seconds since then that are still fine; None: any.
    """
    token = sealed if isinstance(sealed, str) else bytes(sealed)
    try:
        facts = json.loads(_lock().decrypt(token, ttl=max_age))
    except InvalidToken:
        return None
    return {str(name): str(value) for name, value in facts.items()}


def keep_identity(annotator: Annotator, facts: Mapping[str, str]) -> None:
    """Keep what a panel calls somebody; facts that are there already stay beside new ones."""
    known = reveal(annotator) or {}
    sealed = seal({**known, **facts})
    Identity.objects.update_or_create(annotator=annotator, defaults={"sealed": sealed})


def reveal(annotator: Annotator) -> dict[str, str] | None:
    """Give what is kept of somebody; None if nothing is, or the key is another one now."""
    identity = Identity.objects.filter(annotator=annotator).first()
    if identity is None:
        return None
    return unseal(identity.sealed)


def forget(round_: Round) -> int:
    """Delete the identities of everybody who sat in a round; say how many those were."""
    who: QuerySet[Annotator] = Annotator.objects.filter(sittings__round=round_)
    return Identity.objects.filter(annotator__in=who).delete()[0]
