"""Whole tables of PostgreSQL: digests made by the server, arrays read, binary COPY into a schema aside.

A copy fills tables like those that readers see, in the schema ``smdi_copy``, without keys and indexes.
These are built when the rows are there, and then the tables change places in one transaction, in which
no row is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from repo import binary
from repo.backends.postgresql import arrays
from repo.backends.postgresql.adapter import translate
from repo.backends.shadow import COPY, JOURNAL, Shadow
from repo.batches import Columns
from repo.binding import BoundQueries
from repo.chunks import Chunk
from repo.engine import Limits
from repo.errors import TransferError
from repo.tables import TABLES, Table

__all__ = ["PostgreSQLTransfer"]

_DIGESTS: Final = {
    "tickers": "digests.tickers",
    "institutions": "digests.institutions",
    "market": "digests.market",
    "holdings": "digests.holdings",
    "sentiment": "digests.sentiment",
}
_ARRAYS: Final = {
    "tickers": "arrays.tickers",
    "institutions": "arrays.institutions",
    "market": "arrays.market",
    "holdings": "arrays.holdings",
    "sentiment": "arrays.sentiment",
}
_COPYING: Final = {
    "tickers": "copying.tickers",
    "institutions": "copying.institutions",
    "market": "copying.market",
    "holdings": "copying.holdings",
    "sentiment": "copying.sentiment",
}
_BUILDING_MEMORY: Final = "256MB"
_LOCK_SECONDS: Final = 10
_NAMES: Final = [table.name for table in TABLES.values()]


class PostgreSQLTransfer:
    """See :class:`repo.engine.Transfer`."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def digest(self, connection: Any, queries: BoundQueries, table: Table) -> list[Chunk]:
        found: list[Chunk] = queries[_DIGESTS[table.aggregate]](connection, {})
        return [Chunk(*each) for each in found]

    def read(
        self,
        connection: Any,
        queries: BoundQueries,
        table: Table,
        limits: Limits,
        take: Callable[[Columns], None],
    ) -> None:
        statement, code = queries.statement(_ARRAYS[table.aggregate])
        try:
            with connection.cursor(binary=True) as cursor:
                arrays.read_raw(cursor)
                for row in cursor.stream(statement, code(limits._asdict())):
                    take([arrays.as_list(column) for column in row])
        except psycopg.Error as error:
            raise translate(error) from error

    def shadow(self, queries: BoundQueries) -> PostgreSQLShadow:
        return PostgreSQLShadow(self._backend, queries)


class PostgreSQLShadow(Shadow):
    """See :class:`repo.engine.Shadow`."""

    def __init__(self, backend: Any, queries: BoundQueries) -> None:
        super().__init__(queries)
        self._backend = backend
        self._connection = backend.acquire(write=True)
        self._patience, self._connection.patience = self._connection.patience, None

    def close(self) -> None:
        self._connection.patience = self._patience
        self._backend.release(self._connection, write=True)

    def _run(self, statement: str, **names: str) -> Any:
        """Run what defines or tidies; ``names`` stand in it quoted."""
        quoted = {each: sql.Identifier(name) for each, name in names.items()}
        try:
            return self._connection.execute(sql.SQL(statement).format(**quoted), prepare=False)
        except psycopg.Error as error:
            raise translate(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        connection = self._connection
        self._backend.begin(connection, read_only=False, isolation="read committed")
        try:
            self._run("SET LOCAL statement_timeout TO 0")
            yield connection
            self._backend.commit(connection)
        except BaseException:
            self._backend.rollback(connection)
            raise

    @contextmanager
    def inside(self) -> Iterator[Any]:
        with self._transaction() as connection:
            self._run("SET LOCAL search_path TO {copy}", copy=COPY)
            # What is lost in a crash of the server is lost together with the journal's rows of it.
            self._run("SET LOCAL synchronous_commit TO off")
            yield connection

    def there(self) -> bool:
        with self._transaction() as connection:
            return bool(self.queries["copying.there"](connection, {}))

    def obstacles(self) -> list[str]:
        with self._transaction() as connection:
            found = self.queries["copying.attached"](connection, {"relations": _NAMES})
        return [each.what for each in found]

    def begin(self, header: str, token: str) -> None:
        self._token, self.built = token, False
        with self._transaction() as connection:
            self._run("CREATE SCHEMA {copy}", copy=COPY)
            for name in _NAMES:
                self._run(
                    "CREATE TABLE {copy}.{name} (LIKE {name} INCLUDING ALL EXCLUDING INDEXES)",
                    copy=COPY,
                    name=name,
                )
            for statement in JOURNAL:
                self._run(statement.format("{copy}."), copy=COPY)
            self._run("SET LOCAL search_path TO {copy}", copy=COPY)
            self.queries["journal.begin"](connection, {"header": header, "token": token, "built": 0})

    @contextmanager
    def filling(self, connection: Any, table: Table) -> Iterator[Callable[[Columns, bytes], None]]:
        statement, _ = self.queries.statement(_COPYING[table.aggregate])
        try:
            with connection.cursor() as cursor, cursor.copy(statement) as stream:
                stream.write(binary.HEADER)
                yield lambda columns, data: stream.write(data)
                stream.write(binary.TRAILER)
        except psycopg.Error as error:
            raise translate(error) from error

    def empty(self, connection: Any, table: Table) -> None:
        self._run("TRUNCATE {copy}.{name}", copy=COPY, name=table.name)

    def finish(self) -> None:
        if not self.built:
            self._build()
        for name in _NAMES:
            self._run("VACUUM (ANALYZE) {copy}.{name}", copy=COPY, name=name)

    def _build(self) -> None:
        """Make keys and indexes as the tables have them that readers see."""
        with self._transaction() as connection:
            keys = self.queries["copying.keys"](connection, {})
        with self.inside() as connection:
            self.hold(connection)
            self._run(f"SET LOCAL maintenance_work_mem TO '{_BUILDING_MEMORY}'")
            for key in keys:
                if key.relation not in _NAMES:
                    continue
                if key.sql.startswith("CREATE"):
                    self._backend.run_script(connection, key.sql)
                else:
                    self._backend.run_script(
                        connection,
                        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ")
                        .format(sql.Identifier(key.relation), sql.Identifier(key.name))
                        .as_string(connection)
                        + key.sql,
                    )
            self.queries["copying.follow"](connection, {})
            self.queries["journal.change"](connection, {"token": self._token, "built": 1})

    def install(self, *, replace: bool, prove: Callable[[Any], None]) -> None:
        with self.inside() as connection:
            self.hold(connection)
            prove(connection)
        tables = ", ".join(_NAMES)
        with self._transaction() as connection:
            ((schema,),) = self._run("SELECT current_schema()").fetchall()
            self._run(f"SET LOCAL lock_timeout TO '{_LOCK_SECONDS}s'")
            self._run(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            if not replace and any(each.number for each in self.queries["proof.counts"](connection, {})):
                raise TransferError("rows came into the target meanwhile")
            rights = self.queries["copying.rights"](connection, {"relations": _NAMES})
            self._run(f"DROP TABLE {tables}")
            for name in _NAMES:
                self._run("ALTER TABLE {copy}.{name} SET SCHEMA {to}", copy=COPY, name=name, to=schema)
            for right in rights:
                self._backend.run_script(connection, right.sql)
            self._run("DROP SCHEMA {copy} CASCADE", copy=COPY)
        self._backend.schema_changed()

    def abandon(self) -> None:
        self._run("DROP SCHEMA IF EXISTS {copy} CASCADE", copy=COPY)
