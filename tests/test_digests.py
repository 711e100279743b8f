"""Digests: equal for equal rows on both engines, other for any other row, and of one state."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import repo
from repo.digests import chunk_digests, digests, other_digests
from repo.errors import ConfigurationError, RangeError
from tests.builders import raw
from tests.conftest import Databases

MADE = datetime(2024, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "tickers": [
        (-7, "E", "E", None, MADE),
        (1, "A", "Ä ü 株 😀 'quoted', \"twice\"\n", None, MADE),
        (2, "B", "x" * 300, "037833100", datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        (999, "C", " ", None, MADE),
        (2_147_483_647, "D", "D", "000000000", MADE),
    ],
    "institutions": [(7, 9_999_999_999, "N", MADE), (1000, 1, "M", MADE)],
    "market_data": [
        (1, date(1, 1, 1), None, None, None, 0.1 + 0.2, None),
        (1, date(9999, 12, 31), 5e-324, 999999999999.9999, 5e-324, 1.0, 2**63 - 1),
        (2, date(1999, 12, 31), 1.0, 2.0, 0.5, 79.48000000000002, 0),
        (2, date(2000, 1, 1), None, 2.0, 0.5, 1.0, None),
    ],
    "institutional_holdings": [
        (2, date(2020, 3, 31), 7, date(2020, 5, 15), 0, 2**62, None),
        (2, date(2020, 3, 31), 7, date(2020, 5, 16), 1, 0, 100.0),
    ],
    "retail_sentiment": [
        (1, "a", date(2020, 1, 1), 0, -0.0),
        (1, "ä", date(2020, 1, 1), 2**63 - 1, -1.0),
        (1, "b", date(2020, 1, 2), 5, None),
    ],
}


MICROSECOND = timedelta(microseconds=1)
CHANGES = [
    ("tickers", "company_name = '!'", "ticker_id = 999"),
    ("tickers", "cusip = NULL", "ticker_id = 2"),
    ("market_data", "close = 79.48", "close > 79"),
    ("market_data", "volume = NULL", "volume = 0"),
    ("institutional_holdings", "market_value = market_value + 1", "shares_held = 0"),
    ("retail_sentiment", "source = 'c'", "source = 'b'"),
]
"""A table, a change of one value, and in which row."""


def stored(url: str, value: Any) -> Any:
    """A value as an engine keeps it."""
    if url.startswith("postgresql"):
        return value
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
    return value.toordinal() - 719_163 if isinstance(value, date) else value


def fill(url: str) -> str:
    """Put the rows into a database past the package, those of each table last first."""
    keys = "OVERRIDING SYSTEM VALUE" if url.startswith("postgresql") else ""
    for table, rows in ROWS.items():
        marks = ", ".join("?" for _ in rows[0])
        values = [stored(url, value) for row in reversed(rows) for value in row]
        raw(url, f"INSERT INTO {table} {keys} VALUES {', '.join([f'({marks})'] * len(rows))}", *values)
    return url


@pytest.fixture
def urls(tmp_path: Path, databases: Databases) -> Any:
    """The same rows on both engines."""
    name = databases.take()
    sqlite = f"sqlite:///{tmp_path / 'a.db'}"
    with repo.connect(sqlite) as db:
        db.migrate()
    yield fill(sqlite), fill(databases.server.url_of(name, min_size="1"))
    databases.give_back(name)


def test_alike_on_both_engines(urls: tuple[str, str]) -> None:
    """Each table and each chunk has one digest on both, and counts its rows."""
    with repo.connect(urls[0]) as one, repo.connect(urls[1]) as other:
        assert digests(one) == digests(other)
        assert chunk_digests(one) == chunk_digests(other)
        assert {name: found.rows for name, found in digests(one).items()} == {
            name: len(rows) for name, rows in ROWS.items()
        }
        assert [each[:2] for each in chunk_digests(one)["tickers"]] == [
            (-1, 1),
            (0, 3),
            (2_147_483, 1),
        ]
        assert [each[:2] for each in chunk_digests(one)["market_data"]] == [(1, 2), (2, 2)]


def test_known_digest(db: repo.Database) -> None:
    """The digests of no rows and of some are what they always were, for old ones are kept."""
    empty = digests(db)
    assert empty["market_data"].sha256 == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    db.tickers.upsert([repo.Ticker("AAPL", "Apple Inc.")])
    db.market.upsert([repo.Bar("AAPL", date(2020, 6, 1), 79.4, 80.6, 79.3, 80.5, 80_791_200)])
    assert digests(db, ["market_data"])["market_data"].sha256 == (
        "5d72ba11719efb2c0ba46e288124f670d470700613ea05d3a15b040d6f3b41e6"
    )


@pytest.mark.parametrize(("table", "change", "where"), CHANGES)
def test_any_change_shows(urls: tuple[str, str], table: str, change: str, where: str) -> None:
    """One value that differs makes its chunk and its table differ, and no other."""
    for url in urls:
        with repo.connect(url) as db:
            before, chunks = digests(db), chunk_digests(db)[table]
            raw(url, f"UPDATE {table} SET {change} WHERE {where}")
            after = digests(db)
            assert {name for name in before if before[name] != after[name]} == {table}
            assert len({*chunks} - {*chunk_digests(db)[table]}) == 1


OWN = ['INSERT INTO "o""wn" VALUES (1, NULL)', 'INSERT INTO "o""wn" VALUES (2, \'2\')']


def test_tables_of_others(db: repo.Database, url: str) -> None:
    """Any change of a value shows in the digest, and the order in which rows were written does not."""
    raw(url, 'CREATE TABLE "o""wn" (id integer, name text)')
    seen = set()
    for statements in (OWN, [*reversed(OWN)], [OWN[0]], [OWN[1], OWN[1]], []):
        raw(url, 'DELETE FROM "o""wn"')
        for statement in statements:
            raw(url, statement)
        (found,) = [each for name, each in other_digests(db).items() if "wn" in name]
        assert found.rows == len(statements)
        seen.add(found.sha256)
    assert len(seen) == 4
    raw(url, 'DELETE FROM "o""wn"')
    raw(url, "INSERT INTO \"o\"\"wn\" VALUES (1, ''), (2, '2')")  # no NULL
    (found,) = [each for name, each in other_digests(db).items() if "wn" in name]
    assert found.sha256 not in seen
    assert not {"tickers", "public.tickers", '"tickers"'} & {*other_digests(db)}


def test_one_state(db: repo.Database) -> None:
    """Inside a transaction its own writes count, and outside of it only what is committed."""
    before = digests(db)
    with db.transaction() as tx:
        tx.tickers.upsert([repo.Ticker("A", "A")])
        assert digests(tx)["tickers"].rows == 1
        assert digests(tx) == digests(db)
    assert digests(db, ["institutions"]) == {"institutions": before["institutions"]}
    with pytest.raises(ConfigurationError, match="there is no table 'bars'; there are tickers, "):
        digests(db, ["bars"])


def test_a_number_without_room(tmp_path: Path) -> None:
    """A key that only SQLite has room for is told, and no row goes uncounted."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with repo.connect(url) as db:
        db.migrate()
        raw(url, "INSERT INTO tickers (ticker_id, symbol, company_name) VALUES (?, 'A', 'A')", 2**40)
        with pytest.raises(RangeError, match="tickers has a number that leaves the type of its column"):
            digests(db)
