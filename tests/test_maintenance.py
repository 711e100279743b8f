"""What a database gains by and gets done, what it takes, and what is found to be wrong with it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

import repo
from repo import (
    Bar,
    ConfigurationError,
    Database,
    DatabaseUnavailable,
    Ticker,
    introspection,
    maintenance,
    sample,
)
from repo.backends.postgresql import maintenance as postgresql
from repo.backends.postgresql import recent
from repo.backends.sqlite import maintenance as sqlite
from repo.engine.maintenance import Status, Task
from tests import servers
from tests.builders import day, path_of, plain_url, raw, seed, until
from tests.cli_helpers import smdi

ROWS = 20_000


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's state folder of the test's own, where little is worth doing something about."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(postgresql, "_BLOAT_BYTES", 1 << 17)
    monkeypatch.setattr(postgresql, "_LOCK_SECONDS", 0.3)
    monkeypatch.setattr(sqlite, "_BUSY_MILLISECONDS", 100)
    monkeypatch.setattr(sqlite, "_FREE_BYTES", 1 << 18)
    return tmp_path / "state"


def bars(db: Database, rows: int = ROWS) -> None:
    """Many bars of one ticker."""
    seed(db)
    db.market.upsert(Bar("AAPL", day(number), 1.0, 2.0, 0.5, 1.5, number) for number in range(rows))
    if db.dialect == "postgresql":
        # What a session has written is counted when it next has nothing to do, and not after ANALYZE.
        db._session.run_script(
            "DO $$ BEGIN PERFORM pg_stat_force_next_flush();"
            " EXCEPTION WHEN undefined_function THEN PERFORM pg_sleep(0.6); END $$"
        )


def statements(db: Database) -> list[str]:
    return [task.statement for task in maintenance.plan(db)]


def undone(db: Database) -> list[str]:
    """Why what there was to do was left undone."""
    done = maintenance.maintain(db)
    assert done
    return [each.left for each in done]


def lines(db: Database, *, but: Status = Status.PASS) -> dict[str, str]:
    """What is found to be wrong, by check; of all lines each has something to say."""
    found = maintenance.health(db)
    assert all(each.found for each in found)
    assert all(bool(each.advice) for each in found if each.status is not Status.PASS)
    return {each.check: f"{each.status} {each.found}" for each in found if each.status is not but}


def test_statistics(db: Database, url: str) -> None:
    """What was never analyzed is, once; who only reads can plan that, and changes nothing."""
    bars(db, 100)
    with repo.connect(url, read_only=True) as reading:
        wanted = statements(reading)
        assert any("ANALYZE" in each for each in wanted)
        assert wanted == statements(reading)
        assert "statistics" in lines(reading)
        with pytest.raises(ConfigurationError, match="read only"):
            maintenance.maintain(reading)
    told: list[Task] = []
    done = maintenance.maintain(db, note=told.append)
    assert [each[:2] for each in done] == told
    assert [each.statement for each in done] == wanted
    assert {each.left for each in done} == {""}
    assert statements(db) == []
    assert lines(db) == {}


def test_what_is_empty_is_given_back(db: Database, url: str) -> None:
    """After much was deleted the database is made smaller, beside a reader, until no more is to do."""
    bars(db)
    maintenance.maintain(db)
    full = maintenance.sizes(db)[0].bytes
    db.market.delete("AAPL", day(100))
    until(lambda: any("VACUUM" in each for each in statements(db)))
    with repo.connect(url, read_only=True) as reading:
        assert len(reading.market.history("AAPL")) == 100
        assert set(undone(db)) == {""}
        until(lambda: statements(db) == [])
        assert len(reading.market.history("AAPL")) == 100
    assert full is not None
    assert (maintenance.sizes(db)[0].bytes or 0) < full - 300_000


def test_sizes(db: Database, url: str, state: Path) -> None:
    """The whole comes first, then the largest table and its indexes; a record tells what has grown."""
    bars(db, 5000)
    maintenance.maintain(db)
    with repo.connect(url, read_only=True) as reading:
        record = maintenance.record_of(reading)
        whole, first, *others = maintenance.sizes(reading, record)
        assert record.parent.parent == state
        assert (whole.kind, first.name, first.kind, first.rows) == (
            "database",
            "market_data",
            "table",
            5000,
        )
        assert {each.owner for each in others if each.kind == "index"} <= {
            each.name for each in (first, *others) if each.kind == "table"
        }
        assert {each.grown for each in (whole, first, *others)} == {None}
        sizes = [each.bytes for each in (first, *others)]
        assert None not in sizes
        assert sum(size or 0 for size in sizes) <= (whole.bytes or 0)
        assert all((each.free or 0) <= (each.bytes or 0) for each in others)
        db.market.upsert(Bar("MSFT", day(number), None, None, None, 1.5, 1) for number in range(5000))
        again = {each.name: each for each in maintenance.sizes(reading, record)}
        assert (again["market_data"].grown or 0) > 100_000
        assert again["tickers"].grown == 0
        assert {each.since for each in again.values()} != {None}
        assert {each.grown for each in maintenance.sizes(reading, record)} == {0}
        record.write_text("[]")
        with pytest.raises(ConfigurationError, match="no record of sizes"):
            maintenance.sizes(reading, record)


def test_not_in_a_transaction(db: Database) -> None:
    """Upkeep is refused where it would be part of something else."""
    for work in (maintenance.plan, maintenance.maintain, maintenance.health, maintenance.sizes):
        with db.transaction() as tx, pytest.raises(ConfigurationError, match="transaction"):
            work(tx)


def test_where_little_is_there(empty_url: str, state: Path) -> None:
    """A database without tables has health and a size, and so has one whose sizes cannot be kept."""
    with repo.connect(empty_url):  # makes the file
        pass
    told = smdi("health", "--url", empty_url)
    assert told.out.splitlines()
    assert "error" not in told.err
    state.write_text("")
    sized = smdi("sizes", "--url", empty_url)
    assert sized.code == 0
    assert "(all)" in sized.out
    assert "growth is not known: cannot " in sized.err


def test_commands(db: Database, url: str) -> None:
    """The commands tell the same, for people and for programs, and exit with 1 for what failed."""
    bars(db, 100)
    planned = smdi("maintain", "--plan", "--format", "json", "--url", url)
    assert [each["statement"] for each in json.loads(planned.out)] == statements(db)
    done = smdi("maintain", "--url", url)
    assert done.code == 0
    assert "ANALYZE" in done.err
    assert smdi("maintain", "--url", url).out == "nothing to do\n"
    first, second = (smdi("sizes", "--url", url).out for _ in range(2))
    assert "market_data" in first
    assert "grown since" not in first
    assert "grown since" in second
    rows = json.loads(smdi("sizes", "--format", "json", "--url", url).out)
    assert (rows[0]["name"], rows[0]["kind"], rows[0]["grown"]) == ("(all)", "database", 0)
    well = smdi("health", "--url", url)
    assert (well.code, well.err) == (0, "")
    assert {line.split()[0] for line in well.out.splitlines()} == {"pass"}
    orphan(db, url)
    ill = smdi("health", "--url", url)
    assert ill.code == 1
    told = (
        "1 of market_data to tickers"
        if db.dialect == "sqlite"
        else "1 by market_data_ticker_id_fkey, to 99"
    )
    assert f"fail  orphaned rows: {told}\n      to do: " in ill.out
    found = json.loads(smdi("health", "--format", "json", "--url", url).out)
    assert {each["status"] for each in found} >= {"pass", "fail"}


def orphan(db: Database, url: str) -> None:
    """A bar of no ticker, as it comes from a server or a tool that keeps no foreign keys."""
    if db.dialect == "sqlite":
        with closing(sqlite3.connect(path_of(url))) as file, file:
            file.execute("INSERT INTO market_data (ticker_id, date, close) VALUES (99, 1, 1.0)")
        return
    with psycopg.connect(plain_url(url)) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO market_data (ticker_id, date, close) VALUES (99, '2020-01-01', 1)"
        )


ILL = {
    "redundant indexes": (
        "CREATE INDEX again ON institutional_holdings (quarter_end, institution_id)",
        "warn again (institutional_holdings_by_quarter)",
    ),
    "invalid indexes": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tickers_cusip_key'::regclass",
        "fail tickers_cusip_key",
    ),
    "unvalidated constraints": (
        "ALTER TABLE market_data ADD CONSTRAINT dear CHECK (close > 5) NOT VALID",
        "fail dear of market_data",
    ),
    "disabled foreign keys": (
        "ALTER TABLE retail_sentiment DISABLE TRIGGER ALL",
        "fail retail_sentiment_ticker_id_fkey of retail_sentiment",
    ),
    "unused indexes": ("CREATE INDEX volumes ON market_data (volume)", "warn volumes (0 MB, in 0 days)"),
    "foreign keys without an index": (
        "CREATE TABLE prices (ticker_id integer CONSTRAINT of_ticker REFERENCES tickers)",
        "warn of_ticker of prices: rows of tickers are deleted",
    ),
}
"""By check a statement that makes a database ill, and what is found; the first on SQLite too."""


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is looked at counts as large and old."""
    for name in ("_LARGE_ROWS", "_LARGE_BYTES", "_UNUSED_DAYS"):
        monkeypatch.setattr(postgresql, name, 0)


