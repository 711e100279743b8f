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

from repo.backends.results import FETCH_ROWS, lacks_symbol, unlike, wrong_columns, wrong_type
from repo.batches import BATCH_ROWS, EPOCH
from repo.binding import sent
from repo.errors import (
    CheckViolation,
    ConflictError,
    DatabaseUnavailable,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    QueryContractError,
    RangeError,
    RepoError,
    UniqueViolation,
)
from repo.parameters import Dumpers
from repo.queries import Query
from repo.records import OF_TICKER

_TIMESTAMP_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = date.min.toordinal() - EPOCH
_LAST_DAY: Final = date.max.toordinal() - EPOCH
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
    """Dates by their days since 1970-01-01, kept because most are read again and again."""

    def __missing__(self, day: int | None) -> date | None:
        if day is None:
            return None
        if len(self) >= _DAYS_REMEMBERED:
            self.clear()
        found = self[day] = date.fromordinal(day + EPOCH)
        return found


_DAYS: Final = _Days()


def _hold_days(column: Sequence[Any]) -> None:
    """Check that numbers are days of the calendar, where no dates are made of them."""
    days = [day for day in column if day is not None] if None in column else column
    if days and not (min(days) >= _FIRST_DAY and max(days) <= _LAST_DAY):
        raise OverflowError("a day is out of range")


