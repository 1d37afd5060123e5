"""What a token may be used for. A view that does not say which scope it wants lets nobody in."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from annotation_site.api.models import ApiToken


class HasScope(BasePermission):
    """The token has the scope that the view names for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Say whether; a lacking scope is named in the refusal."""
        token = request.auth
        if not isinstance(token, ApiToken):
            return False
        method = "GET" if request.method == "HEAD" else request.method
        scope = getattr(view, "scopes", {}).get(method)
        if scope is None:
            # A method that the view does not take is refused by the view itself, with 405.
            return str(method).lower() not in view.http_method_names
        if scope not in token.scopes:
            raise PermissionDenied(
                f"This token lacks the scope “{scope}”. Make another one on the page “API”."
            )
        return True
