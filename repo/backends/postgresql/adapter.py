"""aiosql's adapter for psycopg 3, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import repeat
from typing import Any, Final

import psycopg
import psycopg_pool
from aiosql.types import SQLOperationType
from aiosql.utils import VAR_REF
from psycopg import generators, pq
from psycopg.postgres import types

from repo.backends.postgresql import arrays
from repo.backends.results import FETCH_ROWS, record_of, unlike, wrong_columns, wrong_type
from repo.batches import BATCH_ROWS
from repo.binding import Dump, Runs
from repo.errors import (
    CheckViolation,
    ConfigurationError,
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

_STATES: Final[Mapping[str, type[RepoError]]] = {
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "40001": ConflictError,
    "40P01": ConflictError,
    "55P03": ConflictError,
    "0A000": ConflictError,  # a plan prepared before the schema was changed
    "22003": RangeError,
    "25006": DatabaseUnavailable,  # a server that has become a standby
    "25P03": DatabaseUnavailable,  # the time-outs of a transaction: idle, and in all
    "25P04": DatabaseUnavailable,
    "26000": ConfigurationError,
    "42P05": ConfigurationError,
    "42501": DatabaseUnavailable,
    "57014": DatabaseUnavailable,  # the statement time-out
}
_CLASSES: Final[Mapping[str, type[RepoError]]] = {
    "08": DatabaseUnavailable,
    "23": IntegrityError,
    "28": DatabaseUnavailable,
    "3D": DatabaseUnavailable,
    "40": ConflictError,
    "42": QueryContractError,
    "53": DatabaseUnavailable,
    "57": DatabaseUnavailable,
    "58": DatabaseUnavailable,
    "XX": DatabaseUnavailable,
}

_OLD_PLAN: Final = "0A000"

_MIXED_UP: Final = frozenset({"26000", "42P05"})
"""A prepared statement is missing, or exists already: it belongs to another session."""

_ROWS_HELD: Final = 10_000
"""The most rows of a result whose cursor is kept, with the result."""

# Here and not in queries/: it is asked while those are proven.
_HAS: Final = "SELECT CAST(to_regclass(%s) AS text)"

_TYPES: Final[Mapping[type, frozenset[int]]] = {
    int: frozenset(types[name].oid for name in ("int2", "int4", "int8")),
    float: frozenset({types["float8"].oid}),
    str: frozenset(types[name].oid for name in ("text", "varchar", "bpchar", "name")),
    date: frozenset({types["date"].oid}),
    datetime: frozenset({types["timestamptz"].oid}),
}
"""The server's types for each Python type of a record's column; a batch has arrays of them."""

_PLANNED_ANEW: Final = frozenset({"market.on_day"})
"""Queries that are never prepared: a plan for every day cannot use an index over recent days alone, and
a session keeps such a plan once it has one (after five older days, say)."""


def _arrays(oids: frozenset[int]) -> frozenset[int]:
    return oids | {each.array_oid for oid in oids if (each := types.get(oid)) is not None}


class _Expected:
    """The columns that the rows of one query are to have; ``known`` once their types are."""

    __slots__ = ("known", "names", "query")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.known = False
        self.names = [column.name.encode() for column in query.columns]

    def compare(self, result: Any, *, batches: bool = False) -> None:
        """Compare a result with the record; the names each time, because a pooler may mix up statements.

        :param batches: whether a column may be an array of the values of several rows.
        :raises QueryContractError: for other columns, or columns of another type.
        """
        found = list(map(result.fname, range(result.nfields)))
        if found != self.names:
            raise wrong_columns(self.query, [(name or b"").decode() for name in found])
        if self.known:
            return
        for index, column in enumerate(self.query.columns):
            oid = result.ftype(index)
            wanted = _TYPES[column.type]
            if oid not in (_arrays(wanted) if batches else wanted):
                kind = types.get(oid)
                raise wrong_type(self.query, column.name, kind.name if kind else f"type {oid}")
        self.known = True


class _Reading:
    """Reads the rows of one query."""

    __slots__ = ("compare", "dump", "lacks_symbol", "prepare", "query", "record", "sql")

    def __init__(self, query: Query, sql: str, dump: Dump) -> None:
        self.query = query
        self.sql = sql
        self.dump = dump
        self.prepare = False if query.full_name in _PLANNED_ANEW else None
        self.compare = _Expected(query).compare
        self.record, self.lacks_symbol = record_of(query)

    def rows(self, conn: Any, parameters: Mapping[str, Any], /) -> list[Any]:
        """All rows, as records if a record is declared."""
        dumped = self.dump(parameters)
        record = self.record
        given = (parameters["symbol"],) if self.lacks_symbol else ()
        records: list[Any] = []
        try:
            if conn.each_time:
                conn.enter()
            # A used cursor knows how to decode the columns.
            cursor, conn.reader = conn.reader or conn.cursor(binary=True), None
            cursor.execute(self.sql, dumped, prepare=self.prepare)
            if record is not None:
                self.compare(cursor.pgresult)
            for _ in range(0, cursor.rowcount, FETCH_ROWS):
                rows = cursor.fetchmany(FETCH_ROWS)
                tuples = map(given.__add__, rows) if given else rows
                # tuple.__new__ is what a named tuple's _make ends in, without a call of Python's own.
                records += map(tuple.__new__, repeat(record), tuples) if record else tuples
        except psycopg.Error as error:
            raise _failure(conn, self.query, error) from error
        if len(records) <= _ROWS_HELD:  # it holds this result until the next one
            conn.reader = cursor
        return records

    def columns(
        self, conn: Any, parameters: Mapping[str, Any], build: Callable[[Sequence[Any]], Any], /
    ) -> list[Any]:
        """All rows as columns; a row of the query may be a batch, with an array for each column.

        A column that is no array has one value for all rows of its batch.
        """
        dumped = self.dump(parameters)
        batches: list[Any] = []
        alone: list[list[Any]] = []
        try:
            with conn.cursor(binary=True) as cursor:
                arrays.read_raw(cursor)
                for row in cursor.stream(self.sql, dumped):
                    if not batches and not alone:
                        self.compare(cursor.pgresult, batches=True)
                    columns = [arrays.decode(value) for value in row]
                    several = next((each for each in columns if not arrays.is_single(each)), None)
                    if several is not None:
                        rows = len(several)
                        batches.append(
                            build(
                                [[each] * rows if arrays.is_single(each) else each for each in columns]
                            )
                        )
                    else:
                        alone.append(columns)
                    if len(alone) == BATCH_ROWS:
                        batches.append(build(list(zip(*alone, strict=True))))
                        alone = []
                if alone:
                    batches.append(build(list(zip(*alone, strict=True))))
        except psycopg.Error as error:
            raise _failure(conn, self.query, error) from error
        return batches


def _failure(conn: Any, query: Query, error: psycopg.Error) -> RepoError:
    """The error; a connection with plans of an older schema is marked for replacement."""
    if error.sqlstate == _OLD_PLAN:
        conn.stale = True
    found = translate(error)
    return unlike(query, str(found)) if isinstance(found, QueryContractError) else found


def translate(error: Exception) -> RepoError:
    """The package's error for a driver's, by its SQLSTATE.

    The message leaves out the server's DETAIL, which holds values of rows.
    """
    state = getattr(error, "sqlstate", None)
    if state is None:
        lost = isinstance(error, psycopg.OperationalError | psycopg_pool.PoolClosed)
        return (DatabaseUnavailable if lost else RepoError)(str(error).expandtabs(4))
    kind = _STATES.get(state) or _CLASSES.get(state[:2], RepoError)
    if state in _MIXED_UP:
        return kind(
            f"a pooler before the server does not keep prepared statements ({error}, SQLSTATE {state}): "
            "set prepare_threshold=none in the URL, or prepare_threshold=None"
        )
    message = f"{getattr(error, 'diag').message_primary} (SQLSTATE {state})"  # noqa: B009  # Exception has no diag
    return kind(message)


def _answer(conn: Any) -> Any:
    """Wait for the requests that were sent, and give the last one's result."""
    return conn.wait(generators.execute(conn.pgconn))[-1]


