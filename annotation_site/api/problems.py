"""Errors as RFC 9457 has them: `application/problem+json`."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from annotation_site.web.refusals import Refused

PROBLEM = "application/problem+json"


class Conflict(exceptions.APIException):
    """It cannot be done now."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


class KeyReused(exceptions.APIException):
    """An idempotency key was used for another request."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_detail = "This Idempotency-Key was used for another request. Take a fresh one."
    default_code = "key_reused"


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """Give a problem's body."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        **more,
    }


def problem_of(error: Exception, _context: dict[str, Any]) -> Response | None:
    """Turn what a view raised into a reply; None for what nobody foresaw."""
    if isinstance(error, Http404):
        # The same words for what is not there and for what is somebody else's.
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    elif isinstance(error, Refused):
        error = Conflict(str(error))
    if not isinstance(error, exceptions.APIException):
        return None
    body = problem(error.status_code, *_said(error))
    if isinstance(error, exceptions.ValidationError) and isinstance(error.detail, dict):
        body["errors"] = {
            name: [str(each) for each in said] if isinstance(said, list) else [str(said)]
            for name, said in error.detail.items()
        }
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait) + 1)
    return Response(body, status=error.status_code, headers=headers, content_type=PROBLEM)


def _said(error: exceptions.APIException) -> tuple[str]:
    if isinstance(error.detail, dict):
        return ("; ".join(f"{name}: {_words(said)}" for name, said in error.detail.items()),)
    return (_words(error.detail),)


def _words(said: Any) -> str:
    return " ".join(str(each) for each in said) if isinstance(said, list) else str(said)


@csrf_exempt  # a program has no token against forgery, and there is nothing to forge
def no_such_address(_request: HttpRequest, **_rest: str) -> JsonResponse:
    """Say of any other address below /api/ that there is nothing, whoever asks and how."""
    body = problem(HTTPStatus.NOT_FOUND, "There is no such address. See /api/docs/.")
    return JsonResponse(body, status=HTTPStatus.NOT_FOUND, content_type=PROBLEM)