@pytest.mark.parametrize("check", ILL)
def test_illness(db: Database, url: str, check: str, eager: None) -> None:
    """What is wrong is found and named."""
    sql, found = ILL[check]
    if db.dialect == "sqlite" and check != "redundant indexes":
        pytest.skip("SQLite has no such thing")
    seed(db)
    db.tickers.upsert([Ticker("GONE", "Gone")])
    raw(url, "DELETE FROM tickers WHERE symbol = 'GONE'")
    raw(url, sql)
    status, _, what = found.partition(" ")
    until(lambda: what in (line := lines(db).get(check, "")) and line.startswith(status))


@pytest.fixture
def server_url(server: servers.Server, databases: Any) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    name = databases.take()
    yield server.url_of(name, min_size="1")
    databases.give_back(name)


def test_dead_rows_that_stay(server_url: str) -> None:
    """Rows that somebody may still look at are left, and who that is is told."""
    with repo.connect(server_url) as db, psycopg.connect(plain_url(server_url)) as other:
        bars(db, 3000)
        maintenance.maintain(db)
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1 FROM market_data LIMIT 1")
        pid = other.info.backend_pid
        db.market.delete("AAPL")
        until(lambda: "VACUUM (ANALYZE) market_data" in statements(db))
        until(lambda: any(f"dead rows stay: pid {pid} " in left for left in undone(db)))


