"""What the package needs of a backend, and help for backends with forks and interrupts."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeVar, get_args
from weakref import WeakSet

from repo.binding import Adapter, BoundQueries
from repo.queries import Query

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from repo.archives import Archive
    from repo.batches import Columns, RowEncoder
    from repo.chunks import Chunk
    from repo.errors import RepoError
    from repo.schemas import Schema
    from repo.steps import Plan
    from repo.tables import Table
    from repo.upkeep import Upkeep

_T = TypeVar("_T")

IsolationLevel = Literal["serializable", "repeatable read", "read committed"]
ISOLATION_LEVELS: Final[tuple[IsolationLevel, ...]] = get_args(IsolationLevel)

Connection = Any
"""A driver's connection, opaque outside its backend."""

Bound = Mapping[str, Callable[..., Any]]
"""Queries bound to an engine, by full name: see :class:`repo.binding.BoundQueries`."""


class Introspection(Protocol):
    """Describes a schema, and offers an empty database to build one in."""

    def describe(self, connection: Connection, queries: Bound) -> Schema:
        """The tables with their columns, constraints and indexes, without the record of migrations."""

    def scratch(self) -> AbstractContextManager[Connection]:
        """A connection on which a schema can be built in a transaction, unseen, and is gone after it."""


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
        self, connection: Connection, queries: Bound, table: Table, rows: RowEncoder, *, depth: int
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

    def table_states(self, connection: Connection, queries: Bound) -> Sequence[Any]:
        """What a transaction did to each table: rows of ``footprint.tables``.

        Empty for an engine that locks only the whole database.
        """

    def plan(
        self,
        connection: Connection,
        queries: Bound,
        query: Query,
        arguments: Mapping[str, Any],
        *,
        analyze: bool,
        limit: int | None = None,
    ) -> Plan:
        """How the engine runs a query, inside a transaction.

        :param arguments: of its parameters; those of one row for a query that takes rows.
        :param analyze: run the query and measure it.
        :param limit: stop it after so many instructions, where the engine counts those.
        :raises InvalidRecord: for a value that is not of its parameter's type.
        :raises DatabaseUnavailable: if it was stopped, or took longer than a statement may.
        """

    def run_script(self, connection: Connection, script: str) -> None:
        """Run a statement of a migration inside a transaction."""

    def run_alone(self, connection: Connection, statement: str, *, again: bool) -> None:
        """Run a statement of a migration on a connection that is in no transaction.

        :param again: whether it may have been run before; it is skipped if it is done already.
        """

    def schema_changed(self) -> None:
        """Forget what connections remember of the former schema."""

    def introspection(self) -> Introspection:
        """Describes the database's schema."""

    def archive(self, queries: Bound) -> Archive:
        """Writes and restores backups of the database."""

    def upkeep(self) -> Upkeep:
        """The upkeep of this engine's databases."""

    def close(self) -> None:
        """Close every connection; :meth:`acquire` raises DatabaseUnavailable after that."""


FIRST_KEY: Final = -(2**63)
LAST_KEY: Final = 2**63 - 1
"""Bounds of the first column of a key that leave nothing out."""


class Limits(NamedTuple):
    """Which rows of a table: bounds of the first column of its key, and days; both are included.

    None leaves out no day, not even one that no calendar has.
    """

    first: int = FIRST_KEY
    last: int = LAST_KEY
    since: date | None = None
    until: date | None = None


class Ask(Protocol):
    """Puts questions to connections that see the same, several at once where the engine can."""

    def __call__(self, questions: Iterable[Callable[[Connection], _T]]) -> Iterator[_T]:
        """The answers, in the order of the questions."""


