"""Pages of a list, found by a key that never changes: what comes in meanwhile moves nothing."""

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
CURSOR_FORM = "^k[0-9]{1,18}$"


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
        """Say the same in the schema, where `schema` is the rows' own, a list already."""
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": {**schema, "maxItems": MOST},
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
                "schema": {"type": "string", "pattern": CURSOR_FORM},
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
    return f"k{key}"


def read_cursor(cursor: str) -> int:
    """Read a cursor.

    Raises:
        ValidationError: It was not made by `write_cursor`.
    """
    if not re.fullmatch(CURSOR_FORM, cursor):
        raise ValidationError({CURSOR: ["Take the cursor from “next”, as it is."]})
    return int(cursor[1:])


def _limit(said: str | None) -> int:
    if said is None:
        return USUAL
    if not re.fullmatch(r"[0-9]{1,5}", said, re.ASCII) or not 1 <= int(said) <= MOST:
        raise ValidationError({LIMIT: [f"A whole number from 1 to {MOST}."]})
    return int(said)
