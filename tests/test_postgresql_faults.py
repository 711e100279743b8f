"""What goes wrong between this package and a server: silence, ends, deadlocks, other encodings."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import repo
from repo import ConfigurationError, Database, DatabaseUnavailable, Ticker, loading
from repo.backends.postgresql import connection, connections
from repo.backends.postgresql.backend import PostgreSQLBackend
from tests import servers
from tests.builders import bar, content, day, lost, plain_url, raw, sessions, until
from tests.relay import Relay, relayed

SHIFT = [Ticker("AAPL", "Apple"), Ticker("MSFT", "Microsoft")]
MANY = [Ticker(f"T{number:03}", "Somebody") for number in range(200)]


BACKENDS = ("postgresql",)


@pytest.fixture
def db(seeded: Database) -> Database:
    """A migrated database with two tickers and two institutions."""
    return seeded


@pytest.fixture
def line(url: str) -> Iterator[tuple[Relay, str]]:
    """A relay before the database, and the URL through it."""
    with relayed(url) as made:
        yield made


def waits(url: str, number: int) -> bool:
    """Whether so many sessions of a database wait for locks."""
    sql = (
        "SELECT COUNT(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return raw(url, sql) == [(number,)]


def write_names(db: Database, rows: list[Ticker]) -> int:
    """Write tickers in a transaction with more in it."""
    with db.transaction(isolation="read committed") as tx:
        tx.institutions.upsert([repo.Institution(77, "Somebody")])
        return tx.tickers.upsert(rows)


@pytest.mark.parametrize(
    ("call", "written", "first", "second"),
    [
        (
            lambda db: db.tickers.upsert(SHIFT),
            2,
            "UPDATE tickers SET cusip = NULL WHERE symbol = 'MSFT'",
            "UPDATE tickers SET cusip = NULL WHERE symbol = 'AAPL'",
        ),
        (
            lambda db: db.tickers.upsert([*SHIFT, *MANY]),
            202,
            "UPDATE tickers SET cusip = NULL WHERE symbol = 'MSFT'",
            "UPDATE tickers SET cusip = NULL WHERE symbol = 'AAPL'",
        ),
        (
            lambda db: write_names(db, SHIFT),
            2,
            "UPDATE tickers SET cusip = NULL WHERE symbol = 'MSFT'",
            "UPDATE tickers SET cusip = NULL WHERE symbol = 'AAPL'",
        ),
        (
            lambda db: db.market.delete("AAPL"),
            3,
            "UPDATE market_data SET close = 2.5 WHERE date = '2010-01-06'",
            "UPDATE market_data SET close = 2.5 WHERE date = '2010-01-04'",
        ),
        (
            lambda db: db.market.upsert(bar(on=day(number), close=3.0) for number in range(3)),
            3,
            "UPDATE market_data SET close = 2.5 WHERE date = '2010-01-06'",
            "UPDATE market_data SET close = 2.5 WHERE date = '2010-01-04'",
        ),
    ],
    ids=["tickers", "many tickers", "tickers in a block", "delete", "bars"],
)
def test_a_call_that_lost_a_deadlock_is_done_again(
    db: Database, url: str, call: Callable[[Database], int], written: int, first: str, second: str
) -> None:
    """Two that wait for each other: the server undoes the call, and the caller hears nothing of it."""
    db.market.upsert(bar(on=day(number)) for number in range(3))
    with ThreadPoolExecutor(1) as threads, psycopg.connect(plain_url(url)) as other:
        other.execute("SET deadlock_timeout TO '1min'")  # the other never looks for one
        other.execute(first.encode())
        answer: Future[int] = threads.submit(call, db)
        until(lambda: waits(url, 1))
        other.execute(second.encode())
        other.commit()
        assert answer.result(60) == written


@pytest.mark.parametrize("size", [5, 150])
def test_some_who_upsert_the_same_tickers_in_any_order(db: Database, size: int) -> None:
    """Each write is done, and no caller sees a conflict."""
    symbols = [f"S{number:03}" for number in range(200)]
    db.tickers.upsert(Ticker(symbol, "First") for symbol in symbols)

    def write(turn: int) -> None:
        order = random.Random(turn)
        for number in range(6):
            some = order.sample(symbols, size)
            assert db.tickers.upsert(Ticker(symbol, f"{turn} {number}") for symbol in some) <= size

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))


def test_a_load_that_lost_a_deadlock_is_done_again(db: Database, url: str, tmp_path: Path) -> None:
    """Another holds what it needs second and waits for what it has first; nobody hears of it."""
    db.market.upsert([bar()])
    (tmp_path / "tickers.csv").write_text("symbol,company_name,cusip\nAAPL,New,037833100\nMSFT,New,\n")
    (tmp_path / "market.csv").write_text(f"symbol,date,close\nAAPL,{day(0)},7\n")
    with ThreadPoolExecutor(1) as threads, psycopg.connect(plain_url(url)) as other:
        other.execute("SET deadlock_timeout TO '1min'")
        other.execute("UPDATE market_data SET close = 2.5")
        answer = threads.submit(loading.load, db, tmp_path)
        until(lambda: waits(url, 1))
        other.execute("UPDATE tickers SET cusip = NULL WHERE symbol = 'AAPL'")
        other.commit()
        assert [each.changed for each in answer.result(60)] == [2, 1]
    assert db.market.history("AAPL")[0].close == 7.0
    assert db.tickers.get("AAPL").cusip == "037833100"


def test_waiting_callers_are_served_in_turn(url: str) -> None:
    """A connection that is given back goes to who waits, not to who comes by."""
    with (
        repo.connect(url, min_size=1, max_size=1, pool_timeout=20) as db,
        ThreadPoolExecutor(12) as threads,
    ):
        done = list(threads.map(lambda _: [len(db.tickers.all()) for _ in range(300)], range(12)))
    assert done == [[0] * 300] * 12


def test_tasks_that_hold_every_connection(url: str) -> None:
    """Another task of their event loop is told at once, for to wait would stop the loop for ever."""
    asked = f"{url}&max_size=2&pool_timeout=60"

    async def hold(db: Database, done: asyncio.Event) -> str:
        try:
            with db.transaction() as tx:
                tx.tickers.all()
                await done.wait()
                return "done"
        except ConfigurationError as refused:
            done.set()
            return str(refused)

    async def main() -> list[str]:
        with repo.connect(asked) as db:
            done = asyncio.Event()
            held = await asyncio.gather(*(hold(db, done) for _ in range(3)))
            again = await asyncio.gather(*(hold(db, done) for _ in range(2)))
            assert again == ["done", "done"]
            return held

    first, second, third = asyncio.run(main())
    assert [first, second] == ["done", "done"]
    assert "asyncio.to_thread" in third


@pytest.mark.parametrize("how", ["environment", "url", "options"])
def test_text_is_utf8_whatever_the_client_says(
    db: Database, url: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names go through COPY, statements and back as they are."""
    asked = url
    if how == "environment":
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    elif how == "url":
        asked += "&client_encoding=LATIN1"
    else:
        asked += "&options=-c%20client_encoding%3DLATIN1"
    with repo.connect(asked) as other:
        other.tickers.upsert([Ticker("ONE", "Société"), Ticker("TWO", "Ωmega")])
        other.tickers.upsert(row._replace(company_name="Société") for row in MANY)
        assert other.tickers.get("TWO").company_name == "Ωmega"
    monkeypatch.undo()
    assert {row.company_name for row in db.tickers.all() if row in MANY} == set()
    names = raw(
        url, "SELECT DISTINCT company_name FROM tickers WHERE symbol LIKE 'T0%' OR symbol = 'ONE'"
    )
    assert names == [("Société",)]


