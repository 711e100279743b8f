"""PostgreSQL through psycopg 3: a pool, binary results, binary COPY and one merge."""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from itertools import chain, islice
from math import ceil
from typing import Any, Final

import psycopg
import psycopg_pool
from psycopg import errors, pq
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from repo.backends import copy
from repo.backends.base import Passing, merge, refuse_unknown, write_rows
from repo.backends.postgresql_adapter import PostgreSQLAdapter, translate
from repo.backends.postgresql_url import OPTIONS, check_options, demand_tls, url_settings
from repo.batches import EPOCH, Batches, Columns, Table, settle
from repo.engine import Bound, on_fork
from repo.errors import ConfigurationError, DatabaseUnavailable
from repo.queries import Query
from repo.watching import LOG

__all__ = ["PostgreSQLBackend"]

_OLDEST: Final = 14
_APPLICATION: Final = "smart-money-repo"
_MIN_SIZE: Final = 10
_MAX_SIZE: Final = 30
_WAIT_SECONDS: Final = 30.0
_STATEMENT_SECONDS: Final = 600.0
_CONNECT_SECONDS: Final = 10
_PREPARE_THRESHOLD: Final = 5
_PROVE_AFTER_SECONDS: Final = 1.0
_WARM_SECONDS: Final = 60.0
_DIRECT_ROWS: Final = 100
_COPY_BYTES: Final = 1 << 20
_BESIDE_SECONDS: Final = 0.2
_MERGE_MEMORY: Final = "64MB"
_CHANGES: Final = """
SELECT pg_stat_get_xact_tuples_updated(c.oid) AS changes
FROM pg_class AS c
WHERE c.oid = CAST(%(table)s AS regclass) AND c.relkind = 'r' AND current_setting('track_counts') = 'on'
UNION ALL
SELECT NULL
LIMIT 1
"""
"""What the server counts of a transaction, unless it was told not to, or the table is in parts."""


class _Connection(psycopg.Connection[Any]):
    """A pooled connection that knows when it was last used and can tell if it was spoken to since.

    ``reader`` is a cursor of binary results, kept from one query to the next.
    """

    reader: psycopg.Cursor[Any] | None = None
    used_at = 0.0
    taken_at = 0.0
    stale = False
    _poll: Any = None

    def heard_something(self) -> bool:
        """Whether the server has sent anything while nothing was asked: an end, as a rule.

        It asks the socket and not the server, so it costs microseconds.
        """
        if not hasattr(select, "poll"):  # Windows
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fileno(), select.POLLIN)
        return bool(self._poll.poll(0))


class _NotGiven:
    """Stands for an argument that was left out, where None means something."""


_NOT_GIVEN: Final = _NotGiven()


