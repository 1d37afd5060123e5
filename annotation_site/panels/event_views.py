"""Where Prolific sends its messages."""

from http import HTTPStatus

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import Http404, HttpRequest, JsonResponse
from django.http.request import UnreadablePostError
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from annotation_site.panels.inbox import MOST_BYTES, BadEvent, Envelope, receive
from annotation_site.panels.models import PanelAccount

READ_INBOX = "annotation_site.panels.tasks.read_inbox"


@csrf_exempt  # signed by the panel instead
@require_POST
@never_cache
def prolific(request: HttpRequest, public_id: str) -> JsonResponse:
    """Keep a message and answer at once; a worker reads it."""
    account = PanelAccount.objects.filter(public_id=public_id).first()
    if account is None or not account.has_secret:
        raise Http404("no such address")
    try:
        size = int(request.headers.get("Content-Length") or 0)
        body = request.read(MOST_BYTES + 1) if size <= MOST_BYTES else b""
    except (ValueError, UnreadablePostError, RequestDataTooBig):
        return JsonResponse({"error": "the message cannot be read"}, status=HTTPStatus.BAD_REQUEST)
    if size > MOST_BYTES or len(body) > MOST_BYTES:
        return JsonResponse(
            {"error": "the message is too large"}, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        )
    try:
        with transaction.atomic():
            event = receive(account=account, envelope=Envelope.of(body, request.headers))
            if event is not None:
                key = account.pk
                transaction.on_commit(lambda: import_string(READ_INBOX).enqueue(key))
    except BadEvent as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.FORBIDDEN)
    return JsonResponse({"status": "kept" if event is not None else "known"})