def test_a_database_in_another_encoding_is_refused(server: servers.Server) -> None:
    """It could not hold every name; the message says how to make one that can."""
    name = "smdi_test_latin1"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(ConfigurationError, match=r"is in LATIN1.* ENCODING 'UTF8'"):
            repo.connect(server.url_of(name))
    finally:
        server.drop(name)


def test_a_server_that_falls_silent(
    line: tuple[Relay, str], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call is given up after a while, and the next is answered when the server is back."""
    relay, url = line
    monkeypatch.setattr(connection, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(connection, "PROOF_SECONDS", 1.5)
    with repo.connect(f"{url}?min_size=1&statement_timeout=1&pool_timeout=20") as through:
        assert len(through.tickers.all()) == 2
        relay.freeze()
        with pytest.raises(DatabaseUnavailable, match="not answered"):
            through.tickers.all()
        relay.thaw()
        assert len(through.tickers.all()) == 2
        monkeypatch.setattr(connections, "_PROVE_AFTER_SECONDS", 0.0)
        relay.freeze()
        with pytest.raises(DatabaseUnavailable, match=r"no connection is available: .* not answered"):
            through.tickers.all()
        relay.thaw()
        assert len(through.tickers.all()) == 2


def test_a_statement_that_takes_its_time(
    db: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers others is waited for; one that does not is given up."""
    monkeypatch.setattr(connection, "_LOOK_SECONDS", 0.2)
    with relayed(url) as (relay, through), repo.connect(f"{through}?min_size=1&max_size=2") as slow:
        with ThreadPoolExecutor(1) as threads, psycopg.connect(plain_url(url)) as other:
            other.execute("LOCK TABLE tickers")
            answer = threads.submit(slow.tickers.all)
            until(lambda: waits(url, 1))
            time.sleep(1)
            other.rollback()
            assert len(answer.result(30)) == 2
        monkeypatch.setattr(connection, "PROOF_SECONDS", 1.5)
        with lost(slow, DatabaseUnavailable, match="not answered"):
            slow.tickers.all()
            relay.freeze()
            slow.tickers.all()
        relay.thaw()
        assert len(slow.tickers.all()) == 2


def test_why_there_is_no_connection(url: str) -> None:
    """A server that is gone is told from a pool that is used up."""
    with relayed(url) as (relay, through), repo.connect(f"{through}?max_size=1&pool_timeout=2") as db:
        with (
            db.transaction(),
            ThreadPoolExecutor(1) as threads,
            pytest.raises(DatabaseUnavailable, match="all 1 were in use for 2 seconds"),
        ):
            threads.submit(db.tickers.all).result(30)
        relay.cut()
        said = ""
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable) as gone:
                db.tickers.all()
            said = str(gone.value)
        assert "no connection is available: connection" in said


