"""What is SQLite's own: its settings, its files, one writer at a time, a database in memory."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import ConfigurationError, ConflictError, Database, DatabaseUnavailable, Institution, Ticker
from repo.backends.sqlite.backend import SQLiteBackend
from tests.builders import bar, content, day, raw, seed, sentiment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database's file is."""
    return tmp_path / "here" / "test.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    """A migrated database in a file, with two tickers and two institutions."""
    with repo.connect(f"sqlite:///{path}") as opened:
        opened.migrate()
        seed(opened)
        yield opened


def engine(db: Database) -> SQLiteBackend:
    """The database's backend."""
    assert isinstance(db._backend, SQLiteBackend)
    return db._backend


def pragma(db: Database, name: str, *, write: bool) -> Any:
    """A setting of the connection that writes, or of one that reads."""
    backend = engine(db)
    connection = backend.acquire(write=write)
    try:
        (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    finally:
        backend.release(connection, write=write)
    return value


def mode(path: Path) -> str:
    """Who may do what with a file or folder."""
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.mark.parametrize("write", [True, False], ids=["writer", "reader"])
def test_settings(db: Database, write: bool) -> None:
    """Foreign keys, the write-ahead log and the rest are set on every connection there is."""
    expected = {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 1,
        "temp_store": 1 if write else 2,
        "cache_size": -65536,
        "busy_timeout": 30_000,
        "query_only": int(not write),
    }
    assert {name: pragma(db, name, write=write) for name in expected} == expected


def test_no_savepoint_where_nothing_needs_one(db: Database) -> None:
    """A write that is a transaction of its own is begun anew, and not undone, when a key comes again."""
    seed(db)
    day = date(2020, 1, 1).toordinal()
    bars = [bar("AAPL", date.fromordinal(day + number)) for number in range(2500)]
    sent: list[str] = []
    writer = engine(db).acquire(write=True)
    writer.set_trace_callback(sent.append)
    engine(db).release(writer, write=True)
    assert db.market.upsert(bars) == 2500
    assert db.market.upsert([*bars, bars[0]._replace(volume=5)]) == 1
    assert [
        each for each in sent if each.split()[0] in ("BEGIN", "SAVEPOINT", "ROLLBACK", "COMMIT")
    ] == ["BEGIN IMMEDIATE", "COMMIT", "BEGIN IMMEDIATE", "ROLLBACK", "BEGIN IMMEDIATE", "COMMIT"]
    sent.clear()
    with db.transaction():
        assert db.market.upsert([*bars, bars[0]]) == 1
    assert [each for each in sent if "SAVEPOINT" in each or "level" in each] == [
        "SAVEPOINT level_1",
        "ROLLBACK TO SAVEPOINT level_1",
        "RELEASE SAVEPOINT level_1",
    ]
    assert db.market.history("AAPL") == bars


def test_busy_timeout(path: Path) -> None:
    """The time to wait for another writer can be set, in seconds."""
    with repo.connect(f"sqlite:///{path}", busy_timeout=1.5) as db:
        assert pragma(db, "busy_timeout", write=True) == 1500
        assert pragma(db, "busy_timeout", write=False) == 1500


def test_files_are_their_owner_s_alone(path: Path) -> None:
    """The file and what lies beside it have mode 0600, a new folder 0700, whatever the umask."""
    before = os.umask(0)
    try:
        with repo.connect(f"sqlite:///{path}") as db:
            db.migrate()
            db.tickers.all()
            files = sorted(path.parent.iterdir())
            assert [file.name for file in files] == ["test.db", "test.db-shm", "test.db-wal"]
            assert [mode(file) for file in files] == ["0o600"] * 3
        assert mode(path.parent) == "0o700"
    finally:
        os.umask(before)


def test_a_folder_and_a_file_that_are_there_keep_their_modes(tmp_path: Path) -> None:
    """Only what is made is made private."""
    tmp_path.chmod(0o755)
    path = tmp_path / "shared.db"
    path.touch()
    path.chmod(0o640)
    with repo.connect(f"sqlite:///{path}") as db:
        db.migrate()
    assert (mode(tmp_path), mode(path)) == ("0o755", "0o640")


def test_closing_leaves_one_file(db: Database, path: Path) -> None:
    """The last to close puts everything into the file itself."""
    db.tickers.all()
    db.close()
    assert [file.name for file in path.parent.iterdir()] == ["test.db"]
    assert raw(f"sqlite:///{path}", "SELECT COUNT(*) FROM tickers") == [(2,)]


def test_tables_are_strict_and_lie_by_their_keys(db: Database, path: Path) -> None:
    """Every table is STRICT, and those with a natural key are WITHOUT ROWID."""
    sql = (
        "SELECT name, wr, strict FROM pragma_table_list"
        " WHERE schema = 'main' AND name NOT LIKE 'sqlite%'"
    )
    assert sorted(raw(f"sqlite:///{path}", sql)) == [
        ("institutional_holdings", 1, 1),
        ("institutions", 0, 1),
        ("market_data", 1, 1),
        ("retail_sentiment", 1, 1),
        ("schema_migrations", 0, 1),
        ("tickers", 0, 1),
    ]


def test_values_are_stored_as_what_they_are(db: Database, path: Path) -> None:
    """Dates are whole days since 1970, prices reals, a CUSIP of digits a text."""
    db.market.upsert([bar(on=day(0))._replace(close=2)])
    sql = (
        "SELECT typeof(cusip), typeof(created_at), typeof(date), date, typeof(close), typeof(volume)"
        " FROM tickers JOIN market_data USING (ticker_id)"
    )
    assert raw(f"sqlite:///{path}", sql) == [("text", "integer", "integer", 14_613, "real", "integer")]


def test_settling_duplicates_leaves_no_table_behind(db: Database, path: Path) -> None:
    """Rows set aside are kept out of the file, and are gone afterwards, also after an error."""
    rows = [sentiment(on=day(number % 1200)) for number in range(2500)]
    assert db.sentiment.upsert(rows) == 1200
    with pytest.raises(repo.InvalidRecord):
        db.sentiment.upsert([*rows, sentiment(interest=-1)])
    with pytest.raises(repo.UniqueViolation):
        db.tickers.upsert(
            [*(Ticker(f"T{n % 1200}", str(n)) for n in range(2500)), Ticker("NEW", "New", "037833100")]
        )
    assert db.sentiment.upsert(iter(rows)) == 0
    names = {name for (name,) in raw(f"sqlite:///{path}", "SELECT name FROM sqlite_master")}
    assert not [name for name in names if "stage" in name]
    staging = engine(db).acquire(write=True)
    assert staging.execute("SELECT COUNT(*) FROM temp.sqlite_master").fetchone() == (0,)
    engine(db).release(staging, write=True)


def test_rows_set_aside_lie_in_files(path: Path) -> None:
    """They and their journal are not held in memory, where ten million of them took 747 MB."""
    files: dict[str, int] = {}

    def look(query: str, seconds: float, rows: int) -> None:
        if query in ("sentiment.fill", "sentiment.unstage"):
            found = []
            for each in Path("/proc/self/fd").iterdir():
                with suppress(OSError):
                    found += re.findall("/etilqs_.*", str(each.readlink()))
            files[query] = len(found)

    with repo.connect(f"sqlite:///{path}", on_query=look) as db:
        db.migrate()
        seed(db)
        keys = [(7919 * number) % 100_000 for number in range(100_000)]
        rows = (sentiment(on=day(number % 50_000), source=f"s{number // 50_000}") for number in keys)
        with db.transaction():  # where a savepoint has what was there before journalled
            assert db.sentiment.upsert(rows) == 100_000
    assert files["sentiment.unstage"] > files["sentiment.fill"] > 0


def test_another_writer_is_waited_for(db: Database, path: Path) -> None:
    """A lock of another process that goes away in time is no error."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        release.start()
        assert db.market.upsert([bar()]) == 1
        release.join()


def test_another_writer_that_stays_is_a_conflict(db: Database, path: Path) -> None:
    """A lock of another process that outlasts the wait is ConflictError, for run as well."""
    calls: list[int] = []
    with (
        repo.connect(f"sqlite:///{path}", busy_timeout=0.05) as impatient,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConflictError) as raised:
            impatient.market.upsert([bar()])
        assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
        with pytest.raises(ConflictError):
            impatient.run(lambda inside: calls.append(1), attempts=2)
        assert impatient.market.history("AAPL") == []
        other.execute("ROLLBACK")
        impatient.run(lambda inside: calls.append(2), attempts=2)
        assert impatient.market.upsert([bar()]) == 1
    assert calls == [2]


def test_another_thread_that_stays_is_a_conflict(path: Path) -> None:
    """A block of another thread that outlasts the wait is ConflictError; reads do not wait."""
    with repo.connect(f"sqlite:///{path}", busy_timeout=0.05) as db, ThreadPoolExecutor(1) as other:
        db.migrate()
        with db.transaction():
            with pytest.raises(ConflictError):
                other.submit(seed, db).result()
            assert other.submit(db.tickers.all).result() == []
            seed(db)
        assert len(other.submit(db.tickers.all).result()) == 2


def test_a_reader_does_not_keep_a_writer_waiting(db: Database, path: Path) -> None:
    """While a block reads, others write, and it goes on seeing what it saw."""
    with repo.connect(f"sqlite:///{path}", busy_timeout=0.05) as other:
        with db.transaction(read_only=True):
            assert len(db.tickers.all()) == 2
            other.tickers.upsert([Ticker("A", "A")])
            assert len(db.tickers.all()) == 2
        assert len(db.tickers.all()) == 3


def test_a_database_opened_to_be_read(db: Database, path: Path) -> None:
    """It sees what others commit, and SQLite itself would refuse its writes."""
    with repo.connect(f"sqlite:///{path}", read_only=True) as reader:
        db.market.upsert([bar()])
        assert reader.market.history("AAPL") == [bar()]
        backend = engine(reader)
        connection = backend.acquire(write=False)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM market_data")
        backend.release(connection, write=False)


def test_a_disk_that_is_full(db: Database, path: Path) -> None:
    """An upsert for which there is no room is DatabaseUnavailable, and leaves no trace."""
    url = f"sqlite:///{path}"
    before = content(url)
    pages = pragma(db, "page_count", write=True)
    assert pragma(db, f"max_page_count = {pages + 20}", write=True) == pages + 20
    with pytest.raises(DatabaseUnavailable):
        db.market.upsert(bar(on=day(number)) for number in range(20_000))
    assert content(url) == before
    assert db.market.upsert(bar(on=day(number)) for number in range(100)) == 100


def test_a_database_in_memory_is_shared_by_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads write and read one database, which is no file and no other's."""
    monkeypatch.chdir(tmp_path)
    with (
        repo.connect("sqlite://") as db,
        repo.connect("sqlite://") as other,
        ThreadPoolExecutor(8) as pool,
    ):
        db.migrate()
        other.migrate()

        def work(number: int) -> int:
            db.institutions.upsert([Institution(number, "Somebody")])
            with db.transaction():
                found = db.institutions.get(1 + number % 8)
                return db.institutions.upsert([found._replace(name=f"{found.name}+")])

        db.institutions.upsert(Institution(number, "Somebody") for number in range(1, 9))
        assert sum(pool.map(work, range(100, 300))) == 200
        names = [row.name for row in db.institutions.all()[:8]]
        assert sum(name.count("+") for name in names) == 200
        assert other.institutions.all() == []
    assert list(tmp_path.iterdir()) == []


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older than 3.39 is a ConfigurationError, and no file is made."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 38, 5))
    with pytest.raises(ConfigurationError, match=r"SQLite 3\.39"):
        repo.connect(f"sqlite:///{path}")
    assert not path.exists()


def test_a_row_that_cannot_be_decoded_ends_its_read(path: Path, tmp_path: Path) -> None:
    """A read that fails half way lets go of the database: the next one sees what was written since."""
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "app.sql").write_text(
        "-- name: days()\n"
        "-- record_class: Day(day: date)\n"
        "-- Every day, and no day in place of one. Index: none.\n"
        "SELECT CASE WHEN m.volume = 7 THEN 99999999 ELSE m.date END AS day\n"
        "FROM market_data AS m ORDER BY m.date;\n"
    )
    with repo.connect(f"sqlite:///{path}", queries=[folder]) as db:
        db.migrate()
        seed(db)
        bars = [bar("AAPL", date.fromordinal(700_000 + number)) for number in range(300)]
        db.market.upsert([bars[0]._replace(volume=7), *bars[1:]])
        with pytest.raises(repo.RangeError, match="day holds 99999999") as raised:
            db.queries.app.days()
        db.market.upsert([bar("AAPL", date.fromordinal(700_300))])
        assert len(db.market.history("AAPL")) == 301
        assert raised.value.__traceback__ is not None  # which would have held the read open
