"""A database: connecting, transactions, and the repositories together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypedDict, Unpack

from repo import backends, migrating, migrations
from repo.catalogue import load
from repo.conflicts import tried
from repo.engine.backend import Backend, IsolationLevel
from repo.errors import ConfigurationError, QueryContractError
from repo.migrations import State
from repo.named import NamedQueries
from repo.repositories.divergence import DivergenceRepository
from repo.repositories.holdings import HoldingRepository
from repo.repositories.institutions import InstitutionRepository
from repo.repositories.market import MarketRepository
from repo.repositories.sentiment import SentimentRepository
from repo.repositories.tickers import TickerRepository
from repo.sessions import Session
from repo.settings import DatabaseURL, database_url
from repo.showing import short
from repo.transactions import Executor
from repo.watching import LOG, OnQuery, Watch

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # typing's has no default before Python 3.13

    QueriesT = TypeVar("QueriesT", default=Any, covariant=True)
else:
    from typing import TypeVar

    QueriesT = TypeVar("QueriesT", covariant=True)

_T = TypeVar("_T")

_FIRST_PAUSE_SECONDS: Final = 0.01
_LONGEST_PAUSE_SECONDS: Final = 1.0


class Database(Generic[QueriesT]):
    """Institutions' holdings, retail interest and prices in one database.

    Safe to share between threads, asyncio tasks and forked children: see :meth:`transaction`. A call
    outside a transaction is a transaction of its own. A child of a fork opens connections of its own
    when it first needs one. Close it, or use it as a context manager.

    ``Database[Queries]`` says to type checkers which queries ``db.queries`` has: see :mod:`repo.stubs`.
    """

    queries: QueriesT

    def __init__(self, url: DatabaseURL, backend: Backend, session: Session) -> None:
        self._url = url
        self._backend = backend
        self._session = session
        self.tickers = TickerRepository(session)
        self.institutions = InstitutionRepository(session)
        self.market = MarketRepository(session)
        self.holdings = HoldingRepository(session)
        self.sentiment = SentimentRepository(session)
        self.divergence = DivergenceRepository(session)
        self.queries = NamedQueries(session)  # type: ignore[assignment]  # stubs declare its attributes

    def __repr__(self) -> str:
        return f"<Database {self._url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._session.dialect

    @contextmanager
    def transaction(
        self, *, read_only: bool = False, isolation: IsolationLevel = "serializable"
    ) -> Iterator[Transaction[QueriesT]]:
        """Make everything in the block happen or none of it.

        The block's handle has everything a Database has. Calls through it take part in the transaction
        from any thread or task, one at a time; the block may be left in another thread than it was
        entered in. Calls through the database take part only in the thread, and in the asyncio task if
        there is one, that entered the block.

        Blocks nest: an inner one is a savepoint, and the outermost decides the isolation level; calls
        through an outer handle meanwhile are inside the inner block too. An error that leaves a block
        rolls that block back. If an error is caught inside: a failed write has left no trace, and the
        block goes on; after a failed read (RangeError, say) the block can only be left, and is rolled
        back. After ConflictError and DatabaseUnavailable the whole transaction is lost.

        :param isolation: ``serializable``, ``repeatable read`` or ``read committed``; SQLite gives
            serializable whatever is asked.
        :raises ConflictError: when another transaction was in the way; see :meth:`run`.
        :raises ConfigurationError: for a handle after its block, or used by two threads at one moment;
            for blocks left in another order than the reverse of the one they were entered in, which
            rolls back all of the transaction; and on SQLite, which has one writer, for a block that
            would wait for one of the same event loop.
        """
        session = self._session
        with session.executor.block(
            session.block(), read_only=read_only or self._backend.read_only, isolation=isolation
        ) as block:
            yield Transaction(self._url, self._backend, Session(session.executor, block))

    def run(self, work: Callable[[Transaction[QueriesT]], _T], attempts: int = 5) -> _T:
        """Call ``work(tx)`` in a transaction, and again after a conflict, with growing pauses.

        :param work: is given the transaction's handle.
        :returns: what ``work`` returned when its transaction was committed.
        :raises ConflictError: when the last attempt met a conflict too.
        """
        if attempts < 1:
            raise ConfigurationError(f"attempts must be at least 1, not {short(attempts)}")

        def once() -> _T:
            with self.transaction() as tx:
                return work(tx)

        # Inside a transaction, only the outer one as a whole could be tried again.
        times = 1 if self._session.in_transaction() else attempts
        return tried(once, times, pause=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS)

    def migrate(
        self,
        to: int | None = None,
        on_applied: Callable[[str], None] = lambda label: None,
        *,
        of: str | None = None,
        lock_timeout: float = migrating.LOCK_SECONDS,
        attempts: int = migrating.ATTEMPTS,
    ) -> list[str]:
        """Bring the schema to the newest migration, or to number ``to``, up or down.

        Going down deletes tables and the rows in them; 0 undoes everything. Processes that migrate at
        once wait for each other, and the others find the work done. An application's migrations
        (``connect(schema=...)``) are applied after the package's, and undone before those of the package
        that they were applied upon.

        :param on_applied: called with each migration's label when it is done.
        :param of: the application's sequence that ``to`` counts, and the only one to migrate; None is
            the package's if ``to`` is given, and otherwise all.
        :param lock_timeout: seconds that a statement on PostgreSQL may wait for a lock, while readers
            queue up behind it; 0 is no limit. Then the step is undone and tried again.
        :param attempts: how often a step that meets a conflict is tried.
        :returns: the labels in the order done; those undone begin with a minus.
        :raises ConflictError: when the last attempt met a conflict too; the step left no trace.
        :raises MigrationError: when an applied file was changed or is missing, or one fails, with
            file, line, statement and the engine's words; what was done before it stays.
        """

        def applied(label: str) -> None:
            LOG.info("migrated: %s", label)
            on_applied(label)

        return migrating.migrate(
            self._session, to, on_applied=applied, of=of, lock_timeout=lock_timeout, attempts=attempts
        )

    def migrations(self) -> list[State]:
        """The state of each migration, of the package and of the application, by sequence and number."""
        return migrating.status(self._session)

    def version(self) -> int:
        """The number of the newest migration applied; 0 for an empty database."""
        return migrating.version(self._session)

    def check(self) -> list[QueryContractError]:
        """Have the engine prepare every query, an application's included.

        Nothing is run. Queries that make or drop tables are left out, and on a database opened read only
        also those that write.

        :returns: an error for each that does not fit the schema, with query, file, line and the engine's
            words.
        :raises ConfigurationError: inside a transaction.
        """
        return self._session.check()

    def close(self) -> None:
        """Close every connection; calls after that raise DatabaseUnavailable."""
        self._backend.close()


class Transaction(Database[QueriesT]):
    """The handle of a transaction's block; see :meth:`Database.transaction`."""

    def __repr__(self) -> str:
        return f"<Transaction on {self._url}>"

    def __enter__(self) -> Self:
        raise ConfigurationError("the block of this transaction is entered already")

    def close(self) -> None:
        """Refused: a transaction ends where its block is left.

        :raises ConfigurationError: always.
        """
        raise ConfigurationError("a transaction is not closed: it ends where its block is left")