class PostgreSQLBackend:
    """A server, through a pool of connections that grows with its use."""

    dialect = "postgresql"

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        min_size: int | None = None,
        max_size: int | None = None,
        pool_timeout: float | None = None,
        statement_timeout: float | None = None,
        prepare_threshold: int | _NotGiven | None = _NOT_GIVEN,
        **unknown: object,
    ) -> None:
        """Open a pool; options given here come before those in the URL.

        :param pool_timeout: seconds to wait for a connection when all are taken.
        :param statement_timeout: seconds that a statement may take; 0 is no limit.
        :param prepare_threshold: how often a statement runs before it is prepared; None is never,
            for PgBouncer in transaction mode.
        """
        refuse_unknown("PostgreSQL", unknown, OPTIONS)
        self.adapter = PostgreSQLAdapter()
        self.read_only = read_only
        parameters, options = url_settings(url)
        demand_tls(parameters)
        given = {
            "min_size": min_size,
            "max_size": max_size,
            "pool_timeout": pool_timeout,
            "statement_timeout": statement_timeout,
        }
        options.update({name: value for name, value in given.items() if value is not None})
        if not isinstance(prepare_threshold, _NotGiven):
            options["prepare_threshold"] = prepare_threshold
        check_options(options)
        seconds = options.get("statement_timeout", _STATEMENT_SECONDS)
        self._statement_milliseconds = ceil(seconds * 1000)
        largest = options.get("max_size", max(_MAX_SIZE, options.get("min_size", 0)))
        smallest = options.get("min_size", min(_MIN_SIZE, largest))
        if not 1 <= largest >= smallest:
            raise ConfigurationError(
                f"max_size must be at least 1 and at least min_size ({smallest}), not {largest}"
            )
        adapters = AdaptersMap(psycopg.adapters)
        # One type for all ints: by default it goes by the value, and :a + :b overflows at 30,000.
        adapters.register_dumper(int, Int8Dumper)
        adapters.register_dumper(int, Int8BinaryDumper)
        connect = {
            "application_name": _APPLICATION,
            "connect_timeout": _CONNECT_SECONDS,
            **parameters,
            "autocommit": True,
            "prepare_threshold": options.get("prepare_threshold", _PREPARE_THRESHOLD),
            "context": adapters,
        }
        self._prove_server(connect)
        self._warm: deque[_Connection] = deque()
        self._size = (smallest, largest)
        self._pool_timeout = options.get("pool_timeout", _WAIT_SECONDS)
        self._connect = connect
        self._opening = threading.Lock()
        self.closed = False
        self._pool: _Pool | None = self._open_pool()
        on_fork(self)

    def _open_pool(self) -> _Pool:
        smallest, largest = self._size
        return psycopg_pool.ConnectionPool(
            kwargs=self._connect,
            connection_class=_Connection,
            min_size=smallest,
            max_size=largest,
            timeout=self._pool_timeout,
            configure=self._configure,
            open=True,
        )

    def _own_pool(self) -> _Pool:
        """The pool of this process; a child of a fork makes its own when it first needs one."""
        if self._pool is None:
            with self._opening:
                if self.closed:
                    raise DatabaseUnavailable("no connection to be had: the database is closed")
                if self._pool is None:
                    self._pool = self._open_pool()
        return self._pool

    def before_fork(self) -> None:
        """Nothing to do: what is the parent's stays the parent's."""

    def after_fork_in_parent(self) -> None:
        """Nothing to do."""

    def after_fork_in_child(self) -> None:
        """Leave the parent's sockets alone: to close one properly would end the parent's session."""
        if self._pool is not None:
            _inherited.append((self._pool, self._warm))
        self._warm = deque()
        self._opening = threading.Lock()
        self._pool = None

    def _prove_server(self, connect: dict[str, Any]) -> None:
        """Connect once in the open, for an error that tells at once what is wrong."""
        try:
            with _Connection.connect(**connect) as connection:
                self._configure(connection)
                version = connection.info.server_version // 10000
                self._prove(connection)
        except psycopg.Error as error:
            raise DatabaseUnavailable(_without_password(str(error), connect)) from error
        if version < _OLDEST:
            raise ConfigurationError(f"PostgreSQL {_OLDEST} or newer is needed; the server is {version}")

    def _configure(self, connection: psycopg.Connection[Any]) -> None:
        LOG.info("connected to %s", connection.info.host or "the server")
        connection.execute("SET timezone TO 'UTC'")
        connection.execute(f"SET statement_timeout TO {self._statement_milliseconds:d}")
        if self.read_only:
            connection.execute("SET default_transaction_read_only TO on")

    def _prove(self, connection: _Connection) -> None:
        try:
            answer = connection.execute("SHOW transaction_read_only").fetchone()
            if answer == ("on",) and not self.read_only:
                raise errors.ReadOnlySqlTransaction("the server takes no writes")
        except psycopg.Error:
            connection.close()  # or the pool would hand it out again
            raise

    def acquire(self, *, write: bool) -> _Connection:
        """The connection that was given back last, while it is warm, or else one of the pool.

        The pool hands its connections out in turn. A caller that makes one call after another would
        wake another server process each time, and wait longer for that than for the answer.
        """
        while True:
            try:
                connection = self._warm.pop()
            except IndexError:
                break
            if self._is_warm(connection):
                return connection
            self._own_pool().putconn(connection)
        cause: psycopg.Error | None = None
        pool = self._own_pool()
        # The pool would pause between two dead connections, and longer each time.
        for _ in range(pool.max_size):
            try:
                connection = pool.getconn()
            except (psycopg.Error, psycopg_pool.PoolClosed) as error:
                raise DatabaseUnavailable(f"no connection to be had: {error}") from error
            connection.taken_at = time.monotonic()
            idle = connection.taken_at - connection.used_at
            if idle < _PROVE_AFTER_SECONDS and not connection.heard_something():
                return connection
            try:
                self._prove(connection)
            except psycopg.Error as error:
                pool.putconn(connection)
                cause = error
            else:
                return connection
        raise DatabaseUnavailable(f"no connection to be had: {cause}") from cause

    def _is_warm(self, connection: _Connection) -> bool:
        now = time.monotonic()
        return (
            now - connection.used_at < _PROVE_AFTER_SECONDS
            and now - connection.taken_at < _WARM_SECONDS
            and not connection.heard_something()
        )

    def release(self, connection: _Connection, *, write: bool) -> None:
        if connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            self.rollback(connection)
        connection.used_at = time.monotonic()
        if connection.stale:
            connection.close()  # the pool makes another in its place
        pool = self._own_pool()
        if connection.closed or pool.closed:
            pool.putconn(connection)
        else:
            self._warm.append(connection)

    def _cool(self) -> None:
        """Give every warm connection back to the pool."""
        while self._warm:
            self._own_pool().putconn(self._warm.pop())

    def waits_for(self, connection: _Connection, *, write: bool) -> bool:
        return False  # there are others

    @contextmanager
    def beside(self, connection: _Connection) -> Iterator[_Connection | None]:
        if connection.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            yield connection
            return
        # A transaction that failed answers nothing more; another connection is asked if one is free.
        try:
            other = self._warm.pop() if self._warm else self._own_pool().getconn(_BESIDE_SECONDS)
        except (IndexError, psycopg.Error):
            yield None
            return
        try:
            yield other
        finally:
            self.release(other, write=False)

    def prove(self, connection: _Connection, query: Query, sql: str) -> None:
        self.adapter.prove(connection, query, sql)

    def _execute(self, connection: _Connection, statement: str) -> None:
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise translate(error) from error

    def begin(self, connection: _Connection, *, read_only: bool, isolation: str) -> None:
        access = "READ ONLY" if read_only else "READ WRITE"
        self._execute(connection, f"BEGIN ISOLATION LEVEL {isolation.upper()} {access}")

    def commit(self, connection: _Connection) -> None:
        self._execute(connection, "COMMIT")

    def rollback(self, connection: _Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            # Nothing of it is committed, and a connection that cannot even roll back is of no use.
            connection.close()

    def savepoint(self, connection: _Connection, depth: int) -> None:
        self._execute(connection, f"SAVEPOINT level_{depth:d}")

    def release_savepoint(self, connection: _Connection, depth: int) -> None:
        self._execute(connection, f"RELEASE SAVEPOINT level_{depth:d}")

    def rollback_to(self, connection: _Connection, depth: int) -> None:
        self._execute(connection, f"ROLLBACK TO SAVEPOINT level_{depth:d}")
        self._execute(connection, f"RELEASE SAVEPOINT level_{depth:d}")

    def upsert(
        self, connection: _Connection, queries: Bound, table: Table, rows: Batches, *, depth: int
    ) -> int:
        """Copy the rows into a temporary table and merge it; a few rows go in by themselves."""
        batches = rows.read()
        first = list(islice(batches, 2))
        if not first:
            return 0
        plain = not rows.absent and rows.tally is None
        if plain and len(first) == 1 and len(first[0][0]) <= _DIRECT_ROWS:
            return self._direct(connection, queries, table, first[0])
        return self._merge(connection, queries, table, rows, chain(first, batches))

    def _direct(self, connection: _Connection, queries: Bound, table: Table, batch: Columns) -> int:
        columns, _ = settle(batch, table.key_width)
        dated = [
            column if kind != "day" else [date.fromordinal(day + EPOCH) for day in column]
            for (_, kind), column in zip(table.columns, columns, strict=True)
        ]
        if not table.in_order:
            # In the order of the key, so that two writers wait for each other and do not deadlock.
            rows = sorted(zip(*dated, strict=True), key=lambda row: row[: table.key_width])
            dated = list(zip(*rows, strict=True))
        return write_rows(connection, queries, table, dated, self.adapter.values_a_statement)

    def _merge(
        self,
        connection: _Connection,
        queries: Bound,
        table: Table,
        rows: Batches,
        batches: Iterable[Columns],
    ) -> int:
        queries[f"{table.aggregate}.stage"](connection, {})
        fill = queries[f"{table.aggregate}.fill"]
        passing = Passing(table)
        for pieces in _pieces(table, passing.watch(batches)):
            fill(connection, [copy.HEADER, *pieces, copy.TRAILER])
        self._execute(connection, f"SET LOCAL work_mem TO '{_MERGE_MEMORY}'")
        written = merge(
            connection,
            queries,
            table,
            rows,
            repeats=passing.repeats,
            changes=lambda: self._changes(connection, table),
        )
        queries[f"{table.aggregate}.unstage"](connection, {})
        return written

    def _changes(self, connection: _Connection, table: Table) -> int | None:
        """How many rows of a table the transaction has changed so far; None where nobody counts them."""
        try:
            ((changes,),) = connection.execute(_CHANGES, {"table": table.name}).fetchall()
        except psycopg.Error as error:
            raise translate(error) from error
        return None if changes is None else int(changes)

    def run_script(self, connection: _Connection, script: str) -> None:
        self._execute(connection, script)

    def schema_changed(self) -> None:
        """Give up the connections there are: their prepared statements are of the schema as it was."""
        self._cool()
        self._own_pool().drain()

    def close(self) -> None:
        self.closed = True
        if self._pool is not None:
            self._cool()
            self._pool.close()


_Pool = psycopg_pool.ConnectionPool[_Connection]

_inherited: Final[list[object]] = []
"""What the process that forked this one left here."""


def _pieces(table: Table, batches: Iterable[Columns]) -> Iterator[list[bytes]]:
    """Batches as pieces of a COPY, about a megabyte at a time.

    Each lot is a COPY of its own, for between two of them the keys of tickers are looked up.
    """
    kinds = ["place", *(kind for _, kind in table.columns)]
    place = 0
    pieces: list[bytes] = []
    size = 0
    for batch in batches:
        rows = len(batch[0])
        pieces.append(copy.encode(kinds, [range(place, place + rows), *batch]))
        place += rows
        size += len(pieces[-1])
        if size >= _COPY_BYTES:
            yield pieces
            pieces, size = [], 0
    if pieces:
        yield pieces


def _without_password(message: str, connect: Mapping[str, Any]) -> str:
    password = connect.get("password")
    return message.replace(password, "***") if password else message
