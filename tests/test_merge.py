"""What a merge leaves alone on PostgreSQL: rows that are there already are not even locked."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg

import repo
from repo import Bar, Ticker
from tests.builders import plain_url

BACKENDS = ("postgresql",)


def _bars(close: float) -> list[Bar]:
    first = date(2020, 1, 1)
    return [Bar("A", first + timedelta(i), None, None, None, close + i, i) for i in range(1500)]


def _touched(url: str) -> int:
    with psycopg.connect(plain_url(url)) as connection:
        # xmax is 0 in a row version that nothing has locked, changed or deleted since it was made.
        found = connection.execute("SELECT COUNT(*) FROM market_data WHERE xmax <> 0").fetchone()
    assert found is not None
    return int(found[0])


def test_rows_that_are_there_are_not_touched(db: repo.Database, url: str) -> None:
    """Loading the same rows again writes nothing, neither rows nor locks, to their pages."""
    db.tickers.upsert([Ticker("A", "Ay")])
    assert db.market.upsert(_bars(1.0)) == 1500
    assert _touched(url) == 0
    assert db.market.upsert(_bars(1.0)) == 0
    assert _touched(url) == 0


def test_only_rows_that_differ_are_touched(db: repo.Database, url: str) -> None:
    """Of a load with a few changes, only those rows get a new version."""
    db.tickers.upsert([Ticker("A", "Ay")])
    db.market.upsert(_bars(1.0))
    changed = _bars(1.0)
    changed[700] = changed[700]._replace(close=5000.0)
    assert db.market.upsert(changed) == 1
    with psycopg.connect(plain_url(url)) as connection:
        versions = connection.execute("SELECT COUNT(DISTINCT xmin::text) FROM market_data").fetchone()
    assert versions == (2,)
    assert _touched(url) <= 1
