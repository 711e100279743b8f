"""What the package needs of a backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

from repo.binding import Adapter, BoundQueries
from repo.engine.connection import Connection

if TYPE_CHECKING:
    from repo.batches import RowEncoder
    from repo.engine.backup import DumpRestore
    from repo.engine.introspection import Introspection
    from repo.engine.maintenance import Maintenance
    from repo.engine.plans import Planner
    from repo.engine.transfer import Transfer
    from repo.errors import RepoError
    from repo.queries import RunQuery
    from repo.tables import Table

IsolationLevel = Literal["serializable", "repeatable read", "read committed"]
ISOLATION_LEVELS: Final[tuple[IsolationLevel, ...]] = get_args(IsolationLevel)


class Backend(Protocol):
    """One engine. It raises this package's errors, with the driver's chained."""

    dialect: str
    read_only: bool
    one_writer: bool
    """Whether a transaction that writes keeps every other from writing."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    @property
    def adapter(self) -> Adapter:
        """Runs queries on the driver."""

    def acquire(self, *, write: bool) -> Connection:
        """A connection for this caller alone, until :meth:`release`.

        :raises ConfigurationError: if waiting for it would keep its holder from giving it back.
        """

    def release(self, connection: Connection, *, write: bool) -> None:
        """Take a connection back, whatever its state and from whichever thread.

        It is called again if an interrupt struck inside: a step that must not happen twice comes last.
        """

    def waits_for(self, connection: Connection, *, write: bool) -> bool:
        """Whether :meth:`acquire` would wait for this connection, which is taken."""

    def beside(self, connection: Connection) -> AbstractContextManager[Connection | None]:
        """A connection for queries after an error on this one; None if none is free."""

    def begin(self, connection: Connection, *, read_only: bool, isolation: str) -> None:
        """Begin a transaction."""

    def commit(self, connection: Connection) -> None:
        """Commit; if that fails, the transaction is over all the same."""

    def rollback(self, connection: Connection) -> None:
        """Roll back; :meth:`release` deals with a connection on which that fails."""

    def savepoint(self, connection: Connection, depth: int) -> None:
        """Set the savepoint of a depth."""

    def release_savepoint(self, connection: Connection, depth: int) -> None:
        """Keep the changes since the savepoint."""

    def rollback_to(self, connection: Connection, depth: int) -> None:
        """Undo the changes since the savepoint, and release it."""

    def upsert(
        self,
        connection: Connection,
        queries: BoundQueries,
        table: Table,
        rows: RowEncoder,
        *,
        depth: int,
    ) -> int:
        """Write rows inside a transaction; how many were new or different.

        Columns that the rows lack stay as they are in stored rows. The rows' tally, if any, is filled.

        :param depth: of the savepoint that was set for this write, or 0 for a transaction that was begun
            for it: the write may go back there and start over.
        :raises RepeatedKeys: if the tally is strict and a key comes again.
        """

    def deadlocked(self, error: RepoError) -> bool:
        """Whether a statement was undone because it and another transaction waited for each other."""

    def transfer(self) -> Transfer:
        """How whole tables are read and filled."""

    def table_states(self, connection: Connection, queries: BoundQueries) -> Sequence[Any]:
        """What a transaction did to each table: rows of ``footprint.tables``.

        Empty for an engine that locks only the whole database.
        """

    def planner(self) -> Planner:
        """Says how this engine runs a query."""

    def run_script(self, connection: Connection, script: str, *, limit: int | None = None) -> None:
        """Run a statement of a migration inside a transaction.

        :param limit: stop it after so many instructions, where the engine counts those, or when a
            statement has taken its time, whatever the script sets; the transaction is over then.
        :raises DatabaseUnavailable: if it was stopped, or took longer than a statement may.
        """

    def run_alone(self, connection: Connection, statement: str, *, again: bool) -> None:
        """Run a statement of a migration on a connection that is in no transaction.

        :param again: whether it may have been run before; it is skipped if it is done already.
        """

    def schema_changed(self) -> None:
        """Forget what connections remember of the former schema."""

    def introspection(self) -> Introspection:
        """Describes the database's schema."""

    def backup(self, queries: BoundQueries) -> DumpRestore:
        """Writes and restores backups of the database."""

    def maintenance(self, ask: RunQuery) -> Maintenance:
        """Says what a database needs and suffers from.

        :param ask: runs named queries in it.
        """

    def close(self) -> None:
        """Close every connection; :meth:`acquire` raises DatabaseUnavailable after that."""


@contextmanager
def taken(backend: Backend, *, write: bool) -> Iterator[Connection]:
    """A connection of a backend, for the block."""
    connection = backend.acquire(write=write)
    try:
        yield connection
    finally:
        backend.release(connection, write=write)
