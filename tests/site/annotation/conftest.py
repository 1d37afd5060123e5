"""What the annotator's tests share: one annotator's way through a round, over HTTP."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from annotation_site.annotation.models import Round, Sitting


@dataclass
class Visit:
    """One browser in one round."""

    client: Client
    round: Round
    sitting_id: str = ""

    @property
    def sitting(self) -> Sitting:
        return Sitting.objects.get(public_id=self.sitting_id)

    def url(self, name: str, *more: str) -> str:
        return reverse(f"annotation:{name}", args=[self.sitting_id, *more])

    def start(self) -> "Visit":
        self.client.get(reverse("annotation:consent", args=[self.round.link_token]))
        response = self.client.post(
            reverse("annotation:start", args=[self.round.link_token]), {"consent": "on"}
        )
        assert response.status_code == HTTPStatus.FOUND, response.content
        self.sitting_id = response["Location"].split("/")[2]
        return self

    def practise(self) -> "Visit":
        for item in self.round.practice_items.exclude(answer=""):
            self.client.post(
                self.url("practice_answer"), {"position": item.position, "answer": item.answer}
            )
        response = self.client.post(self.url("practice_finish"))
        assert response["Location"] == self.url("task")
        return self

    def ahead(self, **query: int) -> dict[str, Any]:
        reply: dict[str, Any] = self.client.get(self.url("ahead"), query).json()
        return reply

    def post(self, name: str, body: object) -> Any:
        content = body if isinstance(body, str) else json.dumps(body)
        return self.client.post(self.url(name), content, content_type="application/json")

    def answer(
        self, assignment: str, answer: str = "yes", client_uuid: str = "", **more: object
    ) -> Any:
        body = {
            "assignment": assignment,
            "answer": answer,
            "client_uuid": client_uuid or str(uuid4()),
            "shown_to_answer_ms": 1500.0,
            "hidden_ms": 0,
            "blur_ms": 0,
            **more,
        }
        return self.post("answer", body)

    def answer_next(self, answer: str = "yes", client_uuid: str = "", **more: object) -> Any:
        waiting = self.ahead()["tasks"][0]["assignment"]
        return self.answer(waiting, answer, client_uuid, **more)


def at_the_first_task(page: Any, origin: str, round_: Round) -> Any:
    """Open the first task as somebody who has consented and practised, without the way there.

    The way itself is walked in `test_annotator_in_browser`, by keys, by touch and without scripts.
    """
    visit = Visit(Client(), round_).start().practise()
    page.context.add_cookies(
        [
            {"name": name, "value": each.value, "url": origin}
            for name, each in visit.client.cookies.items()
        ]
    )
    page.goto(origin + visit.url("task"))
    page.wait_for_selector("[data-task][data-state=ready]")
    return page


@pytest.fixture
def visit() -> Callable[[Client, Round], Visit]:
    """Let a browser visit a round."""

    def of(client: Client, round_: Round) -> Visit:
        return Visit(client, round_)

    return of


@pytest.fixture
def ana_at_work(ana: Client, open_round: Round) -> Visit:
    """Ana, with practice behind her and the first task served."""
    return Visit(ana, open_round).start().practise()


CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; closed with its module, for a process can drive only one at a time."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with pytest.MonkeyPatch.context() as patch, sync_api.sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, where Django then suspects async code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