class Shadow(Protocol):
    """A copy under way in a target, which its readers do not see; one transaction for each ``keep``."""

    def lacking(self) -> list[str]:
        """The rights that are needed and not there."""

    def obstacles(self) -> list[str]:
        """What depends on the target's tables and keeps others from taking their place."""

    def begun(self) -> tuple[str, bool] | None:
        """What an unfinished copy was begun with, and whether its indexes are built; None for none."""

    def begin(self, header: str, token: str) -> None:
        """Make the tables, and note what the copy is begun with and whose it is."""

    def take_over(self, token: str, *, built: bool) -> None:
        """Go on with an unfinished copy: another process that does so too finds that out."""

    def arrived(self) -> Mapping[str, list[Chunk]]:
        """The chunks that have arrived, by table."""

    def write(self, table: Table, columns: Columns, data: bytes) -> None:
        """Write rows; ``data`` are the same as :func:`repo.chunks.encoded` has them."""

    def keep(self, table: Table, chunks: Sequence[Chunk]) -> None:
        """Commit what was written, and note that these chunks have arrived."""

    def drop(self) -> None:
        """Roll back what was written since."""

    def clear(self, table: Table) -> None:
        """Take out what has arrived of a table."""

    def finish(self) -> None:
        """Build indexes and constraints, and gather statistics."""

    def install(self, *, replace: bool, prove: Callable[[Ask], None]) -> None:
        """Put the tables where readers see them, all at once, if ``prove`` does not raise.

        :param prove: may ask connections that see the copy by the tables' own names.
        :param replace: whether there may be rows, which are then gone.
        :raises TransferError: if there are rows that may not be replaced.
        """

    def abandon(self) -> None:
        """Remove what an unfinished copy has left."""

    def close(self) -> None:
        """Give the connection back."""


class Transfer(Protocol):
    """How an engine's tables are read as a whole, with values as in :data:`repo.batches.Columns`."""

    def digest(
        self, connection: Connection, queries: BoundQueries, table: Table, first: int, last: int
    ) -> list[Chunk]:
        """The digests of a table's chunks, by chunk; the bounds are those of chunks, too."""

    def read(
        self,
        connection: Connection,
        queries: BoundQueries,
        table: Table,
        limits: Limits,
        take: Callable[[Columns], None],
    ) -> None:
        """Give rows in the order of the key to ``take``, some at a time."""

    def shadow(self, queries: BoundQueries) -> Shadow:
        """The copy under way in this database, if there is one, or is to be."""


@contextmanager
def taken(backend: Backend, *, write: bool) -> Iterator[Connection]:
    """A connection of a backend, for the block."""
    connection = backend.acquire(write=write)
    try:
        yield connection
    finally:
        backend.release(connection, write=write)


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock, as ``with lock`` does, and release it even if Ctrl-C strikes at the end.

    An interrupt may strike between any two lines, and on the line of a ``with`` itself. So a line that
    gives something back also sets the flag that says so.
    """
    taken = freed = False
    try:
        try:
            taken = lock.acquire()
            yield
        finally:
            if taken:
                freed = lock.release() is None  # type: ignore[func-returns-value]  # on one line, see above
    finally:
        if taken and not freed:
            lock.release()


def running_loop() -> AbstractEventLoop | None:
    """The event loop that runs in this thread; asyncio is not imported for it."""
    asyncio = sys.modules.get("asyncio")
    loop: AbstractEventLoop | None = None if asyncio is None else asyncio._get_running_loop()
    return loop


class Forking(Protocol):
    """An object that is told of forks: its sockets and locks belong to one process."""

    def before_fork(self) -> None:
        """Called in the process that is about to fork, by the forking thread."""

    def after_fork_in_parent(self) -> None:
        """Called in the same process after the fork."""

    def after_fork_in_child(self) -> None:
        """Called in the child, first of all."""


_forking: WeakSet[Forking] = WeakSet()
_told: list[Forking] = []
_lock = threading.Lock()
_forks = 0


def forks() -> int:
    """How many forks there were between the first process and this one."""
    return _forks


def on_fork(each: Forking) -> None:
    """Tell an object of every fork, as long as it lives."""
    with held(_lock):
        _forking.add(each)


def _before() -> None:
    _lock.acquire()  # or the child would find the set half changed
    _told[:] = _forking
    for each in _told:
        each.before_fork()


def _in_parent() -> None:
    for each in _told:
        each.after_fork_in_parent()
    _told.clear()
    _lock.release()


def _in_child() -> None:
    global _forks
    _forks += 1
    for each in _told:
        each.after_fork_in_child()
    _told.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
