"""Backups of SQLite by its online backup, from a snapshot and over the pages of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from repo.backends.sqlite.adapter import translate
from repo.binding import BoundQueries
from repo.engine.backend import Backend, taken
from repo.engine.backup import Compare, Origin, Restoring, Writing
from repo.errors import BackupError, ConfigurationError, ConflictError
from repo.progress import Progress
from repo.showing import listed
from repo.watching import LOG

_STEP: Final = 1 << 24
"""Bytes copied between two looks at progress and Ctrl-C."""

_VERSION: Final = f"SQLite {sqlite3.sqlite_version}"


class SQLiteDumpRestore:
    """A backup is a database file, without a write-ahead log, so that it is one file."""

    suffix = ".db"

    def __init__(self, backend: Backend, path: Path | None, queries: BoundQueries) -> None:
        self._backend = backend
        self._path = path
        self._queries = queries

    def origin(self, connection: sqlite3.Connection) -> Origin:
        if self._path is None:
            return Origin("memory", "memory", _VERSION)
        return Origin(str(self._path.absolute()), self._path.stem, _VERSION)

    @contextmanager
    def dump(self, connection: sqlite3.Connection, file: Path, progress: Progress) -> Iterator[str]:
        # The first read takes the snapshot. A backup by a connection that has one copies that, and does
        # not start over when others write.
        self._queries["backup.tables"](connection, {})
        try:
            with closing(sqlite3.connect(file, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous = OFF")  # the caller sees to the disk, once
                _copy(connection, copy, lambda done, of: progress("copy", done, of))
                copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise translate(error) from error
        yield _VERSION

    @contextmanager
    def scratch(self, folder: Path, server: str | None) -> Iterator[str]:
        if server is not None:
            raise ConfigurationError("a backup of SQLite is proven in a file beside it: no --scratch")
        yield f"sqlite:///{_quoted(folder / 'scratch.db')}"

    def restore(self, file: Path, how: Restoring, writing: Writing, compare: Compare) -> None:
        """Copy the file over the pages of the database, in one transaction of SQLite's own.

        The file stays the same one, so those who have it open see the old rows until that transaction is
        committed, and then the new ones; a file renamed over it would leave them with one that has no
        name any more, or with another's log.
        """
        if self._path is None:
            raise ConfigurationError("a database in memory is gone when it is closed: name a file")
        with taken(self._backend, write=True) as connection:
            try:
                if not how.force:
                    self._refuse_rows(connection)
                connection.execute("PRAGMA synchronous = FULL")
                before = connection.execute("PRAGMA data_version").fetchone()
                with closing(_opened(file)) as source:
                    _look_at(source, how.progress)
                    compare(f"sqlite:///{_quoted(file)}")
                    alone = self._let_pages_differ(source, connection)
                    if alone and not how.force:
                        self._refuse_rows(connection)
                    looked = alone or how.force

                    def step(done: int, of: int) -> None:
                        nonlocal looked
                        how.progress("restore", done, of)
                        if not looked:  # again, now that no others can write
                            looked = True
                            with taken(self._backend, write=False) as reader:
                                self._refuse_rows(reader)

                    _copy(source, connection, step)
                if alone:
                    connection.execute("PRAGMA locking_mode = NORMAL")
                    connection.execute("SELECT 1 FROM sqlite_master").close()  # which lets others in
                    connection.execute("PRAGMA journal_mode = WAL")
                try:
                    compare(None)
                except BackupError:
                    if connection.execute("PRAGMA data_version").fetchone() == before:
                        raise
                    LOG.warning(
                        "%s: others wrote right after the restore: rows not compared", self._path
                    )
                connection.execute("PRAGMA wal_checkpoint")
            except sqlite3.Error as error:
                raise translate(error) from error

    def _let_pages_differ(self, source: sqlite3.Connection, target: sqlite3.Connection) -> bool:
        """Leave the write-ahead log, whose pages have one size, if those of the backup have another.

        The connection then has the file to itself, as it must while the size changes.

        :returns: whether it has left it.
        """
        wanted, there = (each.execute("PRAGMA page_size").fetchone() for each in (source, target))
        if wanted == there:
            return False
        try:
            left = target.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
            if left:
                target.execute("PRAGMA locking_mode = EXCLUSIVE")
                target.execute("BEGIN EXCLUSIVE")
                target.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            left = False
        if not left:
            raise ConflictError(
                f"{self._path} has pages of {there[0]} bytes, and the backup of {wanted[0]}: close it "
                "everywhere, then restore again"
            )
        return True

    def _refuse_rows(self, connection: sqlite3.Connection) -> None:
        """Refuse to replace rows."""
        tables = [each.quoted for each in self._queries["backup.tables"](connection, {})]
        full = [
            table
            for table in tables
            if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone() == (1,)  # noqa: S608  # quoted
        ]
        if full:
            raise BackupError(
                f"{self._path} holds rows, in {listed(full)}: --force (force=True) replaces them"
            )


def _quoted(file: Path) -> str:
    return quote(str(file.absolute()))


def _opened(file: Path) -> sqlite3.Connection:
    """A backup, opened as unchanging, so that SQLite makes no files beside it."""
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None
    )


def _look_at(source: sqlite3.Connection, progress: Progress) -> None:
    """Check that a file is not damaged before anything is replaced by it."""
    progress("check", 0, 0)
    try:
        found = [str(line) for (line,) in source.execute("PRAGMA integrity_check(5)")]
        found += [
            f"a row of {row[0]} refers to none" for row in source.execute("PRAGMA foreign_key_check")
        ]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise BackupError(f"the backup is damaged: {'; '.join(found[:5])}")


def _copy(
    source: sqlite3.Connection, target: sqlite3.Connection, tell: Callable[[int, int], None]
) -> None:
    """Copy a database in steps, in one transaction on each side, which an error of ``tell`` undoes.

    The first step is never the last, so that the first ``tell`` can still undo everything.
    """
    ((pages,),) = source.execute("PRAGMA page_count").fetchall()
    ((size,),) = source.execute("PRAGMA page_size").fetchall()

    def step(status: int, remaining: int, of: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # the busy time-out is over
            raise ConflictError("another connection has been writing all the while: try again later")
        tell(of - remaining, of)

    source.backup(target, pages=max(1, min(_STEP // size, pages - 1)), progress=step)
