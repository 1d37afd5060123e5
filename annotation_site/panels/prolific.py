"""A small client of Prolific's API: it asks and never changes anything there.

Standard library only. Every call has a time limit; failures that pass are tried again with growing
pauses; calls are spaced; answers are capped in size; redirects are not followed, and the next page
is fetched from the same host alone.
"""

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from annotation_site.annotation.models import PlatformStatus
from annotation_site.panels.errors import RemoteError

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same call may go well."""
MOST_BYTES: Final = 5_000_000
MOST_PAGES: Final = 500
PAGE_SIZE: Final = 100
JWKS_PATH: Final = "/.well-known/study/jwks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What the panel says of one submission.

    Attributes:
        submission: The panel's id of it.
        person: The panel's id of the person.
        study: The panel's id of the study; empty where it does not say.
        status: In our words; UNKNOWN for a word that is not known.
        entered: The code entered; None where the panel does not say.
        started_at: When it began there.
        completed_at: When it ended there.
        return_requested: Whether its return was asked for.
    """

    submission: str
    person: str
    study: str = ""
    status: PlatformStatus = PlatformStatus.UNKNOWN
    entered: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    return_requested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a client behaves towards the other side.

    Attributes:
        timeout: Seconds for one try.
        tries: Tries of one call.
        first_pause: Seconds before the second try; doubles with each one.
        longest_pause: Seconds that are waited at most, whatever the other side asks for.
        spacing: Seconds between the beginnings of two calls.
    """

    timeout: float = 10.0
    tries: int = 4
    first_pause: float = 0.5
    longest_pause: float = 30.0
    spacing: float = 0.2


@dataclass(slots=True, kw_only=True)
class ProlificClient:
    """Asks Prolific, one call after the other.

    Attributes:
        token: The workspace's API token; empty for what is public.
        base: Where the API is.
        limits: Times and tries.
        sleep: Waits; exchanged in tests.
    """

    token: str = ""
    base: str = field(default_factory=lambda: str(settings.PROLIFIC_API))
    limits: Limits = field(default_factory=Limits)
    sleep: Callable[[float], None] = time.sleep
    _last: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in LOCAL):
            raise RemoteError(f"the API must be reached by https, not at {self.base}")

    def study_state(self, study: str) -> str:
        """Give the state of a study in the panel's words."""
        return str(self._get(f"/api/v1/studies/{quote(study, safe='')}/").get("status", ""))

    def submission(self, submission: str) -> Submission:
        """Give one submission."""
        return read_submission(self._get(f"/api/v1/submissions/{quote(submission, safe='')}/"))

    def submissions(self, study: str) -> Iterator[Submission]:
        """Give all submissions of a study, page after page."""
        query = urlencode({"study": study, "page_size": PAGE_SIZE})
        address: str | None = f"/api/v1/submissions/?{query}"
        for _ in range(MOST_PAGES):
            if address is None:
                return
            page = self._get(address)
            rows = page.get("results", [])
            if not isinstance(rows, list):
                raise RemoteError("Prolific answered with something else than a list.")
            yield from (read_submission(row) for row in rows if isinstance(row, dict))
            address = self._following(page)
        raise RemoteError(f"Prolific gave more than {MOST_PAGES} pages of submissions.")

    def keys(self) -> bytes:
        """Give the public keys of signed entries, as they are published."""
        return self._fetch(JWKS_PATH)

    def _following(self, page: dict[str, Any]) -> str | None:
        links = page.get("_links")
        following = links.get("next") if isinstance(links, dict) else None
        href = following.get("href") if isinstance(following, dict) else None
        if not href:
            return None
        if urlsplit(urljoin(self.base, str(href)))[:2] != urlsplit(self.base)[:2]:
            raise RemoteError("Prolific named a next page on another host; it was not followed.")
        return str(href)

    def _get(self, path: str) -> dict[str, Any]:
        try:
            said = json.loads(self._fetch(path))
        except ValueError as error:
            raise RemoteError("Prolific answered with something that is no JSON.") from error
        if not isinstance(said, dict):
            raise RemoteError("Prolific answered with something else than an object.")
        return said

    def _fetch(self, path: str) -> bytes:
        request = urllib.request.Request(  # noqa: S310  (scheme checked above)
            urljoin(self.base, path), headers={"Accept": "application/json"}
        )
        if self.token:
            request.add_unredirected_header("Authorization", f"Token {self.token}")
        pause = self.limits.first_pause
        for left in range(self.limits.tries - 1, -1, -1):
            self._wait_turn()
            try:
                return self._once(request)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in PASSING or not left:
                        raise RemoteError(_words_of(error.code)) from error
                    asked = _seconds(error.headers.get("Retry-After"))
            except (OSError, HTTPException) as error:
                if not left:
                    raise RemoteError(
                        f"Prolific could not be reached ({type(error).__name__})."
                    ) from error
                asked = None
            longest = self.limits.longest_pause
            spread = random.uniform(0.8, 1.2)  # noqa: S311  (so that two clients do not march in step)
            self.sleep(min(longest, asked if asked is not None else pause * spread))
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _once(self, request: urllib.request.Request) -> bytes:
        with _OPENER.open(request, timeout=self.limits.timeout) as reply:
            body: bytes = reply.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise RemoteError(f"Prolific answered with more than {MOST_BYTES:,} bytes.")
        return body

    def _wait_turn(self) -> None:
        early = self._last + self.limits.spacing - time.monotonic()
        if early > 0:
            self.sleep(early)
        self._last = time.monotonic()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Follow nothing: the token must not travel to another host."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def read_submission(row: dict[str, Any]) -> Submission:
    """Read a submission as the API gives it, alone or in a list."""
    entered = row.get("entered_code", row.get("study_code"))
    return Submission(
        submission=str(row.get("id") or ""),
        person=str(row.get("participant_id") or row.get("participant") or ""),
        study=str(row.get("study_id") or ""),
        status=read_status(str(row.get("status") or "")),
        entered=None if entered is None else str(entered),
        started_at=read_time(row.get("started_at")),
        completed_at=read_time(row.get("completed_at")),
        return_requested=bool(row.get("return_requested")),
    )


def read_status(words: str) -> PlatformStatus:
    """Read a status as Prolific writes it; UNKNOWN where the word is new, which changes nothing."""
    word = words.strip().casefold().replace("-", "_").replace(" ", "_")
    return PlatformStatus(word) if word in PlatformStatus.values else PlatformStatus.UNKNOWN


def read_time(value: object) -> datetime | None:
    """Read a time of the panel, which is UTC where it names no zone; None where it is none."""
    try:
        moment = parse_datetime(str(value)) if value else None
    except ValueError:
        return None
    if moment is not None and timezone.is_naive(moment):
        return timezone.make_aware(moment, timezone.get_default_timezone())
    return moment


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def _words_of(status: int) -> str:
    words = {
        HTTPStatus.UNAUTHORIZED: "Prolific does not know this API token; save a new one.",
        HTTPStatus.FORBIDDEN: "This API token may not see that study; it belongs to another workspace.",
        HTTPStatus.NOT_FOUND: "Prolific does not know this study or submission; compare the ids.",
        HTTPStatus.TOO_MANY_REQUESTS: "Prolific asked for fewer calls; the next check comes by itself.",
    }
    known = next((said for code, said in words.items() if code == status), None)
    return known or f"Prolific answered with status {status}."
