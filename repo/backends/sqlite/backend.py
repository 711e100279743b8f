"""SQLite through the standard library's sqlite3: one writer, many readers, WAL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from repo.backends.options import check_option, refuse_unknown
from repo.backends.repeats import Passing
from repo.backends.savepoints import Savepoints
from repo.backends.sqlite.adapter import SQLiteAdapter, translate
from repo.backends.sqlite.connections import Connections
from repo.backends.sqlite.upsert import DirectWrite
from repo.backends.upserts import finder, merge, write_many
from repo.batches import Columns, RowEncoder
from repo.binding import BoundQueries
from repo.errors import ConfigurationError, RepoError
from repo.queries import RunQuery
from repo.settings import DatabaseURL
from repo.tables import Table

if TYPE_CHECKING:
    from repo.engine.backup import DumpRestore
    from repo.engine.introspection import Introspection
    from repo.engine.maintenance import Maintenance
    from repo.engine.plans import Planner
    from repo.engine.transfer import Transfer

_OLDEST: Final = (3, 39, 0)
_BUSY_SECONDS: Final = 30.0


class SQLiteBackend(Savepoints, Connections):
    """One file, or one database in memory."""

    dialect = "sqlite"
    one_writer = True

    def __init__(
        self,
        address: DatabaseURL,
        *,
        read_only: bool,
        busy_timeout: float = _BUSY_SECONDS,
        **unknown: object,
    ) -> None:
        """Open a file, or a database in memory.

        :param busy_timeout: seconds to wait for another writer.
        """
        refuse_unknown("SQLite", unknown, ["busy_timeout"])
        check_option("busy_timeout", busy_timeout)
        if sqlite3.sqlite_version_info < _OLDEST:
            wanted = ".".join(map(str, _OLDEST[:2]))
            raise ConfigurationError(
                f"SQLite {wanted} or newer is needed; Python has {sqlite3.sqlite_version}"
            )
        self.adapter = SQLiteAdapter()
        super().__init__(address.file, read_only=read_only, busy=busy_timeout)

    @contextmanager
    def beside(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        yield connection  # only the statement failed, not the transaction

    def deadlocked(self, error: RepoError) -> bool:
        return False  # there is one writer

    def _execute(self, connection: sqlite3.Connection, statement: str) -> None:
        try:
            connection.execute(statement)
        except sqlite3.Error as error:
            raise translate(error) from error

    def begin(self, connection: sqlite3.Connection, *, read_only: bool, isolation: str) -> None:
        # A transaction that begins reading and then writes would fail at once if another wrote in
        # between; IMMEDIATE waits its turn at the start.
        self._execute(connection, "BEGIN" if read_only else "BEGIN IMMEDIATE")

    def commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.rollback(connection)  # a COMMIT that fails leaves the transaction open
            raise translate(error) from error

    def rollback(self, connection: sqlite3.Connection) -> None:
        try:
            begun = connection.in_transaction
        except sqlite3.ProgrammingError:
            return  # closed, and so rolled back, by another thread
        if begun:
            self._execute(connection, "ROLLBACK")

    def upsert(
        self,
        connection: sqlite3.Connection,
        queries: BoundQueries,
        table: Table,
        rows: RowEncoder,
        *,
        depth: int,
    ) -> int:
        """Write straight into the table as long as no key can come twice, which is nearly always.

        If one may, start over with a temporary table that keeps the last row of each key; otherwise a
        key with two rows could be counted twice, or counted although its last row changes nothing. The
        write goes back to the savepoint around it and sets none itself, because after one SQLite copies
        every page before it changes it, which takes as long as the change.
        """
        find = finder(connection, queries)
        if rows.absent or (table.unique and rows.tally is not None):
            return self._settled(connection, queries, table, rows, rows.read(find))
        values = self.adapter.values_a_statement
        written = DirectWrite(connection, queries, table, values, rows.tally).write(rows)
        if written is None:
            if depth:
                self.rewind(connection, depth)
            else:
                self.rollback(connection)
                self.begin(connection, read_only=False, isolation="serializable")
            written = self._settled(connection, queries, table, rows, rows.again(find))
        return written

    def _settled(
        self,
        connection: sqlite3.Connection,
        queries: BoundQueries,
        table: Table,
        rows: RowEncoder,
        batches: Iterator[Columns],
    ) -> int:
        first = list(islice(batches, 1))
        if not first:
            return 0  # as on PostgreSQL, even without tables
        queries[f"{table.aggregate}.stage"](connection, {})
        passing = Passing(table)
        values = self.adapter.values_a_statement
        start = 0
        for batch in passing.watch(chain(first, batches)):
            end = start + len(batch[0])
            numbered = [range(start, end), *batch]
            write_many(connection, queries, f"{table.aggregate}.fill", numbered, values)
            start = end
        written = merge(connection, queries, table, rows, repeats=passing.repeats)
        queries[f"{table.aggregate}.unstage"](connection, {})
        return written

    def transfer(self) -> Transfer:
        from repo.backends.sqlite.transfer import SQLiteTransfer

        return SQLiteTransfer(self)

    def planner(self) -> Planner:
        from repo.backends.sqlite.plans import SQLitePlanner

        return SQLitePlanner(self.adapter)

    def table_states(self, connection: sqlite3.Connection, queries: BoundQueries) -> Sequence[Any]:
        return ()

    def run_script(
        self, connection: sqlite3.Connection, script: str, *, limit: int | None = None
    ) -> None:
        if limit is None:
            self._execute(connection, script)
            return
        from repo.backends.sqlite.plans import counting

        with counting(connection, limit):
            self._execute(connection, script)

    def run_alone(self, connection: sqlite3.Connection, statement: str, *, again: bool) -> None:
        self._execute(connection, statement)

    def schema_changed(self) -> None:
        """Nothing to do: SQLite prepares its statements anew when the schema changes."""

    def introspection(self) -> Introspection:
        from repo.backends.sqlite.introspection import SQLiteIntrospection

        return SQLiteIntrospection()

    def backup(self, queries: BoundQueries) -> DumpRestore:
        from repo.backends.sqlite.backup import SQLiteDumpRestore

        return SQLiteDumpRestore(self, self.path, queries)

    def maintenance(self, ask: RunQuery) -> Maintenance:
        from repo.backends.sqlite.maintenance import SQLiteMaintenance

        return SQLiteMaintenance(self, self.path, ask)
