"""What is PostgreSQL's own: sessions, the pool, lost connections, a server that turns, conflicts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

import repo
from repo import (
    ConfigurationError,
    ConflictError,
    Database,
    DatabaseUnavailable,
    QueryContractError,
    Ticker,
)
from repo.backends.postgresql import adapter, connection, connections
from repo.backends.postgresql.backend import PostgreSQLBackend
from tests import servers
from tests.builders import bar, content, day, plain_url, raw, seed, sessions, until

BACKENDS = ("postgresql",)


@pytest.fixture
def db(seeded: Database) -> Database:
    """A migrated database with two tickers and two institutions."""
    return seeded


def engine(db: Database) -> PostgreSQLBackend:
    """The database's backend."""
    assert isinstance(db._backend, PostgreSQLBackend)
    return db._backend


@contextmanager
def session(db: Database) -> Iterator[Any]:
    """A connection of the pool."""
    connection = engine(db).acquire(write=False)
    try:
        yield connection
    finally:
        engine(db).release(connection, write=False)


def show(db: Database, setting: str) -> str:
    """A setting of a session of the pool."""
    with session(db) as connection:
        (value,) = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
        return str(value)


def kill(url: str) -> int:
    """End every session of a database but one's own, and wait until they are gone."""
    return len(
        raw(
            url,
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    )


def test_sessions(url: str) -> None:
    """Sessions say who they are, count in UTC whatever the server does, and do not run for ever."""
    with repo.connect(f"{url}&options=-c%20timezone%3DAsia/Tokyo") as db:
        assert show(db, "application_name") == "smart-money-repo"
        assert show(db, "TimeZone") == "UTC"
        assert show(db, "statement_timeout") == "10min"
        assert show(db, "default_transaction_read_only") == "off"
    with repo.connect(url, read_only=True) as db:
        assert show(db, "default_transaction_read_only") == "on"


@pytest.mark.parametrize(
    ("in_url", "option", "shown"),
    [
        ("", None, "10min"),
        ("&statement_timeout=1.5", None, "1500ms"),
        ("&statement_timeout=0", None, "0"),
        ("", 0, "0"),
        ("", 2, "2s"),
        ("&statement_timeout=5", 2, "2s"),
    ],
)
def test_statement_timeout_settings(url: str, in_url: str, option: float | None, shown: str) -> None:
    """The limit is in seconds, in the URL or as an option, which comes first; 0 is none."""
    with repo.connect(url + in_url, statement_timeout=option) as db:
        assert show(db, "statement_timeout") == shown


def test_a_statement_that_takes_too_long(url: str, db: Database) -> None:
    """It is DatabaseUnavailable, and the session goes on."""
    with repo.connect(url, statement_timeout=1) as hasty:
        with psycopg.connect(plain_url(url)) as other:
            other.execute("LOCK TABLE tickers")
            with pytest.raises(DatabaseUnavailable) as raised:
                hasty.tickers.all()
            assert isinstance(raised.value.__cause__, psycopg.errors.QueryCanceled)
        assert len(hasty.tickers.all()) == 2


@pytest.mark.parametrize(
    ("in_url", "options", "threshold"),
    [
        ("", {}, 5),
        ("&prepare_threshold=none", {}, None),
        ("&prepare_threshold=2", {}, 2),
        ("", {"prepare_threshold": None}, None),
        ("&prepare_threshold=2", {"prepare_threshold": None}, None),
        ("&prepare_threshold=none", {"prepare_threshold": 5}, 5),
    ],
)
def test_prepare_threshold(
    url: str, in_url: str, options: dict[str, Any], threshold: int | None
) -> None:
    """It is in the URL or an option, which comes first; none prepares nothing."""
    with repo.connect(url + in_url, **options) as db, session(db) as connection:
        assert connection.prepare_threshold == threshold


def test_statements_are_prepared_or_not(url: str) -> None:
    """The server has prepared statements where they are wanted and none where they are not."""
    for in_url, prepared in (("", True), ("&prepare_threshold=none", False)):
        with repo.connect(f"{url}&max_size=1{in_url}") as db:
            for _ in range(8):
                db.tickers.all()
            with session(db) as connection:
                (count,) = connection.execute("SELECT COUNT(*) FROM pg_prepared_statements").fetchone()
                assert (count > 0) is prepared


@pytest.mark.parametrize(
    ("in_url", "options", "sizes"),
    [
        ("", {}, (10, 30)),
        ("min_size=2&max_size=3", {}, (2, 3)),
        ("min_size=2&max_size=3", {"min_size": 1, "max_size": 4}, (1, 4)),
        ("min_size=40", {}, (40, 40)),
    ],
)
def test_sizes_of_the_pool(
    server: servers.Server, in_url: str, options: dict[str, Any], sizes: tuple[int, int]
) -> None:
    """Ten connections that grow to thirty, unless the URL or an option says otherwise."""
    name = server.create()
    url = f"{server.url_of(name)}&{in_url}".rstrip("&")
    with repo.connect(url, **options) as db:
        pool = engine(db).connections.pool
        assert (pool.min_size, pool.max_size) == sizes
        if sizes[0] <= 10:
            pool.wait(60)
            sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'smart-money-repo'"
            own = sql + " AND datname = current_database()"
            assert raw(url, own) == [(sizes[0],)]
    server.drop(name)


def test_a_pool_that_is_used_up(url: str) -> None:
    """Blocks up to its size run at once; the next waits, and is DatabaseUnavailable in the end."""
    with (
        repo.connect(f"{url}&max_size=3&pool_timeout=0.2", min_size=3) as db,
        ThreadPoolExecutor(3) as pool,
    ):
        engine(db).connections.pool.wait(60)
        inside, leave = threading.Barrier(4), threading.Event()

        def hold() -> None:
            with db.transaction(read_only=True):
                inside.wait(60)
                leave.wait(60)

        held = [pool.submit(hold) for _ in range(3)]
        inside.wait(60)
        with pytest.raises(DatabaseUnavailable) as raised:
            db.tickers.all()
        assert isinstance(raised.value.__cause__, psycopg.Error)
        leave.set()
        for each in held:
            each.result()
        assert db.tickers.all() == []


@pytest.mark.parametrize(
    "in_url",
    [
        *("min_size=x", "min_size=-1", "max_size=1.5", "pool_timeout=soon", "prepare_threshold=often"),
        *("statement_timeout=x", "statement_timeout=nan", "statement_timeout=inf"),
        "statement_timeout=-1",
    ],
)
def test_options_that_cannot_be(server: servers.Server, in_url: str) -> None:
    """An option whose value makes no sense is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        repo.connect(f"{server.url}&{in_url}")


@pytest.mark.parametrize("size", [1, 10])
def test_connections_that_were_killed_are_replaced(url: str, size: int) -> None:
    """Sessions that the server ended while they were idle are no error, however many they are."""
    with repo.connect(url, min_size=size) as db:
        seed(db)
        calls: list[Callable[[], object]] = [
            db.tickers.all,
            lambda: db.market.upsert([bar()]),
            lambda: db.market.upsert(bar(on=day(number)) for number in range(500)),
            lambda: db.run(lambda inside: inside.tickers.get("AAPL")),
            lambda: db.divergence.timeline("AAPL"),
        ]
        for call in calls:
            until(lambda: sessions(url) >= size)
            assert kill(url) >= size
            call()


def test_a_connection_that_idled_is_proven(
    db: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After idling the server is asked, even where nothing was heard of an end."""
    monkeypatch.setattr(connection.PooledConnection, "heard_something", lambda self: False)
    monkeypatch.setattr(connections, "_PROVE_AFTER_SECONDS", 0.0)
    assert kill(url) > 0
    assert len(db.tickers.all()) == 2


def test_a_connection_that_is_killed_in_a_block(db: Database, url: str) -> None:
    """The block is lost, whatever catches the error, and the next one has a connection."""
    before = content(url)

    def block() -> None:
        with db.transaction():
            db.market.upsert([bar()])
            kill(url)
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable):
                    db.market.upsert([bar(on=day(1))])
                with pytest.raises(DatabaseUnavailable):
                    db.tickers.all()

    with pytest.raises(DatabaseUnavailable):
        block()
    assert content(url) == before
    with db.transaction():
        assert db.market.upsert([bar()]) == 1


