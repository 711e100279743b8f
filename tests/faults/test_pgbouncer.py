"""Behind PgBouncer in transaction mode: a session is whoever's turn it is, and nobody's to keep."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import repo
from repo import ConfigurationError, Database, Ticker
from tests import servers
from tests.builders import bar, day, until
from tests.cli_helpers import smdi
from tests.relay import relayed

INI = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
logfile = {folder}/log
pidfile = {folder}/pid
"""
SYMBOLS = [f"S{number}" for number in range(20)]


@pytest.fixture
def pooled(server: servers.Server, template: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database through PgBouncer, which has two sessions for everybody."""
    bouncer = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert bouncer, "this session needs PgBouncer on the PATH (Debian: apt-get install pgbouncer)"
    name = server.create(template)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with relayed(server.url_of(name)) as (_, through):
        ini = tmp_path / "pgbouncer.ini"
        ini.write_text(INI.format(server=urlsplit(through).port, port=port, folder=tmp_path))
        for each in (tmp_path, *tmp_path.parents[:3]):
            each.chmod(0o755)  # it refuses to run as root
        tmp_path.chmod(0o777)
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        process = subprocess.Popen([bouncer, *user, "-q", str(ini)])
        url = f"postgresql://postgres@127.0.0.1:{port}/{name}?min_size=1"
        try:
            until(lambda: answers(url))
            yield url
        finally:
            process.terminate()
            process.wait(30)
    server.drop(name)


def answers(url: str) -> bool:
    """Whether anybody listens."""
    parts = urlsplit(url)
    with socket.socket() as asked:
        return asked.connect_ex((str(parts.hostname), int(parts.port or 0))) == 0


def shown(url: str, setting: str) -> set[str]:
    """A setting of the server's sessions, as whoever comes next finds it."""
    plain = url.partition("?")[0]
    found = set()
    with psycopg.connect(plain) as one, psycopg.connect(plain) as two:  # both of the pooler's
        for each in (one, two):
            found.add(str(each.execute(f"SHOW {setting}").fetchall()[0][0]))
    return found


def fill(db: Database) -> None:
    """Twenty tickers, each with bars of its own close."""
    db.tickers.upsert(Ticker(symbol, symbol) for symbol in SYMBOLS)
    db.market.upsert(
        bar(symbol, day(number), close=float(index + 2))
        for index, symbol in enumerate(SYMBOLS)
        for number in range(30)
    )


def read_all(db: Database) -> None:
    """Ask for each ticker in several ways; each answer is the ticker's."""
    for index, symbol in enumerate(SYMBOLS):
        close = float(index + 2)
        assert {row.close for row in db.market.history(symbol)} == {close}
        assert [(row.symbol, row.close) for row in db.market.latest([symbol])] == [(symbol, close)]
        assert db.tickers.get(symbol).symbol == symbol
        summary = db.market.summary(symbol)
        assert summary is not None
        assert (summary.symbol, summary.close) == (symbol, close)


def test_nothing_is_left_in_a_session(pooled: str) -> None:
    """Neither that somebody only reads, nor how long a statement may take, nor the time zone."""
    before = {name: shown(pooled, name) for name in ("statement_timeout", "timezone")}
    with repo.connect(pooled, read_only=True, statement_timeout=7) as reader:
        assert reader.tickers.all() == []
        with reader.transaction() as tx:
            tx.tickers.all()
        assert shown(pooled, "default_transaction_read_only") == {"off"}
        with repo.connect(pooled) as db:
            fill(db)
    assert {name: shown(pooled, name) for name in before} == before


def test_commands(pooled: str, tmp_path: Path) -> None:
    """What reads first does not make the database read only for what loads next."""
    file = tmp_path / "tickers.csv"
    file.write_text("symbol,company_name\nAAPL,Apple Inc.\n")
    for _ in range(3):
        assert smdi("tickers", "--url", pooled).code == 0
    assert smdi("load", file, "--url", pooled).code == 0
    assert smdi("tickers", "--url", pooled).out.count("AAPL") == 1


def test_check(pooled: str) -> None:
    """Every query is prepared and described, after a load and a frame."""
    with repo.connect(pooled) as db:
        fill(db)
        db.market.upsert(bar("S0", day(number)) for number in range(3000))
        assert db.market.frame(["S0"]).num_rows == 3000
        assert db.check() == []


def test_settings_hold_in_every_call(pooled: str) -> None:
    """In reads by themselves, in blocks and in writes."""
    with repo.connect(pooled, statement_timeout=0.2) as db:
        fill(db)
        with psycopg.connect(pooled.partition("?")[0]) as other:
            other.execute("LOCK TABLE tickers")
            for call in (db.tickers.all, lambda: db.tickers.upsert([Ticker("NEW", "New")])):
                with pytest.raises(repo.DatabaseUnavailable, match="statement timeout"):
                    call()
        assert len(db.tickers.all()) == len(SYMBOLS)


def test_eight_threads_on_two_sessions(pooled: str) -> None:
    """Each gets its own answers, again and again, with the settings there are when none are given."""
    with repo.connect(pooled) as db, repo.connect(pooled, read_only=True) as reader:
        fill(db)

        def work(turn: int) -> None:
            for _ in range(5):
                read_all(reader if turn % 2 else db)
                with db.transaction(isolation="read committed") as tx:
                    tx.market.upsert([bar(SYMBOLS[turn], day(99), close=float(turn + 2))])
                    assert tx.market.history(SYMBOLS[turn])[-1].date == day(99)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        table = db.market.frame(SYMBOLS)
        assert table.num_rows == 20 * 30 + 8


def test_prepared_statements_that_are_mixed_up(pooled: str) -> None:
    """Who insists on them is told what to set, and is never given another query's rows."""
    with repo.connect(pooled) as db:
        fill(db)
    told = 0
    plain = pooled.partition("?")[0]
    asked = f"{pooled}&prepare_threshold=1"
    with (
        repo.connect(asked) as one,
        repo.connect(asked) as two,
        psycopg.connect(plain, autocommit=True, prepare_threshold=None) as third,
    ):
        for turn in range(20):
            # A transaction of somebody else's takes one of the two sessions: the other has to do.
            third.execute("BEGIN")
            third.execute("SELECT 1")
            for db in (one, two):
                try:
                    read_all(db)
                except ConfigurationError as error:
                    assert "prepare_threshold=none" in str(error)  # noqa: PT017  # not every time
                    told += 1
            if turn % 2:
                with psycopg.connect(plain) as fourth:
                    fourth.execute("SELECT 1")
                    third.execute("COMMIT")
            else:
                third.execute("COMMIT")
    assert told > 0