def test_long_transactions(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that idles is told of, with its process."""
    monkeypatch.setattr(postgresql, "_IDLE_SECONDS", 0.0)
    with repo.connect(server_url) as db, psycopg.connect(plain_url(server_url)) as other:
        other.execute("SELECT 1")
        assert f"pid {other.info.backend_pid} " in lines(db)["long transactions"]


def test_a_rebuild_that_must_wait(server_url: str) -> None:
    """A REINDEX that others are in the way of is left, with nothing half done; what one left goes."""
    with repo.connect(server_url) as db, psycopg.connect(plain_url(server_url)) as other:
        bars(db)
        maintenance.maintain(db)
        db.market.delete("AAPL", day(100))
        until(lambda: "VACUUM (ANALYZE) market_data" in statements(db))
        maintenance.maintain(db)
        raw(server_url, "CREATE INDEX market_data_pkey_ccnew ON market_data (date)")
        raw(
            server_url,
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'market_data_pkey_ccnew'::regclass",
        )
        bars(db)
        db.market.delete("AAPL", day(100))
        wanted = [
            "DROP INDEX CONCURRENTLY market_data_pkey_ccnew",
            "REINDEX INDEX CONCURRENTLY market_data_pkey",
        ]
        until(lambda: set(wanted) <= set(statements(db)))
        other.execute("LOCK TABLE market_data IN SHARE ROW EXCLUSIVE MODE")
        assert set(undone(db)) == {"other transactions were in the way for 0.3 seconds"}
        assert smdi("maintain", "--url", server_url).code == 1
        other.rollback()
        assert set(undone(db)) == {""}
        assert "invalid indexes" not in lines(db)
        with db._session.executor.backend.connections.pool.connection() as used:  # type: ignore[attr-defined]
            assert used.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_the_index_over_recent_bars(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made, renewed when it reaches back too far or too little, and never missed meanwhile.

    What a build that was killed leaves is dropped. The schema is as expected all the time.
    """

    def names() -> list[str]:
        """The indexes over recent bars, those first that queries can use."""
        assert introspection.differences(db) == []
        sql = (
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL"
            " ORDER BY indisvalid DESC, 1"
        )
        return [name for (name,) in raw(server_url, sql)]

    def named(number: int) -> str:
        """The index that begins on a day."""
        return f"market_data_recent_{day(number).isoformat().replace('-', '')}"

    with repo.connect(server_url) as db, psycopg.connect(plain_url(server_url)) as other:
        bars(db, 1000)
        maintenance.maintain(db)
        assert names() == []
        monkeypatch.setattr(recent, "_ROWS", 1000)
        (task,) = maintenance.plan(db)
        assert task.statement == (
            f"CREATE INDEX CONCURRENTLY {named(909)} ON market_data (date, ticker_id)"
            f" INCLUDE (open, high, low, close, volume) WHERE date >= DATE '{day(909)}'"
        )
        assert f"there is none, and the newest bar is of {day(999)}" in task.reason
        other.execute("LOCK TABLE market_data IN SHARE ROW EXCLUSIVE MODE")
        assert undone(db) == ["other transactions were in the way for 0.3 seconds"]
        other.rollback()
        assert undone(db) == [""]
        assert names() == [named(909)]

        bars(db, 1030)
        assert statements(db) == []
        bars(db, 1031)
        (task,) = maintenance.plan(db)
        assert f"{named(909)} begins {day(909)}, and the newest" in task.reason
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1 FROM market_data LIMIT 1")
        assert any("in the way" in left for left in undone(db))
        assert names()[0] == named(909)
        other.rollback()
        assert set(undone(db)) == {""}
        assert names() == [named(940)]

        db.market.delete("AAPL", day(1000))
        until(lambda: named(909) in " ".join(statements(db)))
        raw(server_url, f"CREATE INDEX {named(909)} ON market_data (date) WHERE date > '{day(909)}'")
        raw(
            server_url,
            f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{named(909)}'::regclass",
        )
        assert names() == [named(940), named(909)]
        assert lines(db)["invalid indexes"] == f"fail {named(909)}"
        assert set(undone(db)) == {""}
        assert names() == [named(909)]
        assert [index for each in maintenance.sizes(db) if "recent" in (index := each.name)] == names()


def test_recent_days_are_read_by_their_index(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a session asked before: a plan that was made for any day could not use it."""
    monkeypatch.setattr(recent, "_ROWS", 1000)
    with repo.connect(server_url) as db:
        sample.fill(db, sample.SampleSize(100, 150, 1, 1, 1.0, 1))
        maintenance.maintain(db)
        for _ in range(10):
            assert len(db.market.on(sample.LAST_DAY - timedelta(days=140))) == 100
        sql = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE 'market_data_recent%'"
        assert raw(server_url, sql) == [(0,)]
        assert len(db.market.on(sample.LAST_DAY)) == 100
    until(lambda: raw(server_url, sql) == [(1,)])


def test_a_role_that_owns_nothing(server: servers.Server, server_url: str) -> None:
    """What a role may not do is left, in the server's words."""
    with repo.connect(server_url) as db:
        bars(db, 100)
    raw(server_url, "DROP ROLE IF EXISTS smdi_nobody")
    raw(server_url, "CREATE ROLE smdi_nobody LOGIN")
    raw(server_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO smdi_nobody")
    try:
        with repo.connect(server_url.replace("//postgres", "//smdi_nobody", 1)) as db:
            assert [left for left in undone(db) if "permission denied" not in left] == []
            assert "market_data" in {each.name for each in maintenance.sizes(db)}
            assert [check for check in lines(db) if check != "statistics"] == []
    finally:
        raw(server_url, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM smdi_nobody")
        raw(server_url, "DROP ROLE smdi_nobody")


def test_extensions(server_url: str) -> None:
    """With amcheck tables and indexes are looked into; of statements the named ones are told by name."""
    with repo.connect(server_url) as db:
        seed(db)
        maintenance.maintain(db)
        found = {each.check: each.found for each in maintenance.health(db)}
        assert found["amcheck"] == "not looked at: CREATE EXTENSION amcheck"
        assert found["slowest queries"] == "not looked at: CREATE EXTENSION pg_stat_statements"
        raw(server_url, "CREATE SCHEMA aside")
        raw(server_url, "CREATE EXTENSION amcheck SCHEMA aside")
        raw(
            server_url,
            "CREATE VIEW pg_stat_statements AS SELECT 'SELECT /* market.on_day */ 1' AS query,"
            " 3::bigint AS calls, 6000.0::float8 AS total_exec_time, 3000.0::float8 AS max_exec_time,"
            " (SELECT oid FROM pg_database WHERE datname = current_database()) AS dbid",
        )
        checks = {each.check: each for each in maintenance.health(db)}
        assert checks["amcheck"].found.endswith("are whole")
        assert checks["slowest queries"][::2] == (Status.WARN, "market.on_day (3 times 2,000.0 ms)")
        assert db.check() == []


@contextmanager
def without_index(connection: sqlite3.Connection, name: str) -> Iterator[None]:
    """A file whose writers do not know of an index that is there."""
    row = connection.execute("SELECT * FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
    connection.execute("PRAGMA writable_schema = RESET")
    yield
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("PRAGMA writable_schema = RESET")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[Path, Database]]:
    """A migrated file of SQLite's, and the database in it."""
    with repo.connect(f"sqlite:///{tmp_path / 'file.db'}") as db:
        db.migrate()
        seed(db)
        yield tmp_path / "file.db", db


def test_an_index_that_lacks_rows(file: tuple[Path, Database]) -> None:
    """An index that differs from its table is found, and built again."""
    path, db = file
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        without_index(connection, "institutional_holdings_filed"),
    ):
        connection.execute("INSERT INTO institutional_holdings VALUES (1, 1, 1, 1, 1, 1, NULL)")
    assert lines(db)["integrity"].startswith("fail ")
    assert 'REINDEX "institutional_holdings_filed"' in statements(db)
    assert set(undone(db)) == {""}
    assert lines(db) == {}


def test_a_damaged_file(tmp_path: Path) -> None:
    """A file that is damaged is not touched, and what to do is said."""
    path = tmp_path / "file.db"
    with repo.connect(f"sqlite:///{path}") as db:
        db.migrate()
        bars(db, 5000)
        raw(f"sqlite:///{path}", "PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = raw(
            f"sqlite:///{path}",
            "SELECT pageno FROM dbstat WHERE name = 'market_data' AND pagetype = 'leaf' LIMIT 1",
        )[0]
    with path.open("r+b") as damaged:
        damaged.seek((page - 1) * 4096 + 8)
        damaged.write(b"\xff" * 64)
    with repo.connect(f"sqlite:///{path}") as db:
        before = path.read_bytes()
        for work in (maintenance.plan, maintenance.maintain):
            with pytest.raises(DatabaseUnavailable, match="restore a backup"):
                work(db)
        assert path.read_bytes() == before
        (check,) = [each for each in maintenance.health(db) if each.check == "integrity"]
        assert (check.status, check.advice) == (Status.FAIL, "restore a backup")


LEFT: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "no disk": (
        lambda patch: patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0)),
        "MB of free disk",
    ),
    "too large": (lambda patch: patch.setattr(sqlite, "_VACUUM_BYTES", 1), "when nothing writes"),
}