class PostgreSQLAdapter:
    """aiosql's adapter for psycopg: binary results, records built as rows arrive, errors translated."""

    dumpers = Dumpers({}, list)
    # psycopg parses a statement of more parameters than this anew each time.
    values_a_statement = 50

    def reading(self, query: Query, sql: str, dump: Dump) -> Runs:
        return _Reading(query, sql, dump).rows

    def reading_columns(self, query: Query, sql: str, dump: Dump) -> Runs:
        return _Reading(query, sql, dump).columns

    def writing(self, query: Query, sql: str, dump: Dump) -> Runs:
        def write(conn: Any, parameters: Mapping[str, Any], /) -> int:
            dumped = dump(parameters)
            try:
                written: int = conn.execute(sql, dumped).rowcount
            except psycopg.Error as error:
                raise _failure(conn, query, error) from error
            return max(written, 0)

        return write

    def writing_rows(self, query: Query, sql: str) -> Runs:
        """See :class:`repo.binding.Adapter`; the rows of a COPY are the pieces of its stream."""

        def write(conn: Any, rows: Iterable[Any], /) -> int:
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
                if isinstance(error.__context__, KeyboardInterrupt):
                    raise error.__context__ from None  # which left the driver in the middle
                raise _failure(conn, query, error) from error

        return write

    def prove(self, conn: Any, query: Query) -> None:
        """Have a query prepared and described; see :class:`repo.binding.Adapter`."""
        numbers = {name: f"${number}" for number, name in enumerate(query.parameters, 1)}
        numbered = VAR_REF.sub(
            lambda found: found["lead"] + numbers[found["var_name"]] if found["var_name"] else found[0],
            query.sql,
        )
        server = conn.pgconn
        try:
            if query.needs and conn.execute(_HAS, (query.needs,)).fetchone() == (None,):
                return
            server.send_prepare(b"", numbered.encode())
            result = _answer(conn)
            if result.status == pq.ExecStatus.COMMAND_OK:
                server.send_describe_prepared(b"")
                result = _answer(conn)
        except psycopg.Error as error:
            raise translate(error) from error
        if result.status != pq.ExecStatus.COMMAND_OK:
            message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
            raise unlike(query, message.decode("utf-8", "replace"))
        if query.columns:
            _Expected(query).compare(result, batches=True)

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """SQL as psycopg takes it: ``%(name)s`` for ``:name``, and every other percent sign doubled."""
        form = "%s" if op_type is SQLOperationType.INSERT_UPDATE_DELETE_MANY else "%({})s"
        return VAR_REF.sub(
            lambda found: (
                found["lead"] + form.format(found["var_name"]) if found["var_name"] else found[0]
            ),
            sql.replace("%", "%%"),
        )
