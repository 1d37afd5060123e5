"""Programs of the persons: Mira's, Rob's and Sam's tokens."""

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from annotation_site.api.models import ApiToken, Scope
from annotation_site.api.services import create_token
from annotation_site.projects.models import Membership, Role
from tests.site import factories
from tests.site.exports.conftest import answered

__all__ = ["answered"]
ALL = tuple(scope.value for scope in Scope)
V1 = "/api/v1"


@pytest.fixture(autouse=True)
def _nothing_counted_yet():
    cache.clear()


@dataclass
class Program:
    """Asks with a token."""

    secret: str = ""

    def ask(self, method, address, body=None, **headers):
        if self.secret:
            headers.setdefault("Authorization", f"Bearer {self.secret}")
        client = Client(headers=headers, enforce_csrf_checks=True)
        # the test client would make a form of nothing
        content = {} if method in {"get", "head"} else {"data": "" if body is None else body}
        content |= {"content_type": "application/json"} if content else {}
        path = address if address.startswith(("/api", "http")) else V1 + address
        reply = getattr(client, method)(path, **content)
        if reply.streaming:
            reply.whole = b"".join(reply.streaming_content)
        return reply

    def get(self, address, **headers):
        return self.ask("get", address, **headers)

    def post(self, address, body=None, **headers):
        return self.ask("post", address, body, **headers)

    @property
    def token(self):
        return ApiToken.objects.get(prefix=self.secret.split("_")[1])


def program_of(user, scopes=ALL, **more):
    given = {"name": "test", "life": timedelta(days=1), **more}
    return Program(create_token(owner=user, scopes=scopes, **given).secret)


@pytest.fixture
def mira_program(mira, project):
    return program_of(mira)


@pytest.fixture
def rob_program(rob, project):
    """Rob reviews the project, and leads one of his own that lets him make a token."""
    own = factories.make_project(rob, name="Rob's own", n_images=2)
    assert Membership.objects.get(user=rob, project=own).role == Role.LEAD
    return program_of(rob)


@pytest.fixture
def sam_program(sam):
    """Sam is a stranger here, with a project elsewhere."""
    factories.make_project(sam, name="Sam's own", n_images=2)
    return program_of(sam)


def problem(reply, status):
    """Check that a reply is a problem of a status; give it."""
    assert reply.status_code == status, reply.content
    assert reply["Content-Type"] == "application/problem+json"
    said = json.loads(reply.content)
    assert said["status"] == status
    assert said["detail"]
    return said


def walk(program, address):
    """Follow `next` to the end; give the pages."""
    pages = []
    while address:
        reply = program.get(address)
        assert reply.status_code == 200, reply.content
        pages.append(reply.json()["results"])
        address = reply.json()["next"]
        address = address and address.replace("http://testserver", "")
    return pages
