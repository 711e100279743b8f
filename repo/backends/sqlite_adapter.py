"""aiosql's adapter for the standard library's sqlite3, and what its errors mean."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from typing import Any, Final

from aiosql.types import SQLOperationType
from aiosql.utils import VAR_REF

from repo.backends.base import CODERS, ROWS_TOGETHER, Coders, coded_items, coded_parameters
from repo.batches import BATCH_ROWS, EPOCH
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

__all__ = ["SQLiteAdapter", "translate"]

_TIMESTAMP_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_REMEMBERED: Final = 100_000

_CONSTRAINTS: Final[Mapping[int, type[IntegrityError]]] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_ROWID: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: ForeignKeyViolation,
    sqlite3.SQLITE_CONSTRAINT_CHECK: CheckViolation,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: NotNullViolation,
}
_PRIMARY: Final[Mapping[int, type[RepoError]]] = {
    sqlite3.SQLITE_CONSTRAINT: IntegrityError,
    sqlite3.SQLITE_BUSY: ConflictError,
    sqlite3.SQLITE_LOCKED: ConflictError,
    sqlite3.SQLITE_SCHEMA: ConflictError,
    sqlite3.SQLITE_TOOBIG: RangeError,
    sqlite3.SQLITE_CANTOPEN: DatabaseUnavailable,
    sqlite3.SQLITE_CORRUPT: DatabaseUnavailable,
    sqlite3.SQLITE_FULL: DatabaseUnavailable,
    sqlite3.SQLITE_INTERRUPT: DatabaseUnavailable,
    sqlite3.SQLITE_IOERR: DatabaseUnavailable,
    sqlite3.SQLITE_NOMEM: DatabaseUnavailable,
    sqlite3.SQLITE_NOTADB: DatabaseUnavailable,
    sqlite3.SQLITE_PERM: DatabaseUnavailable,
    sqlite3.SQLITE_PROTOCOL: DatabaseUnavailable,
    sqlite3.SQLITE_READONLY: DatabaseUnavailable,
}


def translate(error: sqlite3.Error) -> RepoError:
    """The package's error for a driver's, by its extended result code."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # the sqlite3 module's own: a closed connection, a bad call
        return DatabaseUnavailable(str(error))
    kind = _CONSTRAINTS.get(code) or _PRIMARY.get(code & 0xFF, RepoError)
    return kind(str(error))


class _Days(dict[Any, Any]):
    """Dates by their day since 1970-01-01: most days are read over and over."""

    def __missing__(self, day: int | None) -> date | None:
        if day is None:
            return None
        if len(self) >= _DAYS_REMEMBERED:
            self.clear()
        found = self[day] = date.fromordinal(day + EPOCH)
        return found


_DAYS: Final = _Days()


def _timestamp(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return _TIMESTAMP_EPOCH + timedelta(microseconds=microseconds)


def _as_float(value: float | None) -> float | None:
    return None if value is None else float(value)


_DECODERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    date: _DAYS.__getitem__,
    datetime: _timestamp,
}


def _microseconds(moment: datetime) -> int:
    aware: datetime = CODERS[datetime](moment)
    return (aware - _TIMESTAMP_EPOCH) // timedelta(microseconds=1)


_Decoders = list[tuple[int, Callable[[Any], Any]]]

_CODERS: Final[Coders] = {
    **CODERS,
    date: lambda day: day.toordinal() - EPOCH,
    datetime: _microseconds,
    list: lambda items: json.dumps(coded_items(items, _CODERS)),
}


def _records(rows: list[Any], decoders: _Decoders, record_class: type[Any]) -> list[Any]:
    """Rows as records, a column at a time."""
    if len(rows) == 1:
        row = list(rows[0])
        for index, decode in decoders:
            row[index] = decode(row[index])
        return [tuple.__new__(record_class, row)]
    tuples: Iterable[Any] = rows
    if decoders and rows:
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for index, decode in decoders:
            columns[index] = map(decode, columns[index])
        tuples = zip(*columns)  # noqa: B905  # strict would copy every tuple
    # tuple.__new__ is what a named tuple's _make ends in, without a call of Python's own per row.
    return list(map(tuple.__new__, repeat(record_class), tuples))


def _all_records(cursor: sqlite3.Cursor, decoders: _Decoders, record_class: type[Any]) -> list[Any]:
    rows = cursor.fetchmany(ROWS_TOGETHER)
    records = _records(rows, decoders, record_class)
    while len(rows) == ROWS_TOGETHER:
        rows = cursor.fetchmany(ROWS_TOGETHER)
        records += _records(rows, decoders, record_class)
    return records


