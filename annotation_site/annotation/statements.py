"""Queries that are put together once and run many times.

For a handful of plain rows Django takes ten times longer to put a query together than a database
takes to run it. On the path of an answer, which is asked thousands of times with nothing but other
values, a queryset is therefore compiled once and its SQL kept.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from django.db import connection, models
from django.db.models.sql import InsertQuery, UpdateQuery

Compiled = tuple[str, tuple[str | None, ...], tuple[Any, ...], Callable[[Any], Any] | None]


class Statement:
    """A queryset of plain columns, or an update, with named values left open."""

    def __init__(
        self,
        build: Callable[..., "models.QuerySet[Any, Any]"],
        values: Mapping[str, "models.Field[Any, Any]"],
        update: Callable[..., Mapping[str, Any]] | None = None,
    ) -> None:
        """Describe a statement; it is compiled at its first use.

        Args:
            build: Makes the queryset from the named values: `values_list` with columns, or, for an
                update, the rows it concerns.
            values: Name of each open value -> the field that says how it is written.
            update: Makes column -> value for an update.
        """
        self._build = build
        self._values = dict(values)
        self._update = update
        self._compiled: dict[str, Compiled] = {}

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """Run a query and give its rows, converted as Django does."""
        sql, names, fixed, convert = self._ready()
        with _cursor() as cursor:
            _run(cursor, sql, self._filled(names, fixed, values))
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return list(convert(found)) if convert else found

    def run(self, **values: Any) -> int:
        """Run an update and say how many rows it met."""
        sql, names, fixed, _ = self._ready()
        with _cursor() as cursor:
            _run(cursor, sql, self._filled(names, fixed, values))
            return int(cursor.rowcount)

    def _filled(
        self, names: Sequence[str | None], fixed: Sequence[Any], values: Mapping[str, Any]
    ) -> list[Any]:
        written = {
            name: self._values[name].get_db_prep_value(value, connection)
            for name, value in values.items()
        }
        return [
            value if name is None else written[name]
            for name, value in zip(names, fixed, strict=True)
        ]

    def _ready(self) -> Compiled:
        found = self._compiled.get(connection.vendor)
        if found is None:
            found = self._compiled[connection.vendor] = self._compile()
        return found

    def _compile(self) -> Compiled:
        marks = {
            name: _mark(field, number) for number, (name, field) in enumerate(self._values.items())
        }
        query = self._build(**marks).query
        if self._update is not None:
            changing = cast(UpdateQuery, query.chain(UpdateQuery))
            changing.add_update_values(dict(self._update(**marks)))
            query = changing
        compiler = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        written = {
            name: self._values[name].get_db_prep_value(mark, connection)
            for name, mark in marks.items()
        }
        names = tuple(_name_of(parameter, written) for parameter in parameters)
        assert set(names) - {None} == set(marks)  # every open value stands in the SQL
        convert = None
        if self._update is None:
            converters = compiler.get_converters([column for column, *_ in compiler.select])
            if converters:

                def convert(rows: Any) -> Any:
                    return map(tuple, compiler.apply_converters(rows, converters))

        return sql, names, tuple(parameters), convert


class Insert:
    """The insert of one row of a model, its SQL put together once."""

    def __init__(self, model: type[models.Model]) -> None:
        """Describe the insert; it is compiled at its first use.

        Args:
            model: Whose every column but the key is written as the object has it.
        """
        self._model = model
        self._fields = [field for field in model._meta.concrete_fields if not field.primary_key]
        self._compiled: dict[str, str] = {}

    def run(self, row: models.Model) -> None:
        """Write a new row and give the object its key."""
        values = [
            field.get_db_prep_save(getattr(row, field.attname), connection)
            for field in self._fields
        ]
        with _cursor() as cursor:
            _run(cursor, self._ready(row), values)
            (row.pk,) = cursor.fetchone()
        row._state.adding = False
        row._state.db = connection.alias

    def _ready(self, row: models.Model) -> str:
        sql = self._compiled.get(connection.vendor)
        if sql is None:
            query = InsertQuery(self._model)
            query.insert_values(self._fields, [row])
            compiler = query.get_compiler(connection=connection)
            key = self._model._meta.pk
            compiler.returning_fields = [key]
            [(sql, _)] = compiler.as_sql()
            self._compiled[connection.vendor] = sql
        return sql


class _AsWritten(sqlite3.Cursor):
    """SQLite's own cursor, for SQL whose placeholders were rewritten when it was compiled."""


@contextlib.contextmanager
def _cursor() -> Iterator[Any]:
    """Give the driver's own cursor, unless queries are logged.

    With PostgreSQL it is one whose plans the server keeps; with SQLite one that does not rewrite
    the placeholders of every statement anew.
    """
    if connection.queries_logged or connection.vendor not in {"postgresql", "sqlite"}:
        with connection.cursor() as cursor:
            yield cursor
        return
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        with (
            connection.wrap_database_errors,
            contextlib.closing(connection.connection.cursor(_AsWritten)) as cursor,
        ):
            yield cursor
        return
    from psycopg import Cursor  # installed with the driver that is in use

    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        yield cursor


def _run(cursor: Any, sql: str, values: Sequence[Any]) -> None:
    """Run a statement on what `_cursor` gave."""
    cursor.execute(_question_marks(sql) if isinstance(cursor, _AsWritten) else sql, values)


@lru_cache(maxsize=64)
def _question_marks(sql: str) -> str:
    """Write placeholders as SQLite wants them; our statements hold no quoted percent sign."""
    return sql.replace("%s", "?").replace("%%", "%")


def _name_of(parameter: Any, written: Mapping[str, Any]) -> str | None:
    for name, value in written.items():
        if type(parameter) is type(value) and parameter == value:
            return name
    return None


def _mark(field: "models.Field[Any, Any]", number: int) -> Any:
    """Give a value that stands nowhere else in the statement, of the field's kind."""
    if isinstance(field, models.UUIDField):
        return UUID(int=0xFEED0000 + number)
    if isinstance(field, models.DateTimeField):
        return datetime(1971, 1, 1 + number, tzinfo=UTC)
    if isinstance(field, models.CharField):
        return f"mark {number}"
    if isinstance(field, models.PositiveSmallIntegerField):
        return 32_000 + number
    return 2_000_000_000 + number


def column(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    """Give a model's column, which says how a value is written."""
    found = model._meta.get_field(name)
    assert isinstance(found, models.Field)  # not a relation seen from its other end
    return found
