"""Queries that are put together once and run many times.

For a handful of plain rows Django takes ten times longer to put a query together than a database
takes to run it. On the path of an answer, which is asked thousands of times with nothing but other
values, a queryset is therefore compiled once and its SQL kept.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter, methodcaller
from typing import Any, cast
from uuid import UUID

from django.db import connection, models
from django.db.models.sql import InsertQuery, UpdateQuery

Compiled = tuple[str, tuple[str | None, ...], tuple[Any, ...], Callable[[Any], Any] | None]


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement with its values, ready to be run.

    Attributes:
        sql: With Django's placeholders.
        values: As the driver takes them.
        take: Makes the result from the cursor, once the statement has been run.
    """

    sql: str
    values: Sequence[Any]
    take: Callable[[Any], Any]


def together(*bound: Bound) -> list[Any]:
    """Run statements one after the other and give what each found.

    PostgreSQL gets all of them in one message; each still sees what was committed before it was
    run, so that one which waits for a lock lets those after it see what the lock was held for.
    """
    if connection.vendor != "postgresql" or connection.queries_logged:
        return [_alone(each) for each in bound]
    with contextlib.ExitStack() as stack:
        cursors = [stack.enter_context(_cursor()) for _ in bound]
        with connection.connection.pipeline():
            for cursor, each in zip(cursors, bound, strict=True):
                _run(cursor, each.sql, each.values)
        return [each.take(cursor) for cursor, each in zip(cursors, bound, strict=True)]


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
        found: list[tuple[Any, ...]] = _alone(self.bound(**values))
        return found

    def bound(self, **values: Any) -> Bound:
        """Fill in the values; the result is the rows of a query, or how many an update met."""
        sql, names, fixed, convert = self._ready()
        return Bound(sql, self._filled(names, fixed, values), self._taking(convert))

    def _taking(self, convert: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
        if self._update is not None:
            return attrgetter("rowcount")
        if convert is None:
            return methodcaller("fetchall")
        return lambda cursor: list(convert(cursor.fetchall()))

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

    def bound(self, row: models.Model) -> Bound:
        """Fill in the values of a new row; taking the result gives the object its key."""
        values = [
            field.get_db_prep_save(getattr(row, field.attname), connection)
            for field in self._fields
        ]

        def take(cursor: Any) -> None:
            (row.pk,) = cursor.fetchone()
            row._state.adding = False
            row._state.db = connection.alias

        return Bound(self._ready(row), values, take)

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


def _alone(bound: Bound) -> Any:
    with _cursor() as cursor:
        _run(cursor, bound.sql, bound.values)
        return bound.take(cursor)


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
