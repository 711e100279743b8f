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

from repo.backends.results import FETCH_ROWS, record_of, unlike, wrong_columns, wrong_type
from repo.batches import BATCH_ROWS, EPOCH
from repo.binding import Dump, Runs, sent
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

_NULL: Final = {type(None)}
_NAMES: Final[Mapping[type, str]] = {int: "an integer", float: "a real", str: "text", bytes: "a blob"}


def _compare_names(query: Query, described: Sequence[Any]) -> None:
    """Compare the names of columns with the record.

    :raises QueryContractError: if they differ.
    """
    found = [each[0] for each in described]
    if found != [column.name for column in query.columns]:
        raise wrong_columns(query, found)


def _failure(conn: sqlite3.Connection, query: Query, sql: str, error: sqlite3.Error) -> RepoError:
    """What went wrong with a statement.

    SQLite has one code for SQL that does not fit the schema and for an integer past 64 bits. Whether
    the statement can be prepared tells them apart.
    """
    if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
        return translate(error)
    try:
        _prepare(conn, query, sql)
    except sqlite3.Error:
        return unlike(query, str(error))
    if str(error) == _OVERFLOW:
        return RangeError(f"a number left 64 bits ({error})")
    return RepoError(f"{query.full_name}: {error}")


def _prepare(conn: sqlite3.Connection, query: Query, sql: str) -> None:
    by_position = (None,) * sql.count("?")
    given: Any = by_position if query.operator == "*!" else dict.fromkeys(query.parameters)
    conn.execute(f"EXPLAIN {sql}", given).close()


