"""aiosql's adapter for psycopg 3, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

import psycopg
import psycopg_pool
from aiosql.types import SQLOperationType
from aiosql.utils import VAR_REF

from repo.backends import arrays
from repo.backends.base import CODERS, ROWS_TOGETHER, Coders, coded_parameters
from repo.errors import (
    CheckViolation,
    ConflictError,
    DatabaseUnavailable,
    ForeignKeyViolation,
    IntegrityError,
    MigrationError,
    NotNullViolation,
    RangeError,
    RepoError,
    UniqueViolation,
)
from repo.queries import Column

__all__ = ["PostgreSQLAdapter", "translate"]

_STATES: Final[Mapping[str, type[RepoError]]] = {
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "40001": ConflictError,
    "40P01": ConflictError,
    "55P03": ConflictError,
    "0A000": ConflictError,  # a plan prepared before somebody changed the schema
    "22003": RangeError,
    "25006": DatabaseUnavailable,  # a server that has become a standby
    "42501": DatabaseUnavailable,
    "57014": DatabaseUnavailable,  # the statement time-out
}
_CLASSES: Final[Mapping[str, type[RepoError]]] = {
    "08": DatabaseUnavailable,
    "23": IntegrityError,
    "28": DatabaseUnavailable,
    "3D": DatabaseUnavailable,
    "40": ConflictError,
    "42": MigrationError,
    "53": DatabaseUnavailable,
    "57": DatabaseUnavailable,
    "58": DatabaseUnavailable,
    "XX": DatabaseUnavailable,
}


_OLD_PLAN: Final = "0A000"

_ROWS_HELD: Final = 10_000
"""The largest result that may lie in a cursor which is kept."""


def _failure(connection: Any, error: psycopg.Error) -> RepoError:
    """What went wrong; a connection with plans of an older schema is marked for replacement."""
    if error.sqlstate == _OLD_PLAN:
        connection.stale = True
    return translate(error)


def translate(error: Exception) -> RepoError:
    """The package's error for a driver's, by its SQLSTATE.

    The server's DETAIL is left out of the message: it holds values of rows.
    """
    state = getattr(error, "sqlstate", None)
    if state is None:
        lost = isinstance(error, psycopg.OperationalError | psycopg_pool.PoolClosed)
        return (DatabaseUnavailable if lost else RepoError)(str(error))
    kind = _STATES.get(state) or _CLASSES.get(state[:2], RepoError)
    message = f"{getattr(error, 'diag').message_primary} (SQLSTATE {state})"  # noqa: B009  # Exception has no diag
    if kind is MigrationError:
        message = (
            f"the statement and the database's schema do not fit ({message}): migrate, or mend the SQL"
        )
    return kind(message)


class PostgreSQLAdapter:
    """aiosql's adapter for psycopg: binary results, records built as rows arrive, errors translated."""

    def __init__(self) -> None:
        self.coders: Coders = CODERS

    def shape(self, query_name: str, columns: tuple[Column, ...], *, writes: bool) -> None:
        """Nothing to note: psycopg decodes by the types that the server names."""

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """SQL as psycopg takes it: ``%(name)s`` for ``:name``, and every other percent sign doubled."""
        form = "%s" if op_type is SQLOperationType.INSERT_UPDATE_DELETE_MANY else "%({})s"
        return VAR_REF.sub(
            lambda found: (
                found["lead"] + form.format(found["var_name"]) if found["var_name"] else found[0]
            ),
            sql.replace("%", "%%"),
        )

    def select(
        self,
        conn: Any,
        query_name: str,
        sql: str,
        parameters: Mapping[str, Any],
        record_class: type[Any] | None = None,
    ) -> list[Any]:
        """All rows, as records where a record is declared."""
        ready = coded_parameters(parameters, CODERS)
        records: list[Any] = []
        try:
            # A cursor that was used before knows how to decode the columns.
            cursor, conn.reader = conn.reader or conn.cursor(binary=True), None
            cursor.execute(sql, ready)
            while rows := cursor.fetchmany(ROWS_TOGETHER):
                # tuple.__new__ is what a named tuple's _make ends in, without a call of Python's own.
                records += map(tuple.__new__, repeat(record_class), rows) if record_class else rows
        except psycopg.Error as error:
            raise _failure(conn, error) from error
        if len(records) <= _ROWS_HELD:  # for it holds its last result until the next
            conn.reader = cursor
        return records

    def select_one(
        self,
        conn: Any,
        query_name: str,
        sql: str,
        parameters: Mapping[str, Any],
        record_class: type[Any] | None = None,
    ) -> Any:
        """The first row, or None."""
        rows = self.select(conn, query_name, sql, parameters, record_class)
        return rows[0] if rows else None

    def select_batches(
        self,
        conn: Any,
        query_name: str,
        sql: str,
        parameters: Mapping[str, Any],
        build: Callable[[Sequence[Any]], Any],
    ) -> list[Any]:
        """All rows as columns; here a row of the query is a batch, each column of it an array.

        A column that is no array has one value for all rows of its batch.
        """
        ready = coded_parameters(parameters, CODERS)
        batches = []
        try:
            with conn.cursor(binary=True) as cursor:
                arrays.read_raw(cursor)
                for row in cursor.stream(sql, ready):
                    columns = [arrays.decode(value) for value in row]
                    rows = next(len(column) for column in columns if not isinstance(column, str))
                    batches.append(build([[c] * rows if isinstance(c, str) else c for c in columns]))
        except psycopg.Error as error:
            raise _failure(conn, error) from error
        return batches

    def select_value(self, conn: Any, query_name: str, sql: str, parameters: Mapping[str, Any]) -> Any:
        """The first value of the first row, or None."""
        row = self.select_one(conn, query_name, sql, parameters)
        return None if row is None else row[0]

    def insert_update_delete(
        self, conn: Any, query_name: str, sql: str, parameters: Mapping[str, Any]
    ) -> int:
        """The number of rows written."""
        ready = coded_parameters(parameters, CODERS)
        try:
            written: int = conn.execute(sql, ready).rowcount
        except psycopg.Error as error:
            raise _failure(conn, error) from error
        return max(written, 0)

    def insert_update_delete_many(
        self, conn: Any, query_name: str, sql: str, rows: Iterable[Any]
    ) -> int:
        """The number of rows written; ``rows`` of a COPY are the pieces of its stream."""
        try:
            with conn.cursor() as cursor:
                if sql.startswith("COPY"):
                    with cursor.copy(sql) as stream:
                        for piece in rows:
                            stream.write(piece)
                else:
                    cursor.executemany(sql, rows)
                written: int = cursor.rowcount
                return max(written, 0)
        except psycopg.Error as error:
            raise _failure(conn, error) from error

    insert_returning = select_one
