"""Who a request is from: the token it shows, and nothing else. No cookie counts here."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from annotation_site.accounts.models import User
from annotation_site.api.models import ApiToken
from annotation_site.api.services import find_token

LONGEST = 200


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`. Without a cookie there is nothing to forge."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Give the token's owner and the token; None where no token is shown."""
        said = get_authorization_header(request).split()
        if not said or said[0].lower() != b"bearer":
            return None
        if len(said) != 2 or len(said[1]) > LONGEST:
            raise AuthenticationFailed("Say “Authorization: Bearer”, a space, and the token.")
        token = find_token(said[1].decode("ascii", "replace"))
        if token is None:
            raise AuthenticationFailed("This token is unknown, revoked or expired.")
        return token.owner, token

    def authenticate_header(self, _request: Request) -> str:
        """Name the scheme; with it a refusal is 401."""
        return 'Bearer realm="Gazecheck"'


class BearerScheme(OpenApiAuthenticationExtension):
    """The same, for the schema."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        """Say how a token is shown."""
        return {"type": "http", "scheme": "bearer", "description": "Made on the page “API”."}