def _timestamp(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return _TIMESTAMP_EPOCH + timedelta(microseconds=microseconds)


def _as_float(value: float | None) -> float | None:
    return None if value is None else float(value)


_DECODERS: Final[Mapping[type, Callable[[Any], Any]]] = {date: _DAYS.__getitem__, datetime: _timestamp}


_DUMPERS: Final = Dumpers(
    {
        "date": lambda day: day.toordinal() - EPOCH,
        "timestamptz": lambda moment: (moment - _TIMESTAMP_EPOCH) // timedelta(microseconds=1),
    },
    json.dumps,
)

_Decoders = list[tuple[int, Callable[[Any], Any]]]

_STORED: Final[Mapping[type, type]] = {date: int, datetime: int}
"""The type that SQLite stores, where it differs from the record's."""

_LOOK: Final = "SELECT * FROM"
"""Put before a query in parentheses, to have its columns described without reading a row."""

# Here and not in queries/: it is asked while those are proven.
_HAS: Final = "SELECT 1 FROM pragma_table_info(?) LIMIT 1"
_OVERFLOW: Final = "integer overflow"

_NAMES: Final[Mapping[type, str]] = {int: "an integer", float: "a real", str: "text", bytes: "a blob"}


class _Reading:
    """How the rows of one query are read; ``unseen`` are the columns without a value so far."""

    __slots__ = ("days", "decoders", "lacks_symbol", "names", "query", "stored", "unseen")

    def __init__(self, query: Query) -> None:
        # RETURNING gives a REAL that is a whole number as it is stored: as an integer.
        decoders = {**_DECODERS, float: _as_float} if query.writes else _DECODERS
        self.query = query
        self.lacks_symbol = lacks_symbol(query)
        self.names = [column.name for column in query.columns]
        self.unseen = set(range(len(self.names)))
        self.decoders: _Decoders = [
            (index, decoders[column.type])
            for index, column in enumerate(query.columns)
            if column.type in decoders
        ]
        self.days = [index for index, column in enumerate(query.columns) if column.type is date]
        self.stored = [
            {_STORED.get(column.type, column.type), type(None)}
            | ({int} if query.writes and column.type is float else set())
            for column in query.columns
        ]

    def compare(self, described: Sequence[Any], rows: Sequence[Sequence[Any]]) -> None:
        """Compare rows with the record; a column is done once it had a value, as all have its type.

        :raises QueryContractError: for other columns, or values of another type.
        """
        self.compare_names(described)
        seen = {index for index in self.unseen if any(row[index] is not None for row in rows)}
        for index in seen:
            for kind in {type(row[index]) for row in rows} - self.stored[index]:
                raise wrong_type(self.query, self.names[index], _NAMES.get(kind, kind.__name__))
        self.unseen -= seen

    def compare_names(self, described: Sequence[Any]) -> None:
        """Compare the names of columns with the record.

        :raises QueryContractError: if they differ.
        """
        found = [each[0] for each in described]
        if found != self.names:
            raise wrong_columns(self.query, found)

    def undecodable(self, rows: Sequence[Sequence[Any]], error: Exception) -> RepoError:
        """The error for rows with a value that is not of its column's type."""
        for name, stored, values in zip(self.names, self.stored, zip(*rows, strict=True), strict=True):
            for kind in set(map(type, values)) - stored:
                return wrong_type(self.query, name, _NAMES.get(kind, kind.__name__))
        for index, decode in self.decoders:
            for row in rows:
                value = row[index]
                try:
                    decode(value)
                except (OverflowError, ValueError):
                    return RangeError(
                        f"{self.query.full_name} ({self.query.location}): {self.names[index]} holds "
                        f"{value}, which is no day or moment there is"
                    )
        return QueryContractError(f"{self.query.full_name} ({self.query.location}): {error}")


def _records(
    rows: list[Any], decoders: _Decoders, record_class: type[Any], given: tuple[Any, ...]
) -> list[Any]:
    """Rows as records, a column at a time; ``given`` is put in front of each."""
    if len(rows) == 1:
        row = list(rows[0])
        for index, decode in decoders:
            row[index] = decode(row[index])
        return [tuple.__new__(record_class, (*given, *row))]
    tuples: Iterable[Any] = rows
    if decoders and rows:
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for index, decode in decoders:
            columns[index] = map(decode, columns[index])
        tuples = zip(*map(repeat, given), *columns)  # noqa: B905  # strict would copy every tuple
    # tuple.__new__ is what a named tuple's _make ends in, without a call of Python's own per row.
    return list(map(tuple.__new__, repeat(record_class), tuples))


def _all_records(
    cursor: sqlite3.Cursor, reading: _Reading, record_class: type[Any], parameters: Mapping[str, Any]
) -> list[Any]:
    decoders = reading.decoders
    given: tuple[Any, ...] = ()
    if reading.lacks_symbol:
        record_class, given = OF_TICKER[record_class], (parameters["symbol"],)
    rows = cursor.fetchmany(FETCH_ROWS)
    if reading.unseen:
        reading.compare(cursor.description, rows)
    try:
        records = _records(rows, decoders, record_class, given)
        while len(rows) == FETCH_ROWS:
            rows = cursor.fetchmany(FETCH_ROWS)
            records += _records(rows, decoders, record_class, given)
    except (TypeError, ValueError, OverflowError) as error:
        raise reading.undecodable(rows, error) from error
    return records


class SQLiteAdapter:
    """aiosql's adapter for sqlite3: values dumped and decoded, rows built once, errors translated."""

    dumpers = _DUMPERS
    # Twenty bars, the fastest of 5 to 100.
    values_a_statement = 140

    def __init__(self) -> None:
        self._readings: dict[str, _Reading] = {}

    def declare_columns(self, query: Query) -> None:
        self._readings[query.full_name] = _Reading(query)

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """SQL as sqlite3 takes it: the parameters of a ``*!`` query become ``?``, bound by position."""
        if op_type is not SQLOperationType.INSERT_UPDATE_DELETE_MANY:
            return sql
        return VAR_REF.sub(lambda found: f"{found['lead']}?" if found["var_name"] else found[0], sql)

    def _failure(
        self, conn: sqlite3.Connection, query_name: str, sql: str, error: sqlite3.Error
    ) -> RepoError:
        """What went wrong with a statement.

        SQLite has one code for SQL that does not fit the schema and for an integer past 64 bits. Whether
        the statement can be prepared tells them apart.
        """
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            return translate(error)
        query = self._readings[query_name].query
        try:
            self._prepare(conn, query, sql)
        except sqlite3.Error:
            return unlike(query, str(error))
        if str(error) == _OVERFLOW:
            return RangeError(f"a number left 64 bits ({error})")
        return RepoError(f"{query_name}: {error}")

    @staticmethod
    def _prepare(conn: sqlite3.Connection, query: Query, sql: str) -> None:
        by_position = (None,) * sql.count("?")
        given: Any = by_position if query.operator == "*!" else dict.fromkeys(query.parameters)
        conn.execute(f"EXPLAIN {sql}", given).close()

    def prove(self, conn: sqlite3.Connection, query: Query) -> None:
        """Have a query prepared; see :class:`repo.binding.Adapter`."""
        sql = sent(query, self)
        try:
            if query.needs and conn.execute(_HAS, (query.needs,)).fetchone() is None:
                return
            self._prepare(conn, query, sql)
            if query.columns and not query.writes:
                # This computes no row, but describes the columns.
                look = f"{_LOOK} ({sql.rstrip().removesuffix(';')}\n) LIMIT 0"
                with closing(conn.execute(look, dict.fromkeys(query.parameters))) as cursor:
                    _Reading(query).compare_names(cursor.description)
        except sqlite3.Error as error:
            raise unlike(query, str(error)) from error

    def select(
        self,
        conn: sqlite3.Connection,
        query_name: str,
        sql: str,
        parameters: Mapping[str, Any],
        record_class: type[Any] | None,
    ) -> list[Any]:
        """All rows, as records if a record is declared."""
        cursor = None
        try:
            cursor = conn.execute(sql, parameters)
            if record_class is None:
                return cursor.fetchall()
            return _all_records(cursor, self._readings[query_name], record_class, parameters)
        except sqlite3.Error as error:
            raise self._failure(conn, query_name, sql, error) from error
        except BaseException:
            if cursor is not None:
                cursor.close()  # or the connection would keep its old state of the database
            raise

    def select_columnar(
        self,
        conn: sqlite3.Connection,
        query_name: str,
        sql: str,
        parameters: Mapping[str, Any],
        build: Callable[[Sequence[Any]], Any],
    ) -> list[Any]:
        """All rows as columns, in batches small enough to stay in the processor's cache."""
        reading = self._readings[query_name]
        batches = []
        try:
            with closing(conn.execute(sql, parameters)) as cursor:
                while rows := cursor.fetchmany(BATCH_ROWS):
                    if reading.unseen:
                        reading.compare(cursor.description, rows)
                    columns = list(zip(*rows, strict=True))
                    try:
                        for index in reading.days:
                            _hold_days(columns[index])
                        batches.append(build(columns))
                    except (TypeError, ValueError, OverflowError) as error:
                        raise reading.undecodable(rows, error) from error
        except sqlite3.Error as error:
            raise self._failure(conn, query_name, sql, error) from error
        return batches

    def insert_update_delete(
        self, conn: sqlite3.Connection, query_name: str, sql: str, parameters: Mapping[str, Any]
    ) -> int:
        """The number of rows written."""
        try:
            written: int = conn.execute(sql, parameters).rowcount
        except sqlite3.Error as error:
            raise self._failure(conn, query_name, sql, error) from error
        return max(written, 0)

    def insert_update_delete_many(
        self, conn: sqlite3.Connection, query_name: str, sql: str, rows: Iterable[Sequence[Any]]
    ) -> int:
        """The number of rows written; values are checked and dumped already."""
        try:
            return max(conn.executemany(sql, rows).rowcount, 0)
        except sqlite3.Error as error:
            raise self._failure(conn, query_name, sql, error) from error
