"""The bars: ranges, the last of each ticker, one day of all, summaries, deletion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import pytest

from repo import Bar, Coverage, Database, Summary, Ticker, UnknownTicker
from tests.builders import DAY, bar, day, raw, seed


@pytest.fixture
def traded(db: Database) -> Database:
    """AAPL with bars on days 0 to 9, MSFT on every other of them, VOID with none."""
    seed(db)
    db.tickers.upsert([Ticker("VOID", "Void Inc.")])
    db.market.upsert(bar(on=day(number)) for number in range(10))
    db.market.upsert(bar("MSFT", day(number)) for number in range(0, 10, 2))
    return db


def days_of(bars: Iterable[Bar]) -> list[int]:
    """How far from the first day the bars are."""
    return [(row.date - DAY).days for row in bars]


RANGES: list[tuple[int | None, int | None, Iterable[int]]] = [
    (None, None, range(10)),
    (3, None, range(3, 10)),
    (None, 6, range(7)),
    (3, 6, range(3, 7)),
    (4, 4, range(4, 5)),
    (6, 3, ()),
    (10, 99, ()),
    (-9, -1, ()),
]


def test_ranges_include_both_ends(traded: Database) -> None:
    """History, summary and delete take the days from start to end, both included, in order."""
    whole = traded.market.history("AAPL")
    for start, end, expected in RANGES:
        first = None if start is None else day(start)
        last = None if end is None else day(end)
        history = traded.market.history("aapl", first, last)
        assert history == [bar(on=day(number)) for number in expected]
        summary = traded.market.summary("aapl", first, last)
        assert (0 if summary is None else summary.rows) == len(history)
        assert traded.market.delete("aapl", first, last) == len(history)
        rest = sorted(set(range(10)) - set(expected))
        assert days_of(traded.market.history("AAPL")) == rest
        assert len(traded.market.history("MSFT")) == 5
        assert traded.market.upsert(whole) == len(history)


def test_the_first_and_last_days_there_are(db: Database) -> None:
    """Ranges may be as long as the calendar, and bars lie on its edges."""
    seed(db)
    bars = [bar(on=date.min), bar(), bar(on=date.max)]
    db.market.upsert(bars)
    assert db.market.history("AAPL") == bars
    assert db.market.history("AAPL", date.min, date.max) == bars
    assert db.market.on(date.max) == bars[2:]
    assert db.market.coverage() == [Coverage("AAPL", date.min, date.max, 3)]


READS: Mapping[str, tuple[Callable[[Database, str], Any], Any]] = {
    "history": (lambda db, symbol: db.market.history(symbol), []),
    "latest": (lambda db, symbol: db.market.latest([symbol]), []),
    "summary": (lambda db, symbol: db.market.summary(symbol), None),
    "delete": (lambda db, symbol: db.market.delete(symbol), 0),
}


def test_unknown_and_empty(traded: Database) -> None:
    """An unknown symbol is an error that names it; a known one without bars is nothing."""
    for read, empty in READS.values():
        with pytest.raises(UnknownTicker) as raised:
            read(traded, "nope")
        assert raised.value.missing == ("NOPE",)
        assert read(traded, "void") == empty


def test_latest_of_all(traded: Database) -> None:
    """Each ticker's last bar comes by symbol; tickers without bars do not show."""
    assert traded.market.latest() == [bar(on=day(9)), bar("MSFT", day(8))]
    traded.market.delete("AAPL", day(9))
    assert traded.market.latest() == [bar(on=day(8)), bar("MSFT", day(8))]


def test_latest_of_some(traded: Database) -> None:
    """Any iterable of symbols, in any case and order and more than once, gives each bar once."""
    assert traded.market.latest(["msft"]) == [bar("MSFT", day(8))]
    symbols = ["MSFT", "void", "aapl", "AAPL"]
    assert traded.market.latest(symbols) == [bar(on=day(9)), bar("MSFT", day(8))]
    assert traded.market.latest(iter(symbols)) == [bar(on=day(9)), bar("MSFT", day(8))]
    assert traded.market.latest([]) == []


def test_latest_names_all_that_are_missing(traded: Database) -> None:
    """Every symbol that is not there is named, once, folded and sorted."""
    with pytest.raises(UnknownTicker) as raised:
        traded.market.latest(["zz", "AAPL", "b", "ZZ", "VOID", "a'b".replace("'", "-")])
    assert raised.value.missing == ("A-B", "B", "ZZ")


def test_latest_of_many(db: Database) -> None:
    """Thousands of symbols are asked for as one is."""
    symbols = [f"T{number:04}" for number in range(3000)]
    db.tickers.upsert(Ticker(symbol, "Somebody") for symbol in symbols)
    bars = [bar(symbol, day(1)) for symbol in symbols]
    db.market.upsert([*bars, *(bar(symbol) for symbol in symbols)])
    assert db.market.latest(symbols) == db.market.latest() == bars


def test_one_day_of_all(traded: Database) -> None:
    """The bars of one day come by symbol, and of that day only."""
    assert traded.market.on(day(4)) == [bar(on=day(4)), bar("MSFT", day(4))]
    assert traded.market.on(day(5)) == [bar(on=day(5))]
    assert traded.market.on(day(10)) == []


def test_coverage(traded: Database) -> None:
    """First day, last day and number of bars come by symbol, of tickers that have any."""
    assert traded.market.coverage() == [
        Coverage("AAPL", day(0), day(9), 10),
        Coverage("MSFT", day(0), day(8), 5),
    ]
    assert type(traded.market.coverage()[0]) is Coverage


def test_summary_by_hand(db: Database) -> None:
    """Open and close are the first and last bar's; absent values are passed over by the others."""
    seed(db)
    db.market.upsert(
        [
            Bar("AAPL", day(0), None, 3.0, None, 2.00004, 10),
            Bar("AAPL", day(1), 2.0, None, 1.5, 1.00005, None),
            Bar("AAPL", day(2), 2.0, 2.5, 2.0, 2.5, 5),
        ]
    )
    # Closes in 1e-4 dollars: 20000.4 -> 20000, 10000.5 -> 10001, 25000; 55001 of three.
    assert db.market.summary("AAPL") == Summary(
        "AAPL", day(0), day(2), 3, None, 3.0, 1.5, 2.5, 15, 55001.0 / 30000.0, 7.5
    )
    assert db.market.summary("AAPL", day(1), day(1)) == Summary(
        "AAPL", day(1), day(1), 1, 2.0, None, 1.5, 1.00005, None, 1.0001, None
    )
    assert type(db.market.summary("AAPL")) is Summary


def test_deleted_bars_are_gone(traded: Database, url: str) -> None:
    """Deletion counts what it took, leaves the ticker, and finds nothing the second time."""
    assert traded.market.delete("aapl") == 10
    assert traded.market.delete("AAPL") == 0
    assert traded.market.history("AAPL") == []
    assert traded.tickers.get("AAPL").company_name == "Apple Inc."
    assert raw(url, "SELECT COUNT(*) FROM market_data") == [(5,)]
