"""The maintenance and health of a SQLite file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from repo.backends.sqlite import deployment
from repo.backends.sqlite.adapter import translate
from repo.engine.backend import Backend
from repo.engine.maintenance import Check, Relation, Space, Status, Task, checked
from repo.errors import DatabaseUnavailable
from repo.queries import RunQuery

_FREE_SHARE: Final = 0.1
"""The share of free pages in a file that is worth a VACUUM."""
_EMPTY_SHARE: Final = 0.5
"""The same, with what is empty in other pages; keys in random order alone leave a third."""
_FREE_BYTES: Final = 1 << 20
"""And how many bytes that is."""
_LOG_BYTES: Final = 8 << 20
"""The write-ahead log that is worth a checkpoint; without readers in the way it stays at 4 MB."""
_LONG_LOG_BYTES: Final = 256 << 20
_CHANGED: Final = 2
"""By which factor a table has grown or shrunk since the last ANALYZE, to be worth another."""
_ALL_ROWS: Final = 10_000_000
"""Up to how many rows ANALYZE reads a file whole; writers wait meanwhile."""
_ANALYSIS_ROWS: Final = 10_000
"""How many rows of an index it reads beyond that."""
_STEP_PAGES: Final = 1_000
"""How many pages are freed at once; writers wait meanwhile."""
_VACUUM_BYTES: Final = 1 << 30
"""The largest file that is vacuumed: writers wait for it, half a minute at most."""
_BUSY_MILLISECONDS: Final = 5_000
"""How long to wait for another writer."""
_OF_INDEXES: Final = ("missing from index", "wrong # of entries in index", "non-unique entry in index")
"""What integrity_check says of an index that can be built again from its table."""


class SQLiteMaintenance:
    """See :class:`repo.engine.maintenance.Maintenance`."""

    def __init__(self, backend: Backend, path: Path | None, ask: RunQuery) -> None:
        self._backend = backend
        self._path = path
        self._ask = ask

    def identity(self) -> str:
        return "" if self._path is None else str(self._path.resolve())

    def space(self) -> Space:
        pages = self._ask("file.pages")
        return Space(pages.pages * pages.page_size + self._log_bytes(), pages.free * pages.page_size)

    def relations(self) -> list[Relation]:
        if self._ask("file.measurable"):
            return [Relation(*row) for row in self._ask("file.relations")]
        return [
            Relation(row.name, row.name, "table", None, None, None) for row in self._ask("file.tables")
        ]

    def _log_bytes(self) -> int:
        path = self._path
        log = None if path is None else path.with_name(f"{path.name}-wal")
        return log.stat().st_size if log is not None and log.exists() else 0

    def tasks(self) -> list[Task]:
        damaged: dict[str, str] = {}
        for each in self._ask("file.damage"):
            if not any(words in each.message for words in _OF_INDEXES):
                raise DatabaseUnavailable(
                    f"the file is damaged, and left as it is: {each.message}; restore a backup"
                )
            damaged.setdefault(each.message.split(" index ")[1].split()[0], each.message)
        found = [Task(f"REINDEX {_quoted(name)}", message) for name, message in damaged.items()]
        relations = self.relations()
        if reasons := self._unanalyzed(relations):
            found.append(Task("ANALYZE", "; ".join(reasons)))
        pages = self._ask("file.pages")
        free = pages.free * pages.page_size
        empty = free + sum(each.free or 0 for each in relations)
        size = pages.pages * pages.page_size
        if free >= max(_FREE_BYTES, _FREE_SHARE * size):
            reason = f"{pages.free:,} of {pages.pages:,} pages are free"
            incremental = pages.auto_vacuum == 2
            found.append(Task("PRAGMA incremental_vacuum" if incremental else "VACUUM", reason))
        elif empty >= max(_FREE_BYTES, _EMPTY_SHARE * size):
            found.append(Task("VACUUM", f"{empty / size:.0%} of {size >> 20:,} MB is empty"))
        log = self._log_bytes()
        if log >= _LOG_BYTES:
            reason = f"the write-ahead log has grown to {log >> 20:,} MB"
            found.append(Task("PRAGMA wal_checkpoint(TRUNCATE)", reason))
        return found

    def _unanalyzed(self, relations: list[Relation]) -> list[str]:
        known = {}
        if self._ask("file.analyzed"):
            known = {each.name: each.rows for each in self._ask("file.statistics")}
        found = []
        never = []
        for each in relations:
            if each.kind != "table" or not each.rows or each.name.startswith("sqlite_"):
                continue
            rows = known.get(each.name)
            if rows is None:
                never.append(each.name)
            elif max(each.rows, rows) > _CHANGED * min(each.rows, rows):
                found.append(f"{each.name} had {rows:,} rows when it was analyzed and has {each.rows:,}")
        return ([f"{', '.join(never)} never analyzed"] if never else []) + found

    def perform(self, task: Task) -> str:
        path = self._path
        if task.statement == "VACUUM" and path is not None:
            # For a copy in a temporary file, and the same in the write-ahead log.
            pages = self._ask("file.pages")
            used = (pages.pages - pages.free) * pages.page_size
            if used > _VACUUM_BYTES:
                return f"writers would wait long for {used >> 20:,} MB: VACUUM when nothing writes"
            needed = 2 * used
            free = shutil.disk_usage(path.absolute().parent).free
            if free < needed:
                return f"it needs {needed >> 20:,} MB of free disk, and there are {free >> 20:,}"
        connection = None
        waits = None
        try:
            connection = self._backend.acquire(write=True)
            waits = connection.execute("PRAGMA busy_timeout").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout = {min(waits, _BUSY_MILLISECONDS)}")
            if task.statement == "ANALYZE":
                rows = sum(each.rows or 0 for each in self.relations() if each.kind == "table")
                limit = _ANALYSIS_ROWS if rows > _ALL_ROWS else 0
                connection.execute(f"PRAGMA analysis_limit = {limit}").fetchall()
            return _done(connection, task.statement)
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            if connection is not None:
                if waits is not None:
                    connection.execute(f"PRAGMA busy_timeout = {waits}")
                self._backend.release(connection, write=True)

    def deployment(self) -> Iterator[Check]:
        return deployment.checks(self._backend, self._path)

    def checks(self) -> Iterator[Check]:
        damage = [each.message for each in self._ask("file.damage")]
        of_indexes = all(any(words in each for words in _OF_INDEXES) for each in damage)
        yield checked(
            "integrity",
            damage,
            "smdi maintain builds the indexes again" if of_indexes else "restore a backup",
            otherwise="every page and index is whole",
            status=Status.FAIL,
        )
        if not of_indexes:
            return  # nothing else in a damaged file can be relied on
        yield checked(
            "orphaned rows",
            [f"{each.rows:,} of {each.name} to {each.parent}" for each in self._ask("file.orphans")],
            "load what they refer to, or delete them",
            status=Status.FAIL,
        )
        yield checked(
            "redundant indexes",
            [f"{each.name} ({each.other})" for each in self._ask("file.duplicates")],
            "DROP INDEX",
        )
        relations = self.relations()
        yield checked(
            "statistics",
            self._unanalyzed(relations),
            "smdi maintain",
            otherwise="every table was analyzed",
        )
        pages = self._ask("file.pages")
        free = pages.free * pages.page_size
        much = free >= max(_FREE_BYTES, _FREE_SHARE * pages.pages * pages.page_size)
        shown = f"{pages.free:,} of {pages.pages:,}"
        yield checked("free pages", [shown] if much else [], "smdi maintain", otherwise=shown)
        log = self._log_bytes()
        shown = f"{log >> 20:,} MB"
        yield checked(
            "write-ahead log",
            [shown] if log > _LONG_LOG_BYTES else [],
            "end the reader that keeps it from starting over, then smdi maintain",
            otherwise=shown,
        )


def _done(connection: sqlite3.Connection, statement: str) -> str:
    """Run a statement, which takes no parameters; why it was not done, or an empty text."""
    if statement == "PRAGMA incremental_vacuum":
        while connection.execute("PRAGMA freelist_count").fetchone()[0]:
            connection.execute(f"PRAGMA incremental_vacuum({_STEP_PAGES})").fetchall()
        return ""
    answer: Any = connection.execute(statement).fetchone()
    if statement == "VACUUM":
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    elif statement.startswith("PRAGMA wal_checkpoint") and answer[0]:
        return "a reader or a writer is using the log"
    return ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
