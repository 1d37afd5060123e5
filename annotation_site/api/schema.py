"""What the schema says beyond what the views say by themselves."""

import inspect
from typing import Any

from drf_spectacular.openapi import AutoSchema

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "An error, as RFC 9457 has it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and the way out."},
        "errors": {
            "type": "object",
            "description": "Of a refused request: parameter or field to what is wrong with it.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
COMMON = {
    "400": "A parameter, cursor, key or body is wrong; `errors` names it.",
    "401": "No token, or one that is unknown, revoked or expired.",
    "403": "The token lacks the scope, or its owner's role may not do this.",
    "404": "There is no such thing, or it is not the token's to see.",
    "405": "The address does not take this method.",
    "406": "Only JSON can be given.",
    "429": "Too many requests; `Retry-After` says how long to wait.",
}
OF_VERBS = {
    "409": "It cannot be done now.",
    "415": "The body is no JSON.",
    "422": "The idempotency key was used for another request.",
}


class Schema(AutoSchema):
    """Names operations as the views name them."""

    def get_operation_id(self) -> str:
        """Give the name that clients are generated with."""
        return str(self.view.operations[self.method])

    def get_tags(self) -> list[str]:
        """Give the chapter."""
        return [self.view.tag]

    def get_description(self) -> str:
        """Say what a view gives, or what its verb does."""
        described = self.view if self.method == "GET" else self.view.post
        return inspect.getdoc(described) or ""

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Lists have pages and filters; the usual guess knows only the framework's own views."""
        del serializer
        return self.method == "GET" and bool(getattr(self.view, "lists", False))


def add_problems(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """Tell of every operation how it refuses."""
    result["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    for operations in result["paths"].values():
        for method, operation in operations.items():
            refusals = COMMON | (OF_VERBS if method == "post" else {})
            for status, words in refusals.items():
                operation["responses"].setdefault(
                    status,
                    {
                        "description": words,
                        "content": {
                            "application/problem+json": {
                                "schema": {"$ref": "#/components/schemas/Problem"}
                            }
                        },
                    },
                )
    return result
