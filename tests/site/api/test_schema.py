"""The committed schema is the code's, every operation is guarded, and the site keeps what it says."""

import importlib.util
from pathlib import Path

import pytest
import yaml
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from annotation_site.exports.models import Export
from annotation_site.jobs.models import Job, JobKind
from tests.site import results
from tests.site.api.conftest import program_of

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "api.yaml"
METHODS = {"get", "post"}


def test_the_committed_schema_is_the_codes():
    """On a change that is meant: `manage.py spectacular --validate --file docs/api.yaml`."""
    schema = SchemaGenerator().get_schema(request=None, public=True)

    validate_schema(schema)
    written = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()
    assert written == COMMITTED.read_text(encoding="utf-8")


def test_every_operation_wants_a_token_and_tells_how_it_refuses():
    schema = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))

    for path, operations in schema["paths"].items():
        assert set(operations) <= METHODS, path
        for operation in operations.values():
            assert operation["security"] == [{"token": []}], path
            assert {"400", "401", "403", "404", "429"} <= set(operation["responses"]), path
    names = [each["operationId"] for ops in schema["paths"].values() for each in ops.values()]
    assert len(names) == len(set(names)) == 18


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None,
    reason="left out: schemathesis is not installed (pip install schemathesis)",
)
@pytest.mark.django_db
def test_the_site_keeps_what_the_schema_says(project, mira):
    """Schemathesis asks every operation: no 500, no undocumented status, type or body."""
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    from annotation_site.wsgi import application

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    names = names_of(results.make_result(project))
    headers = {"Authorization": f"Bearer {program_of(mira).secret}"}
    schema = schemathesis.openapi.from_path(str(COMMITTED))
    schema.app = application
    asked: list[int] = []

    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), exists=st.booleans())
        def ask(case, exists, path=operation.path):
            kind = path.split("/")[3]
            if exists and "public_id" in (case.path_parameters or {}):
                case.path_parameters["public_id"] = names[kind]
            reply = case.call(headers=headers)
            asked.append(reply.status_code)
            case.validate_response(reply, checks=checks)

        ask()
    assert {200, 400, 404} <= set(asked)


def names_of(result):
    """Name one thing of each kind that is there."""
    round_ = result.round
    job = Job.objects.create(project=round_.project, kind=JobKind.EXPORT, round=round_)
    return {
        "projects": round_.project.public_id,
        "images": round_.project.dataset.images.first().public_id,
        "rounds": round_.public_id,
        "exports": Export.objects.create(round=round_, job=job).public_id,
        "files": result.files.get().public_id,
        "jobs": str(job.public_id),
    }
