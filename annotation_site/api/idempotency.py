"""A request repeated under the same key changes nothing twice and gets the same reply."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_site.api.models import ApiToken, KeptReply
from annotation_site.api.problems import Conflict, KeyReused

HEADER = "Idempotency-Key"
KEY_FORM = "^[!-~]{1,200}$"
KEPT_FOR = timedelta(days=7)
REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a verb gives back: a body, its status, and where to look."""

    body: dict[str, Any]
    status: int
    location: str = ""


def once(request: Request, work: Callable[[], Done]) -> Response:
    """Do a verb, at most once for a key.

    The reply is stored in the verb's own transaction: two requests with one key at the same moment
    meet at the key's unique constraint, the second waits and gets the first one's reply. A verb
    that is refused stores nothing and may be tried again under the same key.

    Args:
        request: Of a token; may carry the header `Idempotency-Key`.
        work: The verb.

    Raises:
        ValidationError: The key is empty, too long, or no printable ASCII.
        KeyReused: The key was used for another request.
        Conflict: The first request under the key is still under way.
    """
    key = request.headers.get(HEADER)
    if key is None:
        with transaction.atomic():
            return _reply(work())
    if not re.fullmatch(KEY_FORM, key):
        raise ValidationError({HEADER: ["1 to 200 printable ASCII letters without a space."]})
    token: ApiToken = request.auth
    asked = _hash_of(request)
    with transaction.atomic():
        KeptReply.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
        try:
            with transaction.atomic():
                kept = KeptReply.objects.create(token=token, key=key, request_hash=asked)
        except IntegrityError:
            return _again(KeptReply.objects.get(token=token, key=key), asked)
        done = work()
        # The body as text: PostgreSQL puts the keys of an object into an order of its own.
        kept.status, kept.body, kept.location = done.status, json.dumps(done.body), done.location
        kept.save(update_fields=["status", "body", "location"])
    return _reply(done)


def _again(kept: KeptReply, asked: str) -> Response:
    if kept.request_hash != asked:
        raise KeyReused
    if not kept.status:
        raise Conflict("The first request under this key is still under way.")
    reply = _reply(Done(body=json.loads(kept.body), status=kept.status, location=kept.location))
    reply[REPLAYED] = "true"
    return reply


def _reply(done: Done) -> Response:
    headers = {"Location": done.location} if done.location else None
    return Response(done.body, status=done.status, headers=headers)


def _hash_of(request: Request) -> str:
    said = f"{request.method} {request.get_full_path()}\n".encode() + request.body
    return hashlib.sha256(said).hexdigest()
