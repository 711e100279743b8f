"""Whole tables of SQLite, read as they are stored, and filled in a file beside the database.

A copy fills tables like those that readers see in a file of its own, ``<name>.copy``. When all of it is
there, the rows go over in one transaction, for a file that others have open cannot change places.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from repo.backends.journal import COPY, JOURNAL
from repo.backends.sqlite.adapter import translate
from repo.backends.upserts import write_many
from repo.batches import Columns
from repo.binding import BoundQueries
from repo.chunks import ChunkDigest, ChunkHashes
from repo.engine.staging import MEANWHILE, RunAll, StagedCopy
from repo.engine.transfer import Limits, OtherTable
from repo.errors import ConfigurationError, ConflictError, TransferError
from repo.tables import TABLES, Table

__all__ = ["SQLiteTransfer"]

_NAMES: Final = [table.name for table in TABLES.values()]
_SMALL_CACHE: Final = "PRAGMA cache_size = -2000"
"""SQLite's own choice: rows that are read or written once, in the order of keys, need no more."""


class SQLiteTransfer:
    """See :class:`repo.engine.transfer.Transfer`."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    @contextmanager
    def scanning(self, connection: Any) -> Iterator[None]:
        ((usual,),) = connection.execute("PRAGMA cache_size").fetchall()
        connection.execute(_SMALL_CACHE)
        try:
            yield
        finally:
            with suppress(sqlite3.Error):  # it is closed
                connection.execute(f"PRAGMA cache_size = {usual}")

    def digest(
        self, connection: Any, queries: BoundQueries, table: Table, first: int, last: int
    ) -> list[ChunkDigest]:
        hashes = ChunkHashes(table)
        self.read(connection, queries, table, Limits(first, last), hashes.take)
        return hashes.end()

    def read(
        self,
        connection: Any,
        queries: BoundQueries,
        table: Table,
        limits: Limits,
        take: Callable[[Columns], None],
    ) -> None:
        queries.columnar(f"rows.{table.aggregate}")(connection, limits._asdict(), take)

    def others(self, connection: Any, queries: BoundQueries) -> list[OtherTable]:
        found = queries["file.stored"](connection, {})
        return [
            OtherTable(each.quoted, bool(each.bookkeeping)) for each in found if each.name not in _NAMES
        ]

    def other_rows(self, connection: Any, queries: BoundQueries, table: OtherTable) -> Iterator[bytes]:
        usual = connection.text_factory
        connection.text_factory = lambda raw: ("text", raw)  # which may be no UTF-8, and is no blob
        try:
            # Here and not in queries/: a table's name is no parameter.
            for row in connection.execute(f"SELECT * FROM {table.quoted}"):  # noqa: S608  # quoted
                yield repr(row).encode("ascii")
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            connection.text_factory = usual

    def staged(self, queries: BoundQueries) -> SQLiteStagedCopy:
        return SQLiteStagedCopy(self._backend, queries)


class SQLiteStagedCopy(StagedCopy):
    """See :class:`repo.engine.staging.StagedCopy`."""

    def __init__(self, backend: Any, queries: BoundQueries) -> None:
        super().__init__(queries)
        if backend.path is None:
            raise ConfigurationError("a database in memory is no target of a copy: name a file")
        self._backend = backend
        self._file = Path(f"{backend.path.absolute()}.copy")
        self._connection: sqlite3.Connection | None = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        try:
            connection = sqlite3.connect(
                self._file, isolation_level=None, timeout=1, check_same_thread=False
            )
            self._connection = connection
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.execute("BEGIN EXCLUSIVE")  # and keep the lock
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.close()
            found = translate(error)
            if isinstance(found, ConflictError):
                raise TransferError("another process is copying into this database") from error
            raise found from error
        return connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def inside(self) -> Iterator[Any]:
        with _transaction(self._open()) as connection:
            yield connection

    def there(self) -> bool:
        if not self._file.exists():
            return False
        with self.inside() as connection:
            found = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'copy_state'"
            ).fetchone()
        if found is None:  # it was cut off before it had begun
            self.abandon()
        return found is not None

    def lacking(self) -> list[str]:
        return []

    def obstacles(self) -> list[str]:
        return []  # the tables stay, and so does what depends on them

    def begin(self, header: str, token: str) -> None:
        self._token = token
        with self._live() as live:
            made = live.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with self.inside() as connection:
            for name, statement in made:
                if name in _NAMES:
                    connection.execute(statement)
            for statement in JOURNAL:
                connection.execute(statement.format(""))
            self.queries["journal.begin"](connection, {"header": header, "token": token, "built": 0})

    @contextmanager
    def filling(self, connection: Any, table: Table) -> Iterator[Callable[[Columns, bytes], object]]:
        name, values = f"filling.{table.aggregate}", self._backend.adapter.values_a_statement
        yield lambda columns, data: write_many(connection, self.queries, name, columns, values)

    def empty(self, connection: Any, table: Table) -> None:
        connection.execute(f"DELETE FROM {table.name}")  # noqa: S608  # a constant

    def finish(self) -> None:
        """Make the indexes: SQLite copies rows as they are between tables that have the same ones."""
        with self._live() as live:
            made = live.execute(
                "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            ).fetchall()
        with self.inside() as connection:
            self.hold(connection)
            there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            for name, table, statement in made:
                if table in _NAMES and name not in there:
                    connection.execute(statement)

    @contextmanager
    def _live(self) -> Iterator[sqlite3.Connection]:
        """A separate connection to the target, whose settings are changed for the copy."""
        connection = self._backend.open_apart()
        try:
            yield connection
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            connection.close()

    def install(self, *, replace: bool, prove: Callable[[RunAll], None]) -> None:
        self.close()
        with self._live() as live, _short_log(live):
            live.execute(_SMALL_CACHE)
            live.execute("PRAGMA foreign_keys = OFF")  # they are looked at below, all at once
            live.execute(f"ATTACH DATABASE ? AS {COPY}", (str(self._file),))
            with _transaction(live):
                found = self.queries["proof.counts"](live, {})
                moved = replace or not any(each.number for each in found)
                if moved:
                    for name in reversed(_NAMES):
                        live.execute(f"DELETE FROM main.{name}")  # noqa: S608  # constants, here and below
                    for name in _NAMES:
                        live.execute(f"INSERT INTO main.{name} SELECT * FROM {COPY}.{name}")  # noqa: S608
                for name in _others(live):
                    broken = live.execute(f"PRAGMA main.foreign_key_check({name})").fetchone()
                    if broken is not None:
                        raise TransferError(
                            f"{name} would refer to rows of {broken[2]} that are gone: delete "
                            "those rows of it first, or use --merge"
                        )
                try:
                    prove(lambda functions: (function(live) for function in functions))
                except TransferError as error:
                    if moved:
                        raise
                    # Equal rows are there where all this was done before, and only the file was left.
                    raise TransferError(MEANWHILE) from error
                live.execute("ANALYZE main")
        self.abandon()

    def abandon(self) -> None:
        self.close()
        for ending in ("-journal", ""):
            Path(f"{self._file}{ending}").unlink(missing_ok=True)


@contextmanager
def _short_log(live: sqlite3.Connection) -> Iterator[None]:
    """Leave no long write-ahead log: on a disk that it has filled nobody can open the file."""
    live.execute("PRAGMA main.wal_checkpoint")  # so that later there is nothing to be moved
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            live.execute("PRAGMA busy_timeout = 1000")  # readers may keep it
            live.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")


def _others(live: sqlite3.Connection) -> list[str]:
    """The tables that are no part of this package, quoted; the proof is about the others."""
    found = live.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
    return ['"{}"'.format(name.replace('"', '""')) for (name,) in found if name not in _NAMES]


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise translate(error) from error
