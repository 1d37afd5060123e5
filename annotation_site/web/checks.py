"""What the site refuses to start with: settings that are right on a developer's machine only."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

SHORTEST_KEY = 50
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "::1", "testserver"}


@register(Tags.security, deploy=True)
def check_secret_key(*_args: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Refuse a key that is in the source code, or one short enough to be guessed."""
    if settings.SECRET_KEY == settings.DEVELOPMENT_KEY:
        return [
            Error(
                "GAZECHECK_SECRET_KEY is not set, so sessions are signed with a key that everybody "
                "can read in the source code.",
                hint="Set it to 50 or more random letters.",
                id="gazecheck.E001",
            )
        ]
    if len(settings.SECRET_KEY) < SHORTEST_KEY:
        return [
            Error(
                f"GAZECHECK_SECRET_KEY has {len(settings.SECRET_KEY)} letters; "
                f"{SHORTEST_KEY} are needed.",
                id="gazecheck.E002",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_hosts(*_args: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Refuse to answer for any name, and to show tracebacks to strangers."""
    problems: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        problems.append(
            Error(
                "GAZECHECK_ALLOWED_HOSTS holds *, so the site answers to any forged host name.",
                hint="Name the host, for example gazecheck.example.org.",
                id="gazecheck.E003",
            )
        )
    foreign = sorted(set(settings.ALLOWED_HOSTS) - LOCAL_HOSTS)
    if settings.DEBUG and foreign:
        problems.append(
            Error(
                f"GAZECHECK_DEBUG is on while the site answers to {foreign[0]}: "
                "error pages would show settings and code.",
                hint="Unset GAZECHECK_DEBUG.",
                id="gazecheck.E004",
            )
        )
    return problems
