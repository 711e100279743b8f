"""Whole tables of PostgreSQL: digests made by the server, arrays read, binary COPY into a schema aside.

A copy fills tables like those that readers see, in the schema ``smdi_copy``, without keys and indexes.
These are built when the rows are there, on two connections side by side, and so are the digests that
prove it. Then the tables change places in one transaction, in which no row is touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql

from repo import binary
from repo.backends.journal import COPY, JOURNAL
from repo.backends.postgresql import arrays
from repo.backends.postgresql.adapter import translate
from repo.batches import BATCH_ROWS, Columns
from repo.binding import BoundQueries
from repo.chunks import ChunkDigest
from repo.engine.staging import MEANWHILE, RunAll, StagedCopy
from repo.engine.transfer import Limits, OtherTable
from repo.errors import ConflictError, RepoError, TransferError
from repo.tables import TABLES, Table

__all__ = ["PostgreSQLTransfer"]

_THERE_ALREADY: Final = (psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation)
_BUILDING_MEMORY: Final = "256MB"
_LOCK_SECONDS: Final = 3
_ATTEMPTS: Final = 10
_T = TypeVar("_T")
_NAMES: Final = [table.name for table in TABLES.values()]


class PostgreSQLTransfer:
    """See :class:`repo.engine.transfer.Transfer`."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def scanning(self, connection: Any) -> AbstractContextManager[None]:
        return nullcontext()  # the server has its own way with tables that are read whole

    def digest(
        self, connection: Any, queries: BoundQueries, table: Table, first: int, last: int
    ) -> list[ChunkDigest]:
        found = queries[f"digests.{table.aggregate}"](connection, {"first": first, "last": last})
        return [ChunkDigest(*each) for each in found]

    def read(
        self,
        connection: Any,
        queries: BoundQueries,
        table: Table,
        limits: Limits,
        take: Callable[[Columns], None],
    ) -> None:
        statement, code = queries.statement(f"arrays.{table.aggregate}")
        waiting: list[list[Any]] = [[] for _ in table.columns]
        try:
            with connection.cursor(binary=True) as cursor:
                arrays.read_raw(cursor)
                for row in cursor.stream(statement, code(limits._asdict())):
                    columns = [arrays.as_list(value) for value in row]
                    rows = len(columns[-1])
                    for column, values in zip(waiting, columns, strict=True):
                        column += values if isinstance(values, list) else [values] * rows
                    if len(waiting[0]) >= BATCH_ROWS:
                        take(waiting)
                        waiting = [[] for _ in table.columns]
        except psycopg.Error as error:
            raise translate(error) from error
        if waiting[0]:
            take(waiting)

    def others(self, connection: Any, queries: BoundQueries) -> list[OtherTable]:
        found = queries["server.others"](connection, {"relations": _NAMES})
        return [OtherTable(each.quoted, bool(each.bookkeeping)) for each in found]

    def other_rows(self, connection: Any, queries: BoundQueries, table: OtherTable) -> Iterator[bytes]:
        queries["backup.written_alike"](connection, {})
        # Here and not in queries/: a table's name is no parameter. ONLY: heirs are tables themselves.
        statement = f"SELECT CAST((r.*) AS text) FROM ONLY {table.quoted} AS r"  # noqa: S608  # quoted
        try:
            with connection.cursor() as cursor:
                for (row,) in cursor.stream(statement):
                    yield row.encode()
        except psycopg.Error as error:
            raise translate(error) from error

    def staged(self, queries: BoundQueries) -> PostgreSQLStagedCopy:
        return PostgreSQLStagedCopy(self._backend, queries)