def test_patience_is_bounded(url: str) -> None:
    """A host that is gone is noticed within half a minute, unless the URL says otherwise."""
    for asked, expected in (
        (url, ("30", "30000")),
        (f"{url}&tcp_user_timeout=1&keepalives_idle=2", ("2", "1")),
    ):
        with repo.connect(asked) as db:
            backend = db._backend
            assert isinstance(backend, PostgreSQLBackend)
            connection = backend.acquire(write=False)
            parameters = connection.info.get_parameters()
            backend.release(connection, write=False)
            assert (parameters["keepalives_idle"], parameters["tcp_user_timeout"]) == expected


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "transaction_timeout"])
def test_a_transaction_that_takes_too_long(url: str, db: Database, setting: str) -> None:
    """The server ends it; what was written is not there, and the error is this package's."""
    name = raw(url, "SELECT current_database()")[0][0]
    before = content(url)
    raw(url, f"ALTER DATABASE {name} SET {setting} TO '500ms'")
    idle = (
        "SELECT COUNT(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    with repo.connect(url) as hasty:
        with lost(hasty, DatabaseUnavailable):
            hasty.market.upsert([bar()])
            until(lambda: raw(url, idle) == [(0,)])
            hasty.tickers.all()
        assert content(url) == before
        assert len(hasty.tickers.all()) == 2


def test_a_transaction_may_not_idle_for_ever(url: str) -> None:
    """Ten minutes, where nobody has set it."""
    with repo.connect(url) as db, db.transaction() as tx:
        connection = tx._session.block().transaction.connection  # type: ignore[union-attr]
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("10min",)


def test_a_database_that_is_dropped_gives_its_connections_back(url: str) -> None:
    """Nobody closed it."""

    def use() -> None:
        dropped = repo.connect(url)
        dropped.tickers.all()
        assert sessions(url) > 0

    use()
    gc.collect()
    until(lambda: sessions(url) == 0)
