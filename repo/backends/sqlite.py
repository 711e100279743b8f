"""SQLite through the standard library's sqlite3: one writer, many readers, WAL."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count, repeat
from pathlib import Path
from typing import Any, Final

from aiosql.types import SQLOperationType
from aiosql.utils import VAR_REF

from repo.backends.base import CODERS, Bound, Coders, coded, coded_parameters
from repo.batches import BATCH_ROWS, EPOCH, Batches, Columns, Ranges, Table, settle
from repo.errors import (
    CheckViolation,
    ConfigurationError,
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

__all__ = ["SQLiteBackend"]

_OLDEST: Final = (3, 38, 0)
_BUSY_SECONDS: Final = 30.0
_CACHE_KIBIBYTES: Final = 64 * 1024
_STATEMENTS: Final = 256
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


def _translate(error: sqlite3.Error) -> RepoError:
    """The package's error for a driver's, by its extended result code."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # the sqlite3 module's own: a closed connection, a bad call
        return DatabaseUnavailable(str(error))
    kind = _CONSTRAINTS.get(code) or _PRIMARY.get(code & 0xFF, RepoError)
    return kind(str(error))


class _Days(dict[Any, Any]):
    """Dates by their day since 1970-01-01: most days are read over and over."""

    def __missing__(self, day: int) -> date:
        if len(self) >= _DAYS_REMEMBERED:
            self.clear()
            self[None] = None
        found = self[day] = date.fromordinal(day + EPOCH)
        return found


_DAYS: Final = _Days({None: None})


def _timestamp(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return _TIMESTAMP_EPOCH + timedelta(microseconds=microseconds)


_DECODERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    date: _DAYS.__getitem__,
    datetime: _timestamp,
}


def _microseconds(moment: datetime) -> int:
    aware: datetime = CODERS[datetime](moment)
    return (aware - _TIMESTAMP_EPOCH) // timedelta(microseconds=1)


_CODERS: Final[Coders] = {
    **CODERS,
    date: lambda day: day.toordinal() - EPOCH,
    datetime: _microseconds,
    list: lambda items: json.dumps([coded(item, _CODERS) for item in items]),
}


