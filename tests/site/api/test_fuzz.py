"""Requests that the committed schema allows, and such as it does not: every reply is as it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from annotation_site.annotation.models import Round
from annotation_site.api.models import Scope
from annotation_site.exports.models import Export
from annotation_site.jobs.models import Job, JobKind, JobState
from tests.site import factories, results
from tests.site.api.conftest import program_of
from tests.site.exports.conftest import answer, sit

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "api.yaml"
ORIGIN = "http://testserver"
EXAMPLES = 3
"""Of each kind of request, operation and person."""
NEEDS = {
    "download_file": Scope.EXPORT, "make_export": Scope.EXPORT, "cancel_job": Scope.EXPORT,
    "list_responses": Scope.ANSWERS,
}  # fmt: skip
"""All others need the scope to read."""
QUICKLY = settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


class InsideTheTest:
    """The site as a WSGI application that leaves the test's own connection open.

    A server ends a request by closing what it opened: files, and database connections past their
    age. Files are closed here too; connections are the test's.
    """

    def __init__(self) -> None:
        self.handler = WSGIHandler()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        reply = self.handler(environ, start_response)
        try:
            return [b"".join(reply)]
        finally:
            reply.close()


@pytest.fixture
def site(settings) -> Iterator[InsideTheTest]:
    settings.API_RATE = "1000000/min"
    request_started.disconnect(close_old_connections)
    request_started.disconnect(reset_queries)
    request_finished.disconnect(close_old_connections)
    yield InsideTheTest()
    request_started.connect(close_old_connections)
    request_started.connect(reset_queries)
    request_finished.connect(close_old_connections)


@pytest.fixture
def known(project) -> dict[str, list[str]]:
    """By what an address begins with: ids that are there."""
    result = results.make_result(project)
    round_: Round = result.round
    ana = sit(round_, "ana")
    for position, task in enumerate(round_.tasks.order_by("position")[:2]):
        assignment = ana.assignments.create(
            task=task, position=position, state="served", served_at=ana.consented_at, exposures=1
        )
        answer(ana, assignment, "yes")
    done = Job.objects.create(project=project, kind=JobKind.EXPORT, round=round_)
    Job.objects.filter(pk=done.pk).update(state=JobState.DONE)
    waiting = Job.objects.create(project=project, kind=JobKind.TRY, round=round_)
    export = Export.objects.create(round=round_, job=done)
    return {
        "projects": [project.public_id],
        "images": [project.dataset.images.first().public_id],
        "rounds": [round_.public_id],
        "exports": [export.public_id],
        "files": [result.files.get().public_id],
        "jobs": [str(done.public_id), str(waiting.public_id)],
    }


@pytest.fixture
def person(request, mira, sam):
    """Give the owner of a token, and its scopes."""
    if request.param == "stranger":
        factories.make_project(sam, name="Sam's own", n_images=2)
        return sam, tuple(Scope)
    return mira, tuple(Scope) if request.param == "all" else (Scope(request.param),)


def kinds_of_requests(
    operation: Any, known: dict[str, list[str]], *, made_up: bool
) -> Iterator[Any]:
    """Give requests, right and wrong, to addresses that are there, and to such as are made up."""
    named = known[operation.path.split("/")[3]] if "{public_id}" in operation.path else []
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        for each in named:
            yield operation.as_strategy(generation_mode=mode, path_parameters={"public_id": each})
        if made_up or not named:
            yield operation.as_strategy(generation_mode=mode)


@pytest.mark.slow
@pytest.mark.parametrize("person", ["all", *Scope, "stranger"], indirect=True)
def test_every_reply_is_as_the_schema_says(person, known, site, project):
    owner, scopes = person
    shown = {"Authorization": f"Bearer {program_of(owner, scopes).secret}"}
    schema = schemathesis.openapi.from_path(COMMITTED)
    schema.app = site
    reached: set[str] = set()

    def ask(case: Any) -> None:
        reply = case.call_and_validate(base_url=ORIGIN, headers=shown)
        if 200 <= reply.status_code < 300:
            assert NEEDS.get(name, Scope.READ) in scopes
            reached.add(name)
        if owner.username == "sam":
            assert project.name.encode() not in reply.content
            assert project.public_id.encode() not in reply.content

    names: set[str] = set()
    for operation in (each.ok() for each in schema.get_all_operations()):  # type: ignore[union-attr]
        name = operation.definition.raw["operationId"]
        names.add(name)
        for requests in kinds_of_requests(operation, known, made_up=len(scopes) == len(Scope)):
            QUICKLY(given(requests)(ask))()

    mine = {name for name in names if NEEDS.get(name, Scope.READ) in scopes}
    assert reached == ({"list_projects"} if owner.username == "sam" else mine)
