"""A person's browser as far as the demo needs one: cookies, forms with their tokens, JSON."""

import html
import json
import re
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

TIMEOUT_SECONDS = 60
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class PageError(Exception):
    """The site answered with an error."""


class Browser:
    """One person's session on the site, over real HTTP."""

    def __init__(self, origin: str) -> None:
        """Open a browser without cookies.

        Args:
            origin: Such as http://127.0.0.1:8000.
        """
        self._origin = origin
        self._cookies = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._cookies))
        self.address = origin
        self.page = ""

    def get(self, path: str) -> str:
        """Open a page; follows redirects, and remembers the page for its form's token."""
        return self._open(Request(self._url(path)))  # noqa: S310  # the demo's own server

    def get_json(self, path: str) -> Any:
        """Fetch JSON; the page stays."""
        page, address = self.page, self.address
        value = json.loads(self.get(path))
        self.page, self.address = page, address
        return value

    def get_bytes(self, path: str) -> bytes:
        """Fetch a file; the page stays."""
        return self._fetch(Request(self._url(path)))[0]  # noqa: S310  # the demo's own server

    def post(self, path: str, fields: dict[str, str]) -> str:
        """Send a form of the page that is open; follows the redirect."""
        body = urlencode({"csrfmiddlewaretoken": self._token(), **fields}).encode()
        return self._open(Request(self._url(path), data=body))  # noqa: S310  # the demo's own server

    def post_json(self, path: str, value: dict[str, Any]) -> Any:
        """Send JSON as the page's script does."""
        headers = {"Content-Type": "application/json", "X-CSRFToken": self._cookie_token()}
        request = Request(self._url(path), data=json.dumps(value).encode(), headers=headers)  # noqa: S310
        return json.loads(self._fetch(request)[0])

    def find(self, pattern: str) -> str:
        """Give the first group of a pattern in the open page.

        Raises:
            PageError: It is not there.
        """
        found = re.search(pattern, self.page)
        if found is None:
            msg = f"{self.address} does not show {pattern!r}"
            raise PageError(msg)
        return html.unescape(found.group(1))

    def _url(self, path: str) -> str:
        return urljoin(self._origin, path)

    def _token(self) -> str:
        found = _TOKEN.search(self.page)
        return found.group(1) if found else self._cookie_token()

    def _cookie_token(self) -> str:
        return next((c.value or "" for c in self._cookies if c.name == "csrftoken"), "")

    def _open(self, request: Request) -> str:
        body, self.address = self._fetch(request)
        self.page = body.decode()
        return self.page

    def _fetch(self, request: Request) -> tuple[bytes, str]:
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as reply:
                return reply.read(), reply.url
        except HTTPError as error:
            said = re.sub(r"<[^>]+>", " ", error.read().decode(errors="replace"))
            msg = f"{request.full_url} answered {error.code}: {' '.join(said.split())[:300]}"
            raise PageError(msg) from error
