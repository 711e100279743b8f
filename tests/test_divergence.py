"""Ranking and timeline against the definition, as the oracle has it, and at the ends of numbers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from repo import Database, Divergence, InvalidRecord, Point, RangeError, UnknownTicker
from tests.builders import MAX, bar, clear, day, fill, holding, random_world, seed, sentiment
from tests.oracle import World

NOW = day(30)
"""A day on which the filings of :func:`two_quarters` are known, and its windows of 10 days are full."""


def two_quarters(
    before: int = 10, now: int = 15, interest: tuple[int, int] = (4, 6), symbol: str = "AAPL"
) -> tuple[list[Any], list[Any]]:
    """Holdings of a ticker at two quarter ends, and its interest in two windows up to NOW."""
    holdings = [
        holding(symbol, quarter_end=day(0), filed_after=5, shares_held=before),
        holding(symbol, quarter_end=day(20), filed_after=5, shares_held=now),
    ]
    return holdings, [sentiment(symbol, day(15 + 10 * n), each) for n, each in enumerate(interest)]


def write(db: Database, *parts: tuple[list[Any], list[Any]]) -> None:
    """Store tickers' holdings and interest."""
    seed(db)
    for holdings, interest in parts:
        db.holdings.upsert(holdings)
        db.sentiment.upsert(interest)


@pytest.mark.parametrize("number", range(2))
def test_ranking_agrees_with_the_oracle(db: Database, number: int) -> None:
    """On every day, with any window and source, a ranking is the definition's to the last bit."""
    world = random_world(number)
    fill(db, world)
    longest = 0
    for on in range(-2, 110, 3):
        for window in (1, 7, 30, 10**6):
            for source in ("forum", "trends"):
                expected = world.ranking(day(on), source, window)
                found = db.divergence.ranking(day(on), source, window)
                assert repr(list(map(tuple, found))) == repr(expected), (on, window, source)
                longest = max(longest, len(found))
        assert db.divergence.ranking(day(on), "forum", 30, 2) == world.ranking(day(on), "forum", 30)[:2]
    assert longest > 2


@pytest.mark.parametrize("number", range(2))
def test_timeline_agrees_with_the_oracle(db: Database, number: int) -> None:
    """A timeline is the definition's for every ticker, source and range."""
    world = random_world(number)
    fill(db, world)
    known = 0
    for symbol in world.tickers:
        for source in ("forum", "trends", "absent"):
            for start, end in ((None, None), (0, None), (None, 30), (20, 40), (41, 41), (9, 3)):
                first = None if start is None else day(start)
                last = None if end is None else day(end)
                expected = world.timeline(symbol, first, last, source)
                found = db.divergence.timeline(symbol, first, last, source)
                assert repr(list(map(tuple, found))) == repr(expected), (symbol, source, start, end)
                known += sum(None not in point for point in found)
    assert known > 100


def test_a_ranking_by_hand(db: Database) -> None:
    """Flow, change of interest, return, ranks and their difference of two tickers."""
    write(db, two_quarters(10, 15, (4, 6)), two_quarters(10, 5, (4, 8), "MSFT"))
    db.market.upsert([bar(on=day(20), close=2.0), bar(on=day(29), close=3.0), bar("MSFT", day(21))])
    rows = db.divergence.ranking(NOW, window_days=10)
    assert rows == [
        Divergence("AAPL", NOW, 0.5, 0.5, 0.5, 1.0, 0.0, 1.0),
        Divergence("MSFT", NOW, -0.5, 1.0, None, 0.0, 1.0, -1.0),
    ]
    assert {type(row) for row in rows} == {Divergence}
    assert list(map(type, rows[0])) == [str, date, float, float, float, float, float, float]


def test_a_number_out_of_range_ends_the_transaction(db: Database) -> None:
    """A product that 64 bits would hold, and the definition does not, is an error of the database's."""
    write(db, two_quarters(interest=(9 * 10**18, 1)))
    with pytest.raises(RangeError):
        db.divergence.ranking(NOW, window_days=10)

    def go_on() -> None:
        with db.transaction() as tx:
            with pytest.raises(RangeError):
                tx.divergence.ranking(NOW, window_days=10)
            with pytest.raises(RangeError):
                tx.tickers.all()

    with pytest.raises(RangeError):
        go_on()


def test_one_ticker_has_both_ranks_0(db: Database) -> None:
    """A ranking of one is a divergence of nothing."""
    write(db, two_quarters())
    assert db.divergence.ranking(NOW, window_days=10) == [
        Divergence("AAPL", NOW, 0.5, 0.5, None, 0.0, 0.0, 0.0)
    ]


def test_ties_share_the_lowest_rank_and_come_by_symbol(db: Database) -> None:
    """Equal flows rank alike, and equal divergences are sorted by symbol."""
    write(db, two_quarters(symbol="MSFT"), two_quarters())
    rows = db.divergence.ranking(NOW, window_days=10)
    assert [(row.symbol, *row[5:]) for row in rows] == [("AAPL", 0.0, 0.0, 0.0), ("MSFT", 0.0, 0.0, 0.0)]


LEFT_OUT: dict[str, tuple[list[Any], list[Any]]] = {
    "none held before": two_quarters(before=0),
    "no interest before": two_quarters(interest=(0, 5)),
    "no rows now": (two_quarters()[0], two_quarters()[1][:1]),
    "no rows before": (two_quarters()[0], two_quarters()[1][1:]),
    "one quarter": (two_quarters()[0][:1], two_quarters()[1]),
    "the other quarter": (two_quarters()[0][1:], two_quarters()[1]),
}


