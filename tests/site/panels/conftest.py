"""What the tests of panels share: a Prolific that answers over real HTTP, and people who come from it."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round, Sitting
from annotation_site.panels import services
from annotation_site.panels.keys import keys
from annotation_site.panels.models import PanelAccount, PanelStudy, Visit
from annotation_site.panels.panels import Panel
from tests.site.annotation.conftest import Visit as Work

STUDY = "5f0000000000000000000001"
ANA = "5f00000000000000000000aa"
BEN = "5f00000000000000000000bb"


def submission_of(person: str, take: int = 1) -> str:
    """Give the id that the panel gives to somebody's n-th take of the study."""
    return f"60{take:02d}{person[4:]}"


@dataclass
class Prolific:
    """A panel on this machine: what it knows, and what it was asked."""

    base: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 100
    state: str = "ACTIVE"
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    kid: str = "key-1"
    foreign_next: str = ""
    raw: bytes | None = None
    delay: float = 0.0

    def add(self, person: str, status: str, *, code: str | None = None, take: int = 1) -> None:
        """Give somebody's submission a status."""
        row = {
            "id": submission_of(person, take),
            "participant_id": person,
            "study_id": STUDY,
            "status": status,
            "started_at": "2026-11-01T10:00:00.000000Z",
            "completed_at": "2026-11-01T10:10:00.000000Z",
        }
        if code is not None:
            row["study_code"] = code
        self.rows = [other for other in self.rows if other["id"] != row["id"]] + [row]

    def jwks(self) -> dict[str, Any]:
        """Give the public keys as they are published."""
        numbers = self.key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": self.kid,
                    "n": b64(numbers.n.to_bytes(256, "big")),
                    "e": b64(numbers.e.to_bytes(3, "big")),
                }
            ]
        }

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Sign claims as the panel does."""
        head = b64(json.dumps({"alg": "RS256", "typ": "JWT", "kid": self.kid, **header}).encode())
        body = b64(json.dumps(claims).encode())
        signature = self.key.sign(f"{head}.{body}".encode(), PKCS1v15(), SHA256())
        return f"{head}.{body}.{b64(signature)}"

    def answer(self, path: str) -> Any:
        """Answer a request as the API does."""
        parts = urlsplit(path)
        if parts.path == "/.well-known/study/jwks.json":
            return self.jwks()
        if parts.path == f"/api/v1/studies/{STUDY}/":
            return {"id": STUDY, "status": self.state}
        if parts.path == "/api/v1/submissions/":
            query = parse_qs(parts.query)
            first = int(query.get("offset", ["0"])[0])
            rows = [row for row in self.rows if row["study_id"] == query["study"][0]]
            following = None
            if first + self.page_size < len(rows):
                following = f"{self.base}{parts.path}?study={STUDY}&offset={first + self.page_size}"
            if self.foreign_next:
                following = self.foreign_next
            page = rows[first : first + self.page_size]
            return {"results": page, "_links": {"next": {"href": following}}}
        if parts.path.startswith("/api/v1/submissions/"):
            wanted = parts.path.split("/")[-2]
            return next((row for row in self.rows if row["id"] == wanted), None)
        return None


def b64(content: bytes) -> str:
    """Encode as JSON Web Tokens do."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
def prolific(settings: Settings) -> Iterator[Prolific]:
    """A panel that listens on a port of this machine."""
    panel = Prolific()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            panel.asked.append(self.path)
            panel.tokens.append(self.headers.get("Authorization"))
            time.sleep(panel.delay)
            if panel.failures:
                status, headers = panel.failures.pop(0)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                return
            said = panel.answer(self.path)
            body = panel.raw if panel.raw is not None else json.dumps(said).encode()
            self.send_response(404 if said is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    panel.base = f"http://127.0.0.1:{server.server_port}"
    settings.PROLIFIC_API = panel.base
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    keys.forget()
    yield panel
    keys.forget()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def study(open_round: Round) -> PanelStudy:
    """A study on Prolific for the open round, with its id."""
    made = services.set_up(round=open_round, panel=Panel.PROLIFIC, created_by=open_round.created_by)
    return services.change(study=made, values={"external_id": STUDY, "minutes": 3, "reward": 60})


@dataclass
class Person:
    """Somebody from Prolific in a browser."""

    client: Client
    study: PanelStudy
    pid: str
    take: int = 1

    @property
    def submission(self) -> str:
        return submission_of(self.pid, self.take)

    @property
    def link(self) -> dict[str, str]:
        return {"PROLIFIC_PID": self.pid, "STUDY_ID": STUDY, "SESSION_ID": self.submission}

    @property
    def visit(self) -> Visit:
        from annotation_site.annotation.models import Provider
        from annotation_site.panels.arrivals import hash_submission

        return Visit.objects.get(
            study=self.study, submission_hash=hash_submission(Provider.PROLIFIC, self.submission)
        )

    @property
    def sitting(self) -> Sitting:
        sitting = self.visit.sitting
        assert sitting is not None
        return sitting

    def url(self, name: str) -> str:
        return reverse(f"panels:{name}", args=[self.study.token])

    def arrive(self, **more: str) -> Any:
        return self.client.get(self.url("arrive"), {**self.link, **more})

    def welcome(self) -> Any:
        return self.client.get(self.url("welcome"))

    def start(self, **more: str) -> Any:
        return self.client.post(self.url("start"), {"consent": "on", **more})

    def leave(self, reason: str = "no_consent") -> Any:
        self.client.post(self.url("leave"), {"reason": reason})
        return self.client.get(self.url("left"))

    def come(self) -> "Person":
        self.arrive()
        response = self.start()
        assert response.status_code == 302, response.content
        return self

    def work(self, *, right: bool = True, answers: int | None = None) -> "Person":
        """Practise and answer: all images, or some."""
        visit = Work(self.client, self.study.round, self.sitting.public_id)
        for item in visit.round.practice_items.exclude(answer=""):
            wrong = "no" if item.answer == "yes" else "yes"
            body = {"position": item.position, "answer": item.answer if right else wrong}
            self.client.post(visit.url("practice_answer"), body)
        self.client.post(visit.url("practice_finish"))
        count = 0
        while visit.sitting.state == "working" and visit.ahead()["tasks"]:
            if answers is not None and count >= answers:
                break
            visit.answer_next()
            count += 1
        return self

    def done(self) -> str:
        page = self.client.get(reverse("annotation:done", args=[self.sitting.public_id]))
        return str(page.content.decode())


@pytest.fixture
def person(study: PanelStudy) -> Callable[..., Person]:
    """Let somebody come from Prolific, in a browser of their own unless told."""

    def of(pid: str = ANA, *, client: Client | None = None, take: int = 1) -> Person:
        return Person(client or Client(), study, pid, take)

    return of


SECRET = "a-webhook-secret"  # noqa: S105  (of a test)
TOKEN = "t0ken-9876"  # noqa: S105  (of a test)


@pytest.fixture
def account(study: PanelStudy, mira: User) -> PanelAccount:
    """A project's keys to the panel on this machine."""
    return services.save_account(
        project=study.round.project, token=TOKEN, secret=SECRET, saved_by=mira
    )
