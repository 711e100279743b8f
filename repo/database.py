"""A database: connecting, transactions, and the repositories together."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from repo import frames, migrations, repositories
from repo.backends import ISOLATION_LEVELS, Backend, Connection, coded_rows
from repo.batches import Batches, Table
from repo.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseUnavailable,
    InvalidRecord,
    QueryContractError,
    RepoError,
)
from repo.queries import Catalogue, Query, load
from repo.settings import DatabaseURL, database_url

__all__ = ["ApplicationQueries", "Database", "connect"]

_T = TypeVar("_T")

_FIRST_PAUSE_SECONDS: Final = 0.01
_LONGEST_PAUSE_SECONDS: Final = 1.0

_LOSES_ALL: Final = (ConflictError, DatabaseUnavailable)
"""Errors after which not even a savepoint saves a transaction."""


@dataclass(slots=True)
class _Transaction:
    """A thread's transaction; ``failed`` is the error after which it can only be rolled back."""

    connection: Connection
    read_only: bool
    depth: int = 0
    failed: RepoError | None = None


class _Sessions:
    """Runs queries for every thread, each in its own transaction or on a connection of the pool."""

    def __init__(self, backend: Backend, catalogue: Catalogue) -> None:
        self.backend = backend
        self.dialect = backend.dialect
        self.catalogue = catalogue
        self._queries = catalogue.bind(backend.dialect, backend.adapter)
        self._local = threading.local()

    @property
    def _current(self) -> _Transaction | None:
        found: _Transaction | None = getattr(self._local, "transaction", None)
        return found

    def in_transaction(self) -> bool:
        return self._current is not None

    def read(self, query: str, **parameters: Any) -> Any:
        run = self._queries[query]
        current: _Transaction | None = getattr(self._local, "transaction", None)
        if current is not None:
            with self._watched(current):
                return run(current.connection, parameters)
        backend = self.backend
        connection = backend.acquire(write=False)
        try:
            return run(connection, parameters)
        finally:
            backend.release(connection, write=False)

    def frame(self, query: str, **parameters: Any) -> Any:
        columns = self.catalogue.query(query, self.dialect).columns
        build = frames.builder(columns)
        run = self.catalogue.bind_batches(self.dialect, self.backend.adapter, query)
        with self.snapshot():
            current = self._current
            assert current is not None
            with self._watched(current):
                batches = run(current.connection, parameters, build)
        return frames.to_table(columns, batches)

    def write(self, query: str, **parameters: Any) -> Any:
        with self._writing() as connection:
            return self._queries[query](connection, parameters)

    def write_many(self, query: str, rows: Iterable[Mapping[str, Any]]) -> int:
        names = self.catalogue.query(query, self.dialect).parameters
        coded = coded_rows(rows, names, self.backend.adapter.coders)
        with self._writing() as connection:
            written: int = self._queries[query](connection, coded)
            return written

    def upsert(self, table: Table, batches: Batches) -> int:
        with self._writing() as connection:
            return self.backend.upsert(connection, self._queries, table, batches)

    def run_script(self, script: str) -> None:
        with self._writing() as connection:
            self.backend.run_script(connection, script)

    def schema_changed(self) -> None:
        self.backend.schema_changed()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self._current is not None:
            yield
        else:
            with self.transaction(read_only=True, isolation="repeatable read"):
                yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._writing():
            yield

    @contextmanager
    def _watched(self, current: _Transaction) -> Iterator[None]:
        """After an error of the database, PostgreSQL's transaction is lost, and so SQLite's is."""
        if current.failed is not None:
            raise current.failed
        try:
            yield
        except RepoError as error:
            if not isinstance(error, InvalidRecord):
                current.failed = error
            raise

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction of the call's own, or a savepoint in the thread's."""
        if self.backend.read_only:
            raise ConfigurationError("the database was opened read only")
        current = self._current
        if current is None:
            # Each of these writes settles its conflicts itself and waits for other writers; a stricter
            # level would only make it fail instead.
            with self.transaction(read_only=False, isolation="read committed") as transaction:
                yield transaction.connection
            return
        if current.read_only:
            raise ConfigurationError("the transaction is read only")
        with self._nested(current):
            yield current.connection

    @contextmanager
    def _nested(self, current: _Transaction) -> Iterator[None]:
        """A savepoint: released at the end, rolled back to on any error."""
        if current.failed is not None:
            raise current.failed
        backend, connection = self.backend, current.connection
        current.depth += 1
        depth = current.depth
        try:
            backend.savepoint(connection, depth)
            try:
                yield
                if current.failed is not None:
                    raise current.failed
                backend.release_savepoint(connection, depth)
            except BaseException as error:
                current.failed = error if isinstance(error, _LOSES_ALL) else None
                try:
                    backend.rollback_to(connection, depth)
                except RepoError as lost:
                    current.failed = lost
                raise
        finally:
            current.depth -= 1

    @contextmanager
    def transaction(self, *, read_only: bool, isolation: str) -> Iterator[_Transaction]:
        if isolation not in ISOLATION_LEVELS:
            raise ConfigurationError(
                f"isolation is one of {', '.join(ISOLATION_LEVELS)}, not {isolation!r}"
            )
        current = self._current
        if current is not None:
            if current.read_only and not read_only:
                raise ConfigurationError("a transaction that writes cannot be inside a read-only one")
            outer_read_only = current.read_only
            current.read_only = read_only
            try:
                with self._nested(current):
                    yield current
            finally:
                current.read_only = outer_read_only
            return
        backend = self.backend
        connection = backend.acquire(write=not read_only)
        try:
            backend.begin(connection, read_only=read_only, isolation=isolation)
            current = _Transaction(connection, read_only)
            self._local.transaction = current
            try:
                yield current
                if current.failed is not None:
                    raise current.failed
            except BaseException:
                backend.rollback(connection)
                raise
            backend.commit(connection)
        finally:
            self._local.transaction = None
            backend.release(connection, write=not read_only)


class ApplicationQueries:
    """The named queries, an application's own among them, as ``db.queries.<file>.<name>(...)``.

    Each takes its declared parameters by keyword; a ``*!`` query takes an iterable of mappings.
    """

    def __init__(self, sessions: _Sessions, prefix: str = "") -> None:
        self._sessions = sessions
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        catalogue = self._sessions.catalogue
        if not self._prefix:
            if any(each.startswith(f"{name}.") for each in catalogue.names()):
                return ApplicationQueries(self._sessions, name)
            raise AttributeError(f"there is no file {name}.sql among the queries")
        full_name = f"{self._prefix}.{name}"
        if full_name not in catalogue.names():
            raise AttributeError(f"there is no query {full_name}")
        return self._callable(catalogue.query(full_name, self._sessions.dialect))

    def _callable(self, query: Query) -> Callable[..., Any]:
        sessions = self._sessions
        if query.operator == "*!":
            return lambda rows: sessions.write_many(query.full_name, rows)
        run = sessions.write if query.writes else sessions.read

        def call(*positional: Any, **parameters: Any) -> Any:
            if positional or set(parameters) != set(query.parameters):
                wanted = ", ".join(query.parameters) or "no parameters"
                given = ", ".join([*parameters, *("one without a name" for _ in positional)]) or "none"
                raise QueryContractError(f"{query.full_name} takes {wanted}; given: {given}")
            return run(query.full_name, **parameters)

        call.__name__ = query.name
        call.__doc__ = query.comment
        return call


class Database:
    """Institutions' holdings, retail interest and prices in one database.

    Safe to share between threads: each has its own transaction, begun with :meth:`transaction`. A
    call outside a transaction is a transaction of its own. Close it, or use it as a context manager.
    """

    def __init__(self, url: DatabaseURL, backend: Backend, catalogue: Catalogue) -> None:
        self._url = url
        self._backend = backend
        self._sessions = sessions = _Sessions(backend, catalogue)
        self.tickers = repositories.TickerRepository(sessions)
        self.institutions = repositories.InstitutionRepository(sessions)
        self.market = repositories.MarketRepository(sessions)
        self.holdings = repositories.HoldingRepository(sessions)
        self.sentiment = repositories.SentimentRepository(sessions)
        self.divergence = repositories.DivergenceRepository(sessions)
        self.queries = ApplicationQueries(sessions)

    def __repr__(self) -> str:
        return f"<Database {self._url}>"

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._sessions.dialect

    @contextmanager
    def transaction(
        self, *, read_only: bool = False, isolation: str = "serializable"
    ) -> Iterator[Database]:
        """Make everything in the block happen or none of it.

        Blocks nest: an inner one is a savepoint, and the outermost decides the isolation level. An
        error that leaves a block rolls it back, and that block only. An error that is caught inside: a
        write that failed has left no trace, and the block goes on; after a read that the database
        failed (RangeError, say) the block can only be left, and is rolled back. After ConflictError
        and DatabaseUnavailable all of the transaction is lost.

        :param isolation: ``serializable``, ``repeatable read`` or ``read committed``; SQLite gives
            serializable whatever is asked.
        :raises ConflictError: when another transaction was in the way; see :meth:`run`.
        """
        with self._sessions.transaction(
            read_only=read_only or self._backend.read_only, isolation=isolation
        ):
            yield self

    def run(self, work: Callable[[Database], _T], attempts: int = 5) -> _T:
        """Call ``work(db)`` in a transaction, and again after a conflict, with growing pauses.

        :returns: what ``work`` returned when its transaction was committed.
        :raises ConflictError: when the last attempt met a conflict too.
        """
        if attempts < 1:
            raise ConfigurationError(f"attempts must be at least 1, not {attempts}")
        if self._sessions.in_transaction():
            # The conflict is the outer transaction's: only its whole work can be tried again.
            with self.transaction():
                return work(self)
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, attempts + 1):
            try:
                with self.transaction():
                    return work(self)
            except ConflictError:
                if attempt == attempts:
                    raise
            time.sleep(random.uniform(0, pause))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def migrate(
        self, to: int | None = None, note: Callable[[str], None] = lambda label: None
    ) -> list[str]:
        """Bring the schema to the newest migration, or to number ``to``, up or down.

        Going down deletes tables and the rows in them. Processes that migrate at once wait for each
        other.

        :param note: called with each migration's label when it is done.
        :returns: the labels of what was done; those undone begin with a minus.
        :raises MigrationError: when an applied file was changed since, or a migration fails.
        """
        return migrations.migrate(self._sessions, to, note=note)

    def version(self) -> int:
        """The number of the newest migration applied; 0 for an empty database."""
        return migrations.version(self._sessions)

    def close(self) -> None:
        """Close every connection; calls after that raise DatabaseUnavailable."""
        self._backend.close()


def connect(
    url: str | None = None,
    *,
    read_only: bool = False,
    queries: Sequence[Path | str] = (),
    **options: Any,
) -> Database:
    """Open a database.

    :param url: ``sqlite:///relative``, ``sqlite:////absolute``, ``sqlite://`` (in memory),
        ``postgresql://`` or ``postgres://`` with any libpq parameter; None takes DATABASE_URL from the
        environment, or else ``sqlite:///data/divergence.db``.
    :param read_only: refuse writes.
    :param queries: folders of an application's own SQL, laid out as ``queries/``.
    :param options: of the engine. SQLite: ``busy_timeout`` (seconds to wait for another writer).
        PostgreSQL: ``min_size``, ``max_size``, ``pool_timeout``, ``statement_timeout`` (seconds) and
        ``prepare_threshold``, which the URL may hold as well.
    :raises ConfigurationError: for a URL or an option that cannot be used.
    :raises DatabaseUnavailable: when the server or the file cannot be reached.
    :raises QueryContractError: when the SQL files break their contract.
    """
    address = database_url(url)
    catalogue = load(queries)
    backend: Backend
    # A driver is imported when it is wanted: psycopg takes longer than everything else together.
    if address.engine == "sqlite":
        from repo.backends.sqlite import SQLiteBackend

        path = Path(address.path) if address.path else None
        backend = SQLiteBackend(path, read_only=read_only, **options)
    else:
        from repo.backends.postgresql import PostgreSQLBackend

        backend = PostgreSQLBackend(address.secret, read_only=read_only, **options)
    return Database(address, backend, catalogue)