@pytest.mark.parametrize("reason", LEFT)
def test_vacuum_left_undone(
    file: tuple[Path, Database], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VACUUM for which there is no room, or too much to write, is left, and the reason told."""
    patch, told = LEFT[reason]
    patch(monkeypatch)
    bars(file[1])
    file[1].market.delete("AAPL", day(100))
    assert any(told in left for left in undone(file[1]))
    assert "VACUUM" in statements(file[1])


def test_beside_a_writer(file: tuple[Path, Database]) -> None:
    """What needs the lock on writing waits a moment for it, and is left then, to be done by the next."""
    path, db = file
    bars(db)
    db.market.delete("AAPL", day(100))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert all(left for left in undone(db))
        other.execute("ROLLBACK")
    assert set(undone(db)) == {""}
    assert statements(db) == []
    assert raw(f"sqlite:///{path}", "PRAGMA freelist_count") == [(0,)]


def test_pages_given_back_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that can give back pages does so, a few at a time, so that writers come between."""
    monkeypatch.setattr(sqlite, "_STEP_PAGES", 50)
    with closing(sqlite3.connect(tmp_path / "file.db", isolation_level=None)) as made:
        made.execute("PRAGMA auto_vacuum = INCREMENTAL")
        made.execute("VACUUM")
    with repo.connect(f"sqlite:///{tmp_path / 'file.db'}") as db:
        db.migrate()
        bars(db)
        db.market.delete("AAPL", day(100))
        assert "PRAGMA incremental_vacuum" in statements(db)
        assert set(undone(db)) == {""}
        assert statements(db) == []


def test_without_dbstat(file: tuple[Path, Database], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite cannot measure tables they are named, and what is not known is said."""
    path, db = file
    read = type(db._session).read
    monkeypatch.setattr(
        type(db._session),
        "read",
        lambda self, name, **given: 0 if name == "file.measurable" else read(self, name, **given),
    )
    whole, *tables = maintenance.sizes(db)
    assert whole.bytes
    assert {each.bytes for each in tables} == {None}
    assert {"tickers", "market_data"} <= {each.name for each in tables}
    assert "without dbstat" in smdi("sizes", "--url", f"sqlite:///{path}").err
    assert maintenance.plan(db) == []
