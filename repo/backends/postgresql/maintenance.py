"""The maintenance and health of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg

from repo.backends.postgresql import deployment, recent
from repo.backends.postgresql.adapter import translate
from repo.backends.postgresql.connection import PooledConnection
from repo.engine.backend import Backend, taken
from repo.engine.maintenance import Check, Relation, Space, Status, Task, checked
from repo.errors import ConfigurationError, RepoError
from repo.queries import RunQuery

_SHARE: Final = 0.05
"""The share of a table's rows, dead or changed, that is worth a VACUUM or an ANALYZE; autovacuum waits
for four times, or twice, as many."""
_ROWS: Final = 1_000
"""And how many rows it must be at least."""
_UNSEEN_SHARE: Final = 0.1
"""The share of a table's pages not known to be all visible, which is worth a VACUUM."""
_UNSEEN_PAGES: Final = 128
"""And how many pages (a megabyte)."""
_BLOAT_SHARE: Final = 0.5
"""The empty share of a B-tree that is worth a REINDEX; keys in random order leave a third."""
_BLOAT_BYTES: Final = 8 << 20
"""And how many bytes that is."""
_LOCK_SECONDS: Final = 3.0
"""How long to wait for locks, while others queue up behind."""
_TIMEOUTS: Final = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
_SET_TIMEOUTS: Final = (
    "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)"
)
_LONG_SECONDS: Final = 300.0
_IDLE_SECONDS: Final = 60.0
_LARGE_ROWS: Final = 10_000
_LARGE_BYTES: Final = 1 << 20
_UNUSED_DAYS: Final = 7
_MANY_CONNECTIONS: Final = (0.8, 0.95)
_OLD_TRANSACTIONS: Final = (1_000_000_000, 1_500_000_000)
"""Of the 2,147,483,648 after which the server takes no more writes."""
_SLOW_MILLISECONDS: Final = 1_000.0
_SLOWEST: Final = 5


