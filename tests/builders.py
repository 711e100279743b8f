"""Valid rows in few words, small worlds, and a look at a database past the package."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import psycopg
import pytest

import repo
from repo import Bar, Database, Holding, Institution, Sentiment, Ticker
from tests.oracle import World

DAY: Final = date(2010, 1, 4)
MAX: Final = 2**63 - 1
TABLE_OF: Final = {
    "tickers": "tickers",
    "institutions": "institutions",
    "market": "market_data",
    "holdings": "institutional_holdings",
    "sentiment": "retail_sentiment",
}
"""Of each repository its table."""

_OWN_PARAMETERS: Final = {
    "min_size",
    "max_size",
    "pool_timeout",
    "statement_timeout",
    "prepare_threshold",
}


def day(number: int) -> date:
    """A day by its distance from :data:`DAY`."""
    return DAY + timedelta(days=number)


def bar(symbol: str = "AAPL", on: date = DAY, close: float = 2.0, volume: int | None = 100) -> Bar:
    """A valid bar."""
    return Bar(symbol, on, 1.5, close + 1.0, 1.0, close, volume)


def holding(
    symbol: str = "AAPL",
    cik: int = 1,
    quarter_end: date = DAY,
    filed_after: int = 45,
    shares_held: int = 10,
) -> Holding:
    """A valid holding, filed some days after its quarter ended."""
    filed = quarter_end + timedelta(days=filed_after)
    return Holding(symbol, cik, quarter_end, filed, shares_held, 1000, 0.5)


def sentiment(
    symbol: str = "AAPL", on: date = DAY, interest: int = 5, source: str = "trends"
) -> Sentiment:
    """A valid row of interest."""
    return Sentiment(symbol, source, on, interest, 0.25)


SERIES: Final[Mapping[str, Callable[[int, int], Any]]] = {
    "tickers": lambda number, version: Ticker(f"T{number}", f"Name {version}"),
    "institutions": lambda number, version: Institution(100 + number, f"Name {version}"),
    "market": lambda number, version: bar(on=day(number), close=1.0 + version),
    "holdings": lambda number, version: holding(quarter_end=day(number), shares_held=version),
    "sentiment": lambda number, version: sentiment(on=day(number), interest=version),
}
"""Of each repository a row by a number, which makes its key, and a version, which makes the rest."""


def seed(db: Database) -> None:
    """Two tickers and two institutions for other rows to refer to."""
    db.tickers.upsert([Ticker("AAPL", "Apple Inc.", "037833100"), Ticker("MSFT", "Microsoft Corp.")])
    db.institutions.upsert([Institution(1, "One"), Institution(2, "Two")])


def fill(db: Database, world: World) -> None:
    """Write a world's content."""
    db.tickers.upsert(Ticker(symbol, *rest) for symbol, rest in world.tickers.items())
    db.institutions.upsert(Institution(*item) for item in world.institutions.items())
    db.market.upsert(Bar._make((*key, *rest)) for key, rest in world.bars.items())
    db.holdings.upsert(
        Holding(symbol, cik, quarter, filed, *rest)
        for (symbol, quarter, cik, filed), rest in world.holdings.items()
    )
    db.sentiment.upsert(Sentiment(*key, *rest) for key, rest in world.sentiment.items())


def random_world(number: int) -> World:
    """A small world in which much happens: amendments, sales, newcomers, gaps, zeros and ties.

    Its four quarters end on :data:`DAY` and each 20 days later; bars and interest are of the 80 days
    around them. The first ticker has no bars and the last no filings.
    """
    chance = random.Random(number)
    symbols = [f"S{letter}" for letter in "ABCDEFGH"]
    ciks = [7, 11, 300, 9_999_999_999]
    return World(
        tickers=dict.fromkeys(symbols, ("Somebody Inc.", None)),
        institutions=dict.fromkeys(ciks, "Somebody"),
        bars={
            (symbol, day(on)): (
                chance.choice([None, 1.0, 2.5]),
                chance.choice([None, 9.0, 9.5]),
                chance.choice([None, 0.5]),
                chance.choice((1.0, 1.5, 3.00005)),
                chance.choice((None, 0, 7)),
            )
            for symbol in symbols[1:]
            for on in range(-20, 60)
            if chance.random() < 0.3
        },
        holdings={
            (symbol, day(20 * quarter), cik, day(20 * quarter + wait)): (
                chance.choice((0, 1, 2, 1000)),
                chance.randrange(10**6),
                chance.choice([None, -0.0, 0.5]),
            )
            for cik in ciks
            for quarter in range(4)
            if chance.random() < 0.8  # or else it did not file at all
            for symbol in symbols[:-1]
            if chance.random() < 0.7
            for wait in chance.sample(range(25), k=chance.choice([1, 1, 2]))
        },
        sentiment={
            (symbol, source, day(on)): (chance.choice((0, 1, 5, 10)), chance.choice([None, -0.0, 0.5]))
            for symbol in symbols
            for source in ("forum", "trends")
            for on in range(-20, 60)
            if chance.random() < 0.2
        },
    )


def clear(url: str) -> None:
    """Delete every row of every table."""
    for table in reversed(TABLE_OF.values()):
        raw(url, f"DELETE FROM {table}")


@contextmanager
def lost(
    db: Database, error: type[BaseException], *, match: str | None = None, read_only: bool = False
) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """A block that ends with an error, which is expected."""
    with pytest.raises(error, match=match) as raised, db.transaction(read_only=read_only):
        yield raised


def until(true: Callable[[], bool]) -> None:
    """Wait for something that is to come soon; that it never comes is a failure."""
    end = time.monotonic() + 60
    while not true():
        if time.monotonic() > end:
            pytest.fail("it never came")
        time.sleep(0.01)


def plain_url(url: str) -> str:
    """A PostgreSQL URL without the parameters that are this package's own."""
    parts = urlsplit(url)
    others = [item for item in parse_qsl(parts.query) if item[0] not in _OWN_PARAMETERS]
    return parts._replace(query=urlencode(others, quote_via=quote)).geturl()


def path_of(url: str) -> Path:
    """The file of a SQLite URL."""
    return Path(unquote(url.removeprefix("sqlite:///")))


def raw(url: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement through the driver alone; parameters are ``?`` in it on both engines."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(path_of(url))) as file, file:
            file.execute("PRAGMA foreign_keys = ON")
            return file.execute(sql, parameters).fetchall()
    with psycopg.connect(plain_url(url)) as server:
        cursor = server.execute(sql.replace("?", "%s").encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def sessions(url: str) -> int:
    """How many sessions a PostgreSQL database has beside the one that asks."""
    sql = (
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    ((count,),) = raw(url, sql)
    return int(count)


def stored(url: str, on: date) -> Any:
    """A date as the engine of the URL keeps it."""
    return on.toordinal() - 719163 if url.startswith("sqlite:") else on


def content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in the order of their text."""
    return {table: sorted(raw(url, f"SELECT * FROM {table}"), key=repr) for table in TABLE_OF.values()}


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start another Python, in which ``repo`` is this one; its output is text, line by line."""
    root = str(Path(repo.__file__).parent.parent)
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, kept)