def test_tickers_left_out(db: Database, url: str) -> None:
    """A ticker without a flow or without a change of interest is not in the ranking."""
    for case, part in LEFT_OUT.items():
        clear(url)
        write(db, part)
        assert db.divergence.ranking(NOW, window_days=10) == [], case


def test_only_what_was_known_counts(db: Database) -> None:
    """A filing or an amendment counts from its own day on, a row of interest from its day."""
    holdings, interest = two_quarters()
    write(db, ([*holdings, holdings[1]._replace(filing_date=day(29), shares_held=20)], interest))
    flows = [
        [row.flow for row in db.divergence.ranking(day(on), window_days=10)] for on in (24, 28, 29, 31)
    ]
    assert flows == [[], [0.5], [1.0], [1.0]]


def test_institutions_that_came_or_left_do_not_count(db: Database) -> None:
    """Only who filed for both quarters counts, whatever the ticker; what it sold out is 0."""
    holdings, interest = two_quarters()
    newcomer = holding(cik=2, quarter_end=day(20), filed_after=5, shares_held=1000)
    write(db, ([*holdings, newcomer], interest), ([], two_quarters(symbol="MSFT")[1]))
    assert [row.flow for row in db.divergence.ranking(NOW, window_days=10)] == [0.5]
    # A filing for another ticker makes it one of those who filed for both, with nothing of AAPL.
    db.holdings.upsert([holding("MSFT", cik=2, filed_after=5, shares_held=8)])
    rows = {row.symbol: row.flow for row in db.divergence.ranking(NOW, window_days=10)}
    assert rows == {"AAPL": (1015.0 - 10.0) / 10.0, "MSFT": -1.0}


def test_limit(db: Database) -> None:
    """A limit keeps the first rows, and the ranks are still those among all."""
    world = random_world(1)
    fill(db, world)
    everyone = db.divergence.ranking(day(58), "forum", 30)
    assert len(everyone) > 3
    for limit in (0, 1, 3, len(everyone), 10**6, MAX):
        assert db.divergence.ranking(day(58), "forum", 30, limit) == everyone[:limit]
    assert db.divergence.ranking(day(58), "forum", 30, None) == everyone


def test_sources(db: Database) -> None:
    """None is the only source there is; of several one has to be named, and all of them are said."""
    holdings, interest = two_quarters()
    write(db, (holdings, []))
    db.market.upsert([bar(on=NOW)])
    assert db.divergence.ranking(NOW, window_days=10) == []
    assert db.divergence.timeline("AAPL") == [Point(NOW, 2.0, None, 15)]
    db.sentiment.upsert(interest)
    named = db.divergence.ranking(NOW, "trends", 10)
    assert len(named) == 1
    assert db.divergence.ranking(NOW, window_days=10) == named
    assert db.divergence.timeline("AAPL") == [Point(NOW, 2.0, 6, 15)]
    db.sentiment.upsert([sentiment("MSFT", source="forum")])
    for read in (lambda: db.divergence.ranking(NOW), lambda: db.divergence.timeline("AAPL")):
        with pytest.raises(InvalidRecord, match="forum, trends") as raised:
            read()
        assert (raised.value.row, raised.value.field) == (None, "source")
    assert db.divergence.ranking(NOW, "trends", 10) == named
    assert db.divergence.ranking(NOW, "absent", 10) == []
    assert db.divergence.timeline("AAPL", source="absent") == [Point(NOW, 2.0, None, 15)]


def test_windows_before_the_first_day_there_is(db: Database) -> None:
    """Windows that would begin before the calendar are short, and end where they should."""
    days = [date.min + timedelta(number) for number in range(6)]
    world = World(
        tickers={"A": ("Somebody", None)},
        institutions={1: "Somebody"},
        bars={("A", on): (None, None, None, 1.0 + on.day, None) for on in days},
        holdings={("A", days[0], 1, days[0]): (2, 0, None), ("A", days[1], 1, days[1]): (3, 0, None)},
        sentiment={("A", "s", on): (on.day, None) for on in days},
    )
    fill(db, world)
    found = 0
    for on in [*days, day(0), date.max]:
        for window in (1, 2, 3, 4, 5, 6, 7, 10**6, 3_652_059, MAX):
            rows = world.ranking(on, None, window)
            assert db.divergence.ranking(on, None, window) == rows, (on, window)
            found += len(rows)
    assert found > 8
    assert db.divergence.timeline("A") == world.timeline("A")


def test_a_timeline_of_an_unknown_ticker(db: Database) -> None:
    """An unknown symbol is named; a known one without bars gives no points; symbols are folded."""
    write(db, two_quarters())
    with pytest.raises(UnknownTicker) as raised:
        db.divergence.timeline("nope")
    assert raised.value.missing == ("NOPE",)
    assert db.divergence.timeline("msft") == []
    db.market.upsert([bar(on=NOW)])
    (point,) = db.divergence.timeline("aapl")
    assert point == Point(NOW, 2.0, 6, 15)
    assert list(map(type, point)) == [date, float, int, int]


def test_interest_of_a_timeline_is_at_most_six_days_old(db: Database) -> None:
    """A row seven days before the bar is too old, and one after the bar is not known yet."""
    seed(db)
    db.market.upsert(bar(on=day(number)) for number in (0, 1, 6, 7, 8))
    db.sentiment.upsert([sentiment(on=day(1), interest=0)])
    assert [point.interest for point in db.divergence.timeline("AAPL")] == [None, 0, 0, 0, None]
