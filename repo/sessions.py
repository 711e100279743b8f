"""Named queries run in a transaction: a block's, the caller's, or a new one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn, TypeVar

from repo import frames
from repo.batches import RowEncoder
from repo.blocks import Block, SharedTransaction
from repo.conflicts import tried
from repo.engine.connection import Connection
from repo.errors import ConfigurationError, InvalidRecord, QueryContractError, RepoError
from repo.scripts import statements
from repo.tables import Table
from repo.transactions import Executor

_T = TypeVar("_T")
_ATTEMPTS: Final = 6
_PAUSE_SECONDS: Final = 0.2
READ_ONLY: Final = "the database was opened read only"


class _Undone(Exception):
    """Ends a transaction whose changes are to be undone."""


class Session:
    """Runs named queries in its block's transaction, in the caller's, or in a new one for each."""

    def __init__(self, executor: Executor, block: Block | None = None) -> None:
        self.executor = executor
        self.dialect = executor.dialect
        self.catalogue = executor.catalogue
        self.migration_folders = executor.migration_folders
        self._queries = executor.queries
        self.block: Callable[[], Block | None] = executor.current if block is None else block.entered
        """The block that a call takes part in; None if it is a transaction by itself."""

    def in_transaction(self) -> bool:
        """Whether a call takes part in a transaction."""
        return self.block() is not None

    def until_no_deadlock(self, write: Callable[[], _T], undo: Callable[[], None] = lambda: None) -> _T:
        """Call ``write``, and after a deadlock ``undo`` and again, if no transaction is around it."""
        deadlocked = self.executor.backend.deadlocked
        return tried(
            write,
            _ATTEMPTS,
            pause=_PAUSE_SECONDS,
            worth=lambda conflict: not self.in_transaction() and deadlocked(conflict),
            undo=undo,
        )

    def read(self, query: str, **parameters: Any) -> Any:
        """What one query answers: a list of records, a record or None, or a value."""
        run = self._queries[query]
        block = self.block()
        if block is not None:
            return self._read_in(block.transaction, run, parameters)
        executor = self.executor
        connection, back = None, False
        try:
            try:
                connection = executor.acquire(write=False)
                return run(connection, parameters)
            except QueryContractError as error:
                raise executor.explain(connection, error) from error.__cause__
            finally:
                if connection is not None:
                    back = executor.backend.release(connection, write=False) is None  # type: ignore[func-returns-value]  # see held()
        except Exception:
            raise
        except BaseException:
            if connection is not None and not back:
                executor.backend.release(connection, write=False)
            raise

    def fail(self, error: RepoError) -> NoReturn:
        """Raise an error that was found in an answer, as if the database had raised it."""
        block = self.block()
        if block is None:
            raise error
        with self._in(block.transaction):
            raise error

    def frame(self, query: str, **parameters: Any) -> Any:
        """What one query answers, as an Arrow table."""
        executor = self.executor
        columns = self.catalogue.query(query, self.dialect).columns
        build = frames.builder(columns)
        run = executor.queries.columnar(query)
        batches: list[Any] = []

        def read(connection: Connection, given: Any, /) -> int:
            batches.extend(run(connection, given, build))
            return sum(map(len, batches))

        with self.connection() as connection:
            executor.watch.watched(query, read)(connection, parameters)
        return frames.to_table(columns, batches)

    def write(self, query: str, **parameters: Any) -> Any:
        """Do what :meth:`read` does for a query that writes, which leaves no trace if it fails.

        Outside a transaction it is tried again after a deadlock.
        """

        def write() -> Any:
            with self.writing() as connection:
                if not query.startswith("migrations."):
                    self.executor.check_schema(connection)
                return self._queries[query](connection, parameters)

        return self.until_no_deadlock(write)

    def write_many(self, query: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Write rows of parameters, all or none, in bounded memory; how many were written."""
        batches = self.executor.queries.rows(query)
        run = self._queries[query]
        with self.writing() as connection:
            self.executor.check_schema(connection)
            return sum(run(connection, batch) for batch in batches(rows))

    def reads_ahead(self) -> bool:
        """Whether rows are to be read before the transaction that writes them begins.

        On an engine with one writer, all others would wait while they are read.

        :raises ConfigurationError: if the database was opened read only.
        :raises MigrationError: if the schema is not up to date.
        """
        executor = self.executor
        if not executor.backend.one_writer or self.in_transaction():
            return False
        if executor.backend.read_only:
            raise ConfigurationError(READ_ONLY)
        executor.check_schema_by(self.read)
        return True

    def upsert(self, table: Table, batches: RowEncoder) -> int:
        """Write batches, all or none; the number of rows that were new or different."""
        with self.writing() as connection:
            self.executor.check_schema(connection)
            block = self.block()
            assert block is not None
            depth = block.transaction.depth
            return self.executor.backend.upsert(connection, self._queries, table, batches, depth=depth)

    def run_script(self, script: str) -> None:
        """Run the statements of a script in the transaction."""
        with self.writing() as connection:
            for statement in statements(script):
                self.executor.backend.run_script(connection, statement.sql)

    def schema_changed(self) -> None:
        """Forget what is remembered of the former schema."""
        self.executor.forget_schema()
        self.executor.backend.schema_changed()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several reads see one state of the database."""
        if self.in_transaction():
            yield
        else:
            with self.executor.block(None, read_only=True, isolation="repeatable read"):
                yield

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection on which reads see one state of the database, for a backend's own use."""
        with self.snapshot():
            block = self.block()
            assert block is not None
            with self._in(block.transaction) as connection:
                yield connection

    def check(self) -> list[QueryContractError]:
        """Have the engine prepare every query; the errors of those that do not fit the schema."""
        read_only = self.executor.backend.read_only
        with self.undone("a check", read_only=read_only, isolation="read committed") as transaction:
            return self._misfits(transaction)

    @contextmanager
    def undone(self, what: str, *, read_only: bool, isolation: str) -> Iterator[SharedTransaction]:
        """A transaction that is rolled back at the end of the block.

        :param what: needs it, for the message.
        :raises ConfigurationError: inside another.
        """
        if self.in_transaction():
            raise ConfigurationError(f"{what} has a transaction of its own; leave this one first")
        with (
            suppress(_Undone),
            self.executor.block(None, read_only=read_only, isolation=isolation) as block,
        ):
            yield block.transaction
            raise _Undone

    def _misfits(self, transaction: SharedTransaction) -> list[QueryContractError]:
        backend, catalogue = self.executor.backend, self.catalogue
        connection, depth = transaction.connection, transaction.depth + 1
        names = catalogue.names(dialect=self.dialect)
        queries = [catalogue.query(name, self.dialect) for name in names]
        found: list[QueryContractError] = []
        for query in queries:
            # These make the temporary tables that other queries need.
            if query.ours and query.name == "stage" and not backend.read_only:
                backend.savepoint(connection, depth)
                try:
                    self._queries[query.full_name](connection, {})
                except QueryContractError as misfit:
                    found.append(misfit)
                    backend.rollback_to(connection, depth)
                else:
                    backend.release_savepoint(connection, depth)
        for query in queries:
            if query.defines or ((query.writes or query.aside) and backend.read_only):
                continue
            backend.savepoint(connection, depth)
            try:
                backend.adapter.prove(connection, query)
            except QueryContractError as misfit:
                found.append(misfit)
            finally:
                backend.rollback_to(connection, depth)
        return found

    @contextmanager
    def _in(self, transaction: SharedTransaction) -> Iterator[Connection]:
        """The connection of a transaction, for one call.

        After an error of the database PostgreSQL's transaction is lost, so SQLite's is treated the same.
        """
        with transaction.used():
            try:
                transaction.raise_failure()
                yield transaction.connection
            except RepoError as error:
                self._note(transaction, error)
                raise

    def _read_in(
        self, transaction: SharedTransaction, run: Callable[..., _T], parameters: Mapping[str, Any]
    ) -> _T:
        """What a query answers in a transaction; errors are treated as by :meth:`_in`."""

        def read(connection: Connection) -> _T:
            try:
                transaction.raise_failure()
                return run(connection, parameters)
            except RepoError as error:
                self._note(transaction, error)
                raise

        return transaction.use(read)

    def _note(self, transaction: SharedTransaction, error: RepoError) -> None:
        """Remember an error of the database in its transaction.

        :raises RepoError: in place of one that a query gave which does not fit the schema.
        """
        if isinstance(error, QueryContractError):
            transaction.failed = self.executor.explain(transaction.connection, error)
            raise transaction.failed from error.__cause__
        if transaction.lost is None and not isinstance(error, InvalidRecord):
            transaction.failed = error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Let several statements succeed or fail as one; their connection, for a backend's own use.

        It is a transaction, or a savepoint in the one that the call takes part in.
        """
        executor = self.executor
        if executor.backend.read_only:
            raise ConfigurationError(READ_ONLY)
        block = self.block()
        if block is None:
            # Such a write waits for other writers and deals with conflicts itself; at a stricter level
            # it would fail instead.
            with executor.block(None, read_only=False, isolation="read committed") as own:
                connection = own.transaction.connection
                try:
                    yield connection
                except QueryContractError as error:
                    raise executor.explain(connection, error) from error.__cause__
            return
        transaction = block.transaction
        with transaction.used():
            if transaction.blocks[-1].read_only:
                raise ConfigurationError("the transaction is read only")
            with executor.savepoint(transaction):
                try:
                    yield transaction.connection
                except QueryContractError as error:
                    raise executor.explain(transaction.connection, error) from error.__cause__