class _Reading:
    """Reads the rows of one query; ``unseen`` are the columns without a value so far."""

    __slots__ = (
        *("days", "decoders", "dump", "lacks_symbol", "names", "query", "record", "sql", "stored"),
        "unseen",
    )

    def __init__(self, query: Query, sql: str, dump: Dump) -> None:
        # RETURNING gives a REAL that is a whole number as it is stored: as an integer.
        decoders = {**_DECODERS, float: _as_float} if query.writes else _DECODERS
        self.query = query
        self.sql = sql
        self.dump = dump
        self.record, self.lacks_symbol = record_of(query)
        self.names = [column.name for column in query.columns]
        self.unseen: Sequence[int] = range(len(self.names))
        self.decoders: _Decoders = [
            (index, decoders[column.type])
            for index, column in enumerate(query.columns, int(self.lacks_symbol))
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
        if len(self.unseen) == len(self.names):
            _compare_names(self.query, described)
        unseen = []
        for index in self.unseen:
            kinds = {type(row[index]) for row in rows}
            for kind in kinds - self.stored[index]:
                raise wrong_type(self.query, self.names[index], _NAMES.get(kind, kind.__name__))
            if kinds <= _NULL:
                unseen.append(index)
        self.unseen = unseen

    def rows(self, conn: sqlite3.Connection, parameters: Mapping[str, Any], /) -> list[Any]:
        """All rows, as records if a record is declared."""
        dumped = self.dump(parameters)
        cursor = None
        try:
            cursor = conn.execute(self.sql, dumped)
            if self.record is None:
                return cursor.fetchall()
            rows = cursor.fetchmany(FETCH_ROWS)
            if self.unseen:
                self.compare(cursor.description, rows)
            given = (parameters["symbol"],) if self.lacks_symbol else ()
            records = self._records(rows, given)
            while len(rows) == FETCH_ROWS:
                rows = cursor.fetchmany(FETCH_ROWS)
                records += self._records(rows, given)
            return records  # noqa: TRY300  # an interrupt may strike here as well
        except sqlite3.Error as error:
            raise _failure(conn, self.query, self.sql, error) from error
        except BaseException:
            if cursor is not None:
                cursor.close()  # or the connection would keep its old state of the database
            raise

    def _records(self, rows: list[Any], given: tuple[Any, ...]) -> list[Any]:
        """Rows as records, a column at a time; ``given`` is put in front of each."""
        try:
            if len(rows) == 1:
                row = [*given, *rows[0]]
                for index, decode in self.decoders:
                    row[index] = decode(row[index])
                return [tuple.__new__(self.record, row)]
            tuples: Iterable[Any] = rows
            if self.decoders and rows:
                columns: list[Iterable[Any]] = [*map(repeat, given), *zip(*rows, strict=True)]
                for index, decode in self.decoders:
                    columns[index] = map(decode, columns[index])
                tuples = zip(*columns)  # noqa: B905  # strict would copy every tuple
            # tuple.__new__ is what a named tuple's _make ends in, without a call of Python's own.
            return list(map(tuple.__new__, repeat(self.record), tuples))
        except (TypeError, ValueError, OverflowError) as error:
            raise self.undecodable(rows, error) from error

    def columns(
        self,
        conn: sqlite3.Connection,
        parameters: Mapping[str, Any],
        build: Callable[[Sequence[Any]], Any],
        /,
    ) -> list[Any]:
        """All rows as columns, in batches small enough to stay in the processor's cache."""
        batches = []
        try:
            with closing(conn.execute(self.sql, self.dump(parameters))) as cursor:
                while rows := cursor.fetchmany(BATCH_ROWS):
                    if self.unseen:
                        self.compare(cursor.description, rows)
                    columns = list(zip(*rows, strict=True))
                    try:
                        for index in self.days:
                            _hold_days(columns[index])
                        batches.append(build(columns))
                    except (TypeError, ValueError, OverflowError) as error:
                        raise self.undecodable(rows, error) from error
        except sqlite3.Error as error:
            raise _failure(conn, self.query, self.sql, error) from error
        return batches

    def undecodable(self, rows: Sequence[Sequence[Any]], error: Exception) -> RepoError:
        """The error for rows with a value that is not of its column's type."""
        for name, stored, values in zip(self.names, self.stored, zip(*rows, strict=True), strict=True):
            for kind in set(map(type, values)) - stored:
                return wrong_type(self.query, name, _NAMES.get(kind, kind.__name__))
        for place, decode in self.decoders:
            index = place - self.lacks_symbol
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


class SQLiteAdapter:
    """aiosql's adapter for sqlite3: values dumped and decoded, rows built once, errors translated."""

    dumpers = _DUMPERS
    # Twenty bars, the fastest of 5 to 100.
    values_a_statement = 140

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """SQL as sqlite3 takes it: the parameters of a ``*!`` query become ``?``, bound by position."""
        if op_type is not SQLOperationType.INSERT_UPDATE_DELETE_MANY:
            return sql
        return VAR_REF.sub(lambda found: f"{found['lead']}?" if found["var_name"] else found[0], sql)

    def reading(self, query: Query, sql: str, dump: Dump) -> Runs:
        return _Reading(query, sql, dump).rows

    def reading_columns(self, query: Query, sql: str, dump: Dump) -> Runs:
        return _Reading(query, sql, dump).columns

    def writing(self, query: Query, sql: str, dump: Dump) -> Runs:
        def write(conn: sqlite3.Connection, parameters: Mapping[str, Any], /) -> int:
            dumped = dump(parameters)
            try:
                return max(conn.execute(sql, dumped).rowcount, 0)
            except sqlite3.Error as error:
                raise _failure(conn, query, sql, error) from error

        return write

    def writing_rows(self, query: Query, sql: str) -> Runs:
        def write(conn: sqlite3.Connection, rows: Iterable[Sequence[Any]], /) -> int:
            try:
                return max(conn.executemany(sql, rows).rowcount, 0)
            except sqlite3.Error as error:
                raise _failure(conn, query, sql, error) from error

        return write

    def prove(self, conn: sqlite3.Connection, query: Query) -> None:
        """Have a query prepared; see :class:`repo.binding.Adapter`."""
        sql = sent(query, self)
        try:
            if query.needs and conn.execute(_HAS, (query.needs,)).fetchone() is None:
                return
            _prepare(conn, query, sql)
            if query.columns and not query.writes:
                # This computes no row, but describes the columns.
                look = f"{_LOOK} ({sql.rstrip().removesuffix(';')}\n) LIMIT 0"
                with closing(conn.execute(look, dict.fromkeys(query.parameters))) as cursor:
                    _compare_names(query, cursor.description)
        except sqlite3.Error as error:
            raise unlike(query, str(error)) from error
