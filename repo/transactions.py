"""Which transaction a call takes part in, and which connection it runs on.

A transaction belongs to the blocks that entered it. A call through a block's handle takes part in it
from any thread, one at a time. A call through the database takes part only in the thread, and in the
asyncio task if there is one, that entered the block. A context variable remembers both, because new
tasks and ``asyncio.to_thread`` inherit a copy of the context.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from repo import migrations
from repo.binding import BoundQueries
from repo.blocks import CLOSED, FORKED, OVER, STRUCK, TWO_THREADS, WRONG_ORDER, Block, SharedTransaction
from repo.catalogue import Catalogue
from repo.engine.backend import ISOLATION_LEVELS, Backend
from repo.engine.connection import Connection
from repo.engine.forks import forks, running_loop
from repo.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseUnavailable,
    MigrationError,
    QueryContractError,
    RepoError,
)
from repo.queries import RunQuery
from repo.showing import short
from repo.watching import Watch

_CHECKED_SECONDS: Final = 1.0
_LOSES_ALL: Final = (ConflictError, DatabaseUnavailable)
"""Errors after which not even a savepoint saves a transaction."""


class _Entry(NamedTuple):
    """Where a block was entered, and the entry before it."""

    executor: Executor
    block: Block
    thread: int
    task: Any
    outer: _Entry | None


_entered: ContextVar[_Entry | None] = ContextVar("repo_entered", default=None)


def _task() -> Any:
    """The running asyncio task, if any."""
    loop = running_loop()
    if loop is None:
        return None
    import asyncio

    return asyncio.current_task(loop)


def _live(entry: _Entry | None) -> _Entry | None:
    """The innermost entry whose block is still open in this process."""
    now = forks()
    while entry is not None and not (entry.block.open and entry.block.transaction.forks == now):
        entry = entry.outer
    return entry


class Executor:
    """Runs queries on a backend's connections, and keeps track of its transactions."""

    def __init__(
        self,
        backend: Backend,
        catalogue: Catalogue,
        watch: Watch,
        migration_folders: tuple[migrations.MigrationFolder, ...] = (),
    ) -> None:
        self.backend = backend
        self.dialect = backend.dialect
        self.catalogue = catalogue
        self.watch = watch
        self.migration_folders = migration_folders
        self.queries = BoundQueries(catalogue, backend.dialect, backend.adapter, watch.watched)
        self._checked_until = 0.0

    def check_schema(self, connection: Connection) -> None:
        """Before a write, check that the schema is up to date; the answer holds for a second.

        :raises MigrationError: see :func:`repo.migrations.fitting`.
        """
        self.check_schema_by(lambda query: self.queries[query](connection, {}))

    def check_schema_by(self, ask: RunQuery) -> None:
        """Check the schema with a function that runs a named query."""
        if time.monotonic() >= self._checked_until and migrations.fitting(
            self.dialect, ask, self.migration_folders
        ):
            self._checked_until = time.monotonic() + _CHECKED_SECONDS

    def forget_schema(self) -> None:
        """Check the schema again before the next write."""
        self._checked_until = 0.0

    def current(self) -> Block | None:
        """The innermost block that was entered here: in this thread, and in this asyncio task."""
        entry = _entered.get()
        while entry is not None:
            if (
                entry.executor is self
                and entry.block.open
                and entry.thread == threading.get_ident()
                and entry.block.transaction.forks == forks()
                and entry.task is _task()
            ):
                return entry.block
            entry = entry.outer
        return None

    def acquire(self, *, write: bool) -> Connection:
        """A connection for a call or a transaction.

        :raises ConfigurationError: if it would wait for a transaction that waits for this call: one that
            was entered by the task or thread from which this context was copied.
        """
        entry = _entered.get()
        if entry is not None:  # there is none for most calls
            while (entry := _live(entry)) is not None:
                if entry.executor is self and self.backend.waits_for(
                    entry.block.transaction.connection, write=write
                ):
                    raise ConfigurationError(
                        "this call would wait for ever, for the transaction of a block around it, which "
                        "was entered in another thread or task: call through the block's handle "
                        "(with db.transaction() as tx: ... tx.market ...)"
                    )
                entry = entry.outer
        return self.backend.acquire(write=write)

    @contextmanager
    def block(self, outer: Block | None, *, read_only: bool, isolation: str) -> Iterator[Block]:
        """A transaction, or a savepoint in the transaction of an ``outer`` block."""
        if isolation not in ISOLATION_LEVELS:
            raise ConfigurationError(
                f"isolation is one of {', '.join(ISOLATION_LEVELS)}, not {short(isolation)}"
            )
        block = None
        left = False
        try:
            try:
                if outer is None:
                    block = self._begin(read_only=read_only, isolation=isolation)
                else:
                    block = self._begin_inner(outer, read_only=read_only)
                _entered.set(_Entry(self, block, threading.get_ident(), _task(), _live(_entered.get())))
                yield block
            except BaseException as error:
                if block is not None:
                    left = self._leave(block, error) is None  # type: ignore[func-returns-value]  # see held()
                raise
            left = self._leave(block, None) is None  # type: ignore[func-returns-value]
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            # The interrupt may have struck anywhere, also while the block was being left.
            if block is not None and block.depth == 0:
                block.transaction.force()
            elif block is not None and not left:
                block.transaction.lost = RepoError(STRUCK)
            raise

    def _begin(self, *, read_only: bool, isolation: str) -> Block:
        backend = self.backend
        connection = None
        try:
            connection = self.acquire(write=not read_only)
            backend.begin(connection, read_only=read_only, isolation=isolation)
            transaction = SharedTransaction(backend, connection, write=not read_only)
            block = Block(transaction, 0, read_only=read_only)
            transaction.blocks.append(block)
            return block  # noqa: TRY300  # an interrupt may strike here as well
        except BaseException:
            if connection is not None:
                backend.rollback(connection)
                backend.release(connection, write=not read_only)
            raise

    def _begin_inner(self, outer: Block, *, read_only: bool) -> Block:
        transaction = outer.transaction
        with transaction.used():
            if transaction.blocks[-1].read_only and not read_only:
                raise ConfigurationError("a transaction that writes cannot be inside a read-only one")
            transaction.raise_failure()
            depth = transaction.depth + 1
            self.backend.savepoint(transaction.connection, depth)
            transaction.depth = depth
            block = Block(transaction, depth, read_only=read_only)
            transaction.blocks.append(block)
            return block

    def _leave(self, block: Block, error: BaseException | None) -> None:
        """End a block, from whichever thread; the caller raises the block's own error."""
        entry = _entered.get()
        if entry is not None and entry.block is block:
            _entered.set(entry.outer)
        transaction = block.transaction
        forked = transaction.forks != forks()
        if forked or not block.open:
            block.open = False
            if error is None:
                raise ConfigurationError(FORKED if forked else OVER)
            return
        if not transaction.lock.acquire(blocking=False):
            # A call in another thread still runs: the task that awaited it was cancelled.
            self._lose(block, f"a block was left, but {TWO_THREADS}", error)
            return
        try:
            if transaction.uses:  # in a call of this very thread: the block was dropped and collected
                self._lose(block, "a block was left inside a call of its own transaction", error)
            elif transaction.blocks[-1] is not block:
                self._lose(block, WRONG_ORDER, error)
            elif block.depth == 0:
                self._leave_outermost(transaction, error)
            else:
                self._leave_inner(block, error)
        finally:
            transaction.lock.release()

    def _lose(self, block: Block, why: str, error: BaseException | None) -> None:
        """Leave a block and lose the whole transaction."""
        transaction = block.transaction
        block.open = False
        reason = transaction.lost = ConfigurationError(why)
        if block.depth == 0:
            for each in transaction.blocks:
                each.open = False
            transaction.abandon()
        elif block in transaction.blocks:
            index = transaction.blocks.index(block)
            for each in transaction.blocks[index:]:
                each.open = False
            del transaction.blocks[index:]
        if error is None:
            raise reason

    def _leave_outermost(self, transaction: SharedTransaction, error: BaseException | None) -> None:
        failure = transaction.lost or transaction.failed
        if transaction.backend.closed:
            failure = DatabaseUnavailable(CLOSED)
        transaction.end(commit=error is None and failure is None)
        if error is None and failure is not None:
            raise failure

    def _leave_inner(self, block: Block, error: BaseException | None) -> None:
        transaction = block.transaction
        block.open = False
        transaction.blocks.pop()
        failure = transaction.lost or transaction.failed
        try:
            if error is None and failure is None:
                try:
                    self.backend.release_savepoint(transaction.connection, block.depth)
                except RepoError as refused:
                    self._undo_to(transaction, block.depth, refused)
                    raise
            else:
                self._undo_to(transaction, block.depth, error or failure)
        finally:
            transaction.depth = block.depth - 1
        if error is None and failure is not None:
            raise failure

    def _undo_to(self, transaction: SharedTransaction, depth: int, error: BaseException | None) -> None:
        transaction.failed = error if isinstance(error, _LOSES_ALL) else None
        try:
            self.backend.rollback_to(transaction.connection, depth)
        except RepoError as lost:
            transaction.failed = lost

    @contextmanager
    def savepoint(self, transaction: SharedTransaction) -> Iterator[None]:
        """The savepoint around a write inside a transaction: kept at the end, undone on any error."""
        transaction.raise_failure()
        transaction.depth += 1
        depth = transaction.depth
        kept = undone = False
        try:
            self.backend.savepoint(transaction.connection, depth)
            try:
                yield
                transaction.raise_failure()
                kept = self.backend.release_savepoint(transaction.connection, depth) is None  # type: ignore[func-returns-value]  # see held()
            except BaseException as error:
                undone = self._undo_to(transaction, depth, error) is None  # type: ignore[func-returns-value]
                raise
        except Exception:
            raise
        except BaseException:
            if not (kept or undone):
                transaction.lost = RepoError(STRUCK)
            raise
        finally:
            transaction.depth = depth - 1

    def explain(self, connection: Connection, error: QueryContractError) -> RepoError:
        """The error for a query that does not fit the schema: MigrationError where migrations lack."""
        with self.backend.beside(connection) as other:
            if other is None:
                return error
            try:
                lacking = migrations.lacking(
                    self.dialect, lambda query: self.queries[query](other, {}), self.migration_folders
                )
            except RepoError:
                return error
        return MigrationError(f"{error}; it is {lacking}") if lacking else error