@contextmanager
def turned_read_only(server: servers.Server) -> Iterator[None]:
    """The whole server refuses writes, as one that has become a standby does."""
    url = f"{server.url}&options=-c%20default_transaction_read_only%3Doff"
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
        yield
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


def is_unavailable(db: Database) -> bool:
    """Whether a call fails for want of a usable connection."""
    try:
        db.tickers.all()
    except DatabaseUnavailable:
        return True
    return False


def test_a_server_that_became_read_only(
    server: servers.Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noticed on a connection that idled; reading goes on where only reading was wanted."""
    monkeypatch.setattr(connections, "_PROVE_AFTER_SECONDS", 0.0)
    with repo.connect(f"{url}&pool_timeout=1") as db, repo.connect(url, read_only=True) as reader:
        seed(db)
        reader.tickers.all()
        with turned_read_only(server):
            until(lambda: show(reader, "transaction_read_only") == "on")
            until(lambda: is_unavailable(db))  # each server process hears of it in its own time
            for call in (db.tickers.all, lambda: db.market.upsert([bar()])):
                with pytest.raises(DatabaseUnavailable):
                    call()
            with pytest.raises(DatabaseUnavailable, match="writes"):
                repo.connect(url)
            assert len(reader.tickers.all()) == 2
        until(lambda: not is_unavailable(db))
        assert db.market.upsert([bar()]) == 1


def test_rights_that_are_lacking(server: servers.Server, url: str, db: Database) -> None:
    """What the user may not do is DatabaseUnavailable."""
    raw(url, "CREATE ROLE smdi_nobody LOGIN")
    try:
        with repo.connect(f"{url}&user=smdi_nobody") as nobody:
            for call in (nobody.tickers.all, lambda: nobody.market.delete("AAPL")):
                with pytest.raises(DatabaseUnavailable) as raised:
                    call()
                assert isinstance(raised.value.__cause__, psycopg.errors.InsufficientPrivilege)
    finally:
        raw(url, "DROP ROLE smdi_nobody")


def test_a_row_that_somebody_changed_meanwhile(db: Database, url: str) -> None:
    """Writing it is ConflictError, after which the block is lost; run does the work again."""
    calls: list[int] = []

    def work(inside: Database) -> None:
        calls.append(1)
        inside.tickers.get("AAPL")
        if len(calls) < 3:
            raw(url, "UPDATE tickers SET company_name = company_name || '!' WHERE symbol = 'AAPL'")
        inside.market.upsert([bar()])
        inside.tickers.upsert([Ticker("AAPL", "Ours")])

    with pytest.raises(ConflictError) as raised:
        db.run(work, attempts=2)
    assert isinstance(raised.value.__cause__, psycopg.errors.SerializationFailure)
    assert db.market.history("AAPL") == []
    db.run(work)
    assert len(calls) == 3
    assert db.tickers.get("AAPL").company_name == "Ours"
    assert db.market.history("AAPL") == [bar()]


def test_a_conflict_that_is_caught_has_lost_the_block(db: Database, url: str) -> None:
    """After it every call raises it again, the end does too, and no savepoint helps."""

    def block() -> None:
        with db.transaction():
            db.tickers.upsert([Ticker("NEW", "New")])
            raw(url, "UPDATE tickers SET company_name = 'Theirs' WHERE symbol = 'AAPL'")
            with pytest.raises(ConflictError), db.transaction():
                db.tickers.upsert([Ticker("AAPL", "Ours")])
            for call in (db.tickers.all, lambda: db.market.upsert([bar()])):
                with pytest.raises(ConflictError):
                    call()

    with pytest.raises(ConflictError):
        block()
    names = [ticker.company_name for ticker in db.tickers.all()]
    assert names == ["Theirs", "Microsoft Corp."]


def test_a_conflict_that_shows_at_the_end(db: Database, url: str) -> None:
    """Two blocks that each read what the other writes cannot both be; run tries again."""
    calls: list[int] = []

    def work(inside: Database) -> None:
        calls.append(1)
        name = inside.tickers.get("AAPL").company_name
        if len(calls) == 1:
            with psycopg.connect(plain_url(url)) as other:
                other.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
                other.execute("SELECT company_name FROM tickers WHERE symbol = 'MSFT'")
                other.execute("UPDATE tickers SET company_name = 'Theirs' WHERE symbol = 'AAPL'")
        inside.tickers.upsert([Ticker("MSFT", f"After {name}")])

    db.run(work)
    assert len(calls) == 2
    assert db.tickers.get("MSFT").company_name == "After Theirs"


def test_isolation_that_lets_others_in(db: Database, url: str) -> None:
    """Read committed sees what others commit and does not conflict with it."""
    with db.transaction(isolation="read committed"):
        db.tickers.get("AAPL")
        raw(url, "UPDATE tickers SET company_name = 'Theirs' WHERE symbol = 'AAPL'")
        assert db.tickers.get("AAPL").company_name == "Theirs"
        db.tickers.upsert([Ticker("AAPL", "Ours")])
    assert db.tickers.get("AAPL").company_name == "Ours"


def test_a_lock_that_is_not_given_in_time(url: str, db: Database) -> None:
    """With a lock_timeout of the server's own it is ConflictError."""
    with (
        repo.connect(f"{url}&options=-c%20lock_timeout%3D100ms") as hasty,
        psycopg.connect(plain_url(url)) as other,
    ):
        other.execute("LOCK TABLE tickers")
        with pytest.raises(ConflictError) as raised:
            hasty.tickers.upsert([Ticker("A", "A")])
        assert isinstance(raised.value.__cause__, psycopg.errors.LockNotAvailable)


def test_plans_of_an_older_schema(url: str) -> None:
    """A change of a column's type elsewhere is one conflict a connection, and none through run."""
    with repo.connect(f"{url}&max_size=1") as db:
        seed(db)
        for kind in ("varchar(300)", "text"):
            for _ in range(8):
                db.tickers.all()
            raw(url, f"ALTER TABLE tickers ALTER company_name TYPE {kind}")
            assert len(db.run(lambda inside: inside.tickers.all())) == 2
            assert len(db.tickers.all()) == 2
        for _ in range(8):
            db.tickers.all()
        raw(url, "ALTER TABLE tickers ALTER company_name TYPE varchar(300)")
        with pytest.raises(ConflictError):
            db.tickers.all()
        assert len(db.tickers.all()) == 2


def test_a_column_that_is_gone(db: Database, url: str) -> None:
    """A statement that does not fit the schema is QueryContractError, and names the column."""
    raw(url, "ALTER TABLE tickers DROP COLUMN cusip")
    with pytest.raises(QueryContractError, match=r"tickers\.all .*cusip"):
        db.tickers.all()


def test_rows_set_aside_leave_nothing_behind(db: Database, url: str) -> None:
    """The tables that rows are copied into are gone afterwards, also in a block and after an error."""
    rows = [bar(on=day(number % 1200)) for number in range(2500)]
    stages = "SELECT COUNT(*) FROM pg_class WHERE relname LIKE '%stage%'"
    with db.transaction():
        assert db.market.upsert(rows) == 1200
        with pytest.raises(repo.InvalidRecord):
            db.market.upsert([*rows, bar(volume=-1)])
        assert db.market.upsert(rows) == 0
    assert raw(url, stages) == [(0,)]
    with pytest.raises(repo.UnknownTicker):
        db.market.upsert([*rows, bar("NOPE")])
    assert raw(url, stages) == [(0,)]


def test_an_old_server_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server older than is needed is a ConfigurationError that names both versions."""
    monkeypatch.setattr(connections, "_OLDEST", 99)
    with pytest.raises(ConfigurationError, match="PostgreSQL 99 or newer"):
        repo.connect(url)


def test_a_large_result_is_not_kept(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection keeps its cursor from read to read, but not one that holds many rows or failed."""
    monkeypatch.setattr(adapter, "_ROWS_HELD", 1)
    with session(db) as connection:
        one = connection
    assert len(db.market.latest(["AAPL"])) == 0
    kept = one.reader
    assert kept is not None
    assert db.tickers.get("AAPL") is not None
    assert one.reader is kept
    assert len(db.tickers.all()) == 2
    assert one.reader is None
