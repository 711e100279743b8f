"""A file's connections: how they are opened, handed out and given back, and what a fork does to them."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final
from weakref import finalize

from repo.backends.sqlite.adapter import translate
from repo.engine.forks import held, on_fork, running_loop
from repo.errors import ConfigurationError, ConflictError, DatabaseUnavailable, RepoError
from repo.watching import LOG

_CACHE_KIBIBYTES: Final = 64 * 1024
_NO_FILES_BESIDE: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY)
"""Of a disk that takes no writes, and of a folder without the right to write."""
_STATEMENTS: Final = 256
_FORK_SECONDS: Final = 1.0


class Connections:
    """Connections to one file, or the one to a database in memory.

    A file has one connection that writes, held by one thread at a time, and as many that read as
    there are threads reading. A database in memory is one connection that threads take in turn.
    """

    def __init__(self, path: Path | None, *, read_only: bool, busy: float) -> None:
        """Open a file, or make one that only its owner can read; None is in memory.

        :param busy: seconds to wait for another writer.
        """
        self.path = path
        self.read_only = read_only
        self.closed = False
        self._busy = busy
        self._write_lock = threading.Lock()
        self._holder: tuple[int, object] = (0, None)
        self._opening = threading.Lock()
        self._readers: deque[sqlite3.Connection] = deque()
        self._all: list[sqlite3.Connection] = []
        self._inherited = ""
        self._still: tuple[int, ...] | None = None
        finalize(self, _close_all, self._all)
        if path is not None:
            _look_at(path, wanted=read_only)
            if not read_only:
                _make_private(path)
        self._writer: sqlite3.Connection | None = self._opened(write=not read_only)
        on_fork(self)

    def open_apart(self) -> sqlite3.Connection:
        """A connection that writes and is the caller's own, to set and to close."""
        try:
            return self._open(write=True)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _opened(self, *, write: bool) -> sqlite3.Connection:
        connection = None
        try:
            with held(self._opening):  # a fork waits until it is open or not begun
                try:
                    connection = self._open(write=write)
                except sqlite3.OperationalError as error:
                    if not self._stands_still(error):
                        raise
                    connection = self._open(write=write)
                self._all.append(connection)
            return connection  # noqa: TRY300  # an interrupt may strike here as well
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        except BaseException:
            if connection is not None:
                self._forget(connection)
            raise

    def _stands_still(self, error: sqlite3.OperationalError) -> bool:
        """Whether a read-only file cannot be opened only because its folder is not writable.

        To open a file with a write-ahead log, SQLite needs two files beside it. If they are missing and
        cannot be made, nobody has the file open, and it is read as an unchanging file;
        :meth:`acquire` checks whether that is still so.
        """
        path = self.path
        if path is None or not self.read_only or error.sqlite_errorcode not in _NO_FILES_BESIDE:
            return False
        if os.access(path.absolute().parent, os.W_OK):
            return False
        self._still = _state(path)
        if self._still is None:
            raise DatabaseUnavailable(
                f"cannot open {path}: there is a write-ahead log beside it, and in a folder that takes "
                "no files it cannot be read; open it once where it can be written"
            )
        return True

    def _unusable(self, error: sqlite3.Error) -> RepoError:
        translated = translate(error)
        return type(translated)(f"cannot open {self.path or 'memory'}: {error}")

    def _open(self, *, write: bool) -> sqlite3.Connection:
        if self.path is not None and _identity(self.path) in _inherited_files:
            raise ConfigurationError(
                f"{self.path} was in use by another thread, or by a transaction, when this process was "
                "forked, and SQLite cannot be used after that; fork while nothing is running, or start "
                "children by multiprocessing's spawn or forkserver"
            )
        target = ":memory:"
        if self.path is not None:
            mode = "ro" if self.read_only else "rw"
            if self._still is not None:
                mode += "&immutable=1"
            target = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = None
        try:
            connection = sqlite3.connect(
                target,
                timeout=self._busy,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
                uri=True,
            )
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            # Temporary tables, and the pages that savepoints keep: in memory those are a list that takes
            # longer to search the more there are. Readers have none.
            connection.execute(f"PRAGMA temp_store = {'FILE' if write else 'MEMORY'}")
            connection.execute("PRAGMA foreign_keys = ON")
            if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
                raise ConfigurationError("this SQLite cannot enforce foreign keys")
            if write and self.path is not None and not self._is_strangers(connection):
                self._use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            if not write and self.path is not None:
                connection.execute("PRAGMA query_only = ON")
            LOG.info(
                "opened %s for %s",
                self.path or "a database in memory",
                "writing" if write else "reading",
            )
            return connection  # noqa: TRY300  # an interrupt may strike here as well
        except BaseException:
            if connection is not None:
                connection.close()
            raise

    def _is_strangers(self, connection: sqlite3.Connection) -> bool:
        """Whether the file is another program's: it has tables and no record of migrations."""
        if connection.execute("PRAGMA main.journal_mode").fetchone() == ("wal",):
            return False
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
            return False
        record = connection.execute("SELECT name FROM pragma_table_info('schema_migrations')")
        return ("checksum",) not in record.fetchall()

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Turn WAL on. Wait for another process that does the same, as SQLite does not."""
        deadline = time.monotonic() + self._busy
        while True:
            try:
                mode = connection.execute("PRAGMA main.journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
                continue
            if mode != ("wal",):
                raise DatabaseUnavailable(
                    f"{self.path}: no write-ahead log on this file system (journal mode {mode[0]})"
                )
            return

    def acquire(self, *, write: bool) -> sqlite3.Connection:
        if self.closed:
            raise DatabaseUnavailable("the database is closed")
        if self._inherited:
            raise ConfigurationError(self._inherited)
        if write or self.path is None:
            return self._take_turn()
        if self._still is not None:
            self._look_again(self.path)
        try:
            return self._readers.pop()
        except IndexError:
            return self._opened(write=False)

    def _take_turn(self) -> sqlite3.Connection:
        """The only connection that writes, or the only one to memory, once it is free."""
        taken = False
        try:
            taken = self._write_lock.acquire(blocking=False)
            if not taken:
                self._refuse_to_wait()
                taken = self._write_lock.acquire(timeout=self._busy)
            if not taken:
                raise ConflictError(f"another thread has been writing for {self._busy:g} seconds")
            self._holder = (threading.get_ident(), running_loop())
            if self._writer is None:
                self._writer = self._opened(write=not self.read_only)
            return self._writer  # noqa: TRY300  # an interrupt may strike here as well
        except BaseException:
            if taken:
                self._write_lock.release()
            raise

    def _look_again(self, path: Path) -> None:
        """Close the connections to a file that was opened as unchanging, once it was changed."""
        if _state(path) != self._still:
            self._still = None
            while self._readers:
                self._forget(self._readers.pop())

    def _refuse_to_wait(self) -> None:
        """Refuse to block the event loop that the current writer needs to finish."""
        loop = running_loop()
        if loop is not None and self._holder == (threading.get_ident(), loop):
            raise ConfigurationError(
                "another task of this event loop has a transaction open, and SQLite has one writer: "
                "waiting here would stop the loop that the other needs to end; put what is done in a "
                "transaction into a function and call that with asyncio.to_thread"
            )

    def release(self, connection: sqlite3.Connection, *, write: bool) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.ProgrammingError:  # closed by another thread
            if not write and self.path is not None:
                return
        except sqlite3.Error as error:
            LOG.warning("a connection that could not roll back is closed: %s", error)
            self._forget(connection)
            if connection is self._writer:
                self._writer = None
            elif not write and self.path is not None:
                return
        if write or self.path is None:
            self._holder = (0, None)
            self._write_lock.release()
        else:
            self._readers.append(connection)

    def waits_for(self, connection: sqlite3.Connection, *, write: bool) -> bool:
        return connection is self._writer and (write or self.path is None)

    def before_fork(self) -> None:
        """Close idle connections, because SQLite keeps the locks of open files in the process's memory.

        The child would inherit the locks of a connection that is open at the fork, and nobody would ever
        release them there.
        """
        self._forkable = self.path is not None and self._opening.acquire(timeout=_FORK_SECONDS)
        if not self._forkable:
            return
        if self._write_lock.acquire(blocking=False):
            if self._writer is not None:
                self._forget(self._writer)
                self._writer = None
            self._write_lock.release()
        while self._readers:
            self._forget(self._readers.pop())

    def _forget(self, connection: sqlite3.Connection) -> None:
        with suppress(ValueError):
            self._all.remove(connection)
        connection.close()

    def after_fork_in_parent(self) -> None:
        if self._forkable:
            self._opening.release()

    def after_fork_in_child(self) -> None:
        self._opening = threading.Lock()
        self._write_lock = threading.Lock()
        if self.path is None:
            self._inherited = (
                "a database in memory is of the process that made it, and this is a child of that"
            )
        elif self._all or not self._forkable:
            _inherited_files.update(filter(None, [_identity(self.path)]))
        # They are kept, because closing them here would disturb the parent.
        _inherited.extend(self._all)
        self._all.clear()
        self._readers = deque()
        self._writer = None

    def close(self) -> None:
        self.closed = True
        _close_all(self._all)
        self._readers.clear()
        self._writer = None


_inherited: Final[list[sqlite3.Connection]] = []
"""Connections of the parent process."""

_inherited_files: Final[set[tuple[int, int]]] = set()
"""The files of these connections. SQLite has one set of locks for a file in a process: in a child it
takes the parent's locks for its own, and does not notice what the parent writes."""


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _look_at(path: Path, *, wanted: bool) -> None:
    """Refuse a path to something else than a file: opening a pipe would wait for its other end.

    :param wanted: whether the file must exist.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DatabaseUnavailable(f"{path} is not a regular file")
    except FileNotFoundError as error:
        if wanted:
            raise DatabaseUnavailable(
                f"there is no {path}: `smdi migrate` and `smdi load` make it"
            ) from error
    except OSError as error:
        raise DatabaseUnavailable(f"cannot open {path}: {error.strerror}") from error


def _state(path: Path) -> tuple[int, ...] | None:
    """A value that changes when a file is written to; None if it has a write-ahead log."""
    try:
        found = path.stat()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            return None
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _make_private(path: Path) -> None:
    """Create the file, and its folder, for their owner alone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        what = "write to" if path.exists() else "create"
        raise DatabaseUnavailable(f"cannot {what} {path}: {error.strerror}") from error
