"""The retail interest: kept by source, read of one source or of all."""

from __future__ import annotations

import pytest

from repo import Database, UnknownTicker
from tests.builders import day, seed, sentiment


def test_history_of_one_source_and_of_all(db: Database) -> None:
    """Rows come by date and source, both ends included; a source is one by its exact name."""
    seed(db)
    rows = [
        sentiment(on=day(number), source=source) for number in range(5) for source in ("Forum", "forum")
    ]
    db.sentiment.upsert(reversed(rows))
    db.sentiment.upsert([sentiment("MSFT")])
    assert db.sentiment.history("aapl") == rows
    assert db.sentiment.history("AAPL", source="forum") == rows[1::2]
    assert db.sentiment.history("AAPL", day(1), day(2)) == rows[2:6]
    assert db.sentiment.history("AAPL", day(3), source="Forum") == rows[6::2]
    assert db.sentiment.history("AAPL", end=day(0)) == rows[:2]
    assert db.sentiment.history("AAPL", day(2), day(1)) == []
    assert db.sentiment.history("AAPL", source="FORUM") == []
    assert db.sentiment.history("MSFT") == [sentiment("MSFT")]


def test_sources(db: Database) -> None:
    """The names come once each, by code point, whichever ticker they are of."""
    seed(db)
    assert db.sentiment.sources() == []
    names = ["trends", "Trends", "\u00e9cho", "z", "a b", "\U0001f600"]
    db.sentiment.upsert(
        sentiment(symbol, day(number), source=source)
        for symbol, sources in (("AAPL", names[:4]), ("MSFT", names[2:]))
        for source in sources
        for number in range(3)
    )
    assert db.sentiment.sources() == sorted(names)


def test_unknown_and_empty(db: Database) -> None:
    """An unknown symbol is an error that names it; a known one without rows is an empty list."""
    seed(db)
    with pytest.raises(UnknownTicker) as raised:
        db.sentiment.history("nope")
    assert raised.value.missing == ("NOPE",)
    assert db.sentiment.history("msft") == []
