"""A sample's database inside a transaction that is rolled back: migrated, asked for plans and rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from repo.binding import dumped, sent
from repo.database import Database
from repo.engine.connection import Connection
from repo.engine.maintenance import Task
from repo.engine.plans import Plan
from repo.errors import RepoError
from repo.queries import Query
from repo.scripts import ScriptStatement, for_transaction

__all__ = ["Trial", "tidy", "trial"]

_STAGE: Final = "_stage"
"""The end of the name of a table in which rows are set aside."""


class _RolledBack(Exception):
    """Ends a transaction of which nothing is to be kept."""


@contextmanager
def trial(db: Database) -> Iterator[Trial]:
    """A transaction of a sample, of which nothing is kept."""
    there = None
    try:
        with _transaction(db) as there:
            before = there.states()
            yield there
    finally:
        if there is not None and there.migrated:
            tidy(db, {name: each.indexed for name, each in before.items()})


@contextmanager
def _transaction(db: Database) -> Iterator[Trial]:
    try:
        with db._session.executor.block(None, read_only=False, isolation="read committed") as block:
            yield Trial(db, block.transaction.connection)
            raise _RolledBack
    except _RolledBack:
        pass


def tidy(db: Database, indexed: Mapping[str, int] = MappingProxyType({})) -> None:
    """Take away what rows that were rolled back have left, where an engine keeps them.

    Pages are counted, and planning goes by how many there are: so a sample stays as it was made.

    :param indexed: how large the indexes of each table were; those that grew are built anew.
    """
    with _transaction(db) as there:
        tables = there.states()
    for name in tables:
        _perform(db, f"VACUUM (INDEX_CLEANUP ON) {name}")
    for name, each in tables.items():
        if each.indexed > indexed.get(name, 0):
            _perform(db, f"REINDEX TABLE {name}")


def _perform(db: Database, statement: str) -> None:
    db._backend.maintenance(db._session.read).perform(Task(statement, ""))


class Trial:
    """What can be asked of a sample in such a transaction; a query that fails leaves no trace either."""

    def __init__(self, db: Database, connection: Connection) -> None:
        self._executor = db._session.executor
        self._backend = self._executor.backend
        self._connection = connection
        self._depth = 1
        self.migrated = False
        """Whether it has changed anything but by queries."""

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        depth = self._depth
        self._depth += 1
        self._backend.savepoint(self._connection, depth)
        try:
            yield
        finally:
            self._backend.rollback_to(self._connection, depth)
            self._depth = depth

    def migrate(self, statement: ScriptStatement, limit: int) -> None:
        """Run a statement of a migration; where it fails, the transaction is of no more use.

        :param limit: the instructions it may take, where the engine counts them.
        :raises DatabaseUnavailable: if it takes more, or longer than the engine is told to wait.
        :raises RepoError: where it fails otherwise.
        """
        if sql := for_transaction(statement.sql):
            self.migrated = True
            self._backend.run_script(self._connection, sql, limit=limit)

    def settle(self, tables: Collection[str]) -> None:
        """Let the engine count anew what planning goes by, of tables that were written anew.

        An engine that does not tell which those are counts all, for it does so the same each time.
        """
        names = [*tables] if self.states() else [""]
        for name in names:
            self._backend.run_script(self._connection, f"ANALYZE {name}")

    def states(self) -> Mapping[str, Any]:
        """The tables as they are in the transaction; none where an engine does not tell."""
        found = self._backend.table_states(self._connection, self._executor.queries)
        return {each.name: each for each in found}

    def plan(self, query: Query, arguments: Mapping[str, Any]) -> Plan:
        """How a query would be run.

        :raises RepoError: where it fails.
        """
        return self._plan(query, arguments, analyze=False)

    def run(self, query: Query, arguments: Mapping[str, Any], limit: int) -> Plan:
        """How a query that reads is run, and what that costs.

        :param limit: the instructions it may take, where the engine counts them.
        :raises DatabaseUnavailable: if it takes more, or longer than the engine is told to wait.
        :raises RepoError: where it fails otherwise.
        """
        return self._plan(query, arguments, analyze=True, limit=limit)

    def _plan(
        self, query: Query, arguments: Mapping[str, Any], *, analyze: bool, limit: int | None = None
    ) -> Plan:
        queries = self._executor.queries
        with self._savepoint():
            self._stage(query)
            return self._backend.planner().plan(
                self._connection, queries, query, arguments, analyze=analyze, limit=limit
            )

    def misfit(self, query: Query) -> str:
        """Why the engine cannot prepare a query, in its words; empty where it can."""
        try:
            with self._savepoint():
                self._stage(query)
                self._backend.adapter.prove(self._connection, query)
        except RepoError as error:
            return str(error)
        return ""

    def rows(self, query: Query, arguments: Mapping[str, Any]) -> Sequence[Any]:
        """What a query that reads gives.

        :raises RepoError: where it fails.
        """
        adapter = self._backend.adapter
        read = adapter.reading(query, sent(query, adapter), partial(dumped, query, adapter))
        with self._savepoint():
            found: Sequence[Any] = read(self._connection, arguments)
            # A symbol that was given is put in front of the package's own rows.
            return [tuple(row)[-len(query.columns) :] for row in found]

    def _stage(self, query: Query) -> None:
        """Make the table that a query is about in which rows are set aside."""
        stage = f"{query.aggregate}.stage"
        if _STAGE in query.sql and query.name != "stage" and stage in self._executor.queries:
            self._executor.queries[stage](self._connection, {})
