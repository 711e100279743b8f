"""The current schema of a server, and a scratch schema to build the expected one in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from repo.backends.postgresql.adapter import translate
from repo.backends.postgresql.connection import PooledConnection
from repo.backends.postgresql.recent import day_of
from repo.binding import BoundQueries
from repo.engine.backend import Backend, taken
from repo.errors import ConfigurationError, ConflictError
from repo.schemas import ColumnSchema, Constraint, Index, Schema, TableSchema, Trigger

_SCRATCH: Final = "smdi_scratch"
_LOCK_MILLISECONDS: Final = 2000
_BEGIN: Final = f"""
SELECT
    has_database_privilege(current_database(), 'CREATE'),
    set_config('lock_timeout', '{_LOCK_MILLISECONDS}', true),
    current_setting('search_path')
"""
_STANDBY: Final = (
    "a standby's schema is not compared with the migrations, for it takes no scratch tables"
)


class PostgreSQLIntrospection:
    """See :class:`repo.engine.introspection.Introspection`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def describe(self, connection: PooledConnection, queries: BoundQueries) -> Schema:
        def asked(name: str, key: str = "relation") -> dict[str, list[Any]]:
            found: dict[str, list[Any]] = defaultdict(list)
            for row in queries[name](connection, {}):
                found[getattr(row, key)].append(row)
            return found

        columns, constraints, indexes = (
            asked("introspection.columns"),
            asked("introspection.constraints"),
            asked("introspection.indexes"),
        )
        keys, triggers = asked("introspection.index_columns", "name"), asked("introspection.triggers")
        return Schema(
            tuple(
                TableSchema(
                    relation.name,
                    relation.kind,
                    () if relation.options is None else (relation.options,),
                    tuple(map(_column, columns[relation.name])),
                    tuple(
                        Constraint(row.name, row.kind, row.definition)
                        for row in constraints[relation.name]
                    ),
                    tuple(
                        _index(row, keys[row.name])
                        for row in indexes[relation.name]
                        if day_of(row.name) is None
                    ),
                    tuple(Trigger(row.name, row.definition) for row in triggers[relation.name]),
                    relation.definition,
                )
                for relation in queries["introspection.relations"](connection, {})
            )
        )

    @contextmanager
    def scratch(self) -> Iterator[PooledConnection]:
        """A new schema in a transaction that is rolled back.

        If the role may not make one, the tables are temporary; functions of migrations are not found
        then.

        :raises ConfigurationError: on a standby, which takes neither.
        """
        with taken(self._backend, write=True) as connection:
            try:
                self._backend.begin(connection, read_only=False, isolation="read committed")
            except ConflictError as error:  # a BEGIN has no other that is of no use to try again
                raise ConfigurationError(_STANDBY) from error
            try:
                ((may_create, _, path),) = connection.execute(_BEGIN, prepare=False).fetchall()
                first = f"{_SCRATCH}_{connection.info.backend_pid}" if may_create else "pg_temp"
                if may_create:
                    connection.execute(f"CREATE SCHEMA {first}", prepare=False)
                # A setting of the connection, not a question to the database; SET takes no parameters.
                connection.execute(
                    "SELECT set_config('search_path', %s, true)", [f"{first}, {path}"], prepare=False
                )
            except psycopg.Error as error:
                raise translate(error) from error
            yield connection  # release rolls back


def _column(row: Any) -> ColumnSchema:
    return ColumnSchema(
        row.name,
        row.type,
        bool(row.nullable),
        default=None if row.generated else row.filling,
        identity=row.identity,
        generated=row.filling if row.generated else None,
        collation=row.collation,
    )


def _index(row: Any, columns: list[Any]) -> Index:
    return Index(
        row.name,
        tuple(each.expression for each in columns if not each.included),
        row.definition,
        tuple(each.expression for each in columns if each.included),
        bool(row.uniqueness),
        row.predicate,
        row.method,
        bool(row.valid),
    )
