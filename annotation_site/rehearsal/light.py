"""A light HTTP client for load: one kept connection a person, nothing but the standard library."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

PATIENCE = 30.0
ORIGIN = "https://localhost"


class Lost(Exception):
    """The connection went before the reply came."""


@dataclass(slots=True)
class Reply:
    """What came back.

    Attributes:
        status: HTTP's.
        headers: Lower-case names; of repeated ones the last.
        body: As sent.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


@dataclass(slots=True)
class LightBrowser:
    """One person's browser: cookies, the token against forgery, a kept connection.

    Attributes:
        port: The server's, on this machine.
        cookies: Name to value.
    """

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def get(self, path: str) -> Reply:
        """Ask for a page or for JSON; redirects are not followed."""
        return await self._send("GET", path, b"", "")

    async def post_form(self, path: str, fields: dict[str, str]) -> Reply:
        """Send a form as a browser does."""
        body = urlencode({"csrfmiddlewaretoken": self.cookies.get("csrftoken", ""), **fields})
        return await self._send("POST", path, body.encode(), "application/x-www-form-urlencoded")

    async def post_json(self, path: str, value: object) -> Reply:
        """Send JSON as the page's script does."""
        return await self._send("POST", path, json.dumps(value).encode(), "application/json")

    async def send_and_hang_up(self, path: str, value: object) -> None:
        """Send JSON and close without waiting for the reply, as a line that breaks."""
        body = json.dumps(value).encode()
        with contextlib.suppress(OSError, Lost):
            await self._connect()
            assert self._writer is not None  # just connected
            self._writer.write(self._head("POST", path, body, "application/json") + body)
            await self._writer.drain()
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._reader = self._writer = None

    async def _connect(self) -> None:
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)

    def _head(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            "X-Forwarded-Proto: https",
            "Accept: */*",
            "Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        ]
        if method == "POST":
            lines += [
                f"Content-Type: {kind}",
                f"Content-Length: {len(body)}",
                f"Origin: {ORIGIN}",
                f"X-CSRFToken: {self.cookies.get('csrftoken', '')}",
            ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _send(self, method: str, path: str, body: bytes, kind: str) -> Reply:
        """Send once.

        Raises:
            Lost: No whole reply came.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connect()
                assert self._writer is not None  # just connected
                self._writer.write(self._head(method, path, body, kind) + body)
                return await self._read()
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            await self.close()
            raise Lost(f"{method} {path}: {type(error).__name__}") from error

    async def _read(self) -> Reply:
        assert self._reader is not None  # `_send` has connected
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "set-cookie":
                cookie, _, kept = value.strip().partition("=")
                self.cookies[cookie] = kept.partition(";")[0]
            headers[name.lower()] = value.strip()
        content = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            await self.close()
        return Reply(int(head[0].split()[1]), headers, content)