class Options(TypedDict, total=False):
    """The options of :func:`connect` for one engine; None is PostgreSQL's default.

    A ``prepare_threshold`` of None prepares no statement, for PgBouncer in transaction mode.
    """

    busy_timeout: float
    min_size: int | None
    max_size: int | None
    pool_timeout: float | None
    statement_timeout: float | None
    prepare_threshold: int | None


def connect(
    url: str | None = None,
    *,
    read_only: bool = False,
    queries: Path | str | Sequence[Path | str] = (),
    schema: migrations.Folders = (),
    slow_query: float | None = None,
    on_query: OnQuery | None = None,
    **options: Unpack[Options],
) -> Database[Any]:
    """Open a database.

    :param url: ``sqlite:///relative``, ``sqlite:////absolute``, ``sqlite://`` (memory),
        ``postgresql://`` or ``postgres://`` with any libpq parameter; None takes DATABASE_URL from the
        environment, or else ``sqlite:///data/divergence.db``.
    :param read_only: refuse writes.
    :param queries: a folder of an application's own SQL, laid out as ``queries/``, or several.
    :param schema: a folder of an application's own migrations, laid out as ``schema/``, or several. Each
        is a sequence that has the folder's name; a mapping gives other names.
    :param slow_query: seconds; a statement that takes longer is logged at WARNING.
    :param on_query: called after each statement with its query's name, the seconds it took and its
        number of rows, in the thread that ran it; an error of its own is logged and goes no further.
    :param options: of the engine. SQLite: ``busy_timeout`` (seconds to wait for another writer).
        PostgreSQL: ``min_size``, ``max_size``, ``pool_timeout`` (seconds to wait when all connections
        are taken), ``statement_timeout`` (seconds; 0 is no limit) and ``prepare_threshold`` (how often a
        statement runs before it is prepared), which the URL may hold as well.
    :raises ConfigurationError: for a URL or an option that cannot be used.
    :raises DatabaseUnavailable: when the server or the file cannot be reached.
    :raises QueryContractError: when the SQL files break their contract.
    :raises MigrationError: when the files of migrations do.
    """
    address = database_url(url)
    watch = Watch(slow_query, on_query)
    catalogue = load([queries] if isinstance(queries, str | Path) else queries)
    folders = migrations.named_folders(schema)
    if folders:
        migrations.chains(address.engine, folders)
    given: dict[str, Any] = {**options}  # the backend refuses unknown names
    backend = backends.connect(address, read_only=read_only, **given)
    executor = Executor(backend, catalogue, watch, folders)
    return Database(address, backend, Session(executor))
