"""The schema as a page to read: chapters of operations, and the fields of what comes back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from annotation_site.api import urls_v1
from annotation_site.api.models import Scope

REFUSALS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a field of what comes back.

    Attributes:
        name: As it is written.
        kind: What it may be.
        words: What it means.
        where: Of a parameter: path, query or header.
        required: Whether it must be there.
    """

    name: str
    kind: str
    words: str
    where: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked.

    Attributes:
        name: Its id in the schema.
        method: GET or POST.
        path: With its parts in braces.
        words: What it does.
        scope: That the token needs.
        parameters: In path, query and header.
        gives: Name of what comes back; empty for a file.
        is_list: Whether it comes in pages.
        status: Of a reply that is none of the refusals.
    """

    name: str
    method: str
    path: str
    words: str
    scope: Scope
    parameters: tuple[Field, ...]
    gives: str
    is_list: bool
    status: str


def chapters_of(schema: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Give the operations by chapter, in the schema's order."""
    scopes = dict(_scopes())
    chapters: dict[str, list[Operation]] = {}
    for path, operations in schema["paths"].items():
        for method, told in operations.items():
            chapters.setdefault(told["tags"][0], []).append(
                _operation(path, method, told, scopes[told["operationId"]])
            )
    return dict(sorted(chapters.items()))


def _operation(path: str, method: str, told: Mapping[str, Any], scope: Scope) -> Operation:
    status, reply = next(
        (status, reply) for status, reply in told["responses"].items() if int(status) < REFUSALS
    )
    given = next(iter(reply["content"].values()))["schema"]
    gives = _name_of(given)
    return Operation(
        name=told["operationId"],
        method=method.upper(),
        path=path,
        words=told.get("description", ""),
        scope=scope,
        parameters=tuple(
            Field(
                name=each["name"],
                kind=kind_of(each["schema"]),
                words=each.get("description", ""),
                where=each["in"],
                required=each.get("required", False),
            )
            for each in told.get("parameters", ())
        ),
        gives=gives.removeprefix("Paginated").removesuffix("List") if gives else "",
        is_list=gives.startswith("Paginated"),
        status=status,
    )


def things_of(schema: Mapping[str, Any]) -> dict[str, list[Field]]:
    """Give the fields of everything that can come back, by its name; pages are told elsewhere."""
    return {
        name: [
            Field(name=field, kind=kind_of(told), words=told.get("description", ""))
            for field, told in thing["properties"].items()
        ]
        for name, thing in sorted(schema["components"]["schemas"].items())
        if thing.get("properties") and not name.startswith("Paginated")
    }


def kind_of(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a value may be."""
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    name = _name_of(schema) or str(schema.get("format") or schema.get("type", "any"))
    if schema.get("type") == "array":
        name = f"list of {kind_of(schema['items'])}"
    if "minimum" in schema and "maximum" in schema:
        name += f" from {schema['minimum']} to {schema['maximum']}"
    if "pattern" in schema:
        name += f" like {schema['pattern']}"
    return f"{name} or null" if schema.get("nullable") else name


def _name_of(schema: Mapping[str, Any]) -> str:
    parts = schema.get("allOf") or [schema]
    return str(parts[0].get("$ref", "")).rpartition("/")[2]


def _scopes() -> Iterator[tuple[str, Scope]]:
    """Read from the views which scope each operation wants."""
    for pattern in urls_v1.urlpatterns:
        view: Any = pattern.callback
        for method, name in view.cls.operations.items():
            yield name, view.cls.scopes[method]
