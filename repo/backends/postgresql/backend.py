"""PostgreSQL through psycopg 3: a pool, binary results, binary COPY and one merge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import pq
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from repo import binary
from repo.backends.options import refuse_unknown
from repo.backends.postgresql.adapter import PostgreSQLAdapter, translate
from repo.backends.postgresql.connection import GRACE_SECONDS, PooledConnection
from repo.backends.postgresql.connections import Connections
from repo.backends.postgresql.url import OPTIONS, check_options, demand_tls, url_settings
from repo.backends.repeats import Passing, deduplicate
from repo.backends.savepoints import Savepoints
from repo.backends.upserts import finder, merge, write_many
from repo.batches import EPOCH, Columns, RowEncoder
from repo.binding import BoundQueries
from repo.conflicts import tried
from repo.engine.forks import on_fork
from repo.errors import ConfigurationError, DatabaseUnavailable, RepoError
from repo.queries import RunQuery
from repo.settings import DatabaseURL
from repo.tables import Table

if TYPE_CHECKING:
    from repo.engine.backup import DumpRestore
    from repo.engine.introspection import Introspection
    from repo.engine.maintenance import Maintenance
    from repo.engine.plans import Planner
    from repo.engine.transfer import Transfer

_APPLICATION: Final = "smart-money-repo"
_MIN_SIZE: Final = 10
_MAX_SIZE: Final = 30
_WAIT_SECONDS: Final = 30.0
_STATEMENT_SECONDS: Final = 600.0
_DIRECT_ROWS: Final = 100
_COPY_BYTES: Final = 1 << 20
_BESIDE_SECONDS: Final = 0.2
_DEADLOCK: Final = "40P01"
_ATTEMPTS: Final = 11
_PAUSE_SECONDS: Final = 0.2
_MERGE_MEMORY: Final = "64MB"


class PostgreSQLBackend(Savepoints):
    """A server, through a pool of connections that grows with its use."""

    dialect = "postgresql"
    one_writer = False

    def __init__(self, address: DatabaseURL, *, read_only: bool, **given: Any) -> None:
        """Open a pool; options given here override those in the URL."""
        refuse_unknown("PostgreSQL", given, OPTIONS)
        self.adapter = PostgreSQLAdapter()
        self.read_only = read_only
        parameters, options = url_settings(address.secret)
        demand_tls(parameters)
        for name, value in given.items():
            if value is not None or name == "prepare_threshold":
                options[name] = value
        check_options(options)
        largest = options.get("max_size", max(_MAX_SIZE, options.get("min_size", 0)))
        smallest = options.get("min_size", min(_MIN_SIZE, largest))
        if not 1 <= largest >= smallest:
            raise ConfigurationError(
                f"max_size must be at least 1 and at least min_size ({smallest}), not {largest}"
            )
        adapters = AdaptersMap(psycopg.adapters)
        # One type for all ints: the driver goes by the value, and :a + :b would overflow at 30,000.
        adapters.register_dumper(int, Int8Dumper)
        adapters.register_dumper(int, Int8BinaryDumper)
        connect = {"application_name": _APPLICATION, **parameters, "context": adapters}
        if "prepare_threshold" in options:
            connect["prepare_threshold"] = options["prepare_threshold"]
        self.connections = Connections(
            connect,
            read_only=read_only,
            statement_seconds=options.get("statement_timeout", _STATEMENT_SECONDS),
            size=(smallest, largest),
            timeout=options.get("pool_timeout", _WAIT_SECONDS),
        )
        on_fork(self)

    @property
    def closed(self) -> bool:
        return self.connections.closed

    def before_fork(self) -> None:
        """Nothing to do: the parent keeps its connections."""

    def after_fork_in_parent(self) -> None:
        """Nothing to do."""

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections alone."""
        self.connections.after_fork()

    def acquire(self, *, write: bool) -> PooledConnection:
        return self.connections.take()

    def release(self, connection: PooledConnection, *, write: bool) -> None:
        if connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            self.rollback(connection)
        self.connections.give_back(connection)

    def waits_for(self, connection: PooledConnection, *, write: bool) -> bool:
        return False  # there are others

    @contextmanager
    def beside(self, connection: PooledConnection) -> Iterator[PooledConnection | None]:
        if connection.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            yield connection
            return
        # A failed transaction answers no more queries; another connection is used if one is free.
        other = None
        try:
            with suppress(DatabaseUnavailable):
                other = self.connections.take(_BESIDE_SECONDS)
            yield other
        finally:
            if other is not None:
                self.release(other, write=False)

    def _execute(self, connection: PooledConnection, statement: str) -> None:
        try:
            connection.execute(statement, prepare=False)
        except psycopg.Error as error:
            raise translate(error) from error

    def begin(self, connection: PooledConnection, *, read_only: bool, isolation: str) -> None:
        access = "READ ONLY" if read_only else "READ WRITE"
        connection.began = f"BEGIN ISOLATION LEVEL {isolation.upper()} {access}{connection.each_time}"
        self._execute(connection, connection.began)

    def commit(self, connection: PooledConnection) -> None:
        self._execute(connection, "COMMIT")

    def rollback(self, connection: PooledConnection) -> None:
        try:
            with connection.impatient():
                connection.execute("ROLLBACK")
        except psycopg.Error:
            # Nothing was committed, and a connection that cannot roll back cannot be used.
            connection.close()

    def upsert(
        self,
        connection: PooledConnection,
        queries: BoundQueries,
        table: Table,
        rows: RowEncoder,
        *,
        depth: int,
    ) -> int:
        """Copy the rows into a temporary table and merge it; a few rows are written directly."""
        batches = rows.read(finder(connection, queries))
        first = list(islice(batches, 2))
        if not first:
            return 0
        plain = not rows.absent and rows.tally is None
        if plain and len(first) == 1 and len(first[0][0]) <= _DIRECT_ROWS:
            return self._until_no_deadlock(
                connection, depth, lambda: self._direct(connection, queries, table, first[0])
            )
        return self._merge(connection, queries, table, rows, chain(first, batches), depth + 1)

    def deadlocked(self, error: RepoError) -> bool:
        return getattr(error.__cause__, "sqlstate", None) == _DEADLOCK

    def _until_no_deadlock(
        self, connection: PooledConnection, depth: int, write: Callable[[], int]
    ) -> int:
        """Write, and after a deadlock go back to where the write began and write again."""

        def start_over() -> None:
            if depth:
                self.rewind(connection, depth)
            else:
                self._execute(connection, "ROLLBACK")
                self._execute(connection, connection.began)

        return tried(write, _ATTEMPTS, pause=_PAUSE_SECONDS, worth=self.deadlocked, undo=start_over)

    def _direct(
        self, connection: PooledConnection, queries: BoundQueries, table: Table, batch: Columns
    ) -> int:
        columns, _ = deduplicate(batch, len(table.key))
        dated = [
            column if kind != "day" else [date.fromordinal(day + EPOCH) for day in column]
            for (_, kind, *_), column in zip(table.written, columns, strict=True)
        ]
        if not table.unique:
            # In the order of the key, so that two writers do not deadlock.
            width = len(table.key)
            rows = sorted(zip(*dated, strict=True), key=lambda row: row[:width])
            dated = list(zip(*rows, strict=True))
        return write_many(
            connection, queries, f"{table.aggregate}.upsert", dated, self.adapter.values_a_statement
        )

    def _merge(
        self,
        connection: PooledConnection,
        queries: BoundQueries,
        table: Table,
        rows: RowEncoder,
        batches: Iterable[Columns],
        depth: int,
    ) -> int:
        queries[f"{table.aggregate}.stage"](connection, {})
        fill = queries[f"{table.aggregate}.fill"]
        passing = Passing(table)
        for pieces in _pieces(table, passing.watch(batches)):
            fill(connection, [binary.HEADER, *pieces, binary.TRAILER])
        self._execute(connection, f"SET LOCAL work_mem TO '{_MERGE_MEMORY}'")
        self.savepoint(connection, depth)

        def write() -> int:
            if table.unique:
                queries[f"{table.aggregate}.reserve"](connection, {})
            return merge(
                connection,
                queries,
                table,
                rows,
                repeats=passing.repeats,
                changes=lambda: queries["transaction.changes"](connection, {"relation": table.name}),
            )

        written = self._until_no_deadlock(connection, depth, write)
        self.release_savepoint(connection, depth)
        queries[f"{table.aggregate}.unstage"](connection, {})
        return written

    def transfer(self) -> Transfer:
        from repo.backends.postgresql.transfer import PostgreSQLTransfer

        return PostgreSQLTransfer(self)

    def planner(self) -> Planner:
        from repo.backends.postgresql.plans import PostgreSQLPlanner

        return PostgreSQLPlanner(self.adapter)

    def table_states(self, connection: PooledConnection, queries: BoundQueries) -> Sequence[Any]:
        found: Sequence[Any] = queries["footprint.tables"](connection, {})
        return found

    def run_script(self, connection: PooledConnection, script: str, *, limit: int | None = None) -> None:
        if limit is not None and connection.patience is not None:  # whatever the script has set
            seconds = connection.patience - GRACE_SECONDS
            self._execute(connection, f"SET LOCAL statement_timeout TO '{seconds:g}s'")
        self._execute(connection, script)

    def run_alone(self, connection: PooledConnection, statement: str, *, again: bool) -> None:
        from repo.backends.postgresql.building import run_alone

        # A large index takes long. Behind a pooler others share the session, so its settings stay.
        patience, limit = connection.patience, None
        try:
            if not connection.each_time:
                ((limit,),) = connection.execute("SHOW statement_timeout").fetchall()
                connection.execute("SET statement_timeout TO 0")
                connection.patience = None
            run_alone(connection, statement, again=again)
        except psycopg.Error as error:
            raise translate(error) from error
        finally:
            connection.patience = patience
            if limit is not None and not connection.closed:
                with suppress(psycopg.Error):
                    # A setting of the connection, as above; SET takes no parameters.
                    connection.execute("SELECT set_config('statement_timeout', %s, false)", [limit])

    def schema_changed(self) -> None:
        """Replace the connections: their prepared statements are of the former schema."""
        self.connections.replace()

    def introspection(self) -> Introspection:
        from repo.backends.postgresql.introspection import PostgreSQLIntrospection

        return PostgreSQLIntrospection(self)

    def backup(self, queries: BoundQueries) -> DumpRestore:
        from repo.backends.postgresql.backup import PostgreSQLDumpRestore

        connections = self.connections
        return PostgreSQLDumpRestore(connections.parameters, queries, pooler=connections.pooler)

    def maintenance(self, ask: RunQuery) -> Maintenance:
        from repo.backends.postgresql.maintenance import PostgreSQLMaintenance

        return PostgreSQLMaintenance(self, self.connections.pool.max_size, ask)

    def close(self) -> None:
        self.connections.close()


def _pieces(table: Table, batches: Iterable[Columns]) -> Iterator[list[bytes]]:
    """Batches as pieces of a COPY, about a megabyte at a time.

    Each is a separate COPY, because keys of tickers are looked up between two of them.
    """
    kinds = ["row", *(column.kind for column in table.written)]
    first = 0
    pieces: list[bytes] = []
    size = 0
    for batch in batches:
        rows = len(batch[0])
        pieces.append(binary.encode(kinds, [range(first, first + rows), *batch]))
        first += rows
        size += len(pieces[-1])
        if size >= _COPY_BYTES:
            yield pieces
            pieces, size = [], 0
    if pieces:
        yield pieces