class PostgreSQLStagedCopy(StagedCopy):
    """See :class:`repo.engine.staging.StagedCopy`."""

    def __init__(self, backend: Any, queries: BoundQueries) -> None:
        super().__init__(queries)
        self._backend = backend
        self._connection = backend.acquire(write=True)

    def close(self) -> None:
        self._backend.release(self._connection, write=True)

    def _run(self, connection: Any, statement: str, **names: str) -> Any:
        """Run a statement that defines or tidies; ``names`` are put into it, quoted."""
        quoted = {each: sql.Identifier(name) for each, name in names.items()}
        try:
            return connection.execute(sql.SQL(statement).format(**quoted), prepare=False)
        except psycopg.Error as error:
            raise translate(error) from error

    @contextmanager
    def _transaction(self, connection: Any) -> Iterator[Any]:
        """A transaction without a limit on its time."""
        patience, connection.patience = connection.patience, None
        try:
            self._backend.begin(connection, read_only=False, isolation="read committed")
            self._run(connection, "SET LOCAL statement_timeout TO 0")
            yield connection
            self._backend.commit(connection)
        except BaseException:
            self._backend.rollback(connection)
            raise
        finally:
            connection.patience = patience

    @contextmanager
    def _inside(self, connection: Any) -> Iterator[Any]:
        with self._transaction(connection):
            self._run(connection, "SET LOCAL search_path TO {copy}", copy=COPY)
            # What is lost in a crash of the server is lost together with the journal's rows of it.
            self._run(connection, "SET LOCAL synchronous_commit TO off")
            yield connection

    @contextmanager
    def inside(self) -> Iterator[Any]:
        with self._inside(self._connection) as connection:
            yield connection

    def there(self) -> bool:
        with self._transaction(self._connection) as connection:
            return bool(self.queries["copying.there"](connection, {}))

    def lacking(self) -> list[str]:
        with self._transaction(self._connection) as connection:
            found = self.queries["copying.lacking"](connection, {"relations": _NAMES})
        return [each.what for each in found]

    def obstacles(self) -> list[str]:
        with self._transaction(self._connection) as connection:
            found = self.queries["copying.attached"](connection, {"relations": _NAMES})
        return [each.what for each in found]

    def begin(self, header: str, token: str) -> None:
        self._token, self.built = token, False
        with self._transaction(self._connection) as connection:
            try:
                self._run(connection, "CREATE SCHEMA {copy}", copy=COPY)
            except RepoError as error:
                if not isinstance(error.__cause__, _THERE_ALREADY):
                    raise
                raise TransferError(
                    f"another process has begun to copy into this database, or its schema {COPY} is of "
                    "something else: wait for the one, drop the other"
                ) from error
            for name in _NAMES:
                self._run(
                    connection,
                    "CREATE TABLE {copy}.{name} (LIKE {name} INCLUDING ALL EXCLUDING INDEXES)",
                    copy=COPY,
                    name=name,
                )
            for statement in JOURNAL:
                self._run(connection, statement.format("{copy}."), copy=COPY)
            self._run(connection, "SET LOCAL search_path TO {copy}", copy=COPY)
            self.queries["journal.begin"](connection, {"header": header, "token": token, "built": 0})

    @contextmanager
    def filling(self, connection: Any, table: Table) -> Iterator[Callable[[Columns, bytes], None]]:
        statement, _ = self.queries.statement(f"copying.{table.aggregate}")
        try:
            with connection.cursor() as cursor, cursor.copy(statement) as stream:
                stream.write(binary.HEADER)
                yield lambda columns, data: stream.write(data)
                stream.write(binary.TRAILER)
        except psycopg.Error as error:
            raise translate(error) from error

    def empty(self, connection: Any, table: Table) -> None:
        self._run(connection, "TRUNCATE {copy}.{name}", copy=COPY, name=table.name)

    @contextmanager
    def _two(self) -> Iterator[RunAll]:
        """Runs functions on two connections, on each one after another."""
        other = self._backend.acquire(write=True)
        free: SimpleQueue[Any] = SimpleQueue()
        free.put(self._connection)
        free.put(other)

        def run_all(functions: Iterable[Callable[[Any], _T]]) -> Iterator[_T]:
            def run(function: Callable[[Any], _T]) -> _T:
                connection = free.get()
                try:
                    return function(connection)
                finally:
                    free.put(connection)

            with ThreadPoolExecutor(2) as pool:
                yield from pool.map(run, functions)

        try:
            yield run_all
        finally:
            self._backend.release(other, write=True)

    def finish(self) -> None:
        with self._transaction(self._connection) as connection:
            wanted = self.queries["copying.keys"](connection, {})
        with self.inside() as connection:
            self.hold(connection)
            there = {each.name for each in self.queries["copying.keys"](connection, {})}
        missing = [each for each in wanted if each.relation in _NAMES and each.name not in there]

        def build(connection: Any, keys: Iterable[Any]) -> None:
            self._run(connection, f"SET LOCAL maintenance_work_mem TO '{_BUILDING_MEMORY}'")
            for key in keys:
                start = "" if key.sql.startswith("CREATE") else _constraint(connection, key)
                self._backend.run_script(connection, start + key.sql)

        def whole(name: str) -> Callable[[Any], None]:
            def make(connection: Any) -> None:
                with self._inside(connection):
                    keys = [each for each in missing if each.relation == name]
                    build(connection, [each for each in keys if not _refers(each)])
                vacuum = sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(COPY, name))
                self._backend.run_alone(connection, vacuum.as_string(connection), again=False)

            return make

        with self._two() as run_all:
            for _ in run_all(map(whole, _NAMES)):
                pass
        if not self.built:
            with self.inside() as connection:
                self.hold(connection)
                build(connection, filter(_refers, missing))
                self.queries["copying.follow"](connection, {})
                self.queries["journal.change"](connection, {"token": self._token, "built": 1})

    def install(self, *, replace: bool, prove: Callable[[RunAll], None]) -> None:
        with self._two() as run_all:
            prove(lambda functions: run_all(map(self._seeing, functions)))
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._change_places(replace=replace)
                break
            except ConflictError:  # readers go first, and others wait behind this only so long
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(1)
        self._backend.schema_changed()

    def _seeing(self, function: Callable[[Any], _T]) -> Callable[[Any], _T]:
        def run(connection: Any) -> _T:
            with self._inside(connection):
                return function(connection)

        return run

    def _change_places(self, *, replace: bool) -> None:
        tables = ", ".join(_NAMES)
        with self._transaction(self._connection) as connection:
            ((schema,),) = self._run(connection, "SELECT current_schema()").fetchall()
            self._run(connection, "SET LOCAL search_path TO {copy}", copy=COPY)
            self.hold(connection)
            self._run(connection, "SET LOCAL search_path TO {schema}", schema=schema)
            self._run(connection, f"SET LOCAL lock_timeout TO '{_LOCK_SECONDS}s'")
            self._run(connection, f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            if not replace and any(each.number for each in self.queries["proof.counts"](connection, {})):
                raise TransferError(MEANWHILE)
            rights = self.queries["copying.rights"](connection, {"relations": _NAMES})
            self._run(connection, f"DROP TABLE {tables}")
            for name in _NAMES:
                self._run(
                    connection,
                    "ALTER TABLE {copy}.{name} SET SCHEMA {to}",
                    copy=COPY,
                    name=name,
                    to=schema,
                )
            for right in rights:
                self._backend.run_script(connection, right.sql)
            self._run(connection, "DROP SCHEMA {copy} CASCADE", copy=COPY)

    def abandon(self) -> None:
        self._run(self._connection, "DROP SCHEMA IF EXISTS {copy} CASCADE", copy=COPY)


def _refers(key: Any) -> bool:
    """Whether a key is foreign."""
    return bool(key.sql.startswith("FOREIGN KEY"))


def _constraint(connection: Any, key: Any) -> str:
    """The beginning of the statement that adds a constraint."""
    names = sql.Identifier(key.relation), sql.Identifier(key.name)
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(*names).as_string(connection)
