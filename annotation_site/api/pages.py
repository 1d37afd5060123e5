"""Pages of a list, found by a key that never changes: what comes in meanwhile moves nothing."""

import base64
import binascii
import re
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

CURSOR, LIMIT = "cursor", "limit"
USUAL, MOST = 100, 1000
LARGEST = 2**63 - 1


class KeysetPages(BasePagination):
    """Rising primary keys: every row that is there at the start is seen exactly once."""

    def paginate_queryset(
        self, queryset: "QuerySet[Any]", request: Request, **_view: Any
    ) -> list[Any]:
        """Give one page, and remember whether another follows."""
        limit = _limit(request.query_params.get(LIMIT))
        cursor = request.query_params.get(CURSOR)
        ordered = queryset.order_by("pk")
        if cursor is not None:
            ordered = ordered.filter(pk__gt=read_cursor(cursor))
        found = list(ordered[: limit + 1])
        page = found[:limit]
        self._next = None
        if len(found) > limit:
            self._next = replace_query_param(
                request.build_absolute_uri(), CURSOR, write_cursor(page[-1].pk)
            )
        return page

    def get_paginated_response(self, data: list[Any]) -> Response:
        """Give the page and the address of the next."""
        return Response({"results": data, "next": self._next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Say the same in the schema."""
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": {"type": "array", "items": schema, "maxItems": MOST},
                "next": {
                    "type": "string",
                    "format": "uri",
                    "nullable": True,
                    "description": "Address of the next page; null on the last.",
                },
            },
        }

    def get_schema_operation_parameters(self, _view: Any) -> list[dict[str, Any]]:
        """Say which parameters a list takes."""
        return [
            {
                "name": CURSOR,
                "in": "query",
                "required": False,
                "description": "Where to go on; taken from `next`.",
                "schema": {"type": "string"},
            },
            {
                "name": LIMIT,
                "in": "query",
                "required": False,
                "description": "Rows on a page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
            },
        ]


def write_cursor(key: int) -> str:
    """Write a key as a cursor."""
    return base64.urlsafe_b64encode(f"k{key}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> int:
    """Read a cursor.

    Raises:
        ValidationError: It was not made by `write_cursor`.
    """
    try:
        said = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (UnicodeEncodeError, binascii.Error, ValueError):
        said = b""
    found = re.fullmatch(rb"k([0-9]{1,19})", said)
    if found is None or int(found[1]) > LARGEST:
        raise ValidationError({CURSOR: ["Take the cursor from “next”, as it is."]})
    return int(found[1])


def _limit(said: str | None) -> int:
    if said is None:
        return USUAL
    if not re.fullmatch(r"[0-9]{1,5}", said, re.ASCII) or not 1 <= int(said) <= MOST:
        raise ValidationError({LIMIT: [f"A whole number from 1 to {MOST}."]})
    return int(said)
