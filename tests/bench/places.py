"""Where the databases of the contestants are: files, or databases on a server; all migrated alike."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

import repo
from repo import Bar
from tests import servers
from tests.bench.contestants.base import EPOCH, sqlite_path
from tests.builders import TABLE_OF

BACKENDS: Final = ("sqlite", "postgresql")

_OWN_SERVER: Final = ("fsync", "synchronous_commit", "full_page_writes")
"""What the tests' server has turned off and a measurement wants back."""

_SHOWN: Final = (
    *_OWN_SERVER,
    *("shared_buffers", "work_mem", "max_wal_size", "wal_level", "data_checksums", "jit"),
)


_BARS: Final = """
SELECT t.symbol, {day}, m.open, m.high, m.low, m.close, m.volume
FROM market_data AS m JOIN tickers AS t ON t.ticker_id = m.ticker_id
ORDER BY t.symbol, m.date
"""


class SQLitePlace:
    """Files in a folder."""

    backend = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def _next(self) -> Path:
        return self._folder / f"bench_{next(self._numbers)}.db"

    def empty(self) -> str:
        """A migrated database without rows."""
        url = f"sqlite:///{self._next()}"
        with repo.connect(url) as db:
            db.migrate()
        return url

    def copy(self, url: str) -> str:
        """A database like another, to which nobody is connected."""
        target = self._next()
        self.quiet(url)
        shutil.copyfile(sqlite_path(url), target)
        return f"sqlite:///{target}"

    def drop(self, url: str) -> None:
        """Delete a database."""
        for ending in ("", "-wal", "-shm"):
            Path(f"{sqlite_path(url)}{ending}").unlink(missing_ok=True)

    def settle(self, url: str) -> None:
        """Do what is done after a load: statistics, and no traces of rows that are gone."""
        with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as connection:
            connection.execute("ANALYZE")

    def quiet(self, url: str) -> None:
        """Write out what is pending, so that the next contestant does not pay for it."""
        with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def wal(self) -> None:
        """The position in the write-ahead log in bytes; None where there is no such number."""
        return

    def bars(self, url: str) -> list[tuple[Any, ...]]:
        """All bars by symbol and date, dates as days since 1970-01-01, read without any contestant."""
        with closing(sqlite3.connect(sqlite_path(url))) as connection:
            return connection.execute(_BARS.format(day="m.date")).fetchall()

    def size(self, url: str) -> int:
        """The bytes of a database on disk."""
        paths = [Path(f"{sqlite_path(url)}{ending}") for ending in ("", "-wal")]
        return sum(path.stat().st_size for path in paths if path.exists())

    def settings(self) -> dict[str, str]:
        """The versions and settings that are the same for all contestants."""
        told = {"journal_mode": "wal", "synchronous": "normal", "folder": "temporary"}
        return {"SQLite": sqlite3.sqlite_version, **told}


class PostgreSQLPlace:
    """Databases on a server of the tests; bars are vacuumed by :meth:`settle` and not by autovacuum."""

    backend = "postgresql"

    def __init__(self, server: servers.Server, *, own: bool) -> None:
        """Give the server the settings PostgreSQL ships with, if it is ours (``own``)."""
        self._server = server
        if own:
            for name in _OWN_SERVER:
                self._run(server.url, f"ALTER SYSTEM RESET {name}")
            self._run(server.url, "SELECT pg_reload_conf()")

    def _run(self, url: str, statement: str) -> list[Any]:
        connection: Any
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> str:
        url = self._server.url_of(self._server.create())
        with repo.connect(url, min_size=1) as db:
            db.migrate()
        self._run(url, "ALTER TABLE market_data SET (autovacuum_enabled = off)")
        return url

    def copy(self, url: str) -> str:
        return self._server.url_of(self._server.create(_database(url)))

    def drop(self, url: str) -> None:
        self._server.drop(_database(url))

    def settle(self, url: str) -> None:
        self._run(url, f"VACUUM (ANALYZE) {', '.join(TABLE_OF.values())}")

    def quiet(self, url: str) -> None:
        self._run(url, "CHECKPOINT")

    def wal(self) -> int:
        # The position of inserts: that of writes lags behind where commits are asynchronous.
        (row,) = self._run(self._server.url, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return int(row[0])

    def bars(self, url: str) -> list[tuple[Any, ...]]:
        return self._run(url, _BARS.format(day="m.date - DATE '1970-01-01'"))

    def size(self, url: str) -> int:
        ((size,),) = self._run(url, "SELECT pg_database_size(current_database())")
        return int(size)

    def settings(self) -> dict[str, str]:
        found = {"PostgreSQL": self._run(self._server.url, "SHOW server_version")[0][0]}
        for name in _SHOWN:
            found[name] = self._run(self._server.url, f"SHOW {name}")[0][0]
        return found


def _database(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def digest(rows: Iterable[tuple[Any, ...]]) -> str:
    """What stands for the rows of :meth:`Place.bars` in a comparison."""
    found = hashlib.sha256()
    for row in rows:
        found.update(repr(row).encode())
    return found.hexdigest()


def expected(bars: Iterable[Bar]) -> str:
    """The digest of bars as they should be stored."""
    return digest((bar.symbol, bar.date.toordinal() - EPOCH, *bar[2:]) for bar in sorted(bars))


Place = SQLitePlace | PostgreSQLPlace


@contextmanager
def opened(backend: str, own_server: bool) -> Iterator[Place]:
    """A place on an engine, gone at the end with all there is in it.

    :param own_server: whether no ``SMDI_TEST_POSTGRES`` names somebody else's server.
    """
    if backend == "sqlite":
        with tempfile.TemporaryDirectory(prefix="smdi-bench-") as folder:
            yield SQLitePlace(Path(folder))
        return
    with servers.running() as server:
        yield PostgreSQLPlace(server, own=own_server)
