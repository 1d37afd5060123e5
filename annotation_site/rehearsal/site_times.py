"""Server time and queries of the pages that a large project's lead and annotators wait for."""

import statistics
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round
from annotation_site.rehearsal.load import quantile
from annotation_site.workspace.models import Workspace

OK, FOUND = 200, 302
P95 = 0.95


@dataclass(slots=True)
class Times:
    """What one page took.

    Attributes:
        seconds: Of each request.
        queries: Of each request.
    """

    seconds: list[float] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give median, 95th percentile and most queries."""
        return {
            "median_ms": round(1000 * statistics.median(self.seconds), 1),
            "p95_ms": round(quantile(self.seconds, P95), 1),
            "queries": max(self.queries),
            "requests": len(self.seconds),
        }


def measure_pages(round_: Round, *, rounds: int) -> dict[str, dict[str, Any]]:
    """Ask for every page in turns, as a lead and as annotators, in this process.

    Before each turn one answer comes, so that nothing is remembered that a living round would not
    leave remembered; the page that is asked for again at once is told apart. The first turn, which
    reads everything, is told as `first_ms`.

    Args:
        round_: Open, with free tasks, practice answered "yes", and a lead, whose newest workspace is
            asked for as well where there is one.
        rounds: Turns that are measured.

    Returns:
        By page: median, 95th percentile, queries, and the first request.
    """
    lead = _client()
    user = User.objects.get(username=round_.created_by.username)
    lead.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    project = round_.project.public_id
    pages: Mapping[str, str] = {
        "project list": reverse("projects:list"),
        "project": reverse("projects:detail", args=[project]),
        "dashboard after an answer": reverse("quality:dashboard", args=[round_.public_id]),
        "dashboard again": reverse("quality:dashboard", args=[round_.public_id]),
        "live part": reverse("quality:live", args=[round_.public_id]),
        "images": reverse("quality:items", args=[round_.public_id]),
    }
    pages = {**pages, **_of_workspace(user)}
    times = {name: Times() for name in pages}
    first: dict[str, float] = {}
    for turn in range(rounds + 1):
        visitor = Visit(round_, times if turn else {})
        visitor.answer_some(2)
        for name, address in pages.items():
            seconds, queries = _timed(lambda address=address: _get(lead, address))  # type: ignore[misc]
            if turn:
                times[name].seconds.append(seconds)
                times[name].queries.append(queries)
            else:
                first[name] = round(1000 * seconds, 1)
    return {
        name: {**found.as_json(), **({"first_ms": first[name]} if name in first else {})}
        for name, found in times.items()
    }


def _of_workspace(user: User) -> dict[str, str]:
    """Give the addresses that a workspace's page asks for, of the newest one of a lead."""
    found = Workspace.objects.filter(project__memberships__user=user).order_by("-pk").first()
    if found is None:
        return {}
    ids = [found.project.public_id, found.public_id]
    return {
        "workspace": reverse("workspace:page", args=ids[:1]),
        "workspace payload": reverse("workspace:payload", args=ids),
        "workspace points": reverse("workspace:columns", args=ids),
    }


class Visit:
    """An annotator who comes by the link, practises, and answers a few tasks."""

    def __init__(self, round_: Round, times: dict[str, Times]) -> None:
        """Arrive; steps are timed where `times` is to be filled."""
        self._times = times
        self._client = _client()
        link = reverse("annotation:consent", args=[round_.link_token])
        _get(self._client, link)
        begun = self._ask("start", lambda: self._form(f"{link}start/", {"consent": "on"}))
        self._base = f"/s/{begun.headers['location'].split('/')[2]}/"
        self._get("practice/")
        for position in round_.practice_items.values_list("position", flat=True):
            self._form(
                f"{self._base}practice/answer/", {"position": str(position), "answer": "yes"}
            )
        self._form(f"{self._base}practice/finish/", {})

    def answer_some(self, n: int) -> None:
        """Open the task page and answer the first tasks."""
        self._ask("task page", lambda: self._get(""))
        for _ in range(n):
            reply = self._ask("next", lambda: self._get("ahead/"))
            task = reply.json()["tasks"][0]["assignment"]
            self._post("serve/", {"assignment": task})
            said = {
                "assignment": task,
                "answer": "yes",
                "client_uuid": str(uuid.uuid4()),
                "shown_to_answer_ms": 2500.0,
                "hidden_ms": 0,
                "blur_ms": 0,
                "input_kind": "key",
                "overlay": {"opacity": 0.7, "contour": 1},
            }
            self._ask("answer", lambda said=said: self._post("answer/", said))  # type: ignore[misc]

    def _get(self, path: str) -> Any:
        return _get(self._client, self._base + path)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._client.post(
            self._base + path, body, content_type="application/json", secure=True
        )

    def _form(self, address: str, fields: dict[str, str]) -> Any:
        return self._client.post(address, fields, secure=True)

    def _ask(self, name: str, ask: Callable[[], Any]) -> Any:
        found: list[Any] = []
        seconds, queries = _timed(lambda: found.append(ask()))
        if found[0].status_code not in (OK, FOUND):
            raise AssertionError(f"{name} was answered with {found[0].status_code}")
        if self._times:
            told = self._times.setdefault(name, Times())
            told.seconds.append(seconds)
            told.queries.append(queries)
        return found[0]


def _client() -> Client:
    return Client(headers={"host": "localhost"}, raise_request_exception=True)


def _get(client: Client, address: str) -> Any:
    reply = client.get(address, secure=True)
    if reply.status_code not in (OK, FOUND):
        raise AssertionError(f"{address} was answered with {reply.status_code}")
    return reply


def _timed(ask: Callable[[], object]) -> tuple[float, int]:
    """Give seconds and queries of a request."""
    asked = 0

    def count(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal asked
        asked += 1
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        started = time.perf_counter()
        ask()
        return time.perf_counter() - started, asked
