"""How often a token may ask."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class TokenThrottle(SimpleRateThrottle):
    """So many requests of one token in a window; counted in each web process by itself."""

    scope = "token"

    def get_rate(self) -> str:
        """Give the rate of the settings, such as 300/min."""
        return str(settings.API_RATE)

    def get_cache_key(self, request: Request, _view: Any) -> str:
        """Count by token."""
        return f"api-throttle-{getattr(request.auth, 'pk', 'none')}"
