"""Who may see a workspace, and JSON answers for a page's requests, errors included."""

import json
import math
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.projects.access import membership_of
from annotation_site.projects.models import Role
from annotation_site.web.refusals import Refused
from annotation_site.workspace.models import Workspace
from annotation_site.workspace.overtaking import Overtaken
from engine.errors import InvalidInput

P = ParamSpec("P")
GONE = "The files of these slices are gone. Build the slices again."
LARGEST = 2**31 - 1
"""Of numbers of slices and indices of images: no map holds more."""
LARGEST_KEY = 2**63 - 1
"""Of revisions and the like, as a database counts them."""


class BadRequest(Refused):
    """A request that is not what the address takes."""


def workspace_of(
    request: SignedInRequest, public_id: str, workspace_id: str, role: Role | None = None
) -> Workspace:
    """Give a workspace of a project to its member.

    Raises:
        Http404: no such workspace or project, or not the person's.
        PermissionDenied: a member, but with another role.
    """
    membership = membership_of(request, role=role, public_id=public_id)
    return get_object_or_404(
        Workspace.objects.select_related("project__dataset", "project__reference_model"),
        project=membership.project,
        public_id=workspace_id,
    )


def json_view(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponse],
) -> Callable[Concatenate[SignedInRequest, P], HttpResponse]:
    """Have a view's refusals told as JSON: `{"error": text}` with the status that fits."""

    @wraps(view)
    def told(request: SignedInRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Http404:
            return _error("There is no such thing here, or it is not yours to see.", 404)
        except PermissionDenied as error:
            return _error(str(error) or "You may look here, but not change anything.", 403)
        except Overtaken as error:
            return _error(str(error), 409)
        except FileNotFoundError:
            return _error(GONE, 410)
        except (Refused, InvalidInput) as error:
            return _error(str(error), 400)

    return login_required(told)  # type: ignore[return-value]


def told_when_gone(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponseBase],
) -> Callable[Concatenate[SignedInRequest, P], HttpResponseBase]:
    """Have a page say that the files of its slices are gone, where `json_view` would as JSON."""

    @wraps(view)
    def told(request: SignedInRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except FileNotFoundError:
            return render(request, "workspace/gone.html", {"words": GONE}, status=410)

    return told


def _error(text: str, status: int) -> JsonResponse:
    return JsonResponse({"error": text}, status=status)


class Body:
    """A request's JSON object; each field is asked for with its kind and refused in words."""

    def __init__(self, request: SignedInRequest) -> None:
        """Read it.

        Raises:
            BadRequest: It is not a JSON object, or longer than the site takes.
        """
        try:
            value = json.loads(request.body or b"{}")
        except RequestDataTooBig as error:
            raise BadRequest("These are too many images for one request; choose fewer.") from error
        except ValueError as error:
            raise BadRequest("The request is not JSON.") from error
        except RecursionError as error:
            raise BadRequest("The request's JSON is nested too deeply.") from error
        if not isinstance(value, dict):
            raise BadRequest("The request must be a JSON object.")
        self._value = value

    def text(self, name: str, *, most: int = 500) -> str:
        """Give a text, empty where it is left out."""
        found = self._value.get(name) or ""
        if not isinstance(found, str) or len(found) > most:
            raise BadRequest(f"{name} must be a text of at most {most} letters.")
        if not _can_be_kept(found):
            raise BadRequest(f"{name} holds a letter that cannot be kept; type it anew.")
        return found

    def integers(self, name: str) -> list[int]:
        """Give a list of whole numbers, empty where it is left out."""
        found = self._value.get(name) or []
        if not isinstance(found, list) or not all(_is_whole(one, LARGEST) for one in found):
            raise BadRequest(f"{name} must be a list of whole numbers from 0 to {LARGEST:,}.")
        return found

    def integer(self, name: str) -> int | None:
        """Give a whole number, None where it is left out."""
        found = self._value.get(name)
        if found is not None and not _is_whole(found, LARGEST_KEY):
            raise BadRequest(f"{name} must be a whole number from 0 to {LARGEST_KEY:,}, or null.")
        return found

    def number(self, name: str) -> float | None:
        """Give a number, None where it is left out."""
        found = self._value.get(name)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or not _is_finite(found):
            raise BadRequest(f"{name} must be a number, or null.")
        return float(found)

    def flag(self, name: str) -> bool | None:
        """Give true or false, None where it is left out."""
        found = self._value.get(name)
        if found is not None and not isinstance(found, bool):
            raise BadRequest(f"{name} must be true, false or null.")
        return found


def _can_be_kept(text: str) -> bool:
    """Tell whether a database takes a text: no zero byte, and no half of a letter."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _is_whole(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def index_of(text: str) -> int | None:
    """Give the whole number that a query string names, None where it is none or too large."""
    if not text.isdecimal() or len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        return None
    return int(text)


def integer_of(values: Any, name: str, otherwise: int) -> int:
    """Give a whole number of a query string; what is none counts as left out."""
    try:
        return int(values.get(name, otherwise))
    except (TypeError, ValueError):
        return otherwise