class SQLiteAdapter:
    """aiosql's adapter for sqlite3: values coded and decoded, rows built once, errors translated."""

    def __init__(self) -> None:
        self._decoders: dict[str, list[tuple[int, Callable[[Any], Any]]]] = {}

    def shape(self, query_name: str, columns: tuple[Column, ...]) -> None:
        self._decoders[query_name] = [
            (index, _DECODERS[column.type])
            for index, column in enumerate(columns)
            if column.type in _DECODERS
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
            return _translate(error)
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
            rows: list[Any] = conn.execute(sql, coded_parameters(parameters, _CODERS)).fetchall()
        except sqlite3.Error as error:
            raise self._failure(conn, sql, error) from error
        if record_class is None or not rows:
            return rows
        return self._records(query_name, rows, record_class)

    def _records(self, query_name: str, rows: list[Any], record_class: type[Any]) -> list[Any]:
        decoders = self._decoders[query_name]
        if len(rows) == 1:
            row = list(rows[0])
            for index, decode in decoders:
                row[index] = decode(row[index])
            return [tuple.__new__(record_class, row)]
        tuples: Iterable[Any] = rows
        if decoders:
            columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
            for index, decode in decoders:
                columns[index] = map(decode, columns[index])
            tuples = zip(*columns)  # noqa: B905  # strict would copy every tuple
        # tuple.__new__ is what a named tuple's _make ends in, without a call of Python's own per row.
        return list(map(tuple.__new__, repeat(record_class), tuples))

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
            cursor = conn.execute(sql, ready)
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
            raise _translate(error) from error

    insert_returning = select_one


class SQLiteBackend:
    """One file, or one database in memory.

    A file has one connection that writes, held by one thread at a time, and as many that read as
    there are threads reading. A database in memory is one connection that threads take in turn.
    """

    dialect = "sqlite"

    def __init__(
        self, path: Path | None, *, read_only: bool = False, busy_timeout: float = _BUSY_SECONDS
    ) -> None:
        """Open a file, made readable by its owner alone if it is not there; None is in memory.

        :param busy_timeout: seconds to wait for another writer.
        """
        if sqlite3.sqlite_version_info < _OLDEST:
            wanted = ".".join(map(str, _OLDEST[:2]))
            raise ConfigurationError(
                f"SQLite {wanted} or newer is needed; Python has {sqlite3.sqlite_version}"
            )
        self.adapter = SQLiteAdapter()
        self.read_only = read_only
        self._path = path
        self._busy = busy_timeout
        self._write_lock = threading.Lock()
        self._readers: deque[sqlite3.Connection] = deque()
        self._all: list[sqlite3.Connection] = []
        self._closed = False
        if path is not None and not read_only:
            _make_private(path)
        try:
            self._writer = self._open(write=not read_only)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.Error) -> RepoError:
        translated = _translate(error)
        return type(translated)(f"cannot open {self._path or 'memory'}: {error}")

    def _open(self, *, write: bool) -> sqlite3.Connection:
        target = ":memory:"
        if self._path is not None:
            mode = "ro" if self.read_only else "rw"
            target = f"{self._path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            target,
            timeout=self._busy,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
            uri=True,
        )
        try:
            if write:
                # Before temp_store: it would put this database into memory, where rows set aside by
                # the million have no place. An empty name is a file that SQLite deletes by itself.
                connection.execute("ATTACH DATABASE '' AS staging")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA foreign_keys = ON")
            if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
                raise ConfigurationError("this SQLite cannot enforce foreign keys")
            if write and self._path is not None:
                self._use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            if not write and self._path is not None:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        self._all.append(connection)
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Turn WAL on. SQLite does not wait for another process that does the same, so wait here."""
        deadline = time.monotonic() + self._busy
        while True:
            try:
                mode = connection.execute("PRAGMA main.journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
                continue
            if mode != ("wal",):
                raise DatabaseUnavailable(
                    f"{self._path}: no write-ahead log on this file system (journal mode {mode[0]})"
                )
            return

    def acquire(self, *, write: bool) -> sqlite3.Connection:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        if not write and self._path is not None:
            try:
                return self._readers.pop()
            except IndexError:
                pass
            try:
                return self._open(write=False)
            except sqlite3.Error as error:
                raise self._unusable(error) from error
        if not self._write_lock.acquire(timeout=self._busy):
            raise ConflictError(f"another thread has been writing for {self._busy:g} seconds")
        return self._writer

    def release(self, connection: sqlite3.Connection, *, write: bool) -> None:
        if connection.in_transaction:
            self.rollback(connection)
        if connection is self._writer:
            self._write_lock.release()
        else:
            self._readers.append(connection)

    def _execute(self, connection: sqlite3.Connection, statement: str) -> None:
        try:
            connection.execute(statement)
        except sqlite3.Error as error:
            raise _translate(error) from error

    def begin(self, connection: sqlite3.Connection, *, read_only: bool, isolation: str) -> None:
        # A transaction that begins reading and then writes would fail at once if another wrote in
        # between; IMMEDIATE waits its turn at the start.
        self._execute(connection, "BEGIN" if read_only else "BEGIN IMMEDIATE")

    def commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.rollback(connection)  # a COMMIT that fails leaves the transaction open
            raise _translate(error) from error

    def rollback(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            self._execute(connection, "ROLLBACK")

    def savepoint(self, connection: sqlite3.Connection, depth: int) -> None:
        self._execute(connection, f"SAVEPOINT level_{depth:d}")

    def release_savepoint(self, connection: sqlite3.Connection, depth: int) -> None:
        self._execute(connection, f"RELEASE level_{depth:d}")

    def rollback_to(self, connection: sqlite3.Connection, depth: int) -> None:
        self._execute(connection, f"ROLLBACK TO level_{depth:d}")
        self._execute(connection, f"RELEASE level_{depth:d}")

    def upsert(self, connection: sqlite3.Connection, queries: Bound, table: Table, rows: Batches) -> int:
        """Write straight into the table while no key can come twice, which is nearly always.

        When one may, start over by way of a table in which keys settle: only then does "new or
        different" mean what it says for a key whose first row is written and whose last is not.
        """
        self._execute(connection, "SAVEPOINT direct")
        written = _Direct(connection, queries, table).write(rows)
        if written is None:
            self._execute(connection, "ROLLBACK TO direct")
            written = self._settled(connection, queries, table, rows.again())
        self._execute(connection, "RELEASE direct")
        return written

    def _settled(
        self,
        connection: sqlite3.Connection,
        queries: Bound,
        table: Table,
        batches: Iterator[Columns],
    ) -> int:
        queries[f"{table.aggregate}.stage"](connection, {})
        fill = queries[f"{table.aggregate}.fill"]
        places = count()
        for batch in batches:
            fill(connection, zip(places, *batch))  # noqa: B905  # places never ends
        written: int = queries[f"{table.aggregate}.merge"](connection, {})
        queries[f"{table.aggregate}.unstage"](connection, {})
        return written

    def run_script(self, connection: sqlite3.Connection, script: str) -> None:
        # executescript() commits first, so the statements are run one at a time.
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                self._execute(connection, statement)
                statement = ""
        if statement.strip() and not _only_comments(statement):
            raise MigrationError(f"the last statement has no end: {statement.strip()[:80]}")

    def schema_changed(self) -> None:
        """Nothing to do: SQLite prepares its statements anew when the schema changes."""

    def close(self) -> None:
        self._closed = True
        while self._all:
            self._all.pop().close()
        self._readers.clear()


class _Direct:
    """Rows written straight into their table.

    While most rows turn out to be there already, a batch is compared with what is there before it is
    written: reading a row takes half the time of an upsert that changes nothing.
    """

    def __init__(self, connection: sqlite3.Connection, queries: Bound, table: Table) -> None:
        self._connection = connection
        self._upsert = queries[f"{table.aggregate}.upsert"]
        self._between = queries.get(f"{table.aggregate}.between")
        self._key = [name for name, _ in table.columns[: table.key_width]]
        self._comparing = False
        self._there: set[Any] = set()

    def write(self, batches: Batches) -> int | None:
        """The number of rows written, or None where a key of an earlier batch may have come again."""
        ranges = Ranges()
        written = 0
        for batch in batches.read(keep=True, stored=self._stored):
            columns, keys = settle(batch, len(self._key))
            if not ranges.admit(keys):
                return None
            rows = list(zip(*columns, strict=True))
            changed = [row for row in rows if row not in self._there] if self._there else rows
            count: int = self._upsert(self._connection, changed)
            written += count
            self._comparing = self._between is not None and count < len(rows) / 2
        return written

    def _stored(self, batch: Columns) -> bool:
        """Whether these rows lie in the table just so, side by side in the order of their keys."""
        self._there = set()
        if not self._comparing or self._between is None:
            return False
        rows = list(zip(*batch, strict=True))
        limits = dict(zip(self._key, rows[0], strict=False))
        for name, value in zip(self._key, rows[-1], strict=False):
            limits[f"last_{name}"] = value
        there = self._between(self._connection, {**limits, "rows": len(rows) + 1})
        if there == rows:
            return True
        self._there = set(there)
        return False


def _only_comments(text: str) -> bool:
    return all(line.lstrip().startswith("--") or not line.strip() for line in text.splitlines())


def _make_private(path: Path) -> None:
    """Create the file, and the folder it is to lie in, for their owner alone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise DatabaseUnavailable(f"cannot create {path}: {error.strerror}") from error
