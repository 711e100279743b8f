"""What a merge leaves alone on PostgreSQL: rows that are there already are not even locked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest

import repo
from repo import Bar, Ticker
from tests import servers


@pytest.fixture
def merged(server: servers.Server, template: str) -> Iterator[tuple[repo.Database, str]]:
    """A migrated PostgreSQL database and its URL."""
    name = server.create(template)
    url = server.url_of(name)
    with repo.connect(server.url_of(name, min_size="1")) as db:
        yield db, url
    server.drop(name)


def _bars(close: float) -> list[Bar]:
    first = date(2020, 1, 1)
    return [Bar("A", first + timedelta(i), None, None, None, close + i, i) for i in range(1500)]


def _touched(url: str) -> int:
    with psycopg.connect(url) as connection:
        # xmax is 0 in a row version that nothing has locked, changed or deleted since it was made.
        found = connection.execute("SELECT COUNT(*) FROM market_data WHERE xmax <> 0").fetchone()
    assert found is not None
    return int(found[0])


def test_rows_that_are_there_are_not_touched(merged: tuple[repo.Database, str]) -> None:
    """Loading the same rows again writes nothing, neither rows nor locks, to their pages."""
    db, url = merged
    db.tickers.upsert([Ticker("A", "Ay")])
    assert db.market.upsert(_bars(1.0)) == 1500
    assert _touched(url) == 0
    assert db.market.upsert(_bars(1.0)) == 0
    assert _touched(url) == 0


def test_only_rows_that_differ_are_touched(merged: tuple[repo.Database, str]) -> None:
    """Of a load with a few changes, only those rows get a new version."""
    db, url = merged
    db.tickers.upsert([Ticker("A", "Ay")])
    db.market.upsert(_bars(1.0))
    changed = _bars(1.0)
    changed[700] = changed[700]._replace(close=5000.0)
    assert db.market.upsert(changed) == 1
    with psycopg.connect(url) as connection:
        versions = connection.execute("SELECT COUNT(DISTINCT xmin::text) FROM market_data").fetchone()
    assert versions == (2,)
    assert _touched(url) <= 1