class SQLiteAdapter:
    """aiosql's adapter for sqlite3: values coded and decoded, rows built once, errors translated."""

    def __init__(self) -> None:
        self.coders: Coders = _CODERS
        self._decoders: dict[str, _Decoders] = {}

    def shape(self, query_name: str, columns: tuple[Column, ...], *, writes: bool) -> None:
        # RETURNING gives a REAL that is a whole number as it lies in the file: as an integer.
        decoders = {**_DECODERS, float: _as_float} if writes else _DECODERS
        self._decoders[query_name] = [
            (index, decoders[column.type])
            for index, column in enumerate(columns)
            if column.type in decoders
        ]

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """SQL as sqlite3 takes it: rows of a ``*!`` query are bound by position."""
        if op_type is not SQLOperationType.INSERT_UPDATE_DELETE_MANY:
            return sql
        return VAR_REF.sub(lambda found: f"{found['lead']}?" if found["var_name"] else found[0], sql)

    def _failure(self, conn: sqlite3.Connection, sql: str, error: sqlite3.Error) -> RepoError:
        """What went wrong with a statement.

        SQLite has one code for SQL that does not fit the schema and for an integer that left 64 bits
        on the way. They are told apart by whether the statement can be prepared at all.
        """
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            return translate(error)
        names = {found["var_name"] for found in VAR_REF.finditer(sql) if found["var_name"]}
        try:
            conn.execute(f"EXPLAIN {sql}", dict.fromkeys(names)).close()
        except sqlite3.Error:
            return MigrationError(
                f"the statement and the database's schema do not fit ({error}): migrate, or mend the SQL"
            )
        return RangeError(f"a number left 64 bits ({error})")

    def select(
        self,
        conn: sqlite3.Connection,
        query_name: str,
        sql: str,
        parameters: Mapping[str, Any],
        record_class: type[Any] | None = None,
    ) -> list[Any]:
        """All rows, as records where a record is declared."""
        try:
            cursor = conn.execute(sql, coded_parameters(parameters, _CODERS))
            if record_class is None:
                return cursor.fetchall()
            try:
                return _all_records(cursor, self._decoders[query_name], record_class)
            except BaseException:
                cursor.close()  # or the connection would go on reading the database as it was
                raise
        except sqlite3.Error as error:
            raise self._failure(conn, sql, error) from error

    def select_one(
        self,
        conn: sqlite3.Connection,
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
        conn: sqlite3.Connection,
        query_name: str,
        sql: str,
        parameters: Mapping[str, Any],
        build: Callable[[Sequence[Any]], Any],
    ) -> list[Any]:
        """All rows as columns, in batches small enough to stay in the processor's cache."""
        ready = coded_parameters(parameters, _CODERS)
        batches = []
        try:
            with closing(conn.execute(sql, ready)) as cursor:
                while rows := cursor.fetchmany(BATCH_ROWS):
                    batches.append(build(list(zip(*rows, strict=True))))
        except sqlite3.Error as error:
            raise self._failure(conn, sql, error) from error
        return batches

    def select_value(
        self, conn: sqlite3.Connection, query_name: str, sql: str, parameters: Mapping[str, Any]
    ) -> Any:
        """The first value of the first row, or None."""
        row = self.select_one(conn, query_name, sql, parameters)
        if row is None:
            return None
        decoders = self._decoders[query_name]
        return decoders[0][1](row[0]) if decoders else row[0]

    def insert_update_delete(
        self, conn: sqlite3.Connection, query_name: str, sql: str, parameters: Mapping[str, Any]
    ) -> int:
        """The number of rows written."""
        try:
            written: int = conn.execute(sql, coded_parameters(parameters, _CODERS)).rowcount
        except sqlite3.Error as error:
            raise self._failure(conn, sql, error) from error
        return max(written, 0)

    def insert_update_delete_many(
        self, conn: sqlite3.Connection, query_name: str, sql: str, rows: Iterable[Sequence[Any]]
    ) -> int:
        """The number of rows written; values are checked and coded already."""
        try:
            return max(conn.executemany(sql, rows).rowcount, 0)
        except sqlite3.Error as error:
            raise self._failure(conn, sql, error) from error

    insert_returning = select_one
