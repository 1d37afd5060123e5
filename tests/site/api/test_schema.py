"""The committed schema is the code's, every operation is guarded, and the site keeps what it says."""

from pathlib import Path

import yaml
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema

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


def test_the_page_tells_of_every_operation_with_its_scope_and_of_everything_that_comes_back(
    project, mira_browser
):
    schema = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))

    reply = mira_browser.get("/api/docs/")

    page = reply.content.decode()
    told = [each for chapter in reply.context["chapters"].values() for each in chapter]
    assert {(each.method.lower(), each.path) for each in told} == {
        (method, path) for path, operations in schema["paths"].items() for method in operations
    }
    scopes = {each.name: each.scope for each in told}
    assert scopes["make_export"] == "export"
    assert scopes["list_responses"] == "answers"
    assert scopes["list_images"] == "read"
    for each in told:
        assert each.path in page
        assert not each.gives or f'id="thing-{each.gives}"' in page
    assert "integer from 1 to 1000" in page
