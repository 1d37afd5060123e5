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