class PostgreSQLMaintenance:
    """See :class:`repo.engine.maintenance.Maintenance`."""

    def __init__(self, backend: Backend, pool: int, ask: RunQuery) -> None:
        self._backend = backend
        self._pool = pool
        self._ask = ask

    def identity(self) -> str:
        with taken(self._backend, write=False) as connection:
            info = connection.info
            return f"{info.host}:{info.port}/{info.dbname}"

    def space(self) -> Space:
        return Space(self._ask("server.database_bytes"), None)

    def relations(self) -> list[Relation]:
        return [Relation(*row) for row in self._ask("server.relations")]

    def tasks(self) -> list[Task]:
        found = [
            Task(f"DROP INDEX CONCURRENTLY {each.name}", "is left of a failed build")
            if _leftover(each)
            else Task(f"REINDEX INDEX CONCURRENTLY {each.name}", "is invalid: no query uses it")
            for each in self._ask("server.invalid_indexes")
        ]
        invalid = {task.statement.rpartition(" ")[2] for task in found}
        tables = self._ask("server.tables")
        for table in tables:
            gains = _gains_of_vacuum(table)
            changed = _analyze_gains(table)
            if gains:
                options = " (ANALYZE)" if changed else ""
                found.append(Task(f"VACUUM{options} {table.name}", "; ".join([*gains, *changed])))
            elif changed:
                found.append(Task(f"ANALYZE {table.name}", "; ".join(changed)))
        for each in self.relations():
            if each.kind == "index" and each.name not in invalid and _bloated(each):
                assert each.bytes is not None
                assert each.free is not None
                reason = f"about {each.free / each.bytes:.0%} of {each.bytes >> 20:,} MB is empty"
                found.append(Task(f"REINDEX INDEX CONCURRENTLY {each.name}", reason))
        return [*found, *recent.tasks(self._ask, tables, invalid)]

    def perform(self, task: Task) -> str:
        refused: list[str] = []

        def note(notice: psycopg.errors.Diagnostic) -> None:
            # A VACUUM that this role may not do succeeds, with a warning.
            if notice.severity_nonlocalized == "WARNING":
                refused.append(notice.message_primary or "")

        builds = task.statement.startswith(("REINDEX", "CREATE"))
        there = {each.name for each in self._ask("server.invalid_indexes")} if builds else set()
        try:
            with self._patient() as connection:
                connection.add_notice_handler(note)
                try:
                    # No such statement takes parameters; the name in it is the server's, quoted by it.
                    connection.execute(task.statement, prepare=False)
                finally:
                    connection.remove_notice_handler(note)
        except BaseException as error:
            if builds:
                self._clear_away(there)
            if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                return f"other transactions were in the way for {_LOCK_SECONDS:g} seconds"
            raise
        return "; ".join(refused) or self._kept(task)

    @contextmanager
    def _patient(self) -> Iterator[PooledConnection]:
        """A connection whose statements may take long, but wait for locks only briefly."""
        usual: Any = None
        with taken(self._backend, write=True) as connection:
            if connection.each_time:
                raise ConfigurationError(
                    "through a pooler in transaction mode a time-out cannot be set for it: "
                    "connect to the server itself"
                )
            try:
                usual = connection.patience, *connection.execute(_TIMEOUTS).fetchall()
                connection.patience = None
                connection.execute(_SET_TIMEOUTS, ["0", f"{_LOCK_SECONDS:g}s"])
                yield connection
            except psycopg.Error as error:
                raise translate(error) from error
            finally:
                try:
                    if usual is not None and not connection.closed:
                        connection.patience, timeouts = usual
                        connection.execute(_SET_TIMEOUTS, timeouts)
                except BaseException:
                    connection.stale = True
                    raise

    def _clear_away(self, there: set[str]) -> None:
        """Drop what a failed build left; if that fails too, the next run does it."""
        with suppress(RepoError):
            for each in self._ask("server.invalid_indexes"):
                if _leftover(each) and each.name not in there:
                    with self._patient() as connection:
                        connection.execute(f"DROP INDEX CONCURRENTLY {each.name}", prepare=False)

    def _kept(self, task: Task) -> str:
        """Why a VACUUM has left dead rows, if it has."""
        if not task.statement.startswith("VACUUM"):
            return ""
        name = task.statement.rpartition(" ")[2]
        table = next((each for each in self._ask("server.tables") if each.name == name), None)
        if table is None or not _many(table.dead, table.rows):
            return ""
        session = self._ask("server.keeps_dead_rows", seconds=_LOCK_SECONDS)
        if session is None:
            return ""
        return f"{table.dead:,} dead rows stay: {_told(session)} has a transaction open since before it"

    def checks(self) -> Iterator[Check]:
        state = self._ask("server.database_state")
        failures = state.checksum_failures
        yield checked(
            "data checksums",
            [f"{failures:,} pages differ from theirs"] if failures else [],
            "restore a backup, and look at the disk",
            otherwise="no page differs" if failures is not None else "the cluster has none",
            status=Status.FAIL,
        )
        yield self._amcheck()
        yield from deployment.enforced(self._ask)
        migrated = bool(self._ask("migrations.started")) and bool(self._ask("migrations.applied"))
        yield checked(
            "orphaned rows",
            [
                f"{each.number:,} by {each.name}, to {each.id}"
                for each in (self._ask("proof.orphans") if migrated else ())
            ],
            "load what they refer to, or delete them",
            status=Status.FAIL,
        )
        yield checked(
            "redundant indexes",
            [f"{each.name} ({each.other})" for each in self._ask("server.duplicates")],
            "DROP INDEX CONCURRENTLY",
        )
        yield checked(
            "unused indexes",
            [
                f"{each.name} ({each.bytes >> 20:,} MB, in {each.days} days)"
                for each in self._ask("server.unused", days=_UNUSED_DAYS, bytes=_LARGE_BYTES)
                if recent.day_of(each.name) is None
            ],
            "drop them, unless a standby reads them",
        )
        yield checked(
            "tables read whole",
            [
                f"{each.name} ({each.scans:,} times)"
                for each in self._ask("server.unindexed", rows=_LARGE_ROWS)
            ],
            "find the query without an index: smdi explain",
        )
        yield checked(
            "foreign keys without an index",
            [
                f"{each.name} of {each.owner}: rows of {each.parent} are deleted"
                for each in self._ask("server.unindexed_keys", rows=_LARGE_ROWS)
            ],
            "CREATE INDEX CONCURRENTLY on its columns",
        )
        tables = self._ask("server.tables")
        yield checked(
            "statistics",
            [each.name for each in tables if _analyze_gains(each)],
            "smdi maintain",
            otherwise="every table was analyzed",
        )
        yield checked(
            "dead rows",
            [f"{each.name} ({each.dead:,})" for each in tables if _many(each.dead, each.rows)],
            "smdi maintain; autovacuum must be on, and no transaction stay open",
            otherwise="few",
        )
        long = self._ask("server.long_transactions", seconds=_LONG_SECONDS, idle_seconds=_IDLE_SECONDS)
        prepared = self._ask("server.prepared_transactions")
        yield checked(
            "long transactions",
            [f"{_told(each)} ({each.state}, {each.seconds:,} s)" for each in long]
            + [f"prepared {each.name} ({each.seconds:,} s)" for each in prepared],
            "end it, or pg_terminate_backend(pid); until then newer dead rows stay",
        )
        yield self._connections()
        warn, fail = _OLD_TRANSACTIONS
        yield Check(
            Status.FAIL if state.age > fail else Status.WARN if state.age > warn else Status.PASS,
            "transaction IDs",
            f"{state.age:,} of 2,147,483,648",
            "VACUUM (FREEZE), and end what blocks autovacuum" if state.age > warn else "",
        )
        yield self._slowest()

    def deployment(self) -> Iterator[Check]:
        return deployment.checks(self._backend, self._pool, self._ask)

    def _amcheck(self) -> Check:
        name = "amcheck"
        relations = self._ask("server.checkable")
        if not relations:
            return Check(Status.PASS, name, "not looked at: CREATE EXTENSION amcheck")
        damaged: list[str] = []
        with taken(self._backend, write=False) as connection:
            for each in relations:
                # The functions are in the extension's schema, and not in every database.
                call = (
                    "bt_index_check(index => %s::regclass, heapallindexed => true)"
                    if each.kind == "index"
                    else "verify_heapam(relation => %s::regclass)"
                )
                try:
                    begun = "BEGIN READ ONLY" + connection.each_time
                    connection.execute(begun, prepare=False)
                    found = connection.execute(
                        f"SELECT count(*) FROM {each.checker}.{call} AS c WHERE c IS NOT NULL",  # noqa: S608  # quoted by the server
                        [each.name],
                    ).fetchone()
                    if each.kind == "table" and found != (0,):
                        damaged.append(each.name)
                except psycopg.errors.InsufficientPrivilege:
                    return Check(Status.PASS, name, "not looked at: this role may not call amcheck")
                except psycopg.Error as error:
                    if (error.sqlstate or "")[:2] != "XX":
                        raise translate(error) from error
                    damaged.append(each.name)
                finally:
                    self._backend.rollback(connection)
        return checked(
            name,
            damaged,
            "REINDEX INDEX CONCURRENTLY what is an index; for a table restore a backup",
            otherwise=f"{len(relations)} are whole",
            status=Status.FAIL,
        )

    def _connections(self) -> Check:
        found = self._ask("server.connections")
        warn, fail = (found.used > share * found.allowed for share in _MANY_CONNECTIONS)
        return Check(
            Status.FAIL if fail else Status.WARN if warn else Status.PASS,
            "connections",
            f"{found.used:,} of {found.allowed:,}, {found.own:,} of them of this package",
            "lower max_size in the URLs of its processes, or put a pooler before the server"
            if warn
            else "",
        )

    def _slowest(self) -> Check:
        name = "slowest queries"
        if not self._ask("server.statements_installed"):
            return Check(Status.PASS, name, "not looked at: CREATE EXTENSION pg_stat_statements")
        try:
            found = self._ask("server.slowest", count=_SLOWEST)
        except RepoError:  # it is there, and the server was started without it
            return Check(Status.PASS, name, "not looked at: pg_stat_statements was not loaded at start")
        shown = [f"{each.name} ({each.calls:,} times {each.mean:,.1f} ms)" for each in found]
        slow = any(each.mean > _SLOW_MILLISECONDS for each in found)
        return Check(
            Status.WARN if slow else Status.PASS,
            name,
            ", ".join(shown) or "none was called yet",
            "smdi explain NAME --analyze" if slow else "",
        )


def _many(rows: int, of: int) -> bool:
    return rows >= max(_ROWS, _SHARE * of)


def _gains_of_vacuum(table: Any) -> list[str]:
    found = []
    if _many(table.dead, table.rows):
        found.append(f"{table.dead:,} dead rows beside {table.rows:,}")
    unseen = table.pages - table.visible
    if unseen >= max(_UNSEEN_PAGES, _UNSEEN_SHARE * table.pages):
        found.append(f"index-only scans have to visit {unseen:,} of {table.pages:,} pages")
    return found


def _analyze_gains(table: Any) -> list[str]:
    if not table.analyzed and (table.rows or table.pages):
        return ["was never analyzed"]
    if _many(table.changed, table.rows):
        return [f"{table.changed:,} rows changed since it was analyzed, of {table.rows:,}"]
    return []


def _leftover(index: Any) -> bool:
    return bool(index.leftover) or recent.day_of(index.name) is not None


def _bloated(index: Relation) -> bool:
    return (index.free or 0) >= max(_BLOAT_BYTES, _BLOAT_SHARE * (index.bytes or 0))


def _told(session: Any) -> str:
    return f"pid {session.pid} ({session.name})"
